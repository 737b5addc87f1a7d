"""Scenes without a map grid, and rasters that cannot lie where they say, are refused."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pystac
import pytest
from odc.geo.geobox import GeoBox

import cbmcube as cbm
from cbmcube.cube.grids._refuse import require_footprint, require_projected
from cbmcube.exceptions import BadItemError, NoGridError, TooLargeError, UnprojectedProductError

UNPROJECTED = {
    "SENTINEL1_GRD": 10,
    "v1__sentinel-1-grd": 3,
    "dev.aws": 2,
    "microsoft.com__sentinel-1-grd": 2,
    "scihub.copernicus.eu__sentinel1-grd": 2,
    "scihub.copernicus.eu__sentinel1-slc": 1,
}


@pytest.mark.realdata
@pytest.mark.trap("T21")
@pytest.mark.trap("T22")
@pytest.mark.parametrize("part", UNPROJECTED)
def test_radar_scenes_on_an_invented_grid_are_refused(real_items, part):
    items = real_items(part)
    assert len(items) == UNPROJECTED[part]
    for item in items:
        with pytest.raises(UnprojectedProductError, match=f"{item.id}(.|\n)*CARD-BS"):
            cbm.load_native([item], cbm.CARD_BS)


@pytest.mark.realdata
@pytest.mark.trap("T21")
@pytest.mark.parametrize("part", ["sentinel-1-rtc", "indigoag"])
def test_backscatter_on_a_map_grid_is_accepted(real_items, part):
    for item in real_items(part):
        require_projected(item)


@pytest.mark.realdata
def test_real_footprints_agree_with_their_grids(real_items):
    """Those beside 180 degrees too: their outline runs from one end of the world to the other."""
    for item in real_items("microsoft.com__sentinel-2-l2a"):
        cbm.load_native([item], cbm.CARD_2A, bands=["B04", "SCL"])


def at(longitude, latitude, size=0.5):
    west, east, south, north = longitude, longitude + size, latitude, latitude + size
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    outline = {"type": "Polygon", "coordinates": [ring]}
    return pystac.Item("scene", outline, None, datetime(2024, 3, 5, tzinfo=UTC), {})


def tile(epsg, x, y):
    return GeoBox.from_bbox((x, y, x + 10_000, y + 10_000), f"EPSG:{epsg}", resolution=10)


def test_a_grid_away_from_its_footprint_is_refused():
    """UTM 500000 E lies on the meridian 9 E, 5400000 N at 48.75 N."""
    grid = tile(32632, 500_000, 5_400_000)
    for near in (at(9.0, 48.7), at(8.2, 48.7), at(9.5, 48.3), at(9.0, 49.2)):
        require_footprint(near, "B04", grid)
    for far in (at(11.0, 48.7), at(7.0, 48.7), at(9.0, 47.0), at(9.0, -48.7), at(-171.0, 48.7)):
        with pytest.raises(NoGridError, match="'scene', asset 'B04': the grid lies away"):
            require_footprint(far, "B04", grid)


def test_a_misplaced_item_is_refused_before_it_stretches_the_cube(scenes):
    good, bad = (scenes.item(name, {"B04": np.ones((4, 4), "uint16")}) for name in "gb")
    bad.geometry = {"type": "Point", "coordinates": [30.0, -10.0]}
    with pytest.raises(NoGridError, match="item 'b', asset 'B04': the grid lies away"):
        cbm.load_native([good, bad], cbm.CARD_2A, bands="B04")


def test_grids_beside_180_degrees_may_be_written_either_way():
    """Zone 60 reaches across 180 E: 800000 E at the equator is 179.7 E."""
    grid = tile(32660, 833_000, 100_000)
    for near in (at(179.4, 0.9), at(-179.9, 0.9), at(180.0, 0.9)):
        require_footprint(near, "B04", grid)
    with pytest.raises(NoGridError, match="lies away"):
        require_footprint(at(-175.0, 0.9), "B04", grid)


def test_items_without_a_footprint_are_taken_at_their_word():
    item = pystac.Item("scene", None, None, datetime(2024, 3, 5, tzinfo=UTC), {})
    require_footprint(item, "B04", tile(32632, 500_000, 5_400_000))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "west", None])
def test_a_footprint_of_other_than_numbers_is_refused(bad):
    item = at(9.0, 48.7)
    item.geometry["coordinates"][0][1][0] = bad
    with pytest.raises(BadItemError, match="'scene': its footprint"):
        require_footprint(item, "B04", tile(32632, 500_000, 5_400_000))


def test_items_that_stretch_a_grid_across_a_zone_are_refused(scenes):
    """Two plain files, 8,700 km apart at 1 m: the grid between them would hold 3.5e12 pixels."""
    values = np.ones((4, 4), "uint16")
    steps = {"B04": (1, -1)}
    near = scenes.item("a", {"B04": values}, origin=(300_000, 300_000), steps=steps)
    far = scenes.item("b", {"B04": values}, origin=(700_000, 9_000_000), steps=steps)
    with pytest.raises(TooLargeError, match="'?EPSG32632_1m'? would cover more ground"):
        cbm.load_native([near, far], cbm.CARD_2A, bands="B04")
    # Below that limit there may still be more blocks than a graph can hold.
    wide = scenes.item("c", {"B04": values}, origin=(300_000, 900_000), steps=steps)
    with pytest.raises(TooLargeError, match="too many blocks"):
        cbm.load_native([near, wide], cbm.CARD_2A, bands="B04", block=1)
