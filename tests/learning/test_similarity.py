"""Similarity as it is used: swapped claims, copies, outliers, moments, orders, real claims."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
import xvec
from dask.callbacks import Callback
from hypothesis import given, settings
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError, UnknownBandError, UnknownParcelError
from cbmcube.learning import SimilarityRule, similarity, similarity_peers, similarity_series
from cbmcube.testing import vector_cube
from tests.learning.fields import curve, fields, with_crop, with_series

ANY_SIZE = SimilarityRule(min_area_m2=0)


def peers_of(cube, parcel, rule=None):
    return similarity_peers(cube, parcels=[parcel], rule=rule)["peer"].tolist()


@pytest.mark.parametrize("shift", [-0.5, 0.25, 8.0])
def test_shifting_all_series_by_a_constant_leaves_z_unchanged(shift):
    cube = fields(missing=0.2)
    moved = cube.assign(NDVI=cube["NDVI"] + np.float32(shift))
    plain, found = similarity_series(cube), similarity_series(moved)
    np.testing.assert_allclose(found["z"], plain["z"], atol=2e-4)  # of float32 near 8
    np.testing.assert_allclose(found["expected"], plain["expected"] + shift, atol=1e-5)


def test_a_factor_on_all_backscatter_leaves_z_unchanged():
    """In dB it is a shift; in linear power, z of a floor that matters would change."""
    cube = fields(band="VH")
    cube = cube.assign(VH=cube["VH"].clip(0.05))
    scaled = cube.assign(VH=cube["VH"] * np.float32(0.02))
    plain, found = similarity_series(cube, "VH"), similarity_series(scaled, "VH")
    assert plain["value"].attrs["units"] == "dB"
    np.testing.assert_allclose(found["z"], plain["z"], atol=1e-4)


def test_a_parcel_copied_from_its_peers_mean_has_d_near_zero():
    cube = fields()
    theirs = cube["NDVI"].sel(parcel=peers_of(cube, "F070"), statistic="mean")
    copied = with_series(cube, "F070", theirs.mean("parcel").values)
    row = similarity(copied).loc["F070"]
    assert row["D"] < 0.1
    assert row["D_pct"] == 0
    assert row["rank"] == row["n_ranked"]
    assert row["p_value"] == pytest.approx(1.0, abs=0.05)
    assert similarity(cube).loc["F070", "D"] > 0.5


@pytest.mark.parametrize("best_by", ["D", "likelihood"])
@pytest.mark.parametrize("claim", ["maize", "grass"])
def test_a_swapped_declaration_ranks_first_and_names_the_true_crop(claim, best_by):
    cube = fields()
    parcel = "F067"
    assert cube["crop"].sel(parcel=parcel) == "barley"
    rule = SimilarityRule(best_by=best_by)
    row = similarity(with_crop(cube, {parcel: claim}), rule=rule).loc[parcel]
    assert (row["rank"], row["D_pct"], row["best_crop"]) == (1, 100, "barley")
    assert row["margin"] > 2
    assert row["gain"] > 2
    assert row["p_value"] < 1e-4
    honest = similarity(cube, rule=rule)
    assert (honest["margin"] < 0).all()
    assert (honest["gain"] < 0).all()


def test_all_of_some_swapped_declarations_are_found():
    """Every tenth parcel, so that claims around are contaminated as well."""
    cube = fields()
    rng = np.random.default_rng(0)
    wrong = rng.choice(cube["parcel"].values, 14, replace=False)
    true = dict(zip(wrong, cube["crop"].sel(parcel=wrong).values, strict=True))
    others = {"barley": "maize", "maize": "grass", "grass": "barley"}
    table = similarity(with_crop(cube, {p: others[crop] for p, crop in true.items()}))
    assert {p: table.loc[p, "best_crop"] for p in wrong} == true
    assert (table.loc[wrong, "margin"] > 1).all()
    assert (table.drop(index=wrong)["margin"] < 0).all()


@pytest.mark.parametrize("size", [0.5, 5.0])
def test_one_outlier_among_thirty_peers_changes_d_by_less_than_15_percent(size):
    """Shifted by half the range of NDVI, or by what no field can have: it is trimmed away."""
    cube = fields()
    before = similarity(cube)["D"]
    largest = 0.0
    for parcel in ("F000", "F065", "F077", "F143"):
        peers = peers_of(cube, parcel)
        assert len(peers) == 30
        changed = cube["NDVI"].sel(parcel=peers[0], statistic="mean") + size
        after = similarity(with_series(cube, peers[0], changed))["D"]
        largest = max(largest, abs(after[parcel] / before[parcel] - 1))
    assert 0 < largest < 0.15


def test_d_is_near_one_for_usual_parcels_and_far_for_others():
    cube = fields(side=15)
    usual = similarity(cube)["D"]
    assert 0.9 < usual.median() < 1.2
    early = with_series(
        cube, "F113", np.roll(curve(str(cube["crop"].sel(parcel="F113").item())), -3)
    )
    row = similarity(early).loc["F113"]
    assert row["D"] > usual.max()
    high = with_series(cube, "F113", cube["NDVI"].sel(parcel="F113", statistic="mean") + 0.3)
    assert similarity(high).loc["F113", "mean_z"] > 3
    low = with_series(cube, "F113", cube["NDVI"].sel(parcel="F113", statistic="mean") - 0.3)
    assert similarity(low).loc["F113", "mean_z"] < -3


@settings(max_examples=8)
@given(st.integers(0, 10**6))
def test_the_order_of_parcels_and_of_time_is_of_no_matter(seed):
    """To the last bit, with many distances that are ties."""
    cube = with_crop(fields(side=8, missing=0.3), {"F010": "maize", "F011": "hemp"})
    rng = np.random.default_rng(seed)
    turned = cube.isel(parcel=rng.permutation(64), time=rng.permutation(cube.sizes["time"]))
    rule = SimilarityRule(peers=11)
    found = similarity(turned, rule=rule)
    expected = similarity(cube, rule=rule)
    pd.testing.assert_frame_equal(found.loc[expected.index], expected, check_exact=True)


def test_nothing_later_leaks_into_what_was_known():
    stats = vector_cube(parcels=60, days=150)
    day = "2024-06-03"
    future = stats.copy(deep=True)
    later = future["time"].values > np.datetime64(day)
    rng = np.random.default_rng(0)
    future["NDVI"].values[later] = rng.uniform(size=future["NDVI"].values[later].shape)
    cut = stats.isel(time=~later)
    options = {"rule": ANY_SIZE, "period": "10D"}
    known = similarity(stats, "NDVI", as_of=day, **options)
    pd.testing.assert_frame_equal(known, similarity(future, "NDVI", as_of=day, **options))
    pd.testing.assert_frame_equal(known, similarity(cut, "NDVI", **options))
    assert not known["D"].equals(similarity(stats, "NDVI", **options)["D"])
    series = similarity_series(stats, "NDVI", as_of=day, **options)
    xr.testing.assert_identical(series, similarity_series(cut, "NDVI", **options))


def test_radar_is_compared_one_orbit_at_a_time():
    radar = vector_cube("CARD-BS", parcels=80, days=180)
    with pytest.raises(OptionError, match="single relative orbit"):
        similarity(radar, "VH", period="12D", rule=ANY_SIZE)
    one = radar.isel(time=radar["relative_orbit"].values == 15)
    table = similarity(one, "VH", period="12D", rule=ANY_SIZE)
    assert (table["status"] == "OK").all()
    swapped = similarity(with_crop(one, {"P2": "grassland"}), "VH", period="12D", rule=ANY_SIZE)
    assert table.loc["P2", "crop"] == swapped.loc["P2", "best_crop"] == "maize"
    assert swapped.loc["P2", "rank"] == 1


@pytest.mark.parametrize("function", [similarity, similarity_series])
def test_a_lazy_cube_is_computed_once_with_the_same_result(function):
    options = {"band": "NDVI", "rule": ANY_SIZE, "period": "10D"}
    runs = []
    with Callback(start=runs.append):
        found = function(vector_cube(parcels=60, lazy=True), **options)
    assert len(runs) == 1
    assert found.equals(function(vector_cube(parcels=60), **options))


def test_the_series_are_those_behind_the_table():
    cube = fields(missing=0.25)
    table, seen = similarity(cube), similarity_series(cube)
    assert {*seen.data_vars} == {"z", "t", "value", "expected", "spread", "n_peers"}
    assert all(seen[name].dims == ("time", "parcel") for name in seen.data_vars)
    ok = (table["status"] == "OK").to_numpy()
    number = np.isfinite(seen["z"]).sum("time")
    np.testing.assert_array_equal(number[ok], table["n_periods"][ok])
    d = np.sqrt((seen["z"] ** 2).mean("time"))
    np.testing.assert_allclose(d[ok], table["D"][ok], rtol=1e-5)
    np.testing.assert_allclose(seen["z"].mean("time")[ok], table["mean_z"][ok], atol=1e-5)
    wider = np.sqrt(1 + 1 / seen["n_peers"])
    again = (seen["value"] - seen["expected"]) / seen["spread"] / wider
    np.testing.assert_allclose(again, seen["z"], atol=1e-4)


def test_series_of_some_parcels_against_another_crop():
    cube = with_crop(fields(), {"F067": "maize"})
    everything = similarity_series(cube)
    some = similarity_series(cube, parcels=["F100", "F067"])
    xr.testing.assert_identical(some, everything.sel(parcel=["F100", "F067"]))
    barley = similarity_series(cube, parcels=["F067"], against="barley")
    d = float(np.sqrt((barley["z"] ** 2).mean()))
    row = similarity(cube).loc["F067"]
    assert d == pytest.approx(row["D_best"], rel=1e-5)
    with pytest.raises(UnknownParcelError, match="X"):
        similarity_series(cube, parcels=["X"])
    with pytest.raises(OptionError, match="no parcel declares"):
        similarity_series(cube, against="rice")


def test_peers_are_listed_nearest_first():
    cube = fields()
    listed = similarity_peers(cube, parcels=["F067", "F000"])
    assert listed["parcel"].tolist() == ["F067"] * 30 + ["F000"] * 30
    for parcel, some in listed.groupby("parcel"):
        assert some["distance_m"].is_monotonic_increasing
        same = cube["crop"].sel(parcel=some["peer"].values).values
        assert {*same} == {cube["crop"].sel(parcel=parcel).item()}
        assert parcel not in {*some["peer"]}
    here, there = cube["geometry"].sel(parcel=["F067", listed["peer"][29]]).values
    assert listed["distance_m"][29] == here.distance(there)
    against = similarity_peers(cube, parcels=["F067"], against="maize")
    assert {*cube["crop"].sel(parcel=against["peer"].values).values} == {"maize"}
    assert similarity_peers(cube, parcels=[]).empty


def test_a_big_parcel_counts_by_its_edge():
    """Its centre is farther than thirty others of the crop, its edge is next door."""
    cube = fields()
    shapes = cube["geometry"].values.copy()
    x, y, _, _ = shapely.bounds(shapes[67])
    shapes[0] = shapely.box(x + 110, y, x + 60_000, y + 100)
    cube = cube.drop_vars("geometry").assign_coords(geometry=("parcel", shapes))
    cube = cube.set_xindex("geometry", xvec.GeometryIndex, crs="EPSG:3035")
    assert cube["crop"].values[0] == cube["crop"].values[67]
    assert peers_of(cube, "F067")[0] == "F000"


def test_the_peers_of_the_jrc_are_ten_within_a_kilometre():
    cube = fields(spacing=250.0)
    table = similarity(cube, rule="jrc-peers")
    assert table["radius_m"].unique().tolist() == [1000]
    assert table["n_peers"].max() == 10
    listed = similarity_peers(cube, parcels=["F067"], rule="jrc-peers")
    assert listed["distance_m"].max() <= 1000


def test_the_band_is_the_first_by_default_and_must_be_known():
    cube = fields(side=6)
    pd.testing.assert_frame_equal(similarity(cube), similarity(cube, "NDVI"))
    with pytest.raises(UnknownBandError, match="NDVI"):
        similarity(cube, "VV")


def test_few_parcels_have_no_peers():
    table = similarity(fields(side=2))
    assert (table["reason"] == "FEW_PEERS").all()
    none = similarity(fields(side=2).isel(parcel=[]))
    assert none.empty
    assert [*none.columns] == [*table.columns]


def france(folder, band):
    """500 declared parcels of two French regions, dekads of 2023, as a vector cube of points."""
    table = pd.read_parquet(folder / "france-lpis" / "2023_FRA_LPIS_POLY_110.geoparquet")
    growing = (table["timestamp"] >= "2023-01-01") & (table["timestamp"] < "2023-11-01")
    table = table[growing]
    numbers = {
        name: table[name].astype(float).where(table[name] != 65535)
        for name in ("S2-L2A-B04", "S2-L2A-B08", "S1-SIGMA0-VH")
    }
    red, infrared = numbers["S2-L2A-B04"], numbers["S2-L2A-B08"]
    values = {
        "NDVI": (infrared - red) / (infrared + red),
        "VH": numbers["S1-SIGMA0-VH"] ** 2 * 10**-8.3,
    }
    wide = table.assign(v=values[band]).pivot_table(
        index="timestamp", columns="sample_id", values="v", dropna=False
    )
    first = table.drop_duplicates("sample_id").set_index("sample_id").loc[wide.columns]
    cube = xr.Dataset(
        {band: (("time", "parcel", "statistic"), wide.to_numpy()[..., None])},
        coords={
            "time": wide.index.to_numpy().astype("datetime64[ns]"),
            "parcel": wide.columns.to_numpy(),
            "statistic": ["mean"],
            "crop": ("parcel", first["ewoc_code"].astype(str).to_numpy(dtype=object)),
            "geometry": ("parcel", shapely.from_wkb(first["geometry"].to_numpy())),
        },
    )
    return cube.set_xindex("geometry", xvec.GeometryIndex, crs="EPSG:4326")


def kind(crop):
    """Three codes are grassland; what is declared tells them apart, not what grows."""
    return "grass" if str(crop).startswith("2") else str(crop)


def swapped(cube, rule, band, rounds=8):
    """Fifteen wrong claims at a time; the honest table, and the rows of the wrong claims."""
    crop = pd.Series(cube["crop"].values, index=cube["parcel"].values)
    count = crop.value_counts()
    frequent = sorted(count[count >= 20].index)
    found = []
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        chosen = rng.choice(crop.index[crop.isin(frequent)], 15, replace=False)
        others = [[c for c in frequent if kind(c) != kind(crop[p])] for p in chosen]
        claims = {p: rng.choice(some) for p, some in zip(chosen, others, strict=True)}
        rows = similarity(with_crop(cube, claims), band, rule=rule).loc[chosen]
        found.append(rows.assign(true=crop[chosen].to_numpy()))
    rows = pd.concat(found)
    return similarity(cube, band, rule=rule), rows[rows["status"] == "OK"]


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("band", "best_by", "named", "warned"),
    [("NDVI", "D", 0.45, 0.8), ("NDVI", "likelihood", 0.65, 0.8), ("VH", "likelihood", 0.45, 0.7)],
)
def test_swapped_claims_of_real_parcels(realdata, band, best_by, named, warned):
    """Floors below what was seen; points up to 200 km apart, so far from the intended use."""
    rule = SimilarityRule(min_area_m2=0, radii_m=(50e3, 200e3), best_by=best_by)
    honest, rows = swapped(france(realdata, band), rule, band)
    honest = honest[honest["status"] == "OK"]
    assert len(honest) > 320
    assert len(rows) > 80
    true, best = rows["true"].map(kind), rows["best_crop"].map(kind)
    assert (true.to_numpy() == best.to_numpy()).mean() > named
    # How often a wrong claim has a larger gain than an honest one.
    more = rows["gain"].to_numpy()[:, None] > honest["gain"].to_numpy()
    assert more.mean() > warned
    assert rows["D"].median() > honest["D"].median()
    assert (honest["p_value"] < 0.01).mean() <= 0.02
