"""Indices on cubes and trees: lazy, on native grids, reduced as bands are."""

from __future__ import annotations

import itertools

import dask
import dask.array as da
import numpy as np
import pytest
import shapely
import xarray as xr
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from hypothesis import given, settings
from hypothesis import strategies as st

import cbmcube as cbm
from cbmcube.exceptions import GridMismatchError, OptionError, UnknownBandError
from cbmcube.indices import INDICES, Index, add_indices
from tests.cube.conftest import Scenes
from tests.indices.conftest import NORTH, WEST, blocks_of_four, make_cube, reflectance
from tests.test_way import true_values, zones_of

FINE, COARSE = "32632_10m", "32632_20m"
CLEAR, CLOUD = 4, 9


def test_nothing_is_computed(tree, square, nothing_computes):
    with nothing_computes:
        cubes = add_indices(tree, ["NDVI", "EVI", "NDMI", "NBSI", "CIre"], flags=True)
        stats = cbm.reduce_parcels(cubes, square)
    for node in cubes.leaves:
        assert all(array.chunks for array in node.data_vars.values())
    assert stats.NDVI.chunks
    assert {"NDVI", "EVI", "NDMI", "NBSI", "CIre"} < set(stats.band.values)


def test_an_index_lies_on_the_grid_of_its_bands_or_the_coarser_one(tree):
    cubes = add_indices(tree, ["NDVI", "NDMI", "CIre"])
    for zone in ("32632", "32633"):
        assert {"NDVI"} == set(cubes[f"{zone}_10m"].data_vars) - set(tree[f"{zone}_10m"].data_vars)
        new = set(cubes[f"{zone}_20m"].data_vars) - set(tree[f"{zone}_20m"].data_vars)
        assert new == {"NDMI", "CIre"}
    assert cubes.attrs == tree.attrs
    assert cubes.name == "cubes"
    assert "NDVI" not in tree[FINE].data_vars


def test_a_variable_says_what_it_is(tree):
    found = add_indices(tree, "NDMI")[COARSE].NDMI
    assert found.dtype == np.float32
    assert found.dims == ("time", "y", "x")
    assert found.attrs["long_name"] == "normalised difference moisture index"
    assert found.attrs["units"] == "1"
    assert found.attrs["formula"] == "(B08 - B11) / (B08 + B11)"
    assert "Wilson" in found.attrs["source"]
    assert found.odc.geobox == tree[COARSE].B11.odc.geobox


def test_on_one_grid_it_has_the_bits_of_plain_arithmetic(tree):
    cubes = add_indices(tree, "NDVI")
    for name in (FINE, "32633_10m"):
        node = tree[name]
        expected = (node.B08 - node.B04) / (node.B08 + node.B04)
        np.testing.assert_array_equal(cubes[name].NDVI.values, expected.values)
        assert cubes[name].NDVI.chunks == node.B08.chunks


def test_on_two_grids_it_meets_the_area_mean(tree):
    found = add_indices(tree, ["NDMI", "NBSI"])[COARSE]
    fine = {name: blocks_of_four(tree[FINE][name].values) for name in ("B02", "B04", "B08")}
    swir = tree[COARSE].B11.values.astype(float)
    moisture = (fine["B08"] - swir) / (fine["B08"] + swir)
    np.testing.assert_allclose(found.NDMI.values, moisture, rtol=2e-6, atol=2e-7)
    bright, dark = swir + fine["B04"], fine["B08"] + fine["B02"]
    np.testing.assert_allclose(
        found.NBSI.values, (bright - dark) / (bright + dark), rtol=2e-6, atol=2e-7
    )


def test_resolution_brings_an_index_to_a_coarser_grid(tree):
    cubes = add_indices(tree, ["NDVI", "NDVI_RE3"], resolution=20)
    red, near = (blocks_of_four(tree[FINE][name].values) for name in ("B04", "B08"))
    assert "NDVI" not in cubes[FINE]
    np.testing.assert_allclose(
        cubes[COARSE].NDVI.values, (near - red) / (near + red), rtol=2e-6, atol=2e-7
    )
    assert cubes[COARSE].NDVI.chunks == tree[COARSE].B11.chunks


@pytest.mark.parametrize("resolution", [5, 10, 60])
def test_no_index_on_a_grid_that_is_not_there_or_finer_than_a_band(tree, resolution):
    with pytest.raises(GridMismatchError, match="no grid to lie on"):
        add_indices(tree, "NDMI", resolution=resolution)


