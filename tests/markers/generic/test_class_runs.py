"""Runs of the leading class, against what was planted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cbmcube.exceptions import OptionError
from cbmcube.markers import ClassRunRule, check_events, class_runs
from cbmcube.testing import vector_cube

START = pd.Timestamp("2024-03-01")


def shares(rows, days, codes=(4, 5, 9)):
    """Make a cube of one parcel from shares (time, class)."""
    data = np.asarray(rows, dtype="float32")[:, None, :]
    times = START.to_datetime64() + (np.asarray(days) * 86_400e9).astype("timedelta64[ns]")
    return xr.Dataset(
        {
            "SCL_fraction": (("time", "parcel", "class"), data),
            "observed": (("time", "parcel"), np.ones((len(days), 1), "float32")),
        },
        coords={"time": times, "parcel": ["P0"], "class": list(codes)},
        attrs={"product": "CARD-2A"},
    )


GREEN, BARE, CLOUD = (0.9, 0.1, 0.0), (0.2, 0.8, 0.0), (0.1, 0.1, 0.8)


def day(date):
    return (date - START) / pd.Timedelta(days=1)


def test_edges_lie_half_way_between_observations():
    cube = shares([GREEN, BARE, CLOUD, BARE, BARE, GREEN], [0, 10, 14, 18, 30, 36])
    event = check_events(class_runs(cube, ClassRunRule("SCL", 5))).squeeze()
    assert (day(event["start_date"]), day(event["end_date"])) == (5, 33)
    assert (event["n_obs"], event["open"], event["sources"]) == (3, False, ["S2"])


def test_short_runs_are_none_and_open_ones_stay_open():
    short = shares([GREEN, BARE, GREEN, GREEN], [0, 6, 12, 20])
    assert class_runs(short, ClassRunRule("SCL", 5))["n_events"].item() == 0
    still = class_runs(shares([GREEN, BARE, BARE], [0, 6, 20]), ClassRunRule("SCL", 5)).squeeze()
    assert still["open"]
    assert still["provisional"]


def test_mostly_cloudy_dates_say_nothing():
    cube = shares([GREEN, CLOUD, CLOUD, CLOUD], [0, 10, 20, 30])
    event = class_runs(cube, ClassRunRule("SCL", 5)).squeeze()
    assert (event["status"], event["reason"]) == ("NOT_VALID", "TOO_FEW_OBS")


def test_of_equal_shares_the_smallest_code_leads():
    even = shares([(0.5, 0.5, 0.0)] * 4, [0, 5, 10, 15])
    assert class_runs(even, ClassRunRule("SCL", 5))["n_events"].item() == 0
    assert class_runs(even, ClassRunRule("SCL", 4))["n_events"].item() == 1
    turned = even.isel({"class": [2, 1, 0]})
    assert class_runs(turned, ClassRunRule("SCL", 4))["n_events"].item() == 1


def test_lazy_is_equal_and_order_is_of_no_matter():
    cube = vector_cube(parcels=20)
    rule = ClassRunRule("SCL", 5)
    events = class_runs(cube, rule)
    assert (events["n_events"] > 0).any()
    pd.testing.assert_frame_equal(class_runs(vector_cube(parcels=20, lazy=True), rule), events)
    pd.testing.assert_frame_equal(class_runs(cube.isel(time=slice(None, None, -1)), rule), events)


def test_what_came_later_changes_nothing():
    cube = vector_cube(parcels=8)
    when, rule = "2024-06-01", ClassRunRule("SCL", 5)
    later = cube["time"] > np.datetime64(when)
    changed = cube.assign(SCL_fraction=cube["SCL_fraction"].where(~later, 0.33))
    before = class_runs(cube, rule, as_of=when)
    pd.testing.assert_frame_equal(class_runs(changed, rule, as_of=when), before)


def test_wrong_classes_are_refused():
    with pytest.raises(OptionError, match="masked"):
        ClassRunRule("SCL", 9)
    for rule in (ClassRunRule("SCL", 6), ClassRunRule("LULC", 2)):
        with pytest.raises(OptionError, match="no shares of this class"):
            class_runs(vector_cube(), rule)
