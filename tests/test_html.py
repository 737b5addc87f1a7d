"""What notebooks show is well formed, in one style, and holds no markup or secret of others."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import pytest
from shapely import box

import cbmcube as cbm
from cbmcube._html import html_bar, html_fold, html_frame, html_panel, html_table, html_text
from cbmcube.catalog.items._facts import REPORT_KEY, Dropped, Facts
from cbmcube.observations.season._progress import Progress, _Line, _Notebook
from cbmcube.observations.season._report import RunReport, SeasonStatus
from cbmcube.observations.season._work import Outcome
from cbmcube.parcels import parcels_report, prepare_parcels
from cbmcube.testing import vector_cube

HOSTILE = "<script>alert(1)</script>\"'&"
SIGNED = "https://me:word@host.org/a.tif?sig=abc123&se=1"
TAGS = {"div", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "progress"}
SECRETS = ("abc123", "word@", "sig=")


class Strict(HTMLParser):
    """Collects text and refuses tags that do not match."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parse(page):
    """Return text and tags of a page, which must be well formed and without scripts."""
    parser = Strict()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    names = {tag for tag, _ in parser.tags}
    assert names <= TAGS
    for _, attrs in parser.tags:
        assert set(attrs) <= {"style", "value"}
        # a colour of our own is unreadable on one of the light and the dark page
        assert not re.search(r"(?<![-\w])(color|background)", attrs.get("style", ""))
    return " ".join(parser.text), parser.tags


def search_report():
    item = pystac.Item(HOSTILE, None, None, pd.Timestamp("2024-03-01"), {"platform": HOSTILE})
    dropped = (Dropped(HOSTILE, f"may not be read: {SIGNED}", None),) * 30
    facts = Facts(f"CARD-2A of {SIGNED}", found=31, dropped=dropped)
    items = pystac.ItemCollection([item], extra_fields={REPORT_KEY: facts.to_json()})
    return cbm.report(items)


def run_report():
    outcomes = (
        Outcome("a", "ok", rows=1200),
        Outcome(HOSTILE, "failed", tries=4, reason=f"cannot read {SIGNED} {HOSTILE}"),
    )
    return RunReport("r1", outcomes, left=1, seconds=12.0, snapshot=None)


def season_status():
    return SeasonStatus(HOSTILE, "p1", 10, 4, 1200, 1, reasons=(f"cannot read {SIGNED}",))


def agreement():
    cubes = [vector_cube(days=60, seed=k).rename(NDVI=HOSTILE) for k in (0, 1)]
    return cbm.compare(*cubes, variable=HOSTILE)


def parcels():
    square = box(500_000, 5_500_000, 500_100, 5_500_100)
    table = gpd.GeoDataFrame(geometry=[square] * 2, index=["a", HOSTILE], crs="EPSG:32632")
    return parcels_report(prepare_parcels(table))


@pytest.mark.parametrize(
    "make", [search_report, run_report, season_status, agreement, parcels, cbm.list_products]
)
def test_each_display_is_well_formed_escaped_and_without_secrets(make):
    shown = make()
    page = shown._repr_html_()
    text, _ = parse(page)
    assert "<script" not in page
    assert not any(secret in page for secret in SECRETS)
    if make is not cbm.list_products:
        assert HOSTILE[:8] in text  # it is shown, as text


def test_a_search_report_unfolds():
    text, tags = parse(search_report()._repr_html_())
    assert "left out: 30" in text
    assert sum(tag == "details" for tag, _ in tags) == 2
    assert text.count("may not be read: https://host.org/a.tif") == 3 + 30 + 1


def test_a_run_says_what_is_not_whole():
    text, _ = parse(run_report()._repr_html_())
    for part in ("1 done, 1 failed, 1 left", "1,200 (100 a second)", "1 unit is not whole"):
        assert part in text


def test_a_status_has_a_bar_of_what_is_done():
    text, tags = parse(season_status()._repr_html_())
    assert ("progress", "0.4000") in [(tag, attrs.get("value")) for tag, attrs in tags]
    assert "4 of 10 units" in text


@pytest.mark.parametrize(("share", "value"), [(-1, "0.0000"), (0.5, "0.5000"), (7, "1.0000")])
def test_a_bar_stays_within_its_ends(share, value):
    _, tags = parse(html_bar(share, HOSTILE))
    assert tags[1][1]["value"] == value


def test_tables_align_numbers_and_count_what_is_cut():
    frame = pd.DataFrame(
        {HOSTILE: ["a", None, "c"], "n": [1, 20_000, 3], "x": [0.123456, np.nan, 1]}
    )
    text, tags = parse(html_frame(frame, rows=2))
    assert "… and 1 more" in text
    for part in ("20,000", "0.1235", "nan"):
        assert part in text
    head = [attrs["style"].split(";")[0] for tag, attrs in tags if tag == "th"]
    assert head == ["text-align:left", "text-align:right", "text-align:right"]
    parse(html_frame(frame.iloc[:0]))


def test_parts_nest():
    text, _ = parse(html_panel(HOSTILE, html_fold(HOSTILE, html_table(HOSTILE, {HOSTILE: 1}))))
    assert text.count("alert(1)") == 4


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("field?7", "field?7"),  # an id, not an address
        ("a.tif?sig=abc", "a.tif"),
        ("/vsicurl/http://h.org/a?x", "/vsicurl/http://h.org/a"),
        (None, ""),
        (True, "True"),
        (1234567, "1,234,567"),
        (np.float64(0.12345678), "0.1235"),
    ],
)
def test_values_as_text(given, shown):
    assert html_text(given) == shown


def test_progress_in_a_notebook_is_one_bar_that_moves(monkeypatch):
    display = pytest.importorskip("IPython.display")
    shown = []

    class Handle:
        def update(self, page):
            shown.append(page.data)

    def first(page, *, display_id):
        assert display_id
        shown.append(page.data)
        return Handle()

    monkeypatch.setattr(display, "display", first)
    watch = _Notebook()
    for done in (1, 2):
        watch(Progress(units=4, done=done, pixels=done, all_pixels=4, seconds=1.0))
    values = [
        attrs["value"] for page in shown for tag, attrs in parse(page)[1] if tag == "progress"
    ]
    assert values == ["0.2500", "0.5000"]


def test_progress_in_a_terminal_stays_on_one_line(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    out = io.StringIO()
    _Line(out)(Progress(units=4, done=1, pixels=1, all_pixels=4, seconds=1.0))
    assert out.getvalue().startswith("\r 25% | 1 of 4 units")
    assert len(out.getvalue()) == 40
    _Line(out)(Progress(units=4, done=2, pixels=2, all_pixels=4, seconds=1.0, over=True))
    assert out.getvalue().endswith("\n"), "what comes after a stopped run begins a line"
