"""Parcels against their own crop and against others, some at a time, against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cbmcube.learning import SimilarityRule, _against
from cbmcube.learning._against import against_others, against_own
from cbmcube.learning._declared import read_declared
from tests.learning.fields import CROPS, fields, with_crop

RULE = SimilarityRule(peers=8, min_peers=5, radii_m=(900.0, 2000.0), min_periods=4)

CHECKED = sorted({*range(0, 81, 2), 41})  # with the parcels that country() makes special


def country():
    cube = fields(side=9, periods=10, missing=0.25, seed=8)
    cube = with_crop(cube, {"F004": "maize", "F040": "barley", "F041": "hemp", "F042": None})
    cube["NDVI"].values[:, 20] = np.nan
    return cube


def read(cube, rule=RULE):
    return read_declared(cube, "NDVI", rule, crop="crop", period=None, as_of=None)


def by_hand(cube, row, crop, rule=RULE):
    """D, D_t, cost, mean, periods and peers of one parcel against one crop; no shared code."""
    series = cube["NDVI"].sel(statistic="mean").values.T.astype("float64")
    shapes, claims = cube["geometry"].values, cube["crop"].values
    ids = cube["parcel"].values
    seen = (~np.isnan(series)).sum(axis=1)
    near = sorted(
        (shapes[row].distance(shapes[k]), str(ids[k]), k)
        for k in range(len(ids))
        if k != row and claims[k] == crop and seen[k] >= rule.min_periods
    )
    for radius in rule.radii_m:
        peers = [k for distance, _, k in near if distance <= radius]
        if len(peers) >= rule.min_peers:
            break
    peers = peers[: rule.peers]
    z, t, cost = [], [], []
    for period in range(series.shape[1]):
        theirs = np.array([series[k, period] for k in peers if not np.isnan(series[k, period])])
        value = series[row, period]
        if theirs.size < rule.min_peers or np.isnan(value):
            continue
        wider = np.sqrt(1 + 1 / theirs.size)
        spread = max(stats.iqr(theirs) / 1.349, rule.floor)
        z.append((value - stats.trim_mean(theirs, rule.trim)) / spread / wider)
        t.append((value - theirs.mean()) / max(theirs.std(ddof=1), rule.floor) / wider)
        cost.append(z[-1] ** 2 / 2 + np.log(spread * wider))
    found = {"peers": {*peers}, "radius": radius, "periods": len(z), "d": np.nan}
    if len(z) >= rule.min_periods:
        found |= {"d": np.sqrt(np.mean(np.square(z))), "d_t": np.sqrt(np.mean(np.square(t)))}
        found |= {"cost": np.mean(cost), "mean": np.mean(z)}
    return found


def test_each_parcel_against_its_own_crop():
    cube = country()
    own = against_own(read(cube), RULE)
    seen = np.isfinite(cube["NDVI"].values[..., 0]).sum(axis=0)
    judged = 0
    for row in CHECKED:
        crop = cube["crop"].values[row]
        if crop not in (*CROPS, "hemp") or seen[row] < RULE.min_periods:
            assert own.periods[row] == -1
            assert np.isnan(own.d[row])
            continue
        expected = by_hand(cube, row, crop)
        assert {*own.peers[row][own.peers[row] >= 0].tolist()} == expected["peers"]
        assert own.radius[row] == expected["radius"]
        assert own.periods[row] == expected["periods"]
        assert own.d[row] == pytest.approx(expected["d"], rel=1e-9, nan_ok=True)
        if np.isfinite(expected["d"]):
            judged += 1
            for name in ("d_t", "cost", "mean"):
                assert getattr(own, name)[row] == pytest.approx(expected[name], rel=1e-9)
        else:
            assert np.isnan([own.mean[row], own.p_value[row], own.d_t[row]]).all()
    assert judged > 25


@pytest.mark.parametrize("best_by", ["D", "likelihood"])
def test_each_parcel_against_every_other_crop(best_by):
    cube = country()
    rule = SimilarityRule(
        peers=8, min_peers=5, radii_m=(900.0, 2000.0), min_periods=4, best_by=best_by
    )
    known = read(cube, rule)
    other = against_others(known, rule, against_own(known, rule).d)
    seen = np.isfinite(cube["NDVI"].values[..., 0]).sum(axis=0)
    for row in CHECKED:
        own = cube["crop"].values[row]
        if seen[row] < rule.min_periods:
            assert (other.crop[row], other.tried[row]) == (-1, -1)
            continue
        tried = {
            crop: found
            for crop in ("barley", "grass", "maize")  # of hemp there is one
            if crop != own and np.isfinite((found := by_hand(cube, row, crop))["d"])
        }
        assert other.tried[row] == len(tried)
        if not tried:
            assert other.crop[row] == -1
            continue
        best = min(tried, key=lambda crop: tried[crop]["d" if best_by == "D" else "cost"])
        assert known.crops[other.crop[row]] == best
        assert other.d[row] == pytest.approx(tried[best]["d"], rel=1e-9)
        assert other.cost[row] == pytest.approx(tried[best]["cost"], rel=1e-9)
    assert (other.tried == 2).sum() > 30


def test_usual_parcels_can_be_spared_the_other_crops():
    known = read(country())
    own = against_own(known, RULE)
    everything = against_others(known, RULE, own.d)
    rule = SimilarityRule(
        peers=8, min_peers=5, radii_m=(900.0, 2000.0), min_periods=4, others_from=1.2
    )
    few = against_others(known, rule, own.d)
    usual = own.d < 1.2
    assert 0 < usual.sum() < usual.size
    assert (few.tried[usual] == -1).all()
    assert (few.crop[usual] == -1).all()
    np.testing.assert_array_equal(few.crop[~usual], everything.crop[~usual])
    np.testing.assert_array_equal(few.d[~usual], everything.d[~usual])


def test_equal_crops_give_the_first_by_label():
    """Two crops whose fields are copies of each other, in place and in series."""
    cube = fields(side=6, periods=8)
    crop = np.array(["b", "a", "c"], dtype=object)[np.arange(36) % 3]
    cube = cube.assign_coords(crop=("parcel", crop))
    values = cube["NDVI"].values
    values[:, crop == "a"] = values[:, crop == "b"]
    shapes = cube["geometry"].values
    same = cube.drop_vars("geometry")
    placed = shapes.copy()
    placed[crop == "a"] = shapes[crop == "b"]
    same = same.assign_coords(geometry=("parcel", placed)).set_xindex(
        "geometry", type(cube.xindexes["geometry"]), crs="EPSG:3035"
    )
    known = read(same)
    other = against_others(known, RULE, np.full(36, np.nan))
    assert {*other.crop[crop == "c"]} == {0}
    assert known.crops[0] == "a"


@pytest.mark.parametrize("cells", [1, 70, 10**7])
def test_the_size_of_parts_changes_nothing(monkeypatch, cells):
    known = read(country())
    own = against_own(known, RULE)
    other = against_others(known, RULE, own.d)
    monkeypatch.setattr(_against, "_CELLS", cells)
    for one, again in (
        (own, against_own(known, RULE)),
        (other, against_others(known, RULE, own.d)),
    ):
        for name in one.__slots__:
            if name != "peers":  # in no particular order
                np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
