"""reduce_parcels against other engines, and what must never change its numbers."""

from __future__ import annotations

import itertools

import dask
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterstats
import shapely
import xarray as xr
from affine import Affine
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from hypothesis import given, settings
from hypothesis import strategies as st

import cbmcube as cbm
from cbmcube.exceptions import (
    DuplicateIdError,
    MissingCRSError,
    NoOverlapError,
    OptionError,
    ParcelsError,
    UnknownStatisticError,
)
from cbmcube.warnings import OutsideParcelsWarning
from tests.zonal.conftest import make_cube, make_parcels, random_polygons

GROUND = {"xmin": 500_000, "ymin": 5_397_000, "xmax": 504_000, "ymax": 5_400_000}
ORACLE = {"count": "count", "mean": "mean", "std": "stdev", "min": "min", "max": "max"}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*lie outside:cbmcube.warnings.OutsideParcelsWarning")
@pytest.mark.trap("T39")
def test_equals_exactextract_for_every_kind_of_polygon(noise, bounds):
    """Sub-pixel, sliver, ring, multipart, straddling, partly outside: 1e-6 relative."""
    shapes = random_polygons(5200, bounds=bounds)
    shapes += random_polygons(40, bounds=bounds, seed=9, largest=2500.0)  # larger than a chunk
    parcels = make_parcels(shapes)
    assert len(parcels) > 5000
    stats = cbm.reduce_parcels(make_cube(noise), parcels).compute()
    for date in range(3):
        source = NumPyRasterSource(noise[date], **GROUND)
        found = exact_extract(source, parcels, list(ORACLE.values()), output="pandas")
        for ours, theirs in ORACLE.items():
            mine = stats.B.isel(time=date).sel(statistic=ours).values
            oracle = found[theirs].to_numpy(dtype=float)
            # A parcel without valid pixels: exactextract's count is 0, the rest undefined.
            np.testing.assert_allclose(mine, oracle, rtol=1e-6, atol=2e-6, equal_nan=True)


@pytest.mark.filterwarnings("ignore:.*lie outside:cbmcube.warnings.OutsideParcelsWarning")
@pytest.mark.parametrize("rule", ["centre", "all_touched"])
def test_equals_rasterstats_under_gdal_rules(noise, bounds, rule):
    parcels = make_parcels(random_polygons(300, bounds=bounds, seed=3))
    stats = cbm.reduce_parcels(make_cube(noise), parcels, pixels=rule).compute()
    found = rasterstats.zonal_stats(
        parcels,
        noise[0],
        affine=Affine(10, 0, 500_000, 0, -10, 5_400_000),
        nodata=-9999,
        all_touched=rule == "all_touched",
        stats=["count", "mean", "std", "min", "max", "percentile_25", "median"],
    )
    names = {"mean": "mean", "std": "std", "min": "min", "max": "max"}
    names |= {"p25": "percentile_25", "p50": "median"}
    counts = stats.B.isel(time=0).sel(statistic="count").values
    assert counts.tolist() == [row["count"] for row in found]
    for ours, theirs in names.items():
        mine = stats.B.isel(time=0).sel(statistic=ours).values
        oracle = np.array([np.nan if row[theirs] is None else row[theirs] for row in found])
        np.testing.assert_allclose(mine, oracle.astype(float), rtol=1e-6, atol=1e-6)


def test_inside_takes_whole_pixels_only(noise):
    shape = shapely.Point(502_000, 5_398_500).buffer(333.3)
    stats = cbm.reduce_parcels(make_cube(noise), make_parcels([shape]), pixels="inside").compute()
    columns, rows = np.meshgrid(np.arange(400), np.arange(300))
    x, y = 500_000 + 10 * columns, 5_400_000 - 10 * rows
    whole = shapely.contains(shape, shapely.box(x, y - 10, x + 10, y))
    assert stats.n_total.item() == whole.sum()
    np.testing.assert_allclose(
        stats.B.sel(statistic="mean").isel(time=0).item(), noise[0][whole].mean(), rtol=1e-6
    )


