"""The interactive map in JupyterLab, in a real browser: it is drawn, and answers to clicks."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from tests.services.browser import Browser, run_browser
from tests.services.cdn import copy_files, redirect
from tests.services.lab import Lab, run_cell, run_lab, wait
from tests.services.processes import MissingServiceError, skip_or_fail

pytestmark = pytest.mark.services

MADE = """
import geopandas as gpd
import pandas as pd
import shapely
from cbmcube.plotting import explore
from cbmcube.testing import vector_cube

stats = vector_cube(parcels=4)
boxes = [shapely.box(x, y, x + 0.01, y + 0.01) for x in (15, 15.02) for y in (50, 50.02)]
fields = gpd.GeoDataFrame(geometry=boxes, index=stats.parcel.values, crs=4326)
colours = pd.Series(["a", "a", "b", "c"], index=fields.index, name="class")
"""
SHOWN = "view = explore(fields, stats, by=colours, basemap=False)\nview"
CROWD = """
import numpy as np
count = 40_000
x, y = np.arange(count) % 200 * 0.002 + 15, np.arange(count) // 200 * 0.002 + 50
boxes = shapely.box(x, y, x + 0.0019, y + 0.0019)
ids = pd.Index([f"F{k}" for k in range(count)])
many = gpd.GeoDataFrame({"number": np.arange(count)}, geometry=boxes, index=ids, crs=4326)
halves = pd.Series(np.where(x < 15.2, "west", "weste"), index=ids)
explore(many, by=halves.rename("half"), basemap=False)
"""
MIDDLES = {"P0": (15.005, 50.005), "P1": (15.005, 50.025), "P2": (15.025, 50.005)}
BLUE, ORANGE = (0, 114, 178), (230, 159, 0)
# Both come from lonboard 0.16 and anywidget 0.9 on any page, the second from busy machines.
HARMLESS = ("using deprecated parameters", "Failed to initialize model", "to activate")
HARMLESS += ("already been initialized",)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Lab]]:
    folder = tmp_path_factory.mktemp("lab")
    try:
        with run_lab(folder) as lab, run_browser(draws=True) as browser:
            copy_files(lab.folder / "cdn")
            script = redirect(f"{lab.address}/files/cdn")
            browser.command("Page.addScriptToEvaluateOnNewDocument", source=script)
            browser.driver.set_window_size(1200, 1400)
            browser.driver.get(lab.write("map.ipynb", [MADE, SHOWN]))
            yield browser, lab
    except MissingServiceError as missing:
        skip_or_fail(missing)


@pytest.fixture(scope="module")
def page(opened: tuple[Browser, Lab]) -> Browser:
    """A notebook with a map that is drawn."""
    browser, _ = opened
    run_cell(browser, 0)
    run_cell(browser, 1)
    wait(browser, "return document.querySelector('.cbmcube-map canvas')")
    return browser


def text(browser):
    return browser.run("return document.querySelector('.jp-Notebook').innerText")


def canvas(browser):
    find = "const r = document.querySelector('.cbmcube-map canvas').getBoundingClientRect();"
    return browser.run(f"{find} return [r.x, r.y, r.width, r.height]")


def place(browser, longitude, latitude):
    """Return where a place is on the screen, from what the map says it shows."""
    view = browser.run(
        "const v = window.__deck.getViewports()[0]; return [v.longitude, v.latitude, v.zoom]"
    )
    left, top, width, height = canvas(browser)
    scale = 512 * 2 ** view[2]

    def northing(degrees):
        return math.log(math.tan(math.pi / 4 + math.radians(degrees) / 2)) / (2 * math.pi)

    right = (longitude - view[0]) / 360 * scale
    down = (northing(view[1]) - northing(latitude)) * scale
    return round(left + width / 2 + right), round(top + height / 2 + down)


def colour(browser, x, y):
    picture = matplotlib.image.imread(io.BytesIO(browser.driver.get_screenshot_as_png()))
    return tuple((picture[y, x, :3] * 255).astype(int))


def wait_for_colour(browser, where, expected):
    """Wait until a place of the map has a colour, on white, or nearly so."""
    end = time.monotonic() + 40
    while time.monotonic() < end:
        found = colour(browser, *place(browser, *where))
        # 210 of 255 is the parcels' share, and the rest the page's white.
        blend = np.array(expected) * 210 / 255 + 255 * 45 / 255
        if np.abs(np.array(found) - blend).max() < 12:
            return
        time.sleep(0.5)
    pytest.fail(f"{where} has the colour {found}, not {expected}")


def click(browser, x, y):
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
        browser.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)


def click_parcel(browser, where, parcel):
    """Click a place until the note names the parcel; a map that is being drawn drops clicks."""
    end = time.monotonic() + 40
    while time.monotonic() < end:
        click(browser, *place(browser, *where))
        time.sleep(1.5)
        if f"Parcel {parcel}" in text(browser):
            return
    pytest.fail(f"no {parcel}: {text(browser)[-200:]}; {browser.errors()}")


def complaints(browser):
    return [line for line in browser.errors() if not any(one in line for one in HARMLESS)]


def test_parcels_have_their_colours_where_they_lie(page):
    wait_for_colour(page, MIDDLES["P0"], BLUE)
    wait_for_colour(page, MIDDLES["P1"], BLUE)
    wait_for_colour(page, MIDDLES["P2"], ORANGE)
    # Between them there is nothing.
    assert colour(page, *place(page, 15.015, 50.015)) == (255, 255, 255)
    assert complaints(page) == []


def test_what_the_map_waits_for_is_hidden_once_it_is_there(page):
    wait_for_colour(page, MIDDLES["P0"], BLUE)
    assert "jsdelivr" not in text(page)
    asked = page.run("return window.asked")
    assert [url.rpartition("/")[2] for url in asked] == ["parquet_wasm_bg.wasm"]


def test_the_map_fits_its_frame(page):
    _, _, width, height = canvas(page)
    assert height == 480
    assert width > 600
    frame = "const f = document.querySelector('.cbmcube-map');"
    assert page.run(f"{frame} return f.scrollHeight <= f.clientHeight + 1")


@pytest.mark.parametrize("parcel", ["P2", "P0"])
def test_a_click_draws_the_profile_of_the_parcel(page, parcel):
    wait_for_colour(page, MIDDLES["P0"], BLUE)
    click_parcel(page, MIDDLES[parcel], parcel)
    picture = "const i = document.querySelector('.jp-OutputArea img');"
    wait(page, f"{picture} return i && i.offsetParent && i.naturalWidth > 500")
    assert page.run(f"{picture} return i.clientWidth <= i.closest('.jp-OutputArea').clientWidth")


def test_of_a_crowd_there_is_a_picture_and_shapes_where_one_looks(page):
    run_cell(page, 1, CROWD)
    wait_for_colour(page, (15.1, 50.2), BLUE)
    wait_for_colour(page, (15.3, 50.2), ORANGE)
    click_parcel(page, (15.10095, 50.20095), "F2")  # or one beside it: they are small
    for _ in range(6):
        x, y = place(page, 15.1, 50.2)
        page.command("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-300)
        time.sleep(0.5)
    # The gap between two parcels is there now, which no pixel of the picture could show.
    wait_for_colour(page, (15.10095, 50.20095), BLUE)
    wait(
        page,
        "return window.__deck.layerManager.getLayers()"
        ".some((layer) => layer.id.includes('fill') && layer.isLoaded)",
    )
    gap = place(page, 15.10195, 50.20095)
    assert colour(page, *gap) == (255, 255, 255)
    click_parcel(page, (15.10095, 50.20095), "F20050")
    assert complaints(page) == []


def test_without_the_network_it_says_what_is_missing(page):
    page.run("window.fetch = () => Promise.reject(new TypeError('Failed to fetch'))")
    run_cell(page, 1, SHOWN)
    time.sleep(3)
    assert "cdn.jsdelivr.net" in text(page)
    assert page.run("return document.querySelector('.cbmcube-map canvas')") is None


def test_a_folder_without_the_files_is_a_reason_to_skip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("CBMCUBE_CDN", str(tmp_path))
    with pytest.raises(MissingServiceError, match="parquet-wasm@"):
        copy_files(tmp_path / "copy")
