"""One reader of projection metadata, whatever the spelling, and refusals by name."""

from __future__ import annotations

from datetime import UTC, datetime

import pyproj
import pystac
import pytest
from affine import Affine

from cbmcube.cube.grids._projection import MAX_SIDE, asset_geobox, item_affine, item_crs, item_shape
from cbmcube.exceptions import NoGridError

GRID = {"proj:transform": [10, 0, 500_000, 0, -10, 5_400_000], "proj:shape": [40, 60]}


def item(own=None, common=None):
    made = pystac.Item("scene", None, None, datetime(2024, 3, 5, tzinfo=UTC), common or {})
    made.add_asset("B04", pystac.Asset("/data/B04.tif", extra_fields=own or {}))
    return made


@pytest.mark.trap("T23")
@pytest.mark.parametrize(
    "spelt",
    [
        {"proj:code": "EPSG:32632"},
        {"proj:code": "epsg:32632"},
        {"proj:epsg": 32632},
        {"proj:epsg": "32632"},
        {"proj:epsg": "EPSG:32632"},
        {"proj:wkt2": pyproj.CRS(32632).to_wkt()},
        {"proj:wkt2": pyproj.CRS(32632).to_wkt("WKT1_GDAL")},
        {"proj:projjson": pyproj.CRS(32632).to_json_dict()},
        {"proj:code": None, "proj:epsg": 32632, "proj:projjson": None},
        {"proj:code": "EPSG:32632", "proj:epsg": 32632, "proj:wkt2": pyproj.CRS(32632).to_wkt()},
    ],
    ids=lambda spelt: "+".join(f"{key[5:]}={str(value)[:10]}" for key, value in spelt.items()),
)
@pytest.mark.parametrize("level", ["asset", "item"])
def test_every_spelling_of_a_crs_is_one_crs(spelt, level):
    made = item(spelt) if level == "asset" else item(None, spelt)
    assert item_crs(made, "B04") == "EPSG:32632"


@pytest.mark.trap("T23")
def test_the_asset_goes_before_its_item():
    made = item({"proj:code": "EPSG:32632"}, {"proj:epsg": 32633})
    assert item_crs(made, "B04") == "EPSG:32632"
    assert item_crs(made) == "EPSG:32633"


@pytest.mark.trap("T23")
def test_two_crs_on_one_level_are_an_error():
    with pytest.raises(NoGridError, match="'scene', asset 'B04': two different CRS.*\n.*32633"):
        item_crs(item({"proj:code": "EPSG:32632", "proj:epsg": 32633}), "B04")


@pytest.mark.parametrize(
    "spelt",
    [
        {"proj:code": "EPSG:99999999"},
        {"proj:epsg": "somewhere"},
        {"proj:wkt2": "PROJCRS[nonsense"},
        {"proj:projjson": {"type": "nothing"}},
        {"proj:code": 32632.5},
        {"proj:code": ["EPSG:32632"]},
    ],
    ids=str,
)
def test_a_crs_that_nobody_knows_is_named(spelt):
    (field,) = spelt
    with pytest.raises(NoGridError, match=f"'scene', asset 'B04': {field} is not a known CRS"):
        item_crs(item(spelt), "B04")


@pytest.mark.trap("T23")
def test_transforms_of_six_and_nine_elements_are_one():
    nine = [*GRID["proj:transform"], 0, 0, 1]
    expected = Affine(10, 0, 500_000, 0, -10, 5_400_000)
    assert item_affine(item({"proj:transform": nine}), "B04") == expected
    assert item_affine(item(None, {"proj:transform": nine[:6]}), "B04") == expected
    assert item_affine(item(), "B04") is None


@pytest.mark.parametrize(
    "numbers",
    [
        [float("nan"), 0, 0, 0, -10, 0],
        [10, 0, float("inf"), 0, -10, 0],
        [0, 0, 0, 0, -10, 0],
        [10, 0, 0, 0, 0, 0],
        [10, 1, 0, 0, -10, 0],
        [10, 0, 0, 1, -10, 0],
        [10, 0, 0, 0, -10],
        [10, 0, 0, 0, -10, 0, 0, 0, 2],
        ["ten", 0, 0, 0, -10, 0],
        "10 0 0 0 -10 0",
        7,
    ],
    ids=str,
)
def test_a_transform_that_is_no_lattice_is_named(numbers):
    with pytest.raises(NoGridError, match="'scene', asset 'B04': the transform is not a pixel"):
        item_affine(item({"proj:transform": numbers}), "B04")


