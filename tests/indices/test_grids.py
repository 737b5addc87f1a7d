"""Which node an index lies on."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from cbmcube.exceptions import GridMismatchError
from cbmcube.indices import INDICES, Index
from cbmcube.indices._grids import find_grids, gather_blocks
from tests.indices.conftest import NORTH, WEST, make_cube


def ones(*names, shape=(1, 12, 12), **options):
    return make_cube({name: np.ones(shape, "float32") for name in names}, **options)


def test_the_coarsest_grid_of_the_bands_in_each_zone(tree):
    nodes = {node.path: node.to_dataset() for node in tree.subtree}
    assert find_grids(nodes, INDICES["NDVI"], None) == ["/32632_10m", "/32633_10m"]
    assert find_grids(nodes, INDICES["NBSI"], None) == ["/32632_20m", "/32633_20m"]
    assert find_grids(nodes, INDICES["NDVI"], 20) == ["/32632_20m", "/32633_20m"]


def test_a_lone_cube_needs_no_crs():
    cube = ones("B04", "B08").drop_vars("spatial_ref")
    assert find_grids({"/": cube}, INDICES["NDVI"], None) == ["/"]


def test_a_zone_without_any_of_the_bands_is_left_alone():
    nodes = {"/a": ones("B04", "B08"), "/b": ones("B02", crs="EPSG:32633")}
    assert find_grids(nodes, INDICES["NDVI"], None) == ["/a"]


def test_two_lattices_of_one_zone_each_take_the_finer_one_that_nests():
    nodes = {
        "/10m": ones("B08"),
        "/10m_shifted": ones("B08", origin=(WEST + 3, NORTH)),
        "/20m": ones("B11", shape=(1, 6, 6), step=20),
        "/20m_shifted": ones("B11", shape=(1, 6, 6), step=20, origin=(WEST + 3, NORTH)),
    }
    nodes["/10m_shifted"]["B08"] *= 3
    assert find_grids(nodes, INDICES["NDMI"], None) == ["/20m", "/20m_shifted"]
    for path, expected in (("/20m", 1), ("/20m_shifted", 3)):
        _, blocks = gather_blocks(nodes, path, INDICES["NDMI"])
        (near, one), _ = blocks
        assert one.factors == (2, 2)
        assert (near.compute() == expected).all()


def test_a_band_on_two_grids_gives_the_index_on_each_of_them():
    nodes = {"/10m": ones("B04", "B08"), "/20m": ones("B04", "B08", shape=(1, 6, 6), step=20)}
    assert find_grids(nodes, INDICES["NDVI"], None) == ["/10m", "/20m"]
    _, blocks = gather_blocks(nodes, "/20m", INDICES["NDVI"])
    assert [one.factors for _, one in blocks] == [(1, 1), (1, 1)]


def test_the_number_for_no_data_is_found_where_the_reduction_finds_it():
    cube = ones("A", "B", "C")
    cube["A"].attrs["nodata"] = 0
    cube["B"].encoding["_FillValue"] = -9999
    _, blocks = gather_blocks({"/": cube}, "/", Index("X", "A + B + C"))
    numbers = [one.nodata for _, one in blocks]
    assert numbers[:2] == [0, -9999]
    assert np.isnan(numbers[2])


def test_a_tree_without_coordinates_cannot_tell_which_is_coarser():
    bare = {name: ones(name).drop_vars(["x", "y", "spatial_ref"]) for name in ("B08", "B11")}
    with pytest.raises(GridMismatchError, match="no regular grid"):
        find_grids(bare, INDICES["NDMI"], None)


def test_grids_without_time_do_not_meet():
    nodes = {
        "/a": ones("B08").isel(time=0, drop=True),
        "/b": ones("B11", shape=(1, 6, 6), step=20).isel(time=0, drop=True),
    }
    with pytest.raises(GridMismatchError, match="same dimensions"):
        gather_blocks(nodes, "/b", INDICES["NDMI"])
    assert isinstance(nodes["/a"], xr.Dataset)
