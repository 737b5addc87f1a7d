"""The event table's schema, frozen here, and the rules it must keep."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cbmcube.exceptions import OptionError
from cbmcube.markers import EVENT_COLUMNS, check_events, empty_events, make_events


def _dates(*texts):
    return np.array(texts, dtype="datetime64[ns]")


@pytest.fixture
def events():
    return make_events(
        {
            "parcel": ["B", "A", "A"],
            "marker": ["mowing"] * 3,
            "status": ["NOT_VALID", "OK", "OK"],
            "reason": ["GAP", None, None],
            "start_date": _dates("NaT", "2024-07-01", "2024-05-20"),
            "main_date": _dates("NaT", "2024-07-05", "2024-05-22"),
            "end_date": _dates("NaT", "2024-07-20", "2024-06-01"),
            "sources": [["S2"], ["S2", "S1:15"], []],
            "confidence": [np.nan, 0.5, 1.0],
            "n_events": [0, 2, 2],
        }
    )


def test_columns_and_types_are_frozen(events):
    assert list(EVENT_COLUMNS) == list(events.columns) == list(empty_events().columns)
    expected = {
        "datetime64[ns]": ["start_date", "main_date", "end_date", "before_date"],
        "float32": [
            *("value_start", "value_main", "value_end", "magnitude", "score", "p_value"),
            *("confidence", "gap_overlap_days", "max_gap_days"),
        ],
        "uint16": ["n_obs", "n_obs_window", "n_events"],
        "bool": ["provisional", "open"],
        "category": ["status", "reason", "confidence_kind"],
    }
    for dtype, names in expected.items():
        for table in (events, empty_events()):
            assert {str(table[name].dtype) for name in names} == {dtype}
    assert events["status"].cat.categories.tolist() == ["OK", "NOT_VALID", "NOT_EXECUTED"]


def test_rows_are_sorted(events):
    assert events["parcel"].tolist() == ["A", "A", "B"]
    assert events["start_date"].is_monotonic_increasing or events["start_date"].isna().any()
    assert events["start_date"][0] < events["start_date"][1]
    assert events["sources"].tolist() == [[], ["S2", "S1:15"], ["S2"]]


def test_the_table_passes_through_arrow(events):
    table = pa.Table.from_pandas(events, preserve_index=False)
    assert table.schema.field("sources").type == pa.list_(pa.string())
    back = table.to_pandas()
    assert [list(row) for row in back["sources"]] == events["sources"].tolist()
    rest = events.columns.drop("sources")
    pd.testing.assert_frame_equal(back[rest], events[rest], check_dtype=False)
    assert back["start_date"].dtype == "datetime64[ns]"
    assert check_events(back.assign(sources=events["sources"])) is not None


def test_event_ids_tell_events_apart_and_stay(events):
    assert events["event_id"].is_unique
    again = make_events(
        {
            "parcel": ["A"],
            "marker": ["mowing"],
            "start_date": _dates("2024-05-20"),
            "end_date": _dates("2024-06-01"),
        }
    )
    assert again["event_id"].item() == events["event_id"][0]
    # Frozen: ids stored in one year must be found again in the next.
    assert events["event_id"][0] == "45ec1c69190719cc"


def test_integer_ids_stay_integers():
    assert make_events({"parcel": [7, 3]})["parcel"].tolist() == [3, 7]


def test_sound_tables_pass(events):
    assert check_events(events) is events
    assert len(check_events(empty_events())) == 0


BROKEN = {
    "in order": lambda t: t.assign(main_date=t["main_date"] + pd.Timedelta(days=99)),
    "a start and an end": lambda t: t.assign(end_date=pd.Series(_dates(*["NaT"] * 3))),
    "no dates": lambda t: t.assign(start_date=t["start_date"].fillna(t["start_date"].min())),
    "between 0 and 1": lambda t: t.assign(confidence=np.float32(1.5)),
    "needs a reason": lambda t: t.assign(reason=t["reason"].where(t["parcel"] == "A")),
    "number of events": lambda t: t.assign(n_events=np.uint16(1)),
    "one row without": lambda t: pd.concat([t, t.iloc[[2]]], ignore_index=True),
    "not in order": lambda t: t.iloc[::-1].reset_index(drop=True),
    "columns are missing": lambda t: t.drop(columns="open"),
    "another type": lambda t: t.assign(magnitude=t["magnitude"].astype("float64")),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_broken_tables_are_refused(events, rule):
    with pytest.raises(OptionError, match=rule):
        check_events(BROKEN[rule](events))


def test_an_open_event_needs_no_end():
    table = make_events(
        {
            "parcel": ["A"],
            "start_date": _dates("2024-05-20"),
            "main_date": _dates("2024-05-22"),
            "open": [True],
            "n_events": [1],
        }
    )
    assert check_events(table) is table


def test_other_columns_are_refused():
    with pytest.raises(OptionError, match="colour"):
        make_events({"parcel": [], "colour": []})
    with pytest.raises(OptionError, match="parcel among them"):
        make_events({"marker": []})
