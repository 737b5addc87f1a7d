"""Gaps against a plain loop over each parcel, and the cases that define them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.series import _looks as module
from cbmcube.series import gap_summary, gaps, up_to
from cbmcube.testing import vector_cube

START = np.datetime64("2024-03-01", "ns")
LOOKS = "vmfo"
"""An acquisition is valid, masked, failed, or over other ground."""


def moments(days):
    return START + (np.asarray(days, float) * 86_400e9).astype("timedelta64[ns]")


def cube(days, looks, **coords):
    """Make a cube from a text of looks for each parcel, one letter for each acquisition."""
    seen = np.array([list(text) for text in looks]).T.reshape(len(days), len(looks))
    size = seen.shape
    valid = np.where(seen == "v", 10, 0)
    names = ("time", "parcel")
    return xr.Dataset(
        {
            "X": ((*names, "statistic"), np.where(seen == "v", 0.5, np.nan)[..., None]),
            "n_valid": (("band", *names), valid[None]),
            "n_failed": (("band", *names), np.where(seen == "f", 3, 0)[None]),
            "n_total": (("band", "parcel"), np.full((1, size[1]), 10)),
            "observed": (names, np.where((seen == "v") | (seen == "m"), 1.0, 0.0)),
        },
        coords={
            "time": moments(days),
            "parcel": [f"P{k}" for k in range(size[1])],
            "statistic": ["mean"],
            "band": ["X"],
            **{name: ("time", value) for name, value in coords.items()},
        },
    )


def season(*absent, until=100):
    """Observations every five days, without those between pairs of days."""
    days = np.arange(0, until + 1, 5)
    masked = np.array([any(a <= day <= b for a, b in absent) for day in days])
    return cube(days, ["".join(np.where(masked, "m", "v"))])


def as_days(table):
    return [
        (row.kind, (row.begin - pd.Timestamp(START)).days, (row.end - pd.Timestamp(START)).days)
        for row in table.itertuples()
    ]


def test_a_regular_series_has_none():
    assert gaps(season()).empty


def test_what_is_missing_in_the_middle_is_one_gap():
    found = gaps(season((40, 70)))
    assert as_days(found) == [("INNER", 35, 75)]
    assert found[["n_expected", "n_masked", "cause"]].iloc[0].to_list() == [7, 7, "MASKED"]
    assert found["rel_gap"].item() == 8.0


def test_the_ends_of_the_window_count():
    assert as_days(gaps(season((0, 30)))) == [("LEADING", 0, 35)]
    assert as_days(gaps(season((70, 100)))) == [("TRAILING", 65, 100)]
    early = gaps(season(), window=("2024-02-01", "2024-06-09"))
    assert early["kind"].to_list() == ["LEADING"]
    assert early["days"].item() == 29
    assert early["cause"].item() == "NO_ACQUISITION"


def test_a_parcel_that_was_never_seen_is_one_gap_of_the_whole_window():
    assert as_days(gaps(season((0, 100)))) == [("WHOLE", 0, 100)]


@pytest.mark.parametrize(("apart", "number"), [(20.0, 0), (20.01, 1)])
def test_only_what_is_longer_than_the_limit_is_a_gap(apart, number):
    assert len(gaps(cube([0, apart], ["vv"]))) == number


def test_the_commonest_reason_is_the_cause():
    found = gaps(cube(range(0, 50, 5), ["vfffmmooov", "vooooooooo"]), missing=["2024-03-08"])
    assert found["cause"].to_list() == ["READ_FAILED", "MISSING"]
    assert found[["n_expected", "n_masked", "n_failed", "n_missing"]].to_numpy().tolist() == [
        [6, 2, 3, 1],
        [1, 0, 0, 1],
    ]


def test_the_usual_time_between_chances_is_that_of_one_orbit():
    days, orbits = [0, 1, 6, 7, 12, 13], [15, 88] * 3
    mixed, apart = (
        gap_summary(cube(days, ["vmvvmv"], **extra))["revisit_days"].item()
        for extra in ({}, {"relative_orbit": orbits})
    )
    assert (mixed, apart) == (1.0, 6.0)


def test_two_copies_of_one_look_are_one_chance():
    summary = gap_summary(cube([0, 5, 5, 10, 10], ["vvmmv"]))
    assert summary["revisit_days"].item() == 5.0
    assert np.isnan(gap_summary(cube([0, 0], ["vv"]))["revisit_days"].item())


def test_mirrored_in_time_gaps_are_mirrored():
    """Leading gaps become trailing ones; lengths and what stood in the way stay."""
    looks = ["mmvvvmmmmvvofmmm", "v" * 16, "m" * 16]
    days = np.arange(0, 80, 5)
    here = gaps(cube(days, looks), min_gap=6)
    there = gaps(cube(75 - days, looks), min_gap=6)
    swapped = {"LEADING": "TRAILING", "TRAILING": "LEADING"}
    there["kind"] = [swapped.get(kind, kind) for kind in there["kind"]]
    names = ["parcel", "kind", "days", "n_masked", "n_failed", "cause"]
    here["kind"] = here["kind"].astype(object)
    order = [*names]
    pd.testing.assert_frame_equal(
        here[names].sort_values(order, ignore_index=True),
        there[names].sort_values(order, ignore_index=True),
        check_dtype=False,
    )


def test_what_a_moment_did_not_know_changes_nothing():
    whole = cube(range(0, 100, 5), ["v" * 8 + "m" * 6 + "v" * 6, "v" * 20])
    for day in ("2024-03-20", "2024-05-05"):
        cut = whole.isel(time=whole["time"].to_numpy() <= np.datetime64(day))
        other = whole.copy(deep=True)
        other["n_valid"][:, other["time"].to_numpy() > np.datetime64(day)] = 0
        expected = gaps(cut, min_gap=3, window=(str(START), day))
        for some in (whole, other):
            found = gaps(some, min_gap=3, window=(str(START), "2024-06-01"), as_of=day)
            pd.testing.assert_frame_equal(found, expected)


def test_what_became_available_later_was_not_known():
    late = moments([3, 3, 90])
    assert up_to(cube([0, 1, 2], ["vvv"], created=late), "2024-03-10").sizes["time"] == 2


series = st.lists(
    st.tuples(st.integers(0, 400), st.text(LOOKS, min_size=3, max_size=3)),
    min_size=1, max_size=12, unique_by=lambda pair: pair[0],
)  # fmt: skip


def plain(days, looks, window, limit):
    """Walk over one parcel as the definition says."""
    valid = [d for d, look in zip(days, looks, strict=True) if look == "v"]
    points = [window[0], *valid, window[1]]
    last = len(points) - 2
    for k, (begin, end) in enumerate(pairwise(points)):
        if end - begin > limit:
            kind = "WHOLE" if not valid else {0: "LEADING", last: "TRAILING"}.get(k, "INNER")
            inside = Counter(
                look for d, look in zip(days, looks, strict=True)
                if begin <= d <= end and look in "mf"
            )  # fmt: skip
            yield kind, begin, end, inside["m"], inside["f"]


@given(series, st.sampled_from([-1.0, 0.0, 3.0, 20.0]))
def test_any_series_equals_the_plain_walk_and_its_intervals_fill_the_window(pairs, limit):
    pairs = sorted(pairs)
    days = np.array([day for day, _ in pairs]) / 4  # quarters of days are whole nanoseconds
    looks = ["".join(text[k] for _, text in pairs) for k in range(3)]
    window = (days[0] - 1.5, days[-1] + 2.25)
    stats = cube(days, looks)
    found = gaps(stats, min_gap=limit, window=tuple(moments(window)))
    for number, text in enumerate(looks):
        mine = found[found["parcel"] == f"P{number}"]
        begin, end = (
            (mine[n].to_numpy() - START) / np.timedelta64(1, "D") for n in ("begin", "end")
        )
        ours = list(zip(mine["kind"], begin, end, mine["n_masked"], mine["n_failed"], strict=True))
        assert ours == list(plain(days, text, window, limit))
        if limit < 0:
            assert mine["days"].sum() == window[1] - window[0]


@given(series)
def test_neither_blocks_nor_order_of_time_change_a_gap(pairs):
    looks = ["".join(text[k] for _, text in pairs) for k in range(3)]
    stats = cube([day for day, _ in pairs], looks)
    whole = [make(stats, min_gap=2) for make in (gaps, gap_summary)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", 1)
        for table, make in zip(whole, (gaps, gap_summary), strict=True):
            pd.testing.assert_frame_equal(
                make(stats.isel(time=slice(None, None, -1)), min_gap=2), table
            )


def test_a_lazy_cube_gives_the_same_and_is_computed_once():
    eager, lazy = (vector_cube("CARD-2A", parcels=6, lazy=lazy) for lazy in (False, True))
    computed = []

    def once(graph, keys, **options):
        computed.append(keys)
        return dask.get(graph, keys, **options)

    with dask.config.set(scheduler=once):
        found = gaps(lazy, "NDVI", min_gap=8)
    pd.testing.assert_frame_equal(found, gaps(eager, "NDVI", min_gap=8))
    assert len(computed) == 1


def test_the_summary_adds_up():
    stats = vector_cube("CARD-2A", parcels=8)
    listed, summary = gaps(stats, "NDVI", min_gap=7), gap_summary(stats, "NDVI", min_gap=7)
    by_parcel = listed.groupby("parcel", observed=True)["days"]
    days = (stats["time"].max() - stats["time"].min()).item() / 86_400e9
    assert (
        summary["n_gaps"].to_list()
        == by_parcel.size().reindex(summary.index, fill_value=0).to_list()
    )
    shares = by_parcel.sum().reindex(summary.index, fill_value=0.0) / days
    np.testing.assert_allclose(summary["gap_share"], shares)
    assert (summary["valid_obs"] <= summary["expected_obs"]).all()


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(UnknownBandError, match="Y"):
        gaps(season(), "Y")
    with pytest.raises(OptionError, match="window"):
        gaps(season(), as_of="2023-01-01")
    with pytest.raises(OptionError, match="no moment"):
        gaps(season(), as_of="NaT")