@pytest.mark.slow
@settings(max_examples=15)
@given(
    y=st.integers(20, 300), x=st.integers(20, 400), time=st.integers(1, 3), seed=st.integers(0, 99)
)
def test_chunks_and_order_of_parcels_never_change_a_bit(noise, y, x, time, seed):
    inner = (500_300, 5_397_300, 503_700, 5_399_700)
    parcels = make_parcels(random_polygons(60, bounds=inner, seed=7))
    whole = make_cube(noise, chunks={"time": 3, "y": -1, "x": -1})
    expected = cbm.reduce_parcels(whole, parcels).compute()
    shuffled = parcels.sample(frac=1, random_state=seed)
    cube = make_cube(noise, chunks={"time": time, "y": y, "x": x})
    found = cbm.reduce_parcels(cube, shuffled).compute().sel(parcel=parcels.index.values)
    for name in ("B", "observed", "n_valid", "n_total"):
        np.testing.assert_array_equal(found[name].values, expected[name].values)


def test_another_parcel_or_date_changes_nothing(noise):
    inner = (500_300, 5_397_300, 503_700, 5_399_700)
    parcels = make_parcels(random_polygons(80, bounds=inner, seed=5))
    cube = make_cube(noise)
    every = cbm.reduce_parcels(cube, parcels).compute()
    some = cbm.reduce_parcels(cube.isel(time=[1]), parcels.iloc[10:30]).compute()
    np.testing.assert_array_equal(
        some.B.values, every.B.isel(time=[1], parcel=slice(10, 30)).values
    )


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_schedulers_agree(noise, scheduler):
    inner = (500_300, 5_397_300, 503_700, 5_399_700)
    stats = cbm.reduce_parcels(make_cube(noise), make_parcels(random_polygons(50, bounds=inner)))

    with dask.config.set(scheduler="synchronous"):
        expected = stats.compute()
    with dask.config.set(scheduler=scheduler):
        assert stats.compute().identical(expected)


def test_south_up_raster_gives_the_same_numbers(noise):
    inner = (500_300, 5_397_300, 503_700, 5_399_700)
    parcels = make_parcels(random_polygons(60, bounds=inner))
    north_up = cbm.reduce_parcels(make_cube(noise), parcels).compute()
    flipped = make_cube(noise[:, ::-1], affine=Affine(10, 0, 500_000, 0, 10, 5_397_000))
    south_up = cbm.reduce_parcels(flipped, parcels).compute()
    np.testing.assert_allclose(south_up.B, north_up.B, rtol=1e-6, atol=1e-6)


def test_a_partition_counts_every_pixel_once(noise):
    """Cells cut across pixels at odd places add up to the raster, under both rules."""
    cuts_x = np.array([500_000, 500_733.3, 501_995, 503_100.1, 504_000])
    cuts_y = np.array([5_397_000, 5_397_905, 5_399_001.7, 5_400_000])
    cells = [
        shapely.box(west, south, east, north)
        for west, east in itertools.pairwise(cuts_x)
        for south, north in itertools.pairwise(cuts_y)
    ]
    for rule in ("exact", "centre"):
        stats = cbm.reduce_parcels(
            make_cube(noise), make_parcels(cells), statistics="count", pixels=rule
        )
        assert float(stats.B.isel(time=0).sum()) == pytest.approx(300 * 400, rel=1e-7)


def test_percentiles_equal_numpy_where_weights_are_equal(noise):
    square = shapely.box(500_100, 5_398_000, 500_100 + 370, 5_398_000 + 230)
    names = ["p0", "p2.5", "p25", "median", "p75", "p100"]
    stats = cbm.reduce_parcels(make_cube(noise), make_parcels([square]), statistics=names)
    window = noise[1, 177:200, 10:47]
    expected = np.percentile(window.astype(float), [0, 2.5, 25, 50, 75, 100])
    np.testing.assert_allclose(stats.B.isel(time=1).squeeze().values, expected, rtol=1e-6)


def test_observed_is_the_share_inside_the_grid(noise):
    half_outside = shapely.box(499_900, 5_398_000, 500_100, 5_398_100)
    stats = cbm.reduce_parcels(make_cube(noise), make_parcels([half_outside])).compute()
    assert stats.observed.values[0] == pytest.approx(0.5)
    assert stats.B.sel(statistic="count").values[0] == pytest.approx(100)
    assert stats.n_total.item() == 200


