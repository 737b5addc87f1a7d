"""A map of many parcels: a picture of all, and shapes where one looks."""

from __future__ import annotations

import base64
import io

import geopandas as gpd
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import shapely

from cbmcube.plotting import explore
from cbmcube.plotting.interactive import _crowd, _explore

lonboard = pytest.importorskip("lonboard")

WEST, EAST = [0, 0, 255, 255], [255, 0, 0, 255]


def grid(side=30):
    """Return parcels of 80 m in cells of 100 m."""
    x, y = np.arange(side * side) % side * 100 + 5e5, np.arange(side * side) // side * 100 + 5.5e6
    ids = [f"F{k}" for k in range(side * side)]
    return gpd.GeoDataFrame(geometry=shapely.box(x, y, x + 80, y + 80), index=ids, crs=32633)


def crowd(parcels):
    east = parcels.geometry.bounds["minx"].to_numpy() >= 5e5 + 1500
    return _crowd.Crowd(parcels, np.where(east[:, None], EAST, WEST).astype("uint8"))


def pixels(layer):
    text = layer.image.removeprefix("data:image/png;base64,")
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(text)))


def look(found, parcels, name, zoom):
    middle = parcels.to_crs(4326).geometry[name].centroid
    found.move(lonboard.view_state.MapViewState(longitude=middle.x, latitude=middle.y, zoom=zoom))


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr(_crowd, "AT_ONCE", 50)
    monkeypatch.setattr(_explore, "_FEW", 100)


def test_the_picture_has_the_colours_where_the_parcels_are():
    parcels = grid()
    layer = crowd(parcels).picture
    image = pixels(layer)
    assert image.shape[0] * image.shape[1] == pytest.approx(900 / 2, rel=0.2)
    middle = image.shape[1] // 2
    np.testing.assert_array_equal(image[:, : middle - 1, :3].reshape(-1, 3).max(axis=0), [0, 0, 1])
    np.testing.assert_array_equal(image[:, middle + 1 :, :3].reshape(-1, 3).max(axis=0), [1, 0, 0])
    west, south, east, north = layer.bounds
    expected = parcels.to_crs(4326).total_bounds
    np.testing.assert_allclose([west, south, east, north], expected, atol=0.002)


def test_north_is_above():
    parcels = grid()
    rgba = np.zeros((900, 4), "uint8")
    rgba[-30:] = [255, 0, 0, 255]
    image = pixels(_crowd.Crowd(parcels, rgba).picture)
    assert image[0, :, 0].max() > 0.4
    assert image[2:, :, 0].max() == 0


def test_from_afar_there_is_the_picture_and_from_near_the_shapes():
    parcels = grid()
    found = crowd(parcels)
    look(found, parcels, "F465", 8)
    assert (found.picture.visible, found.shapes.visible) == (True, False)
    look(found, parcels, "F465", 18)
    assert (found.picture.visible, found.shapes.visible) == (False, True)
    assert found.shapes.table.num_rows == 50
    colours = np.array(found.shapes.get_fill_color.combine_chunks().to_pylist())
    shown = int((colours[:, 3] > 0).sum())
    assert 0 < shown < 50
    # All shapes that have a colour are near, and the parcel in the middle is one of them.
    column = found.shapes.table["geometry"].combine_chunks().to_pylist()
    corners = {tuple(np.round(row[0][0], 6)) for row in column[:shown]}
    wanted = parcels.to_crs(4326).geometry["F465"].exterior.coords[0]
    assert tuple(np.round(wanted, 6)) in corners
    look(found, parcels, "F465", 8)
    assert (found.picture.visible, found.shapes.visible) == (True, False)


def test_shapes_are_sent_again_only_where_none_are():
    parcels = grid()
    found = crowd(parcels)
    look(found, parcels, "F465", 18)
    before = found.shapes.table
    look(found, parcels, "F465", 19)
    assert found.shapes.table is before
    look(found, parcels, "F0", 18)
    assert found.shapes.table is not before


def test_a_click_on_the_map_shows_the_parcel_and_one_beside_it_none():
    parcels = grid()
    values = pd.Series(np.arange(900.0), index=parcels.index, name="size")
    view = explore(parcels, by=values)
    board, note = view.children[1].children[0], view.children[2]
    middle = parcels.to_crs(4326).geometry["F465"].centroid
    # What the browser sends.
    sent = {"kind": "on-click", "coordinate": [middle.x, middle.y]}
    board._handle_custom_msg(sent, [])
    assert "Parcel F465" in note.value
    board._handle_custom_msg({"kind": "on-click", "coordinate": [0, 0]}, [])
    assert note.value == ""


def test_the_map_follows_its_view_and_its_text_has_no_picture():
    parcels = grid()
    view = explore(parcels)
    board = view.children[1].children[0]
    picture, shapes = board.layers
    assert picture.visible
    board.set_view_state(zoom=18)
    assert shapes.visible
    assert len(repr(view)) < 10_000
