"""Calendar periods against the standard library's calendar."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError
from cbmcube.series._periods import periods_of

days = st.dates(dt.date(1999, 1, 1), dt.date(2031, 12, 31))
moments = st.datetimes(dt.datetime(2015, 1, 1), dt.datetime(2026, 12, 31))  # noqa: DTZ001 - UTC


def _times(*texts):
    return np.array(texts, dtype="datetime64[ns]")


def test_five_days_start_on_the_first_acquisition_day():
    periods = periods_of(_times("2024-03-12T10:00", "2024-03-03T10:10"), "5D")
    assert periods.start.astype("datetime64[D]").astype(str).tolist() == [
        "2024-03-03",
        "2024-03-08",
    ]
    assert periods.days.tolist() == [5, 5]


def test_an_edge_belongs_to_the_later_period():
    times = _times("2024-03-01", "2024-03-05T23:59:59.999999999", "2024-03-06")
    assert periods_of(times, "5D").number(times).tolist() == [0, 0, 1]
    times = _times("2024-03-10T23:59:59.999999999", "2024-03-11", "2024-03-21")
    assert periods_of(times, "10D").number(times).tolist() == [0, 1, 2]


def test_periods_go_on_before_the_anchor():
    times = _times("2024-02-28", "2024-03-04")
    periods = periods_of(times, "7D", "2024-03-01")
    assert str(periods.start[0])[:10] == "2024-02-23"
    assert periods.number(times).tolist() == [0, 1]


@pytest.mark.parametrize(("year", "length"), [(2024, 9), (2023, 8), (2000, 9), (2100, 8)])
def test_the_last_dekad_of_february_knows_leap_days(year, length):
    periods = periods_of(_times(f"{year}-02-21", f"{year}-03-01"), "10D")
    assert periods.days.tolist() == [length, 10]


def test_dekads_pass_the_end_of_the_year():
    periods = periods_of(_times("2023-12-31T23:00", "2024-01-01T01:00"), "10D")
    assert periods.start.astype("datetime64[D]").astype(str).tolist() == [
        "2023-12-21",
        "2024-01-01",
    ]
    assert periods.days.tolist() == [11, 10]


@given(st.lists(moments, min_size=1, max_size=8))
def test_dekads_are_those_of_the_calendar(when):
    times = np.array(when, dtype="datetime64[ns]")
    periods = periods_of(times, "10D")
    starts = periods.start.astype("datetime64[D]")[periods.number(times)]
    for moment, start in zip(when, starts.tolist(), strict=True):
        expected = 1 if moment.day <= 10 else 11 if moment.day <= 20 else 21
        assert start == moment.date().replace(day=expected)


@given(st.lists(moments, min_size=1, max_size=8))
def test_iso_weeks_are_those_of_the_calendar(when):
    times = np.array(when, dtype="datetime64[ns]")
    periods = periods_of(times, "7D-iso")
    starts = periods.start.astype("datetime64[D]")[periods.number(times)]
    for moment, start in zip(when, starts.tolist(), strict=True):
        assert start.isocalendar()[:2] == moment.date().isocalendar()[:2]
        assert start.isoweekday() == 1


@given(st.lists(moments, min_size=1, max_size=8), st.integers(1, 40), days)
def test_regular_periods_hold_their_times_without_spare_ones(when, length, anchor):
    length = 11 if length == 10 else length
    times = np.array(when, dtype="datetime64[ns]")
    periods = periods_of(times, f"{length}D", str(anchor))
    number = periods.number(times)
    assert (periods.start[number] <= times).all()
    assert (times < periods.start[number] + np.timedelta64(length, "D")).all()
    assert number.min() == 0
    assert number.max() == len(periods.days) - 1
    assert ((periods.edges - np.datetime64(anchor)).astype(int) % length == 0).all()


@pytest.mark.parametrize("period", ["", "5", "0D", "5d", "1M", "5D-iso", "-5D"])
def test_other_forms_are_refused(period):
    with pytest.raises(OptionError, match="period is not known"):
        periods_of(_times("2024-03-01"), period)


def test_anchors_are_checked():
    with pytest.raises(OptionError, match="fixed by the calendar"):
        periods_of(_times("2024-03-01"), "10D", "2024-03-01")
    with pytest.raises(OptionError, match="a day in UTC"):
        periods_of(_times("2024-03-01"), "5D", "2024-03-01T10:00")
