"""The cube of a store is the cube that was reduced, and says what the table says."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cbmcube as cbm
from cbmcube.observations.reading import _cube, open_observations
from cbmcube.observations.season import plan
from cbmcube.observations.store import compact
from cbmcube.testing import vector_cube
from tests.observations.reading.conftest import unfinished
from tests.observations.reading.stores import make_store

KEYS = ["time", "parcel", "band"]


def plain(cube):
    """Without attributes and without what only the numbers' maker knows."""
    cube = cube.drop_attrs(deep=True)
    return cube.drop_vars([name for name in ("radiometry",) if name in cube.coords])


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("block", [1, 20, 1_000_000])
def test_a_whole_store_gives_its_cube(whole, compacted, block, monkeypatch):
    """In chunks of one date, of several, of all: the same bits."""
    monkeypatch.setattr(_cube, "BLOCK_ROWS", block)
    cube = whole.open(compacted=compacted).cube()
    expected = whole.stats.copy(deep=True)
    for name in expected.data_vars:  # the parcel outside every grid was not seen
        if "statistic" in expected[name].dims:
            expected[name][:, 4] = np.nan
            expected[name].loc[{"statistic": "count", "parcel": "P4"}] = 0
        elif name == "SCL_fraction":
            expected[name][:, 4] = 0
        else:
            expected[name].loc[{"parcel": "P4"}] = 0
    # A table has no share where nothing was seen.
    xr.testing.assert_identical(plain(cube.compute()), plain(expected)[list(cube.data_vars)])
    assert cube.attrs["product"] == "CARD-2A"
    assert "n_failed" not in cube


@pytest.mark.parametrize("compacted", [False, True])
def test_the_cube_says_what_the_table_says(holed, compacted):
    with unfinished():
        observations = holed.open(compacted=compacted)
        table = cbm.to_observations(observations.cube())
    rows = table.merge(holed.table[["parcel", "acquisition", "band"]], how="left", indicator=True)
    mine = (rows["_merge"] == "both").to_numpy()
    names = holed.table.columns.tolist()
    pd.testing.assert_frame_equal(
        _comparable(table.loc[mine, names]), _comparable(holed.table[names])
    )
    # What has no row was not seen, or is not committed and says that it is not read.
    rest = table[~mine]
    acquisitions = [str(name) for name in holed.stats.acquisition.values]
    pending = (rest["acquisition"] == acquisitions[3]) & rest["parcel"].isin(["P0", "P2", "P5"])
    assert set(rest.loc[pending, "state"]) == {"READ_FAILED"}
    assert set(rest.loc[~pending, "state"]) == {"NO_DATA"}
    assert acquisitions[6] not in set(table["acquisition"])  # nothing of it is committed


def _comparable(table):
    """Facts of failed units are those of their acquisition."""
    return table.sort_values(KEYS, ignore_index=True)


@given(data=st.data())
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_part_of_the_cube_is_a_selection_of_the_whole(whole, data):
    ids = data.draw(st.sets(st.sampled_from([f"P{n}" for n in (0, 1, 2, 3, 5, 6, 7)]), min_size=1))
    bands = data.draw(st.sets(st.sampled_from(["B04", "B08", "NDVI"]), min_size=1))
    first, last = sorted(data.draw(st.lists(st.integers(1, 31), min_size=2, max_size=2)))
    period = f"2024-03-{first:02d}/2024-03-{last:02d}"
    cube = whole.open(compacted=data.draw(st.booleans())).cube(ids, period, bands=bands).compute()
    names = [name for name in whole.stats.parcel.values if name in ids]
    some = whole.stats.sel(parcel=names, time=slice(f"2024-03-{first:02d}", f"2024-03-{last:02d}"))
    order = [name for name in ("B04", "B08", "NDVI") if name in bands]
    some = some.sel(band=order)[[*order, "observed", "n_valid", "n_total", "SCL_fraction"]]
    xr.testing.assert_equal(plain(cube).drop_vars("geometry"), plain(some).drop_vars("geometry"))
    assert all(
        one.equals(other)
        for one, other in zip(cube.geometry.values, some.geometry.values, strict=True)
    )


@pytest.fixture(scope="module")
def season(country, tmp_path_factory):
    """What a plan computes on the synthetic country, in small units."""

    def make(product, bands, parcels):
        store = tmp_path_factory.mktemp("season") / "s"
        found = plan(
            cbm.open_catalog(country.catalogue),
            product,
            parcels,
            bands=bands,
            store=store,
            period="2024-03-01/2024-03-12",
            records_per_unit=40,
        )
        assert found.run(progress=False).ok
        return open_observations(store)

    return make


