"""A season of the demo's country as a job that may be killed anywhere and run again.

``python -m benchmarks.faults.season_job STORE COUNTRY`` plans and runs until nothing is left. The
last line of its output is JSON with the root hash of the store.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

import cbmcube as cbm
from benchmarks.faults import units
from benchmarks.faults.job import arguments, client_of, in_one_line
from cbmcube.catalog import FrozenCatalog
from cbmcube.demo import Country, open_country
from cbmcube.observations.season import plan

_RUNS = 20
"""Times that units are tried again which failed for reasons that may pass."""


def parcels(country: Country, count: int) -> gpd.GeoDataFrame:
    """Return the declared parcels, or small squares among them to have many.

    They are the same in every run.
    """
    declared = cbm.prepare_parcels(cbm.read_parcels(country.parcels, id="field_id"))
    if not count:
        return declared
    dice = np.random.default_rng(0)
    west, south, east, north = declared.total_bounds
    x, y = dice.uniform((west, south), (east, north), (count, 2)).T
    side = dice.uniform(25, 120, count)
    names = np.arange(count) + 1_000_000
    squares = shapely.box(x, y, x + side, y + side)
    return gpd.GeoDataFrame(index=names, geometry=squares, crs=declared.crs)


@contextlib.contextmanager
def catalogue(country: Country, base: str) -> Iterator[FrozenCatalog]:
    """Open the country's items, their files at another address if one is given."""
    if not base:
        yield cbm.open_catalog(country.catalogue)
        return
    found = json.loads(country.catalogue.read_text(encoding="utf-8"))
    for item in found["features"]:
        for asset in item["assets"].values():
            asset["href"] = asset["href"].replace("./", f"{base}/", 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "season.json")
        path.write_text(json.dumps(found), encoding="utf-8")
        yield cbm.open_catalog(path, access=cbm.AccessPolicy(hosts=("127.0.0.1",)))


def main() -> None:
    """Run the job that the command line asks for."""
    given = _arguments()
    country = open_country(given.country)
    if country is None:
        message = f"no country in {given.country}"
        raise FileNotFoundError(message)
    with catalogue(country, given.base) as found:
        season = plan(
            found,
            cbm.CARD_BS,
            parcels(country, given.parcels),
            store=given.store,
            period=given.period,
            records_per_unit=given.records,
        )
    left = len(season.left())
    for _ in range(_RUNS):
        with client_of(given) as client:
            report = season.run(client, progress=False)
        if not report.left:
            break
    print(json.dumps({**units.described(season.store.snapshot()), "computed": left}), flush=True)


def _arguments() -> argparse.Namespace:
    parser = arguments(__doc__)
    parser.add_argument("country", type=Path, help="folder that make_country wrote")
    parser.add_argument("--parcels", type=int, default=0, help="squares instead of the declared")
    parser.add_argument("--records", type=int, default=2500, help="rows of a unit")
    parser.add_argument("--period", help="such as 2024-03-01/2024-03-31")
    parser.add_argument("--base", default="", help="address at which the files are served")
    return parser.parse_args()


if __name__ == "__main__":
    in_one_line(main)