@pytest.mark.parametrize(
    "sizes",
    [[0, 5], [-1, 5], [2.5, 5], [5], [5, 5, 5], "55", [float("nan"), 5], [None, 5], {"rows": 5}],
    ids=str,
)
def test_a_shape_that_is_no_raster_is_named(sizes):
    with pytest.raises(NoGridError, match="proj:shape is not a number of rows and columns"):
        item_shape(item({"proj:shape": sizes}), "B04")


def test_absurd_shapes_are_refused_before_anything_is_built():
    """At the limits, one beyond them, and the shapes that made thousands of tasks elsewhere."""
    assert item_shape(item({"proj:shape": [MAX_SIDE, 2**16]}), "B04") == (2**20, 2**16)
    for sizes in ([MAX_SIDE + 1, 1], [2**18 + 1, 2**18], [300_000, 300_000], [10**9, 10**9]):
        with pytest.raises(NoGridError, match="larger than any raster"):
            item_shape(item({"proj:shape": sizes}), "B04")


@pytest.mark.trap("T24")
@pytest.mark.parametrize("field", ["proj:code", "proj:transform", "proj:shape"])
def test_what_is_missing_is_named_with_the_ways_out(field):
    fields = {"proj:code": "EPSG:32632"} | GRID
    del fields[field]
    with pytest.raises(NoGridError, match="'scene' states no .*'B04'(.|\n)*read_headers=True"):
        asset_geobox(item(fields), "B04")


def test_a_shape_of_the_asset_never_meets_a_transform_for_another():
    common = {"proj:code": "EPSG:32632"} | GRID
    assert asset_geobox(item(None, common), "B04").shape == (40, 60)
    assert asset_geobox(item({"proj:shape": [40, 60]}, common), "B04").shape == (40, 60)
    with pytest.raises(NoGridError, match="proj:transform is stated for another grid only"):
        asset_geobox(item({"proj:shape": [20, 30]}, common), "B04")


REAL = {
    "SENTINEL1_GRD": ("VV", "EPSG:4326", 6),
    "v1__sentinel-2-l2a": ("red", "EPSG:32720", 6),
    "microsoft.com__sentinel-2-l2a": ("B04", "EPSG:32660", 6),
    "sentinel-1-rtc": ("vv", "EPSG:32634", 9),
    "v0__sentinel-s2-l2a-cogs": ("B04", "EPSG:32644", 9),
    "stac.dataspace.copernicus.eu__sentinel-2-l2a": ("B04_10m", "EPSG:32632", 6),
    "indigoag": ("gamma0_vv", "EPSG:32617", 9),
}


@pytest.mark.realdata
@pytest.mark.trap("T23")
@pytest.mark.parametrize("part", REAL)
def test_items_of_every_provider_state_their_grid(real_items, part):
    key, crs, elements = REAL[part]
    found = real_items(part)[0]
    fields = found.assets[key].extra_fields
    stated = fields.get("proj:transform", found.properties.get("proj:transform"))
    assert len(stated) == elements
    assert item_crs(found, key) == crs
    assert list(item_affine(found, key)[:6]) == stated[:6]


@pytest.mark.realdata
@pytest.mark.trap("T20")
def test_equi7_runs_upwards(real_items):
    geobox = asset_geobox(real_items("from_notebooks")[3], "B04")
    assert geobox.crs.epsg == 27704
    assert geobox.coordinates["y"].values[[0, -1]].tolist() == [1_500_005, 1_599_995]


@pytest.mark.realdata
@pytest.mark.trap("T24")
@pytest.mark.parametrize(
    ("part", "key", "missing"),
    [
        ("global-mosaics", "B04", "no proj:transform"),
        ("c-scale", "B04", "no proj:transform and no proj:shape"),
        ("vito", "SOSD", "no proj:transform and no proj:shape"),
    ],
)
def test_real_items_without_a_grid_are_refused(real_items, part, key, missing):
    with pytest.raises(NoGridError, match=f"states {missing} for asset {key!r}"):
        asset_geobox(real_items(part)[0], key)
