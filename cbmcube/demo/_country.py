"""Make the synthetic country, or open one that was made before."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pystac

from cbmcube.demo import _optical, _radar
from cbmcube.demo._blocks import make_land
from cbmcube.demo._parcels import Ground, declare
from cbmcube.demo._phenology import Season, grow
from cbmcube.demo._scenes import jobs
from cbmcube.demo._sizes import VERSION, Recipe, recipe
from cbmcube.demo._stac import collections
from cbmcube.demo._studio import Studio
from cbmcube.demo._truth import season_events, truth
from cbmcube.demo._weather import soil_moisture
from cbmcube.demo._write import write_json, write_parcels, write_table
from cbmcube.demo._zones import SITE_CRS, Zone, make_zones, site_centre
from cbmcube.exceptions import OptionError

Progress = Callable[[int, int, str], None]

_RECORD = "truth.json"
"""File that states what the country is; the last one that is written."""


@dataclass(frozen=True, slots=True)
class Country:
    """A small synthetic country: files, and the truth behind them."""

    folder: Path
    """Folder that holds everything."""
    size: str
    """``"tiny"``, ``"long"``, ``"small"`` or ``"medium"``."""
    seed: int
    """Seed of every random number."""
    period: str
    """First and last day of the season, such as ``"2024-03-01/2024-10-31"``."""
    n_items: int
    """Number of STAC items."""
    n_parcels: int
    """Number of declared parcels."""
    n_bytes: int
    """Size of all files, bytes."""
    truth: Mapping[str, Any] = field(repr=False)
    """What tests and examples may compare with: the acquisition that is missing, the
    processing-baseline change, the reprocessed twin, tiles, faults of parcels and more."""

    @property
    def catalogue(self) -> Path:
        """The items of all three collections, an ItemCollection in JSON."""
        return self.folder / "season.json"

    @property
    def collections(self) -> Path:
        """The three STAC collections, a list in JSON."""
        return self.folder / "collections.json"

    @property
    def parcels(self) -> Path:
        """The declared parcels, a GeoPackage in EPSG:3035.

        Columns ``field_id``, ``crop_code`` and ``crop``.
        """
        return self.folder / "parcels.gpkg"

    @property
    def events(self) -> Path:
        """What farmers did, and when: a CSV of ``field_id``, ``event`` and ``date``."""
        return self.folder / "events.csv"

    def __repr__(self) -> str:
        return (
            f"<Country {self.size!r}, seed {self.seed}: {self.n_parcels} parcels, "
            f"{self.n_items} items, {self.period}, {self.n_bytes / 1e6:.0f} MB in {self.folder}>"
        )


def make_country(
    folder: str | os.PathLike[str],
    *,
    size: str = "medium",
    seed: int = 0,
    progress: Progress | None = None,
) -> Country:
    """Write a synthetic country: parcels, satellite data as COGs, and their STAC items.

    The land straddles the border of UTM zones 32N and 33N. Its data have the difficulties
    of real data: clouds, overlapping tiles, two radar passes on one day, one that is
    missing, a change of processing baseline, an item processed twice; its parcels overlap,
    or are slivers or invalid. Equal `size` and `seed` give equal bytes.

    Parameters
    ----------
    folder
        Where to write: a new or empty folder, or one with a country, which is replaced.
    size
        ``"tiny"`` or ``"small"``, March to May; ``"long"``, the fields of the tiny one,
        or ``"medium"``, March to October.
    seed
        Seed of every random number, 0 or larger.
    progress
        Called as ``progress(done, total, label)`` after each acquisition.

    Returns
    -------
    Country
        Paths and truth of what was written.

    Raises
    ------
    OptionError
        If `size` or `seed` is not allowed, or `folder` holds something else.

    Examples
    --------
    >>> from cbmcube.demo import make_country
    >>> country = make_country("country", size="tiny")  # doctest: +SKIP
    >>> country.period, country.n_items
    ('2024-03-01/2024-05-31', 165)
    >>> country.truth["missing"]["orbit_state"]
    'descending'
    """
    chosen = recipe(size, seed)
    target = Path(folder)
    _claim(target, chosen)
    ground, season, zones = _simulate(chosen)
    items = _write_scenes(target, chosen, season, zones, progress)
    write_parcels(target / "parcels.gpkg", ground.declared)
    rows = list(season_events(chosen, ground, season))
    write_table(target / "events.csv", ("field_id", "event", "date"), rows)
    _write_catalogue(target, items, chosen)
    write_json(target / _RECORD, truth(chosen, ground, zones, items))
    return _opened(target, json.loads((target / _RECORD).read_text(encoding="utf-8")))


def open_country(
    folder: str | os.PathLike[str], *, size: str | None = None, seed: int | None = None
) -> Country | None:
    """Open a country that was made before.

    Parameters
    ----------
    folder
        Where it was written.
    size, seed
        What it must have been made with; None accepts any.

    Returns
    -------
    Country or None
        None where there is no complete country, or where it was made with another size
        or seed, or by another version of the recipe; make it anew then.

    Examples
    --------
    >>> from cbmcube.demo import open_country
    >>> open_country("a/folder/that/is/not/there") is None
    True
    """
    record = _read_record(Path(folder))
    if record is None or record["complete"] is not True:
        return None
    stated = record["recipe"]
    if size not in {None, stated["size"]} or seed not in {None, stated["seed"]}:
        return None
    if stated["version"] != VERSION:
        return None
    return _opened(Path(folder), record)


def _read_record(folder: Path) -> dict[str, Any] | None:
    """Return what `make_country` recorded, None where it recorded nothing."""
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    known = isinstance(record, dict) and isinstance(record.get("recipe"), dict)
    if not known or not {"size", "seed", "version"} <= record["recipe"].keys():
        return None
    return record if "complete" in record else None


def _opened(folder: Path, record: Mapping[str, Any]) -> Country:
    stated = record["recipe"]
    return Country(
        folder=folder,
        size=stated["size"],
        seed=stated["seed"],
        period=record["period"],
        n_items=record["n_items"],
        n_parcels=record["n_parcels"],
        n_bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        truth=record,
    )


def _claim(folder: Path, chosen: Recipe) -> None:
    """Take possession of `folder`, or refuse to write among files of another kind."""
    if folder.exists() and not folder.is_dir():
        raise OptionError("a country needs a folder", given=folder, hint="name a folder")
    held = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if held and _read_record(folder) is None:
        raise OptionError(
            "the folder holds files that are no country",
            given=f"{folder}: {', '.join(held[:5])}",
            allowed="an empty or new folder, or one that make_country wrote",
            hint="name another folder",
        )
    for name in ("CARD-2A", "CARD-BS", "CARD-COH6"):
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / _RECORD, {"complete": False, "recipe": chosen.identity})


def _simulate(chosen: Recipe) -> tuple[Ground, Season, tuple[Zone, Zone]]:
    centre = site_centre(chosen)
    ground = declare(make_land(chosen, centre), chosen, centre, SITE_CRS)
    return ground, grow(ground.kind, chosen.seed), make_zones(chosen, ground)


def _write_scenes(
    folder: Path,
    chosen: Recipe,
    season: Season,
    zones: tuple[Zone, Zone],
    progress: Progress | None,
) -> list[pystac.Item]:
    """Write all acquisitions, some at a time; files do not depend on the order."""
    moisture = soil_moisture(chosen.seed)
    studio = Studio(
        folder=folder,
        recipe=chosen,
        zones=zones,
        optical=_optical.make_land(season, moisture, chosen.seed),
        radar=_radar.make_land(season, moisture, chosen.seed),
    )
    items: list[pystac.Item] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = {pool.submit(job): label for label, job in jobs(studio)}
        for done, future in enumerate(as_completed(running), start=1):
            items += future.result()
            if progress is not None:
                progress(done, len(running), running[future])
    return sorted(items, key=lambda item: (item.datetime, item.collection_id, item.id))


def _write_catalogue(folder: Path, items: list[pystac.Item], chosen: Recipe) -> None:
    season = pystac.ItemCollection(items, clone_items=False)
    write_json(folder / "season.json", season.to_dict())
    described = [one.to_dict(include_self_link=False) for one in collections(items, chosen)]
    write_json(folder / "collections.json", described)
    for one in described:
        write_json(folder / one["id"] / "collection.json", one)
