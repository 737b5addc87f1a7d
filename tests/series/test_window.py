"""What was known on a day: nothing later may change a bit of any result."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError
from cbmcube.series import (
    colour_class,
    composite,
    deduplicate,
    gap_summary,
    gaps,
    outliers,
    smooth,
    states,
    time_window,
    up_to,
)
from cbmcube.series._window import moment
from cbmcube.testing import vector_cube

SAMPLES = pd.DataFrame({name: range(0, 250, 25) for name in ("B08", "B11", "B04")}).assign(
    **{"class": [*"abcdefghij"]}
)
RESULTS = {
    "composite": lambda stats, **when: composite(stats, "7D", **when),
    "gaps": lambda stats, **when: gaps(stats, "NDVI", min_gap=4, **when),
    "gap_summary": lambda stats, **when: gap_summary(stats, "NDVI", min_gap=4, **when),
    "outliers": lambda stats, **when: outliers(stats, "NDVI", **when),
    "linear": lambda stats, **when: smooth(stats, "NDVI", method="linear", **when),
    "whittaker": lambda stats, **when: smooth(stats, "NDVI", **when),
    "savitzky_golay": lambda stats, **when: smooth(stats, method="savitzky_golay", **when),
    "butterworth": lambda stats, **when: smooth(stats, method="butterworth", **when),
    "deduplicate": deduplicate,
    "states": states,
    "colour_class": lambda stats, **when: colour_class(stats, SAMPLES, **when),
}
every_result = pytest.mark.parametrize("name", RESULTS)


def season(*, late=0):
    """A season, each acquisition twice; `late` of ten came into the archive a month later."""
    stats = vector_cube("CARD-2A", parcels=3, days=140)
    stats["B11"] = 0.7 * stats["B08"]
    again = stats.copy(deep=True)
    again["n_valid"][:, ::3] += 1
    stats = xr.concat([stats, again], "time", data_vars="minimal")
    number = np.arange(stats.sizes["time"])
    wait = np.where(number % 10 < late, np.timedelta64(30, "D"), np.timedelta64(1, "h"))
    return stats.assign_coords(created=("time", stats["time"].to_numpy() + wait))


def known(stats, day):
    when = np.datetime64(day)
    return (stats["time"].to_numpy() <= when) & (stats["created"].to_numpy() <= when)


def require_same(found, expected):
    if isinstance(found, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    else:
        xr.testing.assert_identical(found, expected)


@every_result
@pytest.mark.parametrize("late", [0, 4])
@pytest.mark.parametrize("day", ["2024-05-02", "2024-06-15T10:30"])
def test_the_result_of_a_day_is_that_of_the_file_cut_there_whatever_came_later(name, late, day):
    stats, make = season(late=late), RESULTS[name]
    later = ~known(stats, day)
    assert later.any()
    changed = stats.copy(deep=True)
    for band in ("B04", "B08", "B11", "NDVI", "observed"):
        changed[band][later] = 0.9
    changed["n_valid"][:, later] = 1
    cut = make(stats.isel(time=~later))
    for some in (stats, changed):
        require_same(make(some, as_of=day), cut)
    require_same(make(stats.isel(time=~later), as_of=day), cut)


@every_result
def test_the_order_of_time_is_of_no_matter(name):
    stats = season()
    stats = stats.isel(time=slice(stats.sizes["time"] // 2))  # each acquisition once
    turned = RESULTS[name](stats.isel(time=slice(None, None, -1)))
    straight = RESULTS[name](stats)
    if not isinstance(straight, pd.DataFrame) and name in ("outliers", "states", "colour_class"):
        turned = turned.isel(time=slice(None, None, -1))  # these keep the order of the input
    require_same(turned, straight)


def test_a_moment_without_knowledge_has_no_result():
    for name in ("composite", "whittaker", "gaps"):
        with pytest.raises(OptionError, match=r"no acquisition|window"):
            RESULTS[name](season(), as_of="2023-01-01")


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=8),
    st.lists(st.none() | st.integers(0, 20), min_size=8, max_size=8),
    st.integers(-1, 21),
)
def test_what_is_known_is_acquired_and_available(days, made, day):
    start = np.datetime64("2024-01-01", "ns")
    dates = start + np.array(days) * np.timedelta64(1, "D")
    created = [np.datetime64("NaT") if m is None else start + np.timedelta64(m, "D") for m in made]
    stats = xr.Dataset(
        coords={
            "time": dates,
            "created": ("time", np.array(created[: len(days)], "datetime64[ns]")),
            "number": ("time", range(len(days))),
        }
    )
    found = up_to(stats, start + np.timedelta64(day, "D"))["number"].values.tolist()
    assert found == [
        k for k, d in enumerate(days) if d <= day and (made[k] is None or made[k] <= day)
    ]
    assert up_to(stats, None) is stats


def test_moments_are_in_utc():
    expected = np.datetime64("2024-05-01T00:00:00", "ns")
    zone = dt.timezone(dt.timedelta(hours=2))
    for when in (
        "2024-05-01",
        "2024-05-01T02:00+02:00",
        dt.datetime(2024, 5, 1, 2, tzinfo=zone),
        np.datetime64("2024-05-01"),
        pd.Timestamp("2024-05-01"),
    ):
        assert moment(when) == expected
        assert moment(when).dtype == "datetime64[ns]"


def test_the_window_is_that_of_what_is_known():
    stats = season(late=4)
    begin, end = time_window(stats, None, "2024-05-02")
    times = stats["time"].to_numpy()[known(stats, "2024-05-02")]
    assert (begin, end) == (times.min(), times.max())
    given_window = ("2024-04-01", "2024-09-01")
    assert time_window(stats, given_window, "2024-05-02") == (
        np.datetime64("2024-04-01", "ns"),
        np.datetime64("2024-05-02", "ns"),
    )
    assert time_window(stats, None) == (stats["time"].values.min(), stats["time"].values.max())
    for window in (("2024-05-01", "2024-04-01"), ("2024-06-01", "2024-07-01")):
        with pytest.raises(OptionError, match="window"):
            time_window(stats, window, "2024-05-02")