def test_buffer_column_narrows_in_the_grids_crs(noise):
    """A 100 m square on the lattice keeps 8 x 8 whole pixels after -10 m."""
    square = shapely.box(500_100, 5_398_000, 500_200, 5_398_100)
    parcels = make_parcels([square, square]).assign(buffer_m=[-10.0, 0.0])
    stats = cbm.reduce_parcels(make_cube(noise), parcels, statistics="count").compute()
    assert stats.B.isel(time=0).values.ravel().tolist() == [64, 100]
    assert stats.attrs["buffer_m"] == "per parcel"
    wider = cbm.reduce_parcels(make_cube(noise), parcels, statistics="count", buffer=-20.0)
    assert wider.B.isel(time=0).values.ravel().tolist() == [36, 36]
    assert wider["geometry"].values[0].equals(square)


def test_classes_reduce_to_shares():
    codes = np.random.default_rng(0).integers(0, 5, (1, 300, 400)).astype("uint8")
    cube = make_cube(codes, name="SCL")
    cube["SCL"].attrs["flag_values"] = np.arange(4, dtype="uint8")
    shape = shapely.Point(502_003, 5_398_507).buffer(200)
    stats = cbm.reduce_parcels(cube, make_parcels([shape])).compute()
    found = exact_extract(
        NumPyRasterSource(codes[0], **GROUND),
        make_parcels([shape]),
        ["unique", "frac"],
        output="pandas",
    )
    shares = dict(zip(found["unique"][0], found["frac"][0], strict=True))
    expected = [shares[code] for code in range(4)]
    np.testing.assert_allclose(stats.SCL_fraction.values.ravel(), expected, rtol=1e-6)
    assert set(stats.data_vars) == {"SCL_fraction", "observed"}  # never a mean of codes


def test_all_nan_single_pixel_and_constant():
    values = np.full((1, 300, 400), np.nan, "float32")
    values[0, 0, 0], values[0, 200:, :] = 3.5, 7.0
    parcels = make_parcels(
        [
            shapely.box(502_000, 5_399_000, 502_100, 5_399_100),
            shapely.box(500_001, 5_399_991, 500_009, 5_399_999),
            shapely.Point(502_000, 5_397_500).buffer(150),
        ]
    )
    table = cbm.reduce_parcels(make_cube(values), parcels).compute().B.isel(time=0)
    assert table.sel(parcel="P00000", statistic="count") == 0
    assert np.isnan(table.sel(parcel="P00000").drop_sel(statistic="count")).all()
    assert table.sel(parcel="P00001").values.tolist()[1:] == [3.5, 0, 3.5, 3.5, 3.5, 3.5, 3.5]
    assert table.sel(parcel="P00002").values.tolist()[1:] == [7, 0, 7, 7, 7, 7, 7]


def test_empty_geometry_stays_as_a_row(noise):
    full = shapely.box(501_000, 5_398_000, 501_100, 5_398_100)
    parcels = make_parcels([shapely.Polygon(), full])
    stats = cbm.reduce_parcels(make_cube(noise), parcels).compute()
    assert stats.observed.isel(time=0).values.tolist() == [0, 1]
    assert np.isnan(stats.B.sel(statistic="mean").isel(parcel=0)).all()


def test_two_zones_read_each_parcel_once(noise):
    """Two zones see the same ground; each parcel takes the zone of its longitude."""
    west = make_cube(noise, affine=Affine(10, 0, 719_000, 0, -10, 5_400_000))
    east = make_cube(noise, affine=Affine(10, 0, 278_000, 0, -10, 5_400_000), crs="EPSG:32633")
    tree = xr.DataTree.from_dict({"/west": west, "/east": east + 100})
    centres = [(11.99, 48.70), (12.01, 48.70)]
    parcels = make_parcels([shapely.Point(p).buffer(0.001) for p in centres], crs=4326)
    stats = cbm.reduce_parcels(tree, parcels, statistics=["mean", "count"]).compute()
    means = stats.B.sel(statistic="mean").isel(time=0).values
    assert means[0] < 50 < means[1]
    assert stats.sizes["time"] == 3
    single = cbm.reduce_parcels(west, parcels.iloc[[0]], statistics="count").compute()
    assert single.B.values.ravel()[0] == stats.B.sel(statistic="count").values[0, 0]
    # A grid on which no parcel is read changes nothing and reads nothing.
    alone = cbm.reduce_parcels(tree, parcels.iloc[[0]], statistics="count").compute()
    np.testing.assert_array_equal(alone.B, single.B)


