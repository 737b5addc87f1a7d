"""Time to make and to move the interactive map of many parcels, in a browser.

``python -m benchmarks.explore --cdn FOLDER`` prints one line for each step. The folder is laid
out as the network's, see `tests.services.cdn`; without it, only Python's part is timed. The
browser computes its graphics on the processor, so frame rates are those of the worst case.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

SECONDS = 8  # of dragging


def make_parcels(count: int) -> gpd.GeoDataFrame:
    """Return parcels of some hectare with 5 to 20 corners, in UTM, in rows."""
    draw = np.random.default_rng(0)
    corners = draw.integers(5, 21, count)
    owner = np.repeat(np.arange(count), corners)
    first = np.cumsum(corners) - corners
    angle = 2 * np.pi * (np.arange(owner.size) - first[owner]) / corners[owner]
    radius = draw.uniform(45, 75, owner.size)
    side = int(np.ceil(np.sqrt(count)))
    x = (owner % side) * 160 + 4e5 + radius * np.cos(angle)
    y = (owner // side) * 160 + 5e6 + radius * np.sin(angle)
    shapes = shapely.polygons(shapely.linearrings(x, y, indices=owner))
    ids = pd.Index([f"F{k:07d}" for k in range(count)])
    return gpd.GeoDataFrame({"size": draw.random(count)}, geometry=shapes, index=ids, crs=32633)


def time_python(count: int) -> None:
    """Make the map here, and say what is sent."""
    from cbmcube.plotting import explore  # noqa: PLC0415 - imports are not timed

    parcels = make_parcels(count)
    explore(parcels.iloc[:10], by="size")
    begin, cpu = time.perf_counter(), time.process_time()
    view = explore(parcels, by="size", basemap=False)
    say("made in Python", time.perf_counter() - begin, cpu=time.process_time() - cpu)
    board = view.children[1].children[0]
    sent = sum(_size(layer.get_state()) for layer in board.layers)
    sys.stdout.write(f"sent at first: {sent / 1e6:.1f} MB\n")
    begin = time.perf_counter()
    board.set_view_state(zoom=14)
    say("shapes after zooming in", time.perf_counter() - begin)


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return len(value) if isinstance(value, bytes | str) else 0


def time_browser(count: int, cdn: Path) -> None:
    """Show the map in JupyterLab, drag it from afar and from near."""
    from tests.services import lab  # noqa: PLC0415
    from tests.services.browser import run_browser  # noqa: PLC0415
    from tests.services.cdn import FOLDER, copy_files, redirect  # noqa: PLC0415

    os.environ[FOLDER] = str(cdn)
    made = f"from benchmarks.explore import make_parcels\nparcels = make_parcels({count})\n"
    cells = [f"{made}from cbmcube.plotting import explore", "explore(parcels, by='size')"]
    cells[1] = cells[1].replace(")", ", basemap=False)")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        lab.run_lab(Path(folder)) as served,
        run_browser(draws=True) as browser,
    ):
        copy_files(served.folder / "cdn")
        script = redirect(f"{served.address}/files/cdn")
        browser.command("Page.addScriptToEvaluateOnNewDocument", source=script)
        browser.driver.get(served.write("map.ipynb", cells))
        lab.run_cell(browser, 0)
        begin = time.perf_counter()
        lab.run_cell(browser, 1)
        lab.wait(browser, "return document.querySelector('.cbmcube-map canvas')")
        lab.wait(browser, "return __deck.layerManager.getLayers().some((one) => one.isLoaded)")
        say("from the cell to the picture", time.perf_counter() - begin)
        drag(browser, "all parcels")
        zoom(browser)
        drag(browser, "near ones")


def zoom(browser: Any) -> None:
    """Turn the wheel until shapes are drawn."""
    x, y = middle(browser)
    begin = time.perf_counter()
    for _ in range(7):
        turn = {"type": "mouseWheel", "x": x, "y": y, "deltaX": 0, "deltaY": -300}
        browser.command("Input.dispatchMouseEvent", **turn)
        time.sleep(0.2)
    from tests.services.lab import wait  # noqa: PLC0415

    loaded = "(one) => one.id.includes('fill') && one.isLoaded && one.props.visible"
    wait(browser, f"return __deck.layerManager.getLayers().some({loaded})")
    say("from the first turn of the wheel to shapes", time.perf_counter() - begin)
    time.sleep(3)


def drag(browser: Any, what: str) -> None:
    """Drag the map back and forth; print how many pictures were drawn."""
    x, y = middle(browser)
    browser.run(
        "window.drawn = []; const it = __deck.deckRenderer; const draw = it.renderLayers.bind(it);"
        "it.renderLayers = (...all) => { window.drawn.push(performance.now()); draw(...all); }"
    )
    mouse = {"button": "left", "buttons": 1, "x": x, "y": y}
    browser.command("Input.dispatchMouseEvent", type="mousePressed", clickCount=1, **mouse)
    begin = time.perf_counter()
    step = 0
    while time.perf_counter() - begin < SECONDS:
        step += 1
        mouse |= {"x": x + step * 7 % 160 - 80, "y": y + step * 5 % 100 - 50}
        browser.command("Input.dispatchMouseEvent", type="mouseMoved", **mouse)
    taken = time.perf_counter() - begin
    browser.command("Input.dispatchMouseEvent", type="mouseReleased", clickCount=1, **mouse)
    drawn = np.array(browser.run("return window.drawn"))
    text = f"{len(drawn) / taken:.1f} pictures a second, longest wait {np.diff(drawn).max():.0f} ms"
    sys.stdout.write(f"dragging, {what}: {text}\n")


def middle(browser: Any) -> tuple[int, int]:
    """Return the middle of the map on the screen."""
    find = "const r = document.querySelector('.cbmcube-map canvas').getBoundingClientRect();"
    x, y = browser.run(f"{find} return [r.x + r.width / 2, r.y + r.height / 2]")
    return int(x), int(y)


def say(what: str, seconds: float, *, cpu: float | None = None) -> None:
    """Print how long a step took."""
    sys.stdout.write(f"{what}: {seconds:.1f} s" + (f" (CPU {cpu:.1f} s)\n" if cpu else "\n"))


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parcels", type=int, default=500_000)
    parser.add_argument("--cdn", type=Path, help="folder of what browsers load from the network")
    given = parser.parse_args()
    sys.stdout.write(f"load average before: {os.getloadavg()[0]:.1f}\n")
    time_python(given.parcels)
    if given.cdn is not None:
        time_browser(given.parcels, given.cdn)


if __name__ == "__main__":
    main()
