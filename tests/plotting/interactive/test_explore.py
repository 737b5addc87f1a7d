"""The interactive map: what travels to the browser, and what a click shows."""

from __future__ import annotations

import builtins

import geopandas as gpd
import numpy as np
import pytest
import shapely

from cbmcube.exceptions import MissingCRSError, OptionError
from cbmcube.plotting import explore
from cbmcube.plotting.interactive._colouring import colouring_of
from cbmcube.testing import vector_cube

lonboard = pytest.importorskip("lonboard")


@pytest.fixture(scope="module")
def stats():
    return vector_cube(parcels=8)


@pytest.fixture
def parcels(stats):
    table = {"crop": stats["crop"].values}
    ids = stats["parcel"].values
    return gpd.GeoDataFrame(table, geometry=stats["geometry"].values, index=ids, crs=32633)


def parts(view):
    legend, frame, note, picture = view.children
    board, _ = frame.children
    (layer,) = board.layers
    return legend, board, layer, note, picture


def click(view, parcels, parcel):
    """Send what a browser sends."""
    place = (0, 0)
    if parcel is not None:
        place = parcels.to_crs(4326).geometry.iloc[parcel].representative_point().coords[0]
    message = {"kind": "on-click", "coordinate": list(place)}
    parts(view)[1]._handle_custom_msg(message, [])


def test_shapes_and_colours_travel_and_nothing_else(parcels, stats):
    _, _, layer, _, _ = parts(explore(parcels, stats, time="2024-06-01"))
    table = layer.table
    assert table.num_rows == 8
    assert table.column_names == ["geometry"]
    expected = colouring_of(parcels, stats, by=None, statistic="mean", time="2024-06-01")
    chunks = layer.get_fill_color.chunks
    sent = np.concatenate(
        [
            np.asarray(chunk.to_pylist() if hasattr(chunk, "to_pylist") else chunk)
            for chunk in chunks
        ]
    )
    np.testing.assert_array_equal(sent, expected.rgba)


def test_a_click_shows_the_profile_of_the_parcel(parcels, stats):
    view = explore(parcels, stats)
    _, _, _, note, picture = parts(view)
    assert picture.layout.display == "none"
    click(view, parcels, 3)
    first = bytes(picture.value)
    assert first.startswith(b"\x89PNG")
    assert picture.layout.display != "none"
    assert "Parcel P3" in note.value
    assert parcels["crop"].iloc[3] in note.value
    click(view, parcels, 5)
    assert picture.value != first
    click(view, parcels, None)
    assert note.value == ""
    assert picture.layout.display == "none"


def test_a_click_without_statistics_shows_the_columns(parcels):
    view = explore(parcels, by="crop")
    legend, _, _, note, picture = parts(view)
    assert "crop  ·  8 parcels" in legend.value
    click(view, parcels, 0)
    assert "Parcel P0" in note.value
    assert picture.layout.display == "none"


def test_a_parcel_that_has_no_statistics_says_so(parcels, stats):
    some = stats.isel(parcel=slice(4))
    view = explore(parcels, some)
    _, _, _, note, picture = parts(view)
    click(view, parcels, 7)
    assert "not in the vector cube" in note.value
    assert picture.layout.display == "none"
    click(view, parcels, 1)
    assert picture.layout.display != "none"


def test_positions_hold_when_parcels_without_an_area_are_left_out(parcels, stats):
    shapes = parcels.geometry.to_numpy().copy()
    shapes[0], shapes[1], shapes[2] = None, shapely.Polygon(), shapely.Point(0, 0)
    view = explore(parcels.set_geometry(shapes, crs=32633), stats)
    legend, _, layer, note, _ = parts(view)
    assert layer.table.num_rows == 5
    assert "5 parcels, 3 without an area left out" in legend.value
    click(view, parcels, 3)
    assert "Parcel P3" in note.value


def test_multipolygons_keep_one_row_each(parcels, stats):
    shapes = parcels.geometry.to_numpy().copy()
    shapes[0] = shapely.MultiPolygon([shapes[0], shapely.transform(shapes[0], lambda p: p + 500)])
    view = explore(parcels.set_geometry(shapes, crs=32633), stats)
    _, _, layer, note, _ = parts(view)
    assert layer.table.num_rows == 8
    click(view, parcels, 7)
    assert "Parcel P7" in note.value


def test_an_id_cannot_become_markup(parcels, stats):
    parcels.index = ["<b>bold</b>", *parcels.index[1:]]
    view = explore(parcels, stats)
    _, _, _, note, _ = parts(view)
    click(view, parcels, 0)
    assert "<b>bold" not in note.value
    assert "&lt;b&gt;bold" in note.value


def test_the_map_needs_no_network_if_asked(parcels):
    assert parts(explore(parcels, basemap=False))[1].basemap is None
    assert parts(explore(parcels))[1].basemap is not None


def test_the_first_view_holds_the_parcels(parcels):
    board = parts(explore(parcels, height=300))[1]
    view = board.view_state
    west, south, east, north = parcels.to_crs(4326).total_bounds
    assert west < view.longitude < east
    assert south < view.latitude < north
    # In pixels, of which the whole Earth has 512 at zoom 0.
    wide = (east - west) / 360 * 512 * 2**view.zoom
    assert 500 < wide < 700
    assert board.height in (300, "300px")


def test_what_the_browser_needs_is_said_until_there_is_a_canvas(parcels):
    frame = explore(parcels).children[1]
    waiting = frame.children[1].value
    assert "cdn.jsdelivr.net" in waiting
    assert "cbmcube-map" in frame._dom_classes
    assert ".cbmcube-map:has(canvas) .cbmcube-waiting { display: none }" in waiting


def test_the_parcels_stay_as_they_are(parcels, stats):
    before = parcels.copy()
    explore(parcels, stats)
    assert parcels.equals(before)


def test_what_cannot_be_shown_is_refused(parcels):
    with pytest.raises(MissingCRSError):
        explore(parcels.set_crs(None, allow_override=True))
    with pytest.raises(OptionError, match="no parcel with an area"):
        explore(parcels.iloc[:0])
    with pytest.raises(OptionError, match="GeoDataFrame"):
        explore(parcels.geometry)


def test_without_lonboard_it_says_what_to_install(parcels, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **options):
        if name.startswith("lonboard"):
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"cbmcube\[explore\]"):
        explore(parcels)
