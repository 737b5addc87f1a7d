"""Published signals of ten parcels: identities; composites and gaps against plain walks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import cbmcube as cbm
from cbmcube.series import (
    LEDGER,
    Outlier,
    composite,
    deduplicate,
    gap_summary,
    gaps,
    outliers,
    smooth,
    states,
    valid_share,
)
from tests.realdata import salms

pytestmark = pytest.mark.realdata

DATES = {"s2": 71, "s2_idx": 71, "s1_bs": 47, "s1_coh6": 48, "s1_bsidx": 180}


@pytest.fixture(scope="module")
def ndvi(realdata):
    return salms.cube(realdata, "s2_idx", bands=["NDVI"])


@pytest.mark.parametrize("kind", salms.KINDS)
def test_rows_are_those_of_the_files(realdata, kind):
    stats = salms.cube(realdata, kind, clear=False)
    table = cbm.to_observations(stats)
    rows = salms.read(realdata, kind)
    assert stats.sizes["time"] == DATES[kind]
    assert len(table) == len(rows)
    rows["band"] = rows["band"].map(salms.KINDS[kind])
    order = ["parcel", "time", "band"]
    table["time"] = table["time"].astype("datetime64[ns, UTC]").dt.tz_localize(None)
    mine, theirs = (t.sort_values(order, ignore_index=True) for t in (table, rows))
    for ours, column in salms.STATISTICS.items():
        empty = theirs["MEAN"].isna()
        expected = theirs[column].where(~empty, 0 if ours == "count" else np.nan)
        found = mine[ours].to_numpy(dtype=float, na_value=np.nan)
        np.testing.assert_allclose(found, expected.to_numpy(dtype=float), rtol=1e-6)
    assert ((mine["state"] == "OK") == theirs["MEAN"].notna()).all()


@pytest.mark.parametrize("kind", salms.KINDS)
def test_statistics_keep_their_order(realdata, kind):
    stats = salms.cube(realdata, kind, clear=False)
    empty = 0
    for band in stats["band"].values:
        one = stats[band]
        known = np.isfinite(one.sel(statistic="mean").values)
        empty += int((~known).sum())
        for names in (["min", "p25", "p50", "p75", "max"], ["min", "mean", "max"]):
            assert (np.diff(one.sel(statistic=names).values[known]) >= 0).all()
        assert (one.sel(statistic="count").values[~known] == 0).all()
    assert empty == (24 if kind == "s2_idx" else 0)


def test_coherence_of_both_is_their_average(realdata):
    stats = salms.cube(realdata, "s1_coh6").sel(statistic="mean")
    both = (stats["VV"] + stats["VH"]) / 2
    np.testing.assert_allclose(stats["mean_VV_VH"], both, rtol=1e-6)
    assert 0.194 < float(stats["VV"].min()) < float(stats["VV"].max()) < 0.557
    assert 0.181 < float(stats["VH"].min()) < float(stats["VH"].max()) < 0.807


def test_clear_dates_are_those_of_the_scene_classes(ndvi):
    share = valid_share(ndvi, "NDVI").values
    assert int((share == 1).sum()) == 204
    assert int((share >= 0.5).sum()) == 228
    np.testing.assert_allclose(ndvi["SCL_fraction"].sum("class"), 1, rtol=1e-6)
    found = states(ndvi, "NDVI").values
    assert ((found == LEDGER.index("OK")) == (share > 0)).all()
    assert ((found == LEDGER.index("MASKED")) == (share == 0)).all()


def test_events_are_those_of_the_list(realdata):
    events = salms.events(realdata)
    assert len(events) == 17
    assert sorted(events["parcel"].unique()) == salms.PARCELS
    assert (str(events["date"].min())[:10], str(events["date"].max())[:10]) == (
        "2020-05-15",
        "2020-10-25",
    )


@pytest.mark.parametrize(("kind", "band"), [("s2_idx", "NDVI"), ("s2", "B08"), ("s1_coh6", "VV")])
@pytest.mark.parametrize("weights", ["count", None])
@pytest.mark.parametrize("period", ["5D", "10D"])
def test_composites_equal_those_of_pandas(realdata, kind, band, weights, period):
    stats = salms.cube(realdata, kind)
    found = composite(stats, period, weights=weights)
    rows = cbm.to_observations(stats)
    rows = rows[(rows["band"] == band) & rows["mean"].notna()].copy()
    day = (
        pd.to_datetime(rows["time"].astype("datetime64[ns, UTC]"))
        .dt.tz_localize(None)
        .dt.normalize()
    )
    if period == "5D":
        first = pd.Timestamp(stats["time"].values.min()).normalize()
        rows["left"] = day - pd.to_timedelta((day - first).dt.days % 5, unit="D")
    else:
        part = np.minimum((day.dt.day - 1) // 10, 2)
        rows["left"] = day.dt.to_period("M").dt.to_timestamp() + pd.to_timedelta(
            10 * part, unit="D"
        )
    columns = ["mean", "std", "min", "max", "count"]
    rows[columns] = rows[columns].astype(float)
    rows["weight"] = rows["count"] if weights else 1.0
    values, observations = found[band].values, found["n_obs"].sel(band=band).values
    times, names = found.indexes["time"], found["statistic"].values.tolist()
    compared = 0
    for (parcel, left), group in rows.groupby(["parcel", "left"]):
        here = times.get_loc(left), salms.PARCELS.index(parcel)
        mean = np.average(group["mean"], weights=group["weight"])
        spread = group["std"] ** 2 + (group["mean"] - mean) ** 2
        expected = {
            "count": group["count"].sum(),
            "mean": mean,
            "std": np.sqrt(np.average(spread, weights=group["weight"])),
            "min": group["min"].min(),
            "max": group["max"].max(),
        }
        for name, value in expected.items():
            assert values[here][names.index(name)] == pytest.approx(value, rel=1e-5)
        assert observations[here] == len(group)
        compared += 1
    assert int(np.isfinite(found[band].sel(statistic="mean")).sum()) == compared


@pytest.mark.parametrize("min_share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("min_gap", [5.0, 20.0])
def test_gaps_equal_a_walk_over_the_dates(ndvi, min_share, min_gap):
    found = gaps(ndvi, "NDVI", min_gap=min_gap, min_share=min_share)
    summary = gap_summary(ndvi, "NDVI", min_gap=min_gap, min_share=min_share)
    times = ndvi["time"].values
    clear = ndvi["SCL_fraction"].sel({"class": [4, 5, 6]}).sum("class").values
    for number, parcel in enumerate(ndvi["parcel"].values):
        seen = (clear[:, number] >= min_share - 1e-6) & (clear[:, number] > 0)
        points = [times[0], *times[seen], times[-1]]
        walk = []
        for k, (begin, end) in enumerate(pairwise(points)):
            days = (end - begin) / np.timedelta64(1, "D")
            if days > min_gap:
                kind = "LEADING" if k == 0 else "TRAILING" if k == len(points) - 2 else "INNER"
                between = (begin <= times) & (times <= end) & ~seen
                walk.append((kind, begin, end, days, int(between.sum())))
        mine = found[found["parcel"] == parcel]
        columns = [mine[name].tolist() for name in ("kind", "begin", "end", "days", "n_masked")]
        assert [tuple(map(str, row)) for row in zip(*columns, strict=True)] == [
            tuple(map(str, (kind, pd.Timestamp(a), pd.Timestamp(b), days, n)))
            for kind, a, b, days, n in walk
        ]
        row = summary.loc[parcel]
        assert row["n_gaps"] == len(walk)
        assert row["valid_obs"] == seen.sum()
        assert row["expected_obs"] == 71
        assert row["revisit_days"] == 5.0
        lost = sum(days for *_, days, _ in walk)
        assert row["gap_share"] == pytest.approx(lost / 360)


def test_what_the_mask_left_is_flagged_and_events_are_not(realdata):
    """Of all dates, cloudy ones too, dips are where scene classes say that the field was hidden."""
    stats = salms.cube(realdata, "s2_idx", clear=False, bands=["NDVI"])
    dip = (outliers(stats, "NDVI") & Outlier.DIP) > 0
    hidden = 1 - stats["SCL_fraction"].sel({"class": [4, 5, 6]}).sum("class")
    assert int(dip.sum()) > 40
    assert float(hidden.where(dip).mean()) > 0.9


def test_a_series_without_copies_stays(ndvi):
    found = deduplicate(ndvi)
    np.testing.assert_array_equal(found["NDVI"], ndvi["NDVI"])
    assert int(found["n_dup"].max()) == 0


def test_smooth_series_fall_after_events(realdata, ndvi):
    """From ten days before an event to thirty after it NDVI falls on most of the fields."""
    daily = smooth(ndvi, "NDVI", max_days=60.0)["NDVI"]
    change = []
    for event in salms.events(realdata).itertuples():
        span = [event.date - pd.Timedelta(10, "D"), event.date + pd.Timedelta(30, "D")]
        if span[1] <= pd.Timestamp(daily["time"].values[-1]):
            some = daily.sel(parcel=event.parcel, time=slice(*span)).values
            change.append(some[0] - np.nanmin(some))
    assert len(change) >= 14
    assert np.nanmedian(change) > 0.1