@pytest.mark.filterwarnings("ignore::cbmcube.warnings.RepairedParcelsWarning")
@pytest.mark.parametrize(
    ("product", "bands"),
    [(cbm.CARD_2A, ["B04", "B08", "SCL"]), (cbm.CARD_BS, None), (cbm.CARD_COH6, ["VV"])],
    ids=["optical", "backscatter", "coherence"],
)
def test_a_season_reads_as_what_one_call_reduces(country, season, product, bands):
    """Two zones, class shares, pairs: every bit, coordinate and attribute."""
    parcels = cbm.read_parcels(country.parcels, id="field_id")
    parcels = cbm.prepare_parcels(parcels, buffer=-5.0)
    observations = season(product, bands, parcels)
    found = cbm.open_catalog(country.catalogue)
    cubes = cbm.load_native(
        cbm.search(found, product, period="2024-03-01/2024-03-12"), product, bands=bands
    )
    if product.mask_rule:
        cubes = cbm.mask(cubes, product)
    expected = cbm.reduce_parcels(cubes, parcels).compute()
    for _ in range(2):
        got = observations.cube().compute()
        if "radiometry" not in got.coords:
            expected = expected.drop_vars("radiometry", errors="ignore")
        xr.testing.assert_identical(got, expected)
        assert got.xindexes["geometry"].crs == expected.xindexes["geometry"].crs
        for name in expected.data_vars:
            assert got[name].dtype == expected[name].dtype
            assert got[name].values.tobytes() == expected[name].values.tobytes()
        compact(observations.store)
        observations = open_observations(observations.store)


def test_nothing_is_read_before_it_is_computed(whole, nothing_computes):
    with nothing_computes:
        cube = open_observations(whole.store).cube(period="2024-03-01/2024-03-15")
        assert cube.NDVI.chunks


def test_tasks_carry_no_tables_and_no_secrets(whole):
    """A cube of few tasks, which other processes can compute."""
    cube = whole.open().cube()
    assert len(cube.__dask_graph__()) < 30
    again = pickle.loads(pickle.dumps(cube))  # noqa: S301  # our own
    xr.testing.assert_identical(again.compute(), cube.compute())


def test_a_period_without_acquisitions_is_a_cube_of_no_dates(whole):
    cube = whole.open().cube(period="2030")
    assert cube.sizes["time"] == 0
    assert cube.compute().NDVI.shape == (0, 8, 8)


def test_pixels_that_nothing_tells_are_marked(tmp_path):
    stats = whole_stats()
    holes = {(t, 0): "refused" for t in range(stats.sizes["time"])}
    store = make_store(tmp_path / "s", stats, [[0], [1]], holes)
    cube = open_observations(store).cube().compute()
    assert cube.n_total.values.tolist() == [
        [-1, int(stats.n_total.values[0, 1])],
        [-1, int(stats.n_total.values[1, 1])],
    ]
    assert (cube.n_failed.sel(parcel="P0") >= 1).all()
    assert (cube.n_failed.sel(parcel="P1") == 0).all()
    table = cbm.to_observations(cube)
    assert table.loc[table["parcel"] == "P0", "n_total"].isna().all()


def test_what_could_be_read_of_a_torn_file_is_kept(tmp_path):
    """Some parcels of a unit lack pixels: they say so in table and cube, the others are whole."""
    stats = whole_stats()
    failed = xr.zeros_like(stats.n_valid)
    failed[0, 1, 1] = 3
    stats["n_failed"] = failed
    store = make_store(tmp_path / "s", stats, [[0, 1]], {(1, 0): "torn"})
    observations = open_observations(store)
    expected = cbm.to_observations(stats)
    pd.testing.assert_frame_equal(observations.table(), expected)
    cube = observations.cube().compute()
    np.testing.assert_array_equal(cube.n_failed > 0, failed > 0)
    pd.testing.assert_frame_equal(cbm.to_observations(cube), expected)
    assert observations.missing()["status"].tolist() == ["corrupt"]
    assert observations.missing()["reason"].tolist() == ["torn"]
    assert "n_failed" not in observations.cube(period="2024-03-01")  # nothing failed there


def whole_stats():
    return vector_cube("CARD-BS", parcels=2, days=12).compute()