@pytest.mark.parametrize("resolution", [0, -10, float("nan")])
def test_a_resolution_is_a_size(tree, resolution):
    with pytest.raises(OptionError, match="pixel size"):
        add_indices(tree, "NDMI", resolution=resolution)


def test_indices_may_use_those_before_them(tree):
    mean = Index("HALF", "(NDVI + 1) / 2")
    cubes = add_indices(tree, ["NDVI", mean])
    np.testing.assert_allclose(
        cubes[FINE].HALF.values, (cubes[FINE].NDVI.values + 1) / 2, rtol=1e-6
    )
    with pytest.raises(UnknownBandError, match="NDVI"):
        add_indices(tree, [mean, "NDVI"])


def test_used_bands_and_empty_grids_can_be_left_out(tree):
    for kept in ("B08", ["B08"]):  # of three bands that are used
        some = add_indices(tree, ["NDVI", "NDMI"], keep_bands=kept)
        assert "B08" in some[FINE]
        assert "B04" not in some[FINE]
    cubes = add_indices(tree, ["NDVI", "NDMI"], keep_bands=False)
    assert set(cubes[FINE].data_vars) == {"B02", "NDVI"}
    assert set(cubes[COARSE].data_vars) == {"B05", "B07", "NDMI"}
    only = add_indices(tree[FINE].to_dataset()[["B04", "B08"]], "NDVI", keep_bands=False)
    assert list(only.data_vars) == ["NDVI"]
    few = xr.DataTree.from_dict(
        {"/a": tree[FINE].to_dataset()[["B08"]], "/b": tree[COARSE].to_dataset()[["B11"]]}
    )
    assert list(add_indices(few, "NDMI", keep_bands=False).children) == ["b"]


def test_a_cube_in_memory_becomes_lazy(tree):
    cube = tree[FINE].to_dataset().compute()
    found = add_indices(cube, "NDVI")
    assert found.NDVI.chunks
    np.testing.assert_array_equal(found.NDVI, add_indices(tree, "NDVI")[FINE].NDVI)
    assert "NDVI" not in cube


def test_a_cube_of_one_date_without_time_works_too(tree):
    cube = tree[FINE].to_dataset().isel(time=0, drop=True)
    found = add_indices(cube, "NDVI").NDVI
    assert found.dims == ("y", "x")
    np.testing.assert_array_equal(found, add_indices(tree, "NDVI")[FINE].NDVI[0])


def test_order_of_dimensions_and_chunks_does_not_matter(tree):
    cube = tree[FINE].to_dataset()
    mixed = cube.assign(B04=cube.B04.transpose("x", "y", "time").chunk({"x": 5, "time": 2}))
    np.testing.assert_array_equal(
        add_indices(mixed, "NDVI").NDVI.transpose("time", "y", "x"),
        add_indices(cube, "NDVI").NDVI,
    )


def test_what_cannot_be_combined_is_refused(tree):
    cube = tree[FINE].to_dataset()
    with pytest.raises(UnknownBandError, match=r"(?s)NDMI needs.*B11.*load B08, B11 together"):
        add_indices(cube, "NDMI")
    with pytest.raises(OptionError, match="holds NDVI already"):
        add_indices(add_indices(cube, "NDVI"), "NDVI")
    classes = cube.assign(SCL=cube.B04.astype("uint8").assign_attrs(flag_values=[4, 5]))
    with pytest.raises(OptionError, match="SCL holds class codes"):
        add_indices(classes, Index("X", "SCL / B04"))
    with pytest.raises(OptionError, match="radar_indices"):
        add_indices(cube, "RVI4")
    flat = cube.assign(DEM=cube.B04.isel(time=0, drop=True))
    with pytest.raises(GridMismatchError, match="same dimensions"):
        add_indices(flat, Index("X", "B04 / DEM"))
    with pytest.raises(OptionError, match="no numbers of pixels"):
        add_indices(cube.assign(D=cube.time), Index("X", "D / B04"))


def test_a_zone_that_lacks_a_band_is_named(tree):
    lacking = tree.copy()
    lacking["32633_20m"] = xr.DataTree(tree["32633_20m"].to_dataset().drop_vars("B11"))
    with pytest.raises(UnknownBandError, match="in EPSG:32633"):
        add_indices(lacking, "NDMI")


