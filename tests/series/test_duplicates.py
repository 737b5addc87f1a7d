"""Copies of acquisitions: which one is kept, against a plain walk over each parcel and band."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError
from cbmcube.series import deduplicate
from cbmcube.testing import vector_cube

BANDS = ["X", "Y"]
PARCELS = 3
DAY = np.datetime64("2024-05-01", "ns")
few = settings(max_examples=20)


def cube(entries):
    """Make a cube of entries: day, orbit, baseline, created, id, valid (band, parcel), observed."""
    size = (len(entries), PARCELS)
    valid = np.array([entry["valid"] for entry in entries], dtype="int32").reshape(-1, 2, PARCELS)
    observed = np.array([entry["observed"] for entry in entries], dtype="float32").reshape(size)
    mean = np.array([entry["mean"] for entry in entries], dtype="float32").reshape(size)
    time = [
        DAY + np.timedelta64(int(86_400 * entry["day"]) + entry["second"], "s") for entry in entries
    ]
    stats = xr.Dataset(
        coords={
            "time": np.array(time, dtype="datetime64[ns]"),
            "parcel": [f"P{k}" for k in range(PARCELS)],
            "statistic": ["count", "mean"],
            "band": BANDS,
        },
    )
    for k, band in enumerate(BANDS):
        known = np.where(valid[:, k] > 0, mean + k, np.nan)
        stats[band] = (
            ("time", "parcel", "statistic"),
            np.stack([valid[:, k], known], -1).astype("f4"),
        )
    stats["n_valid"] = ("band", "time", "parcel"), np.moveaxis(valid, 1, 0)
    stats["n_total"] = ("band", "parcel"), np.full((2, PARCELS), 9)
    stats["observed"] = ("time", "parcel"), observed
    names = {"relative_orbit": "orbit", "processing_baseline": "baseline", "created": "created"}
    names |= {"items": "id", "platform": "platform"}
    types = {"created": "datetime64[ns]", "relative_orbit": "int64"}
    for name, key in names.items():
        values = np.array([entry[key] for entry in entries], dtype=types.get(name, str))
        stats = stats.assign_coords({name: ("time", values)})
    return stats


def entry(**given):
    plain = {
        "day": 0, "second": 0, "orbit": 22, "baseline": "05.10", "created": DAY, "id": "a",
        "platform": "sentinel-2a", "valid": [[4] * PARCELS] * 2, "observed": [1.0] * PARCELS,
        "mean": [0.5] * PARCELS,
    }  # fmt: skip
    return plain | given


entries = st.lists(
    st.builds(
        entry,
        day=st.integers(0, 2), second=st.integers(0, 3), orbit=st.sampled_from([22, 65]),
        baseline=st.sampled_from(["04.00", "05.10", "N0511"]),
        created=st.sampled_from([DAY, DAY + np.timedelta64(1, "h")]),
        id=st.sampled_from("abc"), platform=st.sampled_from(["sentinel-2a", "S2B", "SENTINEL-2A"]),
        valid=st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=2, max_size=2),
        observed=st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=3, max_size=3),
        mean=st.lists(st.sampled_from([0.25, 0.75]), min_size=3, max_size=3),
    ),
    min_size=1, max_size=8,
)  # fmt: skip
"""Entries that tie in everything now and then, since each has two or three values."""


def plain(stats):
    """Walk over days, orbits, parcels and bands as the rule is written."""
    number = {"04.00": 400, "05.10": 510, "N0511": 511}
    days = stats["time"].values.astype("datetime64[D]")
    keys = list(zip(days.tolist(), stats["relative_orbit"].values.tolist(), strict=True))
    for key in sorted(set(keys)):
        copies = [t for t, one in enumerate(keys) if one == key]
        for b, band in enumerate(BANDS):
            for p in range(PARCELS):
                best = max(
                    copies,
                    key=lambda t: (
                        stats["n_valid"].values[b, t, p],
                        stats["observed"].values[t, p],
                        number[str(stats["processing_baseline"].values[t])],
                        stats["created"].values[t].astype(int),
                        -ord(str(stats["items"].values[t])),
                    ),
                )
                valid = stats["n_valid"].values[:, :, p].sum(axis=0)
                saw = sum(stats["observed"].values[t, p] > 0 or valid[t] > 0 for t in copies)
                yield key, band, p, best, max(0, saw - 1)


@few
@given(entries)
def test_the_kept_copy_is_that_of_the_plain_walk(some):
    stats = cube(some)
    found = deduplicate(stats)
    days = found["time"].values.astype("datetime64[D]").tolist()
    place = dict(zip(zip(days, found["relative_orbit"].values.tolist(), strict=True), range(99)))  # noqa: B905
    seen = set()
    for key, band, p, best, dropped in plain(stats):
        t = place[key]
        seen.add(t)
        k = BANDS.index(band)
        assert found["n_valid"].values[k, t, p] == stats["n_valid"].values[k, best, p]
        source = str(found["source_items"].values[found["source"].values[k, t, p]])
        assert source == str(stats["items"].values[best])
        assert found["n_dup"].values[t, p] == dropped
    assert len(seen) == found.sizes["time"]
    assert found.indexes["time"].is_monotonic_increasing


@few
@given(entries, st.randoms())
def test_the_order_of_the_input_is_of_no_matter(some, dice):
    stats = cube(some)
    order = list(range(len(some)))
    dice.shuffle(order)
    xr.testing.assert_identical(deduplicate(stats.isel(time=order)), deduplicate(stats))


@few
@given(entries, st.data())
def test_a_further_copy_changes_only_their_number(some, data):
    stats = cube(some)
    again = data.draw(st.integers(0, len(some) - 1))
    more = deduplicate(stats.isel(time=[*range(len(some)), again]))
    once = deduplicate(stats)
    xr.testing.assert_identical(more.drop_vars("n_dup"), once.drop_vars("n_dup"))
    added = (more["n_dup"].astype(int) - once["n_dup"]).sum("time").values
    seen = (stats["observed"].values[again] > 0) | (stats["n_valid"].values[:, again] > 0).any(0)
    # The first copy that sees a parcel is no duplicate; here it has one already, its twin.
    np.testing.assert_array_equal(added, seen)


@few
@given(entries)
def test_once_more_changes_nothing(some):
    once = deduplicate(cube(some))
    xr.testing.assert_identical(deduplicate(once), once)


def test_of_two_tiles_the_one_with_most_pixels_is_kept():
    """An acquisition cut 70 to 30, for one parcel the other way round."""
    left = entry(id="T32", valid=[[70, 30, 0]] * 2, observed=[0.7, 0.3, 0.0], mean=[0.1] * 3)
    right = entry(id="T33", valid=[[30, 70, 0]] * 2, observed=[0.3, 0.7, 0.0], mean=[0.9] * 3)
    found = deduplicate(cube([left, right]))
    assert (
        found["X"].sel(statistic="mean").values[0, :2].tolist() == np.float32([0.1, 0.9]).tolist()
    )
    assert found["X"].sel(statistic="count").values.tolist() == [[70, 70, 0]]
    assert found["observed"].values[0].tolist() == np.float32([0.7, 0.7, 0.0]).tolist()
    assert found["n_dup"].values.tolist() == [[1, 1, 0]]
    assert found["source_items"].values[found["source"].sel(band="X")[0]].tolist() == [
        "T32", "T33", "T32",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"valid": [[4] * 3] * 2}, {"valid": [[5] * 3] * 2, "observed": [0.1] * 3}),
        ({"observed": [0.5] * 3, "baseline": "05.11"}, {"observed": [0.6] * 3}),
        ({"baseline": "05.09", "created": DAY + np.timedelta64(1, "D")}, {"baseline": "05.10"}),
        ({"id": "a"}, {"id": "b", "created": DAY + np.timedelta64(1, "s")}),
        ({"id": "b"}, {"id": "a"}),
    ],
)
def test_each_tie_is_broken_by_what_comes_next(worse, better):
    found = deduplicate(cube([entry(mean=[0.2] * 3, **worse), entry(mean=[0.8] * 3, **better)]))
    assert (found["X"].sel(statistic="mean").values == np.float32(0.8)).all()


def test_bands_are_judged_apart_and_shares_with_all_of_them():
    """A file of one band could not be read in the copy that is better in sum."""
    one = entry(id="a", valid=[[0, 0, 0], [9, 9, 9]], observed=[0.8] * 3)
    other = entry(id="b", valid=[[6, 6, 6], [1, 1, 1]], observed=[0.9] * 3)
    stats = cube([one, other])
    stats["SCL_fraction"] = ("time", "parcel", "class"), np.float32([[[0.1]] * 3, [[0.2]] * 3])
    found = deduplicate(stats)
    assert found["n_valid"].values[:, 0, 0].tolist() == [6, 9]
    assert found["observed"].values[0, 0] == np.float32(0.8)
    assert found["SCL_fraction"].values[0, 0, 0] == np.float32(0.1)


def test_what_differs_in_the_key_is_no_copy():
    apart = [{}, {"day": 1}, {"orbit": 65}, {"platform": "landsat-8"}]
    found = deduplicate(cube([entry(**change) for change in apart]))
    assert found.sizes["time"] == 4
    assert int(found["n_dup"].max()) == 0
    same = ["S2A", "sentinel-2b", "Sentinel-2C", "SENTINEL-2A"]
    assert deduplicate(cube([entry(platform=name) for name in same])).sizes["time"] == 1


def test_pairs_of_other_length_are_no_copies():
    stats = vector_cube("CARD-COH6", days=12)
    longer = stats.assign_coords(reference_time=stats["reference_time"] - np.timedelta64(6, "D"))
    both = xr.concat([stats, longer], "time", data_vars="minimal")
    assert deduplicate(both).sizes["time"] == 2 * stats.sizes["time"]


def test_the_baseline_is_read_from_ids_that_say_it():
    old = entry(id="S2A_MSIL2A_20240501T101601_N0500_R065_T32UQD", mean=[0.1] * 3)
    new = entry(id="S2A_MSIL2A_20240501T101601_N0511_R065_T32UQD", mean=[0.3] * 3)
    found = deduplicate(cube([old, new]).drop_vars(["processing_baseline", "created"]))
    assert (found["X"].sel(statistic="mean").values == np.float32(0.3)).all()


def test_a_cube_of_means_alone_keeps_the_copy_that_has_one():
    stats = cube([entry(id="a", valid=[[0, 3, 3]] * 2), entry(id="b", valid=[[3, 0, 3]] * 2)])
    bare = stats[["X", "Y"]].sel(statistic=["mean"])
    found = deduplicate(bare)
    assert np.isfinite(found["X"].values).all()
    assert found["n_dup"].values.tolist() == [[0, 0, 1]]


def test_a_band_that_was_added_later_is_judged_by_its_count():
    one, other = entry(id="a", valid=[[0, 3, 4]] * 2), entry(id="b", valid=[[3, 0, 5]] * 2)
    stats = cube([one, other])
    stats["ratio"] = stats["X"] / 1.0
    found = deduplicate(stats)
    xr.testing.assert_equal(found["ratio"], found["X"])
    assert found["source"]["band"].values.tolist() == BANDS


def test_times_are_the_earliest_and_availability_the_latest():
    early, late = (DAY + np.timedelta64(hours, "h") for hours in (5, 50))
    some = [entry(second=9, created=early), entry(second=2, created=late, id="b")]
    found = deduplicate(cube(some))
    assert found["time"].values.tolist() == [(DAY + np.timedelta64(2, "s")).astype(int)]
    assert found["created"].values.tolist() == [late.astype(int)]


@pytest.mark.parametrize("moment", ["2024-05-01T12:00", "2024-05-02", "2024-05-09"])
def test_what_a_moment_did_not_know_changes_no_bit(moment):
    days = [0, 1, 2, 5]
    late = [DAY + np.timedelta64(day, "D") for day in days]
    firsts = [entry(day=day, created=DAY, mean=[0.1 * day] * 3) for day in days]
    copies = [
        entry(day=day, created=made, valid=[[9] * 3] * 2, id="b")
        for day, made in zip(days, late, strict=True)
    ]
    stats = cube([*firsts, *copies])
    known = (stats["time"].values <= np.datetime64(moment)) & (
        stats["created"].values <= np.datetime64(moment)
    )
    changed = stats.copy(deep=True)
    changed["X"][~known] = 0.9
    changed["n_valid"][:, ~known] = 8
    cut = deduplicate(stats.isel(time=known))
    for some in (stats, changed):
        xr.testing.assert_identical(deduplicate(some, as_of=moment), cut)


@pytest.mark.parametrize("product", ["CARD-2A", "CARD-COH6"])
def test_lazy_and_blocks_of_parcels_give_the_same(product, nothing_computes, monkeypatch):
    def twice(*, lazy):
        one = vector_cube(product, parcels=7, days=40, lazy=lazy)
        other = vector_cube(product, parcels=7, days=40, lazy=lazy)
        other = other.assign_coords(items=("time", [f"{k}*" for k in other["items"].values]))
        gone = other["observed"].notnull() & (other["parcel"] == "P3")
        other["n_valid"] = other["n_valid"].where(~gone, 0).transpose("band", "time", "parcel")
        first = one["n_valid"].where(one["parcel"] != "P4", 0)
        one["n_valid"] = first.transpose("band", "time", "parcel")
        return xr.concat([one, other], "time", data_vars="minimal")

    whole = deduplicate(twice(lazy=False))
    monkeypatch.setattr("cbmcube.series._blocks._TASK", 8 * 60)
    xr.testing.assert_identical(deduplicate(twice(lazy=False)), whole)
    with nothing_computes:
        lazy = deduplicate(twice(lazy=True))
    assert all(lazy[name].chunks for name in ("source", "n_dup", "observed", "n_valid"))
    assert len(lazy["n_dup"].chunks[1]) > 1
    xr.testing.assert_identical(lazy.compute(), whole)
    for name in whole.data_vars:
        assert lazy[name].dtype == whole[name].dtype == lazy[name].compute().dtype


def test_the_input_stays_and_nothing_is_lost():
    stats = vector_cube(days=60)
    before = stats.copy(deep=True)
    found = deduplicate(stats)
    xr.testing.assert_identical(stats, before)
    xr.testing.assert_identical(found[[*stats.data_vars]], stats)
    assert deduplicate(stats.isel(time=[])).sizes["time"] == 0
    with pytest.raises(OptionError, match="no vector cube"):
        deduplicate(stats[["observed"]])