@pytest.mark.trap("T37")
def test_nothing_is_computed(noise, nothing_computes):
    with nothing_computes:
        stats = cbm.reduce_parcels(
            make_cube(noise), make_parcels([shapely.box(501_000, 5_398_000, 501_100, 5_398_100)])
        )
    assert all(variable.chunks for variable in stats.data_vars.values())


def test_blocks_without_parcels_are_never_read(noise):
    cube = make_cube(noise, chunks={"time": 1, "y": 100, "x": 100})

    def explode(block, block_info=None):
        row, column = block_info[0]["chunk-location"][1:]
        if (row, column) != (1, 2):
            raise AssertionError(f"block {row}, {column} holds no parcel but was read")
        return block

    cube["B"] = cube.B.copy(data=cube.B.data.map_blocks(explode, dtype="float32", meta=np.empty(0)))
    inside = shapely.box(502_100, 5_398_100, 502_900, 5_398_900)
    stats = cbm.reduce_parcels(cube, make_parcels([inside])).compute()
    assert stats.observed.values.tolist() == [[1], [1], [0.375]]


@pytest.mark.trap("T38")
def test_parcels_outside_are_counted_and_kept(noise):
    inside = shapely.box(501_000, 5_398_000, 501_100, 5_398_100)
    far = shapely.box(601_000, 5_398_000, 601_100, 5_398_100)
    with pytest.warns(OutsideParcelsWarning, match="1 of 2 parcels lie outside.*P00001"):
        stats = cbm.reduce_parcels(make_cube(noise), make_parcels([inside, far])).compute()
    assert stats.observed.isel(time=0).values.tolist() == [1, 0]
    with pytest.raises(NoOverlapError, match="no parcel touches the cube"):
        cbm.reduce_parcels(make_cube(noise), make_parcels([far]))


@pytest.mark.trap("T38")
def test_bad_input_is_refused_with_the_next_step(noise):
    cube = make_cube(noise)
    parcels = make_parcels([shapely.box(501_000, 5_398_000, 501_100, 5_398_100)] * 2)
    with pytest.raises(MissingCRSError, match="next:"):
        cbm.reduce_parcels(cube, parcels.set_crs(None, allow_override=True))
    with pytest.raises(MissingCRSError, match="next:"):
        cbm.reduce_parcels(xr.Dataset({"B": (cube.B.dims, cube.B.data)}), parcels)
    with pytest.raises(DuplicateIdError, match="P00000"):
        cbm.reduce_parcels(cube, parcels.set_axis(["P00000", "P00000"]))
    with pytest.raises(UnknownStatisticError, match="allowed:.*percentiles"):
        cbm.reduce_parcels(cube, parcels, statistics=["mean", "avg"])
    with pytest.raises(OptionError, match="exact, centre, all_touched, inside"):
        cbm.reduce_parcels(cube, parcels, pixels="center")
    bow_tie = shapely.Polygon(
        [(501_000, 5_398_000), (501_100, 5_398_100), (501_100, 5_398_000), (501_000, 5_398_100)]
    )
    with pytest.raises(ParcelsError, match="prepare_parcels"):
        cbm.reduce_parcels(cube, make_parcels([bow_tie]))


def test_inputs_are_left_alone(noise):
    cube = make_cube(noise)
    parcels = make_parcels([shapely.box(501_000, 5_398_000, 501_100, 5_398_100)])
    before, geometry = cube.copy(deep=True), parcels.copy(deep=True)
    cbm.reduce_parcels(cube, parcels).compute()
    assert cube.identical(before)
    assert parcels.equals(geometry)


def test_ring_direction_and_first_vertex_change_no_bit(noise):
    inner = (500_300, 5_397_300, 503_700, 5_399_700)
    parcels = make_parcels(random_polygons(80, bounds=inner, seed=11))
    turned = parcels.set_geometry(shapely.reverse(parcels.geometry.array))
    cube = make_cube(noise)
    expected = cbm.reduce_parcels(cube, parcels).compute()
    found = cbm.reduce_parcels(cube, turned).compute()
    np.testing.assert_array_equal(found.B.values, expected.B.values)


def spread(values, _weights):
    """A user's own statistic."""
    return values.max() - values.min()


def weighted_mean(values, weights):
    return (values * weights).sum() / weights.sum()


