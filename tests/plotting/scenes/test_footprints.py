"""What the map of footprints draws, read back from the figure."""

from __future__ import annotations

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pytest
import shapely
from matplotlib.collections import LineCollection
from shapely.geometry import mapping

from cbmcube.exceptions import MissingCRSError, OptionError
from cbmcube.plotting import footprints
from cbmcube.plotting.scenes._footprints import count_overlaps
from tests.plotting.made_scenes import scene


def count_at(axis, x, y):
    """Return the number drawn at a place, 0 where nothing is."""
    (image,) = axis.images
    grid = np.ma.filled(image.get_array(), 0)
    west, east, south, north = image.get_extent()
    row = int((north - y) / (north - south) * grid.shape[0])
    column = int((x - west) / (east - west) * grid.shape[1])
    return int(grid[row, column])


def fields(*places, crs=4326):
    boxes = [shapely.box(x, y, x + 0.01, y + 0.01) for x, y in places]
    return gpd.GeoDataFrame(geometry=boxes, crs=4326).to_crs(crs)


def points(axis, label):
    found = [line for line in axis.lines if line.get_label() == label]
    return np.concatenate([np.stack(one.get_data(), axis=1) for one in found] or [np.empty((0, 2))])


def test_tiles_of_one_pass_count_once():
    items = [scene(0), scene(0, tile="33UXP", place=(15, 47)), scene(10)]
    axis = footprints(items).axes[0]
    assert [count_at(axis, x, 47.5) for x in (14.5, 15.25, 16)] == [2, 2, 1]
    axis = footprints(items, count="items").axes[0]
    assert [count_at(axis, x, 47.5) for x in (14.5, 15.25, 16)] == [2, 3, 1]


def test_counts_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    left, bottom = rng.uniform(10, 14, 40), rng.uniform(46, 49, 40)
    boxes = shapely.box(left, bottom, left + 1.3, bottom + 0.9)
    extent = (10.0, 46.0, 15.3, 49.9)
    grid = count_overlaps(boxes, extent)
    rows, columns = grid.shape
    assert max(grid.shape) == 700
    x = 10 + (np.arange(columns) + 0.5) * 5.3 / columns
    y = 49.9 - (np.arange(rows) + 0.5) * 3.9 / rows
    for i in range(0, rows, 97):
        for j in range(0, columns, 61):
            inside = (left < x[j]) & (x[j] < left + 1.3) & (bottom < y[i]) & (y[i] < bottom + 0.9)
            assert grid[i, j] == inside.sum()


def test_parcels_that_no_scene_shows_are_red_and_counted():
    parcels = fields((14.5, 47.5), (14.6, 47.5), (17, 47.5), crs=32633)
    axis = footprints([scene(0)], parcels=parcels).axes[0]
    np.testing.assert_allclose(
        points(axis, "parcels"), [[14.505, 47.505], [14.605, 47.505]], atol=1e-4
    )
    np.testing.assert_allclose(points(axis, "parcels never seen"), [[17.005, 47.505]], atol=1e-4)
    assert axis.get_title(loc="left").endswith("3 parcels, 1 never seen (red)")
    west, east = axis.get_xlim()
    assert west < 14
    assert east > 17.01
    assert sum(len(one.get_segments()) for one in axis.collections) == 1 + 3  # one scene


def test_many_parcels_are_points():
    rng = np.random.default_rng(1)
    parcels = fields(*rng.uniform([14, 47], [15, 47.9], (3001, 2)))
    axis = footprints([scene(0)], parcels=parcels).axes[0]
    assert len(points(axis, "parcels")) == 3001
    assert (
        sum(len(c.get_segments()) for c in axis.collections if isinstance(c, LineCollection)) == 1
    )


def test_very_many_parcels_let_the_counts_through():
    rng = np.random.default_rng(1)
    inside, outside = rng.uniform([14, 47], [15, 47.9], (60_000, 2)), np.array([[17.0, 47.0]])
    parcels = fields(*np.concatenate([inside, outside]))
    axis = footprints([scene(0)], parcels=parcels).axes[0]
    alphas = {line.get_label(): line.get_alpha() for line in axis.lines}
    assert alphas["parcels"] == pytest.approx(0.5)
    assert alphas["parcels never seen"] is None


def test_a_kilometre_is_as_long_in_both_directions():
    axis = footprints([scene(0)]).axes[0]
    assert axis.get_aspect() == pytest.approx(1 / np.cos(np.radians(47.5)), rel=1e-6)
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("longitude (°)", "latitude (°)")


def test_both_sides_of_the_date_line_are_neighbours():
    items = [scene(0, place=(177, -17)), scene(10, place=(-179.5, -17))]
    parcels = fields((-179, -16.5))
    axis = footprints(items, parcels=parcels).axes[0]
    west, east = axis.get_xlim()
    assert 176 < west < 177
    assert 182 < east < 183
    assert count_at(axis, 181, -16.5) == 1
    assert len(points(axis, "parcels")) == 1


def test_items_without_a_footprint_are_counted():
    items = [scene(0), scene(10, place=None)]
    assert "1 without a footprint" in footprints(items).axes[0].get_title(loc="left")
    axis = footprints([scene(0, place=None)]).axes[0]
    assert [text.get_text() for text in axis.texts] == ["no scene has a footprint"]
    assert len(footprints([]).axes) == 1


def test_a_footprint_that_crosses_itself_is_mended():
    bow = scene(0)
    bow.geometry = mapping(shapely.Polygon([(14, 47), (15, 48), (15, 47), (14, 48)]))
    axis = footprints([bow]).axes[0]
    assert count_at(axis, 14.1, 47.5) == 1
    assert count_at(axis, 14.5, 47.1) == 0


def test_few_counts_have_a_colour_each():
    figure = footprints([scene(day) for day in (0, 10, 20)])
    bar = figure.axes[1]
    assert [text.get_text() for text in bar.get_yticklabels()] == ["1", "2", "3"]
    assert bar.get_ylabel() == "acquisitions (number)"


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(OptionError, match="cannot be counted"):
        footprints([scene(0)], count="days")
    with pytest.raises(MissingCRSError, match="set_crs"):
        footprints([scene(0)], parcels=fields((14, 47)).set_crs(None, allow_override=True))


def test_axes_of_the_caller_and_parcels_as_a_series_serve():
    figure, axis = plt.subplots()
    empty = gpd.GeoSeries([None, shapely.Polygon()], crs=4326)
    assert footprints([scene(0)], parcels=empty, axis=axis) is figure
    assert axis.get_title(loc="left").endswith("0 parcels")
    plt.close(figure)
