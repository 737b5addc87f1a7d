"""Events of several sources, their intervals, and what is not sure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import date2num

from cbmcube.markers import make_events
from cbmcube.plotting import profile
from cbmcube.plotting.seasons._events import event_table
from cbmcube.testing import vector_cube

FOUND = make_events(
    {
        "parcel": ["P1", "P1", "P1", "P2"],
        "marker": ["mowing"] * 4,
        "status": ["OK", "NOT_VALID", "OK", "NOT_VALID"],
        "reason": [None, "UNCONFIRMED", None, "GAP"],
        "start_date": ["2024-05-20", "2024-07-01", "2024-09-01", None],
        "main_date": ["2024-05-24", "2024-07-05", "2024-09-10", None],
        "end_date": ["2024-05-30", "2024-07-14", None, None],
        "open": [False, False, True, False],
        "n_events": [3, 3, 3, 0],
    }
)


@pytest.fixture(scope="module")
def stats():
    return vector_cube(parcels=4)


def test_intervals_are_spans_that_end_with_the_axis(stats):
    _, axis = profile(stats, "P1", events=FOUND).axes
    boxes = [patch.get_extents().transformed(axis.transData.inverted()) for patch in axis.patches]
    spans = [(box.x0, box.x1) for box in boxes]
    last = axis.get_xlim()[1]
    wanted = [("2024-05-20", "2024-05-30"), ("2024-07-01", "2024-07-14"), ("2024-09-01", None)]
    for (first, end), (start, stop) in zip(spans, wanted, strict=True):
        assert first == pytest.approx(date2num(np.datetime64(start)))
        assert end == pytest.approx(last if stop is None else date2num(np.datetime64(stop)))


def test_what_is_not_sure_is_dashed_hatched_and_named(stats):
    strip, axis = profile(stats, "P1", events=FOUND).axes
    assert [bool(patch.get_hatch()) for patch in axis.patches] == [False, True, False]
    lines = [line for line in axis.lines if [*line.get_ydata()] == [0, 1]]
    assert [line.get_linestyle() for line in lines] == ["-", "--", "-"]
    texts = [text.get_text() for text in strip.texts]
    assert texts.count("mowing") == 2
    assert "mowing (unconfirmed)" in texts
    assert texts.count("●") == 2
    assert texts.count("○") == 1


def test_sources_have_their_own_marks_and_one_colour(stats):
    both = {"declared": [("mowing", "2024-05-25")], "found": FOUND}
    strip, _ = profile(stats, "P1", events=both).axes
    marks = {text.get_text(): text.get_color() for text in strip.texts if text.get_text() in "●▲△"}
    assert set(marks) == {"●", "▲", "△"}
    assert len({*marks.values()}) == 1
    assert "mowing · declared" in [text.get_text() for text in strip.texts]


def test_declared_intervals_need_no_marker():
    rows = [
        {"event": "ban", "date": "2024-05-01", "start_date": "2024-04-01", "end_date": "2024-06-01"}
    ]
    table = event_table(rows, "P1")
    assert table["sure"].all()
    assert (table["end"] - table["start"]).dt.days.tolist() == [61]


@pytest.mark.parametrize("events", [None, [], {}, {"found": FOUND.iloc[:0]}, FOUND.iloc[3:]])
def test_no_event_is_an_empty_table(events):
    table = event_table(events, "P2")
    assert len(table) == 0
    assert {"event", "date", "start", "end", "sure", "label", "mark"} == {*table}


def test_the_tables_are_not_modified(stats):
    before = FOUND.copy(deep=True)
    profile(stats, "P1", events={"found": FOUND})
    assert before.equals(FOUND)


def test_rows_of_other_parcels_are_left_out_whatever_their_column_is_called():
    mown = pd.DataFrame(
        {
            "field_id": ["P1", "P2", "P7"],
            "event": "mowing",
            "date": ["2024-05-25", "2024-05-26", "2024-05-27"],
            "amount": [1, 2, 3],
        }
    )
    ids = ["P0", "P1", "P2"]
    assert event_table(mown, "P1", ids)["date"].dt.day.tolist() == [25]
    assert event_table(mown, "P0", ids).empty
    assert len(event_table(mown.drop(columns="field_id"), "P1", ids)) == 3
    assert len(event_table(mown.drop(columns="field_id"), 1, [1, 2, 3])) == 3


def test_fused_markers_have_a_short_name_and_the_colour_of_the_first(stats):
    names = ["mowing+mowing_coherence", "mowing", "mowing_coherence+harvest"]
    events = make_events(
        {
            "parcel": ["P1"] * 3,
            "marker": names,
            "main_date": ["2024-05-24", "2024-07-05", "2024-09-10"],
            "n_events": [3] * 3,
        }
    )
    strip, axis = profile(stats, "P1", events=events).axes
    texts = [text.get_text() for text in strip.texts if text.get_text() not in "●○"]
    assert texts == ["mowing + coherence", "mowing", "mowing coherence + harvest"]
    lines = [line for line in axis.lines if [*line.get_ydata()] == [0, 1]]
    first, second, third = (line.get_color() for line in lines)
    assert first == second != third