def test_functions_of_the_user_stand_beside_the_rest(noise):
    """Straddling parcels too; lazy as everything else."""
    inner = (500_300, 5_397_300, 503_700, 5_399_700)
    parcels = make_parcels(random_polygons(60, bounds=inner, seed=13))
    asked = ["p50", spread, "mean", weighted_mean, "min", "max"]
    stats = cbm.reduce_parcels(make_cube(noise), parcels, statistics=asked).compute()
    names = ["p50", "spread", "mean", "weighted_mean", "min", "max"]
    assert stats.statistic.values.tolist() == names
    table = {name: stats.B.sel(statistic=name).values for name in names}
    np.testing.assert_allclose(table["spread"], table["max"] - table["min"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(table["weighted_mean"], table["mean"], rtol=1e-6)
    with pytest.raises(UnknownStatisticError, match="a function that has one"):
        cbm.reduce_parcels(make_cube(noise), parcels, statistics=[lambda _v, _w: 0])


def test_percentiles_of_exactextract_by_name(noise):
    inner = (500_300, 5_397_300, 503_700, 5_399_700)
    parcels = make_parcels(random_polygons(300, bounds=inner, seed=17))
    ties = np.round(noise)
    names = {"p25": 0.25, "p50": 0.5, "p90": 0.9}
    stats = cbm.reduce_parcels(
        make_cube(ties), parcels, statistics=list(names), percentiles="exactextract"
    ).compute()
    source = NumPyRasterSource(ties[0].astype(float), **GROUND)
    found = exact_extract(
        source, parcels, [f"quantile(q={q})" for q in names.values()], output="pandas"
    )
    for name, column in zip(names, found.columns, strict=True):
        mine = stats.B.isel(time=0).sel(statistic=name).values
        np.testing.assert_allclose(mine, found[column].to_numpy(dtype=float), rtol=1e-6)
    with pytest.raises(OptionError, match="weighted, exactextract"):
        cbm.reduce_parcels(make_cube(noise), parcels, percentiles="median")


def test_integers_with_a_nodata_number_are_read_as_they_are():
    values = np.random.default_rng(5).integers(0, 50, (1, 300, 400)).astype("uint16")
    cube = make_cube(values)
    cube["B"].attrs["nodata"] = 0
    parcels = make_parcels([shapely.Point(502_003, 5_398_507).buffer(200)])
    stats = cbm.reduce_parcels(cube, parcels, statistics=["mean", "count"]).compute()
    masked = np.where(values[0] == 0, np.nan, values[0].astype(float))
    source = NumPyRasterSource(masked, **GROUND)
    found = exact_extract(source, parcels, ["mean", "count"], output="pandas")
    expected = [found["mean"][0], found["count"][0]]
    np.testing.assert_allclose(stats.B.values.ravel(), expected, rtol=1e-6)
    assert float(stats.observed.item()) < 1


def test_a_cached_index_gives_the_same_bits_and_a_torn_one_is_built_again(
    noise, tmp_path, monkeypatch
):
    monkeypatch.setenv("CBMCUBE_CACHE", str(tmp_path))
    inner = (500_300, 5_397_300, 503_700, 5_399_700)
    parcels = make_parcels(random_polygons(60, bounds=inner, seed=19))
    cold = cbm.reduce_parcels(make_cube(noise), parcels).compute()
    files = sorted(tmp_path.glob("*.index"))
    assert files
    first = make_parcels([shapely.box(501_000, 5_397_100, 501_050, 5_397_150)])
    more = gpd.GeoDataFrame(pd.concat([first.set_axis(["new"]), parcels]), crs=parcels.crs)
    warm = cbm.reduce_parcels(make_cube(noise), more).compute()
    np.testing.assert_array_equal(warm.B.sel(parcel=parcels.index.values), cold.B)
    for number, path in enumerate(files):
        whole = path.read_bytes()
        flipped = whole[:-99] + bytes([whole[-99] ^ 1]) + whole[-98:]
        # Another kind of file, nothing, cut off by a crash, a byte that a disk has lost.
        path.write_bytes([b"torn", b"", whole[:-100], flipped][number % 4])
    np.testing.assert_array_equal(cbm.reduce_parcels(make_cube(noise), parcels).compute().B, cold.B)
    monkeypatch.setenv("CBMCUBE_CACHE", "")
    np.testing.assert_array_equal(cbm.reduce_parcels(make_cube(noise), parcels).compute().B, cold.B)
