"""The page of a season in a real browser: from disk, in silence, sorted and filtered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import cbmcube as cbm
from cbmcube.reporting import season_report
from cbmcube.testing import vector_cube
from tests.observations.reading.stores import make_store
from tests.services.browser import Browser, run_browser
from tests.services.processes import MissingServiceError, skip_or_fail

pytestmark = pytest.mark.services

HOSTILE = "</script><img src=https://example.org/x onerror=document.title='taken'>"
TABLE = "#parcels-table"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with run_browser() as found:
            yield found
    except MissingServiceError as missing:
        skip_or_fail(missing)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("season")
    ids = [HOSTILE, *(f"P{k}" for k in range(1, 60))]
    stats = vector_cube("CARD-2A", parcels=ids, days=60).compute()
    holes = {(0, 0): "refused", (1, 1): "nodata"}
    store = make_store(folder / "s", stats, [list(range(40)), list(range(40, 60))], holes)
    return season_report(cbm.open_observations(store), folder / "report.html")


@pytest.fixture
def opened(browser: Browser, page: Path) -> Browser:
    browser.requests()
    browser.errors()
    browser.open(page)
    return browser


def column(browser, number):
    cells = f"{TABLE} tbody td:nth-child({number})"
    script = "return [...document.querySelectorAll(arguments[0])].map((c) => c.textContent)"
    return browser.run(script, cells)


def place(browser, title):
    heads = f"{TABLE} thead th"
    script = "return [...document.querySelectorAll(arguments[0])].map((c) => c.textContent)"
    return browser.run(script, heads).index(title) + 1


def click_head(browser, number):
    browser.find(f"{TABLE} thead th:nth-child({number}) button").click()


def test_it_opens_from_disk_without_a_request_or_an_error(opened, page):
    assert opened.requests() == [page.as_uri()]
    assert opened.errors() == []
    assert opened.driver.title.startswith("CARD-2A")
    assert opened.run("return document.images.length") == 0
    assert opened.run("return document.querySelectorAll('figure svg').length") == 7
    # What cannot be laid out has no box.
    boxes = "return [...document.querySelectorAll('figure svg')].map((s) => s.clientHeight)"
    assert min(opened.run(boxes)) > 100


def test_a_click_on_a_heading_sorts(opened):
    number = place(opened, "usable")
    before = [int(text) for text in column(opened, number)]
    assert before == sorted(before)
    click_head(opened, number)
    assert opened.find(f"{TABLE} th:nth-child({number})").get_attribute("aria-sort") == "ascending"
    click_head(opened, number)
    after = [int(text) for text in column(opened, number)]
    assert opened.find(f"{TABLE} th:nth-child({number})").get_attribute("aria-sort") == "descending"
    assert after == sorted(after, reverse=True)
    assert after[0] > before[0]
    click_head(opened, 1)
    # Numbers within names count as numbers.
    named = [text for text in column(opened, 1) if text.startswith("P")]
    assert named[:3] == ["P1", "P2", "P3"]
    assert opened.errors() == []


def test_the_filter_hides_rows(opened):
    rows = len(column(opened, 1))
    field = opened.find(f"{TABLE} input")
    field.send_keys("p5")
    shown = column(opened, 1)
    assert sorted(shown) == sorted(["P5", *(f"P5{k}" for k in range(10))])
    assert len(shown) < rows
    assert opened.find(f"{TABLE} .count").text == "11 of 60 rows"
    field.send_keys(" nothing of this kind")
    assert column(opened, 1) == []
    field.clear()
    field.send_keys("P")
    assert len(column(opened, 1)) == rows
    assert opened.errors() == []


def test_pages_hold_every_row_once(opened):
    seen = column(opened, 1)
    for _ in range(2):
        opened.find(f"{TABLE} .pages button:last-child").click()
        seen += column(opened, 1)
    assert opened.find(f"{TABLE} .pages button:last-child").get_property("disabled")
    assert sorted(seen) == sorted([HOSTILE, *(f"P{k}" for k in range(1, 60))])


def test_nothing_in_the_data_runs(opened):
    opened.find(f"{TABLE} input").send_keys("onerror")
    assert column(opened, 1) == [HOSTILE]
    assert opened.driver.title != "taken"
    assert opened.run("return document.images.length") == 0
    # Even if something got in, the page's own policy lets nothing out.
    refused = opened.driver.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation', (e) => done(e.violatedDirective));"
        "new Image().src = 'https://example.org/x';"
    )
    assert refused == "img-src"


def colours(browser):
    style = "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
    ink = "return getComputedStyle(document.querySelector('#scenes svg text')).fill"
    return [*browser.run(style), browser.run(ink)]


def test_light_and_dark_follow_the_reader_and_the_button(opened):
    def prefer(value):
        feature = {"name": "prefers-color-scheme", "value": value}
        opened.command("Emulation.setEmulatedMedia", features=[feature])

    prefer("light")
    light = colours(opened)
    prefer("dark")
    dark = colours(opened)
    assert light[0] == "rgb(255, 255, 255)"
    assert all(one != other for one, other in zip(light, dark, strict=True))
    button = opened.find("#theme")
    assert button.text == "Light"
    button.click()
    assert colours(opened) == light
    opened.command("Emulation.setEmulatedMedia", media="print")
    assert opened.run("return getComputedStyle(document.querySelector('nav')).display") == "none"
    opened.command("Emulation.setEmulatedMedia", media="", features=[])


@pytest.mark.parametrize("width", [390, 1100])
def test_the_page_is_never_wider_than_the_window(opened, width):
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    opened.command("Emulation.setDeviceMetricsOverride", **metrics)
    wide = opened.run("return document.documentElement.scrollWidth")
    opened.command("Emulation.clearDeviceMetricsOverride")
    assert wide <= width


def test_it_can_be_printed(opened):
    printed = opened.command("Page.printToPDF", printBackground=True)
    assert len(printed["data"]) > 10_000
