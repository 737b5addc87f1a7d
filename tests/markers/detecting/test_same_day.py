"""Days of the calendar, and several observations of one."""

from __future__ import annotations

import numpy as np

from cbmcube.markers.detecting._same_day import dates_of, one_a_day
from cbmcube.markers.detecting._signal import Signal


def _signal(day, value, begin="2024-05-01T10:00"):
    value = np.asarray(value, dtype=float)
    return Signal(
        day=np.asarray(day, dtype=float),
        value=value,
        end=100.0,
        begin=np.datetime64(begin, "ns"),
        seen=np.ones(value.shape[1], bool),
        grade=np.full(value.shape[1], ""),
    )


def test_days_are_those_of_utc():
    dates = dates_of(_signal([0, 0.5, 0.6, 10], np.zeros((4, 1))))
    assert dates.astype(str).tolist() == ["2024-05-01", "2024-05-01", "2024-05-02", "2024-05-11"]


def test_a_mean_stands_at_the_last_valid_observation_of_its_day():
    nan = np.nan
    value = [[1, 1, nan, nan], [2, nan, nan, 4], [6, 5, nan, nan], [7, 8, 9, nan]]
    merged = one_a_day(_signal([0, 0.1, 0.2, 1], value)).value
    expected = [[nan, nan, nan, nan], [nan, nan, nan, 4], [3, 3, nan, nan], [7, 8, 9, nan]]
    np.testing.assert_array_equal(merged, expected)


def test_single_observations_stay_and_nothing_is_changed_in_place():
    value = np.random.default_rng(0).uniform(size=(5, 3))
    before = value.copy()
    signal = _signal([0, 1, 2, 3, 4], value)
    np.testing.assert_array_equal(one_a_day(signal).value, before)
    one_a_day(_signal([0, 0.1, 0.2, 3, 4], value))
    np.testing.assert_array_equal(value, before)


def test_no_times_are_no_trouble():
    assert one_a_day(_signal([], np.zeros((0, 2)))).value.shape == (0, 2)