def test_grids_that_do_not_nest_or_differ_in_time_are_refused(tree):
    rng = np.random.default_rng(0)
    swir = tree[COARSE].to_dataset()
    for broken, message in (
        (make_cube({"B08": reflectance(rng, (2, 24, 32))}, origin=(WEST + 5, NORTH)), "shift"),
        (make_cube({"B08": reflectance(rng, (2, 22, 32))}), "does not cover"),
        (make_cube({"B08": reflectance(rng, (2, 40, 50))}, step=15), "pixel ratio"),
        (make_cube({"B08": reflectance(rng, (2, 24, 32))}, days=[0, 6]), "different acq"),
    ):
        pair = xr.DataTree.from_dict({"/a": broken, "/b": swir})
        with pytest.raises(GridMismatchError, match=message):
            add_indices(pair, "NDMI")


def test_a_finer_grid_that_reaches_further_is_met_by_position(tree):
    rng = np.random.default_rng(5)
    near = reflectance(rng, (2, 30, 40))
    larger = make_cube({"B08": near}, origin=(WEST - 30, NORTH + 20))
    pair = xr.DataTree.from_dict({"/a": larger, "/b": tree[COARSE].to_dataset()})
    expected = blocks_of_four(near[:, 2:26, 3:35])
    swir = tree[COARSE].B11.values.astype(float)
    np.testing.assert_allclose(
        add_indices(pair, "NDMI")["b"].NDMI, (expected - swir) / (expected + swir),
        rtol=2e-6, atol=2e-7,
    )  # fmt: skip


@settings(max_examples=12)
@given(st.data())
def test_chunks_change_no_bit(data):
    rng = np.random.default_rng(7)
    near, swir = reflectance(rng, (3, 12, 16)), reflectance(rng, (3, 6, 8))
    near[:, 3, 4], swir[1, 2, 2] = np.nan, -np.inf
    plain = xr.DataTree.from_dict(
        {
            "/a": make_cube({"B08": near, "B04": near[:, ::-1]}),
            "/b": make_cube({"B11": swir}, step=20),
        }
    )
    sizes = {name: data.draw(st.integers(1, 16)) for name in ("ty", "fy", "fx", "cy", "cx", "ct")}
    cut = xr.DataTree.from_dict(
        {
            "/a": plain["a"].to_dataset().chunk(time=sizes["ty"], y=sizes["fy"], x=sizes["fx"]),
            "/b": plain["b"].to_dataset().chunk(time=sizes["ct"], y=sizes["cy"], x=sizes["cx"]),
        }
    )
    wanted = ["NDVI", "NDMI"]
    one, other = add_indices(plain, wanted, flags=True), add_indices(cut, wanted, flags=True)
    for node, name in (("a", "NDVI"), ("b", "NDMI"), ("b", "NDMI_bad")):
        np.testing.assert_array_equal(one[node][name].values, other[node][name].values)


def test_half_green_half_bare(square):
    """The mean of pixel indices and the index of parcel means are two numbers."""
    red, near = np.full((1, 10, 10), 0.04, "float32"), np.full((1, 10, 10), 0.45, "float32")
    red[..., 5:], near[..., 5:] = 0.119, 0.1812
    cube = add_indices(make_cube({"B04": red, "B08": near}), "NDVI")
    stats = cbm.reduce_parcels(cube, square, statistics="mean").compute().squeeze()
    assert float(stats.NDVI) == pytest.approx(0.522, abs=5e-4)
    of_means = (stats.B08 - stats.B04) / (stats.B08 + stats.B04)
    assert float(of_means) == pytest.approx(0.598, abs=5e-4)


