"""Periods: named years, months and days are meant whole, times are instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.catalog.filters._period import parse_period
from cbmcube.exceptions import OptionError


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("given_period", "start", "after"),
    [
        ("2024", utc(2024, 1, 1), utc(2025, 1, 1)),
        ("2023", utc(2023, 1, 1), utc(2024, 1, 1)),
        ("2024-02", utc(2024, 2, 1), utc(2024, 3, 1)),
        ("2023-02", utc(2023, 2, 1), utc(2023, 3, 1)),
        ("2024-12", utc(2024, 12, 1), utc(2025, 1, 1)),
        ("2024-03-05", utc(2024, 3, 5), utc(2024, 3, 6)),
        ("2024-03/2024-10", utc(2024, 3, 1), utc(2024, 11, 1)),
        (("2024-03", "2024-03-10"), utc(2024, 3, 1), utc(2024, 3, 11)),
        (date(2024, 3, 5), utc(2024, 3, 5), utc(2024, 3, 6)),
        ([date(2024, 3, 5), date(2024, 3, 6)], utc(2024, 3, 5), utc(2024, 3, 7)),
    ],
)
def test_named_periods_include_their_last_moment(given_period, start, after):
    found = parse_period(given_period)
    assert (found.start, found.end) == (start, after - TICK)


@pytest.mark.parametrize(
    ("given_period", "start", "end"),
    [
        ("2024-03-05T10:00:00Z", utc(2024, 3, 5, 10), utc(2024, 3, 5, 10)),
        ("2024-03-05T10:00:00+02:00/..", utc(2024, 3, 5, 8), None),
        ("../2024-03-05T10:00:00", None, utc(2024, 3, 5, 10)),
        ("2024-03-01/", utc(2024, 3, 1), None),
        ((None, pd.Timestamp("2024-03-05")), None, utc(2024, 3, 5)),
        (
            (pd.Timestamp("2024-03-05", tz="Europe/Vienna"), utc(2024, 3, 6)),
            utc(2024, 3, 4, 23),
            utc(2024, 3, 6),
        ),
        (pd.Timestamp("2024-03-05T10:00:00.123456789"), *[utc(2024, 3, 5, 10, 0, 0, 123456)] * 2),
    ],
)
def test_times_are_instants(given_period, start, end):
    found = parse_period(given_period)
    assert (found.start, found.end) == (start, end)
    assert type(found.start) in (datetime, type(None))


@pytest.mark.parametrize(
    "given_period",
    [
        "",
        "..",
        "../..",
        (None, None),
        "spring",
        "2024-13",
        "2024-02-30",
        "2024/2025/2026",
        "2024-10/2024-03",
        2024,
        20240305.0,
        np.int64(2024),
        pd.NaT,
        (utc(2024, 3, 2), utc(2024, 3, 1)),
        ("2024-03", 7),
        {"start": "2024"},
    ],
)
def test_what_is_no_period(given_period):
    with pytest.raises(OptionError):
        parse_period(given_period)


@given(st.dates(date(1990, 1, 1), date(2060, 12, 31)))
def test_months_tile_the_years(day):
    month = parse_period(f"{day:%Y-%m}")
    year = parse_period(f"{day:%Y}")
    assert month.start.date() <= day <= month.end.date()
    assert (month.end + TICK).day == 1
    assert parse_period(f"{month.end + TICK:%Y-%m}").start == month.end + TICK
    assert year.start <= month.start
    assert month.end <= year.end


def test_text_form_reads_back():
    period = parse_period("2024-03/..")
    assert str(period) == "2024-03-01T00:00:00Z/.."
    assert parse_period(str(period)) == period
