"""What was found, left out, and not found."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pystac
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.catalog import group_acquisitions, report
from cbmcube.catalog.filters._period import Period, parse_period
from cbmcube.catalog.items._facts import REPORT_KEY, Dropped, Facts
from cbmcube.catalog.items._gaps import find_gaps
from cbmcube.exceptions import CatalogError, OptionError

FIRST = datetime(2024, 3, 5, 10, 10, 21, tzinfo=UTC)


def seen(days, platform="sentinel-2a", orbit=22):
    facts = {"platform": platform, "sat:relative_orbit": orbit}
    return [
        pystac.Item(f"{platform}-{day}", None, None, FIRST + timedelta(days=day), facts)
        for day in days
    ]


def gap_days(items, period=None, repeat=10):
    gaps = find_gaps(group_acquisitions(items), period, repeat)
    return [(gap.time - FIRST) / timedelta(days=1) for gap in gaps]


def test_gaps_between_the_first_and_the_last():
    assert gap_days(seen([0, 20, 30, 60])) == [10, 40, 50]


def test_gaps_towards_the_ends_of_the_period():
    # the 5th of March to the 30th of April spans days -4 … 56
    assert gap_days(seen([20, 30]), parse_period("2024-03/2024-04")) == [0, 10, 40, 50]
    assert gap_days(seen([20, 30]), parse_period("2024-03-20/..")) == []
    assert gap_days(seen([20, 30]), parse_period("../2024-04-20")) == [40]


def test_a_track_seen_once_says_nothing():
    once = seen([0]) + seen([5], platform="sentinel-2b")
    assert gap_days(once, parse_period("2024")) == []


def test_tracks_are_judged_alone():
    items = seen([0, 20]) + seen([5, 15, 35], platform="sentinel-2b") + seen([3, 13], orbit=65)
    assert gap_days(items) == [10, 25]


def test_the_cycle_of_a_plain_collection_is_the_satellite_s():
    assert gap_days(seen([0, 24], platform="sentinel-1a"), repeat=None) == [12]
    assert gap_days(seen([0, 20]), repeat=None) == [10]
    assert gap_days(seen([0, 64], platform="landsat-8"), repeat=None) == []


@given(st.sets(st.integers(0, 12), min_size=2), st.sampled_from([6, 10, 12]))
def test_gaps_and_finds_tile_the_cycle(cycles, repeat):
    # passes wander by some minutes
    items = seen([n * repeat + (n % 3) / 500 for n in cycles])
    gaps = {round(day / repeat) for day in gap_days(items, repeat=repeat)}
    assert gaps | cycles == set(range(min(cycles), max(cycles) + 1))
    assert not gaps & cycles
    start, end = FIRST - timedelta(hours=1), FIRST + timedelta(days=12 * repeat, hours=1)
    gaps = {round(day / repeat) for day in gap_days(items, Period(start, end), repeat)}
    assert gaps | cycles == set(range(13))


def collection(days=(0, 20), **facts):
    stored = Facts(asked="CARD-2A", found=5, **facts).to_json()
    return pystac.ItemCollection(seen(days), extra_fields={REPORT_KEY: stored})


DROPPED = (Dropped("old", "reprocessed twin", "new"), Dropped("<b>", "local file"))


def test_counts_and_text():
    found = report(collection(dropped=DROPPED, repeated=1, assets_removed=2, filtered=True))
    assert (found.found, found.kept, found.dropped) == (5, 2, DROPPED)
    assert found.orbits == {"sentinel-2a R022": 2}
    assert found.tiles == {"no tile": 2}
    text = repr(found)
    for part in (
        "2 items kept",
        "found     5 items",
        "1 item sent more than once",
        "2 removed that may not be read",
        "1 reprocessed twin, 1 local file",
        "old: reprocessed twin; new stays",
        "1 expected from the 10-day cycle; the filter may have left them out",
        "2024-03-15 10:10 sentinel-2a R022",
    ):
        assert part in text
    assert "complete" not in text


def test_html_is_escaped():
    page = report(collection(dropped=DROPPED))._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert page.count("<tr>") == page.count("</tr>") > 5


def test_long_lists_are_cut_and_say_so():
    many = tuple(Dropped(f"item-{n:02d}", "local file") for n in range(25))
    text = repr(report(collection(dropped=many)))
    assert "… and 15 more" in text
    assert "item-09" in text
    assert "item-10" not in text


def test_tables():
    found = report(collection(dropped=DROPPED))
    frame = found.to_frame()
    assert list(frame["state"]) == ["found", "not found", "found"]
    assert list(frame["items"]) == [1, 0, 1]
    assert frame["time"].is_monotonic_increasing
    assert frame["time"].iloc[1] == pd.Timestamp(FIRST + timedelta(days=10))
    dropped = found.to_frame("dropped")
    assert list(dropped["id"]) == ["old", "<b>"]
    assert list(dropped["kept"].fillna("")) == ["new", ""]
    assert report(pystac.ItemCollection([])).to_frame().empty
    with pytest.raises(OptionError, match="acquisitions, items, dropped"):
        found.to_frame("gaps")


def test_many_tiles_fit_a_line():
    items = [
        pystac.Item(f"{n}", None, None, FIRST, {"grid:code": f"MGRS-32UP{chr(65 + n)}"})
        for n in range(15)
    ]
    found = report(pystac.ItemCollection(items))
    assert len(found.tiles) == 15
    assert "32UPJ: 1, … and 5 more" in repr(found)


def test_the_span_of_what_was_found():
    assert "2 items, 2 acquisitions, 2024-03-05 to 2024-03-25" in repr(report(collection()))
    assert "kept      0 items, 0 acquisitions" in repr(report(pystac.ItemCollection([])))


def test_a_capped_search_judges_no_gaps():
    found = report(collection(capped=True))
    assert found.gaps == ()
    assert "max_items" in repr(found)


def test_plain_items_have_counts_and_inner_gaps():
    found = report(pystac.ItemCollection(seen([0, 20])))
    assert (found.found, found.kept, len(found.gaps)) == (2, 2, 1)
    assert "do not come from a search" in repr(found)


def test_facts_survive_json():
    facts = Facts(
        asked="x",
        found=3,
        dropped=DROPPED,
        period=parse_period("2024-03/.."),
        repeat_days=12,
        earlier=DROPPED[:1],
    )
    assert Facts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


@pytest.mark.parametrize(
    "stored",
    [{}, {"asked": "x"}, {**Facts("x", 1).to_json(), "more": 1}]
    + [{**Facts("x", 1).to_json(), "period": text} for text in ("soon/..", "2024", 7)]
    + [{**Facts("x", 1).to_json(), "dropped": value} for value in (None, 3, ["a"])],
)
def test_a_damaged_report_is_named(stored):
    items = pystac.ItemCollection(seen([0]), extra_fields={REPORT_KEY: stored})
    with pytest.raises(CatalogError, match="report"):
        report(items)