@pytest.mark.parametrize("name", ["NDVI", "EVI", "SAVI"])
def test_in_a_constant_parcel_both_are_one(square, name):
    numbers = {"B02": 0.05, "B04": 0.08, "B08": 0.35}
    bands = {band: np.full((1, 12, 12), value, "float32") for band, value in numbers.items()}
    stats = cbm.reduce_parcels(add_indices(make_cube(bands), name), square).compute().squeeze()
    mean = {band: float(stats[band].sel(statistic="mean")) for band in numbers}
    by_hand = {
        "NDVI": (mean["B08"] - mean["B04"]) / (mean["B08"] + mean["B04"]),
        "SAVI": 1.5 * (mean["B08"] - mean["B04"]) / (mean["B08"] + mean["B04"] + 0.5),
        "EVI": 2.5 * (mean["B08"] - mean["B04"])
        / (mean["B08"] + 6 * mean["B04"] - 7.5 * mean["B02"] + 1),
    }  # fmt: skip
    assert float(stats[name].sel(statistic="mean")) == pytest.approx(by_hand[name], rel=1e-6)
    assert float(stats[name].sel(statistic="std")) == pytest.approx(0, abs=1e-6)


@pytest.fixture
def broken(tmp_path):
    """A tree loaded with on_error="record" in which B04 of the first date is gone."""
    scenes = Scenes(tmp_path)
    rng = np.random.default_rng(4)
    items = []
    for name, day in (("a", 0), ("b", 5)):
        bands = {
            band: rng.integers(500, 5000, (40, 60)).astype("uint16") for band in ("B04", "B08")
        }
        bands["B11"] = rng.integers(500, 5000, (20, 30)).astype("uint16")
        bands["SCL"] = np.full((20, 30), CLEAR, "uint8")
        bands["SCL"][3, 5] = CLOUD
        items.append(scenes.item(name, bands, day=day, steps={"B11": (20, -20), "SCL": (20, -20)}))
    (scenes.folder / "a_B04.tif").unlink()
    cubes = cbm.load_native(
        items, cbm.CARD_2A, bands=["B04", "B08", "B11", "SCL"], on_error="record", block=20
    )
    return cbm.mask(cubes, cbm.CARD_2A)


def test_unread_pixels_stay_unread_up_to_the_table(broken, square):
    cubes = add_indices(broken, ["NDVI", "NDMI"])
    fine, coarse = cubes["EPSG32632_10m"], cubes["EPSG32632_20m"]
    assert np.isneginf(fine.NDVI[0].values).all()
    assert np.isfinite(fine.NDVI[1].values).sum() == 40 * 60 - 4
    assert np.isnan(fine.NDVI[1].values[6:8, 10:12]).all()
    assert np.isfinite(coarse.NDMI.values).sum() == 2 * (20 * 30 - 1)
    stats = cbm.reduce_parcels(cubes, square).compute()
    assert stats.n_failed.sel(band="NDVI").values.tolist() == [[100], [0]]
    assert (stats.n_failed.sel(band="NDMI") == 0).all()
    table = cbm.to_observations(stats).set_index(["band", "time"])["state"]
    assert table.loc["NDVI"].tolist() == ["READ_FAILED", "OK"]
    assert table.loc["NDMI"].tolist() == ["OK", "OK"]


def counting(cube, name, reads):
    """Return a band of a cube whose blocks say when they are read."""
    values = cube[name].values

    def read(block_info=None):
        where = tuple(slice(*span) for span in block_info[None]["array-location"])
        reads.append((name, str(where)))
        return values[where]

    chunks = cube[name].chunks
    data = da.map_blocks(
        read, chunks=chunks, dtype="float32", meta=np.empty((0, 0, 0), "float32"),
        name=f"read-{name}-{id(reads)}",
    )  # fmt: skip
    return cube[name].copy(data=data)


def graph_size(stats):
    (optimised,) = dask.optimize(stats)
    return dict(optimised.__dask_graph__())


def test_an_index_of_one_grid_adds_no_task_to_the_reduction(tree, square):
    cube, reads = tree[FINE].to_dataset(), []
    cube = cube.assign({name: counting(cube, name, reads) for name in ("B02", "B04", "B08")})
    whole = square.set_geometry([shapely.box(WEST, NORTH - 240, WEST + 320, NORTH)])
    with_indices = cbm.reduce_parcels(add_indices(cube, ["NDVI", "EVI", "SAVI"]), whole)
    tasks = graph_size(with_indices)
    assert not [key for key in tasks if str(key).startswith("('read-")]
    # What each variable picks out of the assembled dates is one task more for each of three.
    assert len(tasks) == len(graph_size(cbm.reduce_parcels(cube, whole))) + 3
    with_indices.compute(scheduler="synchronous")
    assert len(reads) == len(set(reads)) == 3 * 2 * 6


