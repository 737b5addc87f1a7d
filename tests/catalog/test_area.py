"""Areas: what a server is asked for contains the true area, and the truth decides."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
import shapely.geometry

from cbmcube.catalog._area import MAX_VERTICES, parse_area
from cbmcube.exceptions import MissingCRSError, OptionError

SQUARE = shapely.box(11, 48, 12, 49)
GEOJSON = shapely.geometry.mapping(SQUARE)


@pytest.mark.parametrize(
    "given",
    [
        (11, 48, 12, 49),
        [11.0, 48.0, 12.0, 49.0],
        np.array([11, 48, 12, 49]),
        SQUARE,
        GEOJSON,
        {"type": "Feature", "geometry": GEOJSON, "properties": {}},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": GEOJSON}]},
        gpd.GeoSeries([SQUARE, None], crs=4326),
        gpd.GeoDataFrame({"a": [1]}, geometry=[SQUARE], crs=4326),
    ],
    ids=lambda value: type(value).__name__,
)
def test_spellings_of_one_square(given):
    area = parse_area(given)
    assert shapely.equals(area.outline, SQUARE)
    assert area.meets(shapely.box(11.5, 48.5, 20, 60))
    assert area.meets(shapely.box(12, 49, 20, 60))  # a shared corner is shared
    assert not area.meets(shapely.box(12.01, 48, 20, 60))


def test_parcels_are_transformed():
    # false easting and equator of UTM zone 32: the central meridian at 9 degrees
    parcels = gpd.GeoSeries([shapely.Point(500000, 0)], crs=32632)
    bounds = shapely.bounds(parse_area(parcels).outline)
    assert bounds == pytest.approx((9, 0, 9, 0), abs=1e-9)


def test_many_parcels_go_out_as_their_hull_and_are_checked_one_by_one():
    xy = np.random.default_rng(1).uniform((9, 47), (13, 50), (3000, 2))
    xy = xy[np.hypot(*(xy - (11, 48.5)).T) > 1]  # a hole in the middle
    parcels = gpd.GeoSeries(shapely.buffer(shapely.points(xy), 0.01), crs=4326)
    area = parse_area(parcels)
    assert shapely.get_num_coordinates(area.outline) <= MAX_VERTICES
    assert shapely.covers(area.outline, shapely.geometrycollections(parcels.to_numpy()))
    hole = shapely.box(10.7, 48.2, 11.3, 48.8)
    assert shapely.intersects(area.outline, hole)
    assert not area.meets(hole)
    for corner in np.random.default_rng(2).uniform((8, 46), (13, 50), (50, 2)):
        footprint = shapely.box(*corner, *(corner + 0.15))
        assert area.meets(footprint) == parcels.intersects(footprint).any()


def test_an_invalid_parcel_is_usable():
    bow = shapely.Polygon([(11, 48), (12, 49), (12, 48), (11, 49)])
    assert parse_area(bow).meets(shapely.box(11, 48.4, 11.2, 48.6))


def test_parcels_without_crs():
    with pytest.raises(MissingCRSError, match="set_crs"):
        parse_area(gpd.GeoSeries([SQUARE]))


@pytest.mark.parametrize(
    "given",
    [
        (12, 48, 11, 49),
        (11, 48, 12),
        (500000, 5400000, 600000, 5500000),
        shapely.box(0, 0, 200, 10),
        shapely.Polygon(),
        gpd.GeoSeries([], crs=4326),
        gpd.GeoSeries([None], crs=4326),
        {"type": "Polygon"},
        {"type": "Feature", "geometry": None},
        {},
        "Bavaria",
        7,
        float("nan"),
        (11, 48, float("nan"), 49),
    ],
    ids=str,
)
def test_what_is_no_area(given):
    with pytest.raises(OptionError):
        parse_area(given)
