"""Areas: what a server is asked for contains the true area, and the truth decides."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
import shapely.geometry
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.catalog.searching._area import parse_area
from cbmcube.catalog.searching._outline import MAX_REQUESTS, MAX_VERTICES
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
    [outline] = area.outlines
    assert shapely.equals(outline, SQUARE)
    assert area.meets(shapely.box(11.5, 48.5, 20, 60))
    assert area.meets(shapely.box(12, 49, 20, 60))  # a shared corner is shared
    assert not area.meets(shapely.box(12.01, 48, 20, 60))


def test_parcels_are_transformed():
    # false easting and equator of UTM zone 32: the central meridian at 9 degrees
    parcels = gpd.GeoSeries([shapely.Point(500000, 0)], crs=32632)
    bounds = shapely.total_bounds(parse_area(parcels).outlines)
    assert bounds == pytest.approx((9, 0, 9, 0), abs=1e-9)


def sent(area) -> shapely.Geometry:
    """All that servers are asked for, within the limits for one search and for their number."""
    assert 1 <= len(area.outlines) <= MAX_REQUESTS
    assert all(shapely.get_num_coordinates(one) <= MAX_VERTICES for one in area.outlines)
    assert all(shapely.is_valid(area.outlines))
    assert {one.geom_type for one in area.outlines} <= {"Polygon", "MultiPolygon"}
    return shapely.union_all(area.outlines)


def test_many_parcels_go_out_as_cells_and_are_checked_one_by_one():
    xy = np.random.default_rng(1).uniform((9, 47), (13, 50), (3000, 2))
    xy = xy[np.hypot(*(xy - (11, 48.5)).T) > 1]  # a hole in the middle
    parcels = gpd.GeoSeries(shapely.buffer(shapely.points(xy), 0.01), crs=4326)
    area = parse_area(parcels)
    assert shapely.covers(sent(area), shapely.geometrycollections(parcels.to_numpy()))
    hole = shapely.box(10.7, 48.2, 11.3, 48.8)
    assert not area.asks_for(hole)
    assert not area.meets(hole)
    for corner in np.random.default_rng(2).uniform((8, 46), (13, 50), (50, 2)):
        footprint = shapely.box(*corner, *(corner + 0.15))
        assert area.meets(footprint) == parcels.intersects(footprint).any()
        assert area.asks_for(footprint) >= area.meets(footprint)


def test_far_parts_are_not_joined():
    """Two groups of parcels 60 degrees apart: nothing between them is asked for."""
    rng = np.random.default_rng(3)
    xy = np.concatenate([rng.normal((-30, 38), 0.1, (500, 2)), rng.normal((30, 60), 0.1, (500, 2))])
    area = parse_area(gpd.GeoSeries(shapely.buffer(shapely.points(xy), 0.001), crs=4326))
    assert not area.asks_for(shapely.box(-20, 0, 20, 90))
    assert shapely.area(sent(area)) < 20


def test_scattered_parcels_go_out_in_several_searches():
    """Specks all over a continent have too many cells for one shape."""
    xy = np.random.default_rng(4).uniform((-10, 36), (30, 70), (700, 2))
    parts = shapely.buffer(shapely.points(xy), 0.01)
    area = parse_area(gpd.GeoSeries(parts, crs=4326))
    assert len(area.outlines) > 1
    assert shapely.covered_by(parts, sent(area)).all()


def test_a_search_is_not_cut_without_end():
    """Every second cell of the finest grid: cells grow until few shapes hold them."""
    x, y = np.meshgrid(np.arange(64) + 0.5, np.arange(64) + 0.5)
    chosen = (x + y) % 2 == 0
    points = shapely.points(x[chosen], y[chosen])
    parts = [*points, shapely.Point(0, 0), shapely.Point(64, 64)]
    assert shapely.covered_by(parts, sent(parse_area(gpd.GeoSeries(parts, crs=4326)))).all()


def test_a_detailed_border_goes_out_simple_and_outside():
    """A coast of 20,000 vertices: cells that the hull covers and the land does not are left out."""
    angle = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    radius = 3 + 0.3 * np.sin(40 * angle) + 2 * np.cos(angle) ** 2
    coast = shapely.Polygon(np.c_[10 + radius * np.cos(angle), 50 + radius * np.sin(angle)])
    outline = sent(parse_area(coast))
    assert shapely.covers(outline, coast)
    assert shapely.area(outline) < 1.25 * shapely.area(coast)
    assert not shapely.covers(outline, shapely.convex_hull(coast))


def test_fifty_thousand_parcels_cost_few_geometries(monkeypatch):
    """Counted work: what is joined are cells of a grid, however many parcels there are."""
    joined = []
    union = shapely.union_all

    def counted(geometries, *args, **kwargs):
        joined.append(np.size(geometries))
        return union(geometries, *args, **kwargs)

    monkeypatch.setattr(shapely, "union_all", counted)
    xy = np.random.default_rng(5).uniform((8, 54), (13, 58), (50_000, 2))
    boxes = shapely.box(*xy.T, *(xy + 0.002).T)
    area = parse_area(gpd.GeoSeries(boxes, crs=4326))
    assert sum(joined) <= 2 * 64 * 64
    monkeypatch.undo()
    assert shapely.covered_by(boxes, sent(area)).all()


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.01, 0.7, 30.0, 160.0]),
    st.sampled_from([0.0, 0.001, 0.3, 6.0]),
    st.sampled_from([0.0, 0.01, 1.0]),
)
def test_what_is_asked_for_contains_every_part(seed, spread, size, step):
    """Points and boxes, below a cell and over many; with `step`, on the borders of cells."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-spread, spread, (510, 2)) / (1, 2)
    sides = rng.uniform(0.1, 1, (510, 2)) * size
    if step:
        corners, sides = np.round(corners / step) * step, np.ceil(sides / step) * step
    parts = shapely.box(*corners.T, *(corners + sides).T) if size else shapely.points(corners)
    area = parse_area(gpd.GeoSeries(parts, crs=4326))
    assert shapely.covered_by(parts, sent(area)).all()


def test_a_line_of_points_has_cells_too():
    """No extent to the east: the cells get one."""
    parts = shapely.points(np.full(600, 11.0), np.linspace(47, 50, 600))
    area = parse_area(gpd.GeoSeries(parts, crs=4326))
    assert shapely.covered_by(parts, sent(area)).all()


def test_heights_are_dropped():
    high = parse_area(shapely.force_3d(SQUARE, 500))
    assert not shapely.has_z(high.outlines[0])
    assert shapely.equals(high.outlines[0], SQUARE)


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