def test_an_index_of_two_grids_reads_each_block_once(tree, square):
    fine, coarse, reads = tree[FINE].to_dataset(), tree[COARSE].to_dataset(), []
    pair = xr.DataTree.from_dict(
        {
            "/a": fine[["B08"]].assign(B08=counting(fine, "B08", reads)),
            "/b": coarse[["B11"]].assign(B11=counting(coarse, "B11", reads)),
        }
    )
    whole = square.set_geometry([shapely.box(WEST, NORTH - 240, WEST + 320, NORTH)])
    stats = cbm.reduce_parcels(add_indices(pair, "NDMI"), whole)
    tasks = graph_size(stats)
    # A block of B08 serves both grids, so its read stays a task; that of B11 does not.
    left = [key for key in tasks if str(key).startswith("('read-")]
    assert len(left) == 2 * 6
    assert len(tasks) <= len(graph_size(cbm.reduce_parcels(pair, whole))) + len(left) + 1
    stats.compute(scheduler="synchronous")
    assert len(reads) == len(set(reads)) == 2 * 2 * 6


def test_indices_without_their_bands_reduce_to_the_same_numbers(tree, square):
    cubes = add_indices(tree, ["NDVI", "NDMI"])
    lean = add_indices(tree, ["NDVI", "NDMI"], keep_bands=False)
    for name in ("NDVI", "NDMI"):
        np.testing.assert_array_equal(
            cbm.reduce_parcels(cubes, square)[name].values,
            cbm.reduce_parcels(lean, square)[name].values,
        )


DATES = [2, 9, 14]
"""Some acquisitions of the country; the processing baseline changes in between."""


@pytest.fixture(scope="module")
def season(country):
    """Parcels, items and reduced indices of the demo's country, from small blocks."""
    parcels = cbm.read_parcels(country.parcels, id="field_id")
    parcels = parcels[parcels.geometry.is_valid & ~parcels.geometry.is_empty]
    items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_2A, aoi=parcels)
    bands = ["B02", "B04", "B08", "B11", "SCL"]
    cubes = cbm.mask(cbm.load_native(items, cbm.CARD_2A, bands=bands, block=64), cbm.CARD_2A)
    cubes = add_indices(cubes, list(QUOTIENTS), keep_bands=False)
    stats = cbm.reduce_parcels(cubes, parcels, statistics=("count", "mean", "std"))
    return parcels, {item.id: item for item in items}, stats.isel(time=DATES).compute()


QUOTIENTS = {
    "NDVI": lambda b: (b["B08"], b["B04"]),
    "NDMI": lambda b: (b["B08"], b["B11"]),
    "NBSI": lambda b: (b["B11"] + b["B04"], b["B08"] + b["B02"]),
}
"""The two sides of each normalised difference, written anew."""


@pytest.mark.parametrize("name", QUOTIENTS)
def test_every_mean_equals_exactextract_on_an_index_of_the_source_files(season, name):
    parcels, items, stats = season
    zone = zones_of(list(items.values()), parcels)
    compared = 0
    for number, epsg in itertools.product(range(len(DATES)), (32632, 32633)):
        members = [items[one] for one in stats["items"].values[number].split()]
        here = [item for item in members if item.properties["proj:code"] == f"EPSG:{epsg}"]
        rows = np.flatnonzero(zone == epsg)
        planes = {}
        for band in INDICES[name].bands:
            planes[band], ground = true_values(here, band, masked=True)
        smallest = min(plane.shape for plane in planes.values())
        p, q = QUOTIENTS[name](
            {
                band: plane if plane.shape == smallest else blocks_of_four(plane[None])[0]
                for band, plane in planes.items()
            }
        )
        shapes = parcels.iloc[rows].to_crs(epsg)[["geometry"]]
        source = NumPyRasterSource((p - q) / (p + q), **ground)
        oracle = exact_extract(source, shapes, ["count", "mean", "stdev"], output="pandas")
        for ours, theirs in (("count", "count"), ("mean", "mean"), ("std", "stdev")):
            mine = stats[name].isel(time=number, parcel=rows).sel(statistic=ours).values
            expected = oracle[theirs].to_numpy(dtype=float)
            # float32 steps of reflectance, magnified by the quotient
            np.testing.assert_allclose(mine, expected, rtol=2e-6, atol=2e-6)
            compared += np.isfinite(expected).sum()
    assert compared > 300
