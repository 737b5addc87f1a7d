"""What a browser gets of the shapes of parcels."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

from cbmcube.plotting.interactive._shapes import (
    corners_of,
    mercator,
    position_at,
    shapes_table,
    view_of,
)

HOLE = shapely.Polygon(
    [(0, 0), (900, 0), (900, 900), (0, 900)], [[(100, 100), (100, 300), (300, 300), (300, 100)]]
)


def parcels(*shapes):
    moved = [shapely.transform(one, lambda p: np.add(p, [5e5, 5.5e6])) for one in shapes]
    return gpd.GeoDataFrame(geometry=moved, crs=32633)


def test_coordinates_are_those_of_geopandas_to_the_centimetre():
    given = parcels(HOLE, shapely.box(0, 0, 50, 70))
    column = shapes_table(given)["geometry"]
    for row, expected in zip(column.to_pylist(), given.to_crs(4326).geometry, strict=True):
        rings = [np.array(ring) for ring in row]
        lines = [expected.exterior, *expected.interiors]
        assert len(rings) == len(lines)
        for ring, line in zip(rings, lines, strict=True):
            # A degree is 111 km.
            assert np.abs(ring - np.array(line.coords)).max() * 111_000 < 0.01


def test_heights_are_left_out():
    flat, high = (
        parcels(shapely.box(0, 0, 9, 9)),
        parcels(shapely.force_3d(shapely.box(0, 0, 9, 9))),
    )
    assert shapes_table(high).equals(shapes_table(flat))


def test_one_multipolygon_makes_all_of_them():
    both = shapely.MultiPolygon([shapely.box(0, 0, 5, 5), shapely.box(9, 9, 20, 20)])
    table = shapes_table(parcels(HOLE, both))
    name = table.schema.field("geometry").metadata[b"ARROW:extension:name"]
    assert name == b"geoarrow.multipolygon"
    assert [len(row) for row in table["geometry"].to_pylist()] == [1, 2]


def test_the_extent_is_that_of_all_corners():
    given = parcels(HOLE, shapely.box(2000, 3000, 2500, 3900))
    np.testing.assert_allclose(
        corners_of(shapes_table(given)).ravel(), given.to_crs(4326).total_bounds, atol=1e-6
    )


@pytest.mark.parametrize("corners", [[(15, 50), (16, 50.1)], [(15, 50), (15.1, 51)]])
def test_a_view_holds_its_extent_and_not_much_more(corners):
    view = view_of(np.array(corners), height=480)
    (west, south), (east, north) = corners
    scale = 512 * 2 ** view["zoom"]
    wide = (east - west) / 360 * scale
    high = (mercator(north) - mercator(south)) * scale
    assert wide <= 631
    assert high <= 433
    assert wide > 629 or high > 431


def test_a_single_parcel_is_not_seen_from_a_metre_away():
    assert view_of(np.array([(15, 50), (15, 50)]), height=480)["zoom"] == 17


def test_the_northing_is_that_of_web_maps():
    x, y = gpd.GeoSeries.from_xy([15], [50], crs=4326).to_crs(3857).iloc[0].coords[0]
    assert mercator(50) == pytest.approx(y / (2 * np.pi * 6378137))
    assert x == pytest.approx(15 / 360 * 2 * np.pi * 6378137)


def test_a_place_names_its_parcel():
    given = parcels(HOLE, shapely.box(2000, 0, 2500, 500))
    middle = given.to_crs(4326).geometry[1].centroid
    assert position_at(given, middle.x, middle.y) == 1
    corner = given.to_crs(4326).geometry[0].representative_point()
    assert position_at(given, corner.x, corner.y) == 0
    assert position_at(given, 0, 0) is None
