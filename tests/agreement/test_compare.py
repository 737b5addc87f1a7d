"""Comparison of two sources: identities, plain loops and real data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import cbmcube as cbm
from cbmcube.agreement import AgreementRule, compare
from cbmcube.exceptions import (
    DuplicateIdError,
    NoOverlapError,
    OptionError,
    UnknownBandError,
    UnknownStatisticError,
)
from cbmcube.testing import vector_cube


@pytest.fixture(scope="module")
def ours():
    return vector_cube("CARD-2A", parcels=8)


@pytest.fixture(scope="module")
def theirs():
    return vector_cube("CARD-2A", parcels=8, seed=5)


def paired(a, b, band="NDVI"):
    first = a[band].sel(statistic="mean").values.ravel().astype("float64")
    second = b[band].sel(statistic="mean").values.ravel().astype("float64")
    both = np.isfinite(first) & np.isfinite(second)
    return first[both], second[both]


def test_a_source_agrees_with_itself(ours):
    result = compare(ours, ours)
    assert list(result) == ["B04", "B08", "NDVI"]
    for band in result.bands.values():
        assert (band.bias, band.rmse, band.ubrmse, band.mae) == (0, 0, 0, 0)
        assert (band.limits, band.margin, band.within, band.availability) == ((0, 0), 0, 1, 1)
        assert band.slope == pytest.approx(1)
        assert band.orthogonal_slope == pytest.approx(1)
        assert band.r == pytest.approx(1)
        assert band.intervals["bias"] == (0, 0)
        assert band.n == int(np.isfinite(ours[band.band].sel(statistic="mean")).sum())
    assert result.availability == 1
    assert len(result.extremes) == 0


def test_a_shift_is_bias_alone(ours):
    both = ours.astype("float64")
    band = compare(both, both.assign(NDVI=both["NDVI"] + 0.3))["NDVI"]
    assert band.bias == pytest.approx(0.3, rel=1e-14)
    assert band.rmse == pytest.approx(0.3, rel=1e-14)
    assert band.ubrmse == pytest.approx(0, abs=1e-15)
    assert band.intercept == pytest.approx(0.3)
    assert band.proportional_slope == pytest.approx(0, abs=1e-12)
    assert band.within == 0
    assert band.extremes == 0  # a shift is no extreme


def test_a_forgotten_offset_is_a_bias_of_a_tenth(ours):
    """Numbers of processing baseline 04.00 and later carry -0.1 until it is added."""
    band = compare(ours, ours.assign(B04=ours["B04"] - 0.1), variable="B04")["B04"]
    assert band.bias == pytest.approx(-0.1, abs=1e-8)
    assert band.intervals["bias"] == pytest.approx((-0.1, -0.1), abs=1e-8)
    assert band.ubrmse == pytest.approx(0, abs=1e-8)


def test_a_factor_is_a_proportional_error(ours):
    band = compare(ours, ours.assign(NDVI=ours["NDVI"] * 1.1))["NDVI"]
    assert band.slope == pytest.approx(1.1, rel=1e-5)
    assert band.orthogonal_slope == pytest.approx(1.1, rel=1e-5)
    # d = 0.1 a and the average is 1.05 a
    assert band.proportional_slope == pytest.approx(0.1 / 1.05, rel=1e-5)
    assert band.proportional_slope > 0


def test_swapping_flips_the_bias_and_keeps_the_rest(ours, theirs):
    forth, back = compare(ours, theirs), compare(theirs, ours)
    for one, other in zip(forth.bands.values(), back.bands.values(), strict=True):
        assert one.bias == pytest.approx(-other.bias)
        assert one.rmse == pytest.approx(other.rmse)
        assert one.r == pytest.approx(other.r)
        assert one.within == other.within
        assert one.orthogonal_slope == pytest.approx(1 / other.orthogonal_slope)
        assert one.proportional_slope == pytest.approx(-other.proportional_slope)
        assert one.limits == pytest.approx((-other.limits[1], -other.limits[0]))
        low, high = other.intervals["bias"]
        assert one.intervals["bias"] == pytest.approx((-high, -low), abs=5e-4)  # quantiles: ends
    assert forth.extremes["d"].tolist() == (-back.extremes["d"]).tolist()


def test_three_missing_acquisitions_are_listed(ours):
    gone = [1, 20, 50]
    rest = ours.isel(time=np.setdiff1d(np.arange(ours.sizes["time"]), gone))
    result = compare(ours, rest, variable="NDVI")
    assert result.only_a["acquisition"].tolist() == ours["acquisition"].values[gone].tolist()
    assert len(result.only_b) == 0
    total = ours.sizes["time"]
    assert result.availability == pytest.approx((total - 3) / total)
    assert len(compare(rest, ours, variable="NDVI").only_b) == 3


def test_three_missing_items_are_three_keys_of_one_parcel():
    ours = vector_cube("CARD-BS", parcels=1)
    rest = ours.isel(time=np.setdiff1d(np.arange(ours.sizes["time"]), [0, 7, 11]))
    result = compare(ours, rest, variable="VV")
    whole = result.availability_by().iloc[0]
    assert (whole["only_a"], whole["only_b"], whole["neither"]) == (3, 0, 0)
    assert whole["both"] == ours.sizes["time"] - 3
    assert result["VV"].availability == pytest.approx(1 - 3 / ours.sizes["time"])
    lost = result.ledger[result.ledger["state_b"] == "MISSING"]
    assert lost["n"].sum() == 3
    assert set(lost["state_a"]) == {"OK"}


def test_numbers_against_plain_formulas(ours, theirs):
    band = compare(ours, theirs, variable="NDVI")["NDVI"]
    a, b = paired(ours, theirs)
    d = b - a
    assert band.n == len(a)
    assert band.bias == pytest.approx(d.mean())
    assert band.mae == pytest.approx(np.abs(d).mean())
    assert band.rmse == pytest.approx(np.sqrt(np.mean(d**2)))
    assert band.ubrmse == pytest.approx(np.sqrt(band.rmse**2 - band.bias**2))
    assert band.within == pytest.approx((np.abs(d) <= 0.02).mean())
    assert band.r == pytest.approx(stats.pearsonr(a, b).statistic)
    line = stats.linregress(a, b)
    assert (band.slope, band.intercept) == pytest.approx((line.slope, line.intercept))
    tilt = stats.linregress((a + b) / 2, d)
    assert band.proportional_slope == pytest.approx(tilt.slope)
    assert band.proportional_intercept == pytest.approx(tilt.intercept)
    sd = np.std(d, ddof=1)
    assert band.sd == pytest.approx(sd)
    assert band.limits == pytest.approx((d.mean() - 1.96 * sd, d.mean() + 1.96 * sd))
    expected = 1.96 * sd * np.sqrt(1 / len(d) + 1.96**2 / (2 * (len(d) - 1)))
    assert band.margin == pytest.approx(expected)
    assert band.median == pytest.approx(np.median(d))
    assert band.mad == pytest.approx(stats.median_abs_deviation(d))


def test_the_orthogonal_line_is_the_first_principal_axis(ours, theirs):
    band = compare(ours, theirs, variable="NDVI")["NDVI"]
    points = np.stack(paired(ours, theirs), axis=1)
    _, _, axes = np.linalg.svd(points - points.mean(axis=0))
    slope = axes[0, 1] / axes[0, 0]
    assert band.orthogonal_slope == pytest.approx(slope)
    expected = points[:, 1].mean() - slope * points[:, 0].mean()
    assert band.orthogonal_intercept == pytest.approx(expected)


def test_backscatter_is_compared_in_db_of_the_linear_mean():
    a = vector_cube("CARD-BS")
    b = a.assign(VV=a["VV"] * 10)
    band = compare(a, b, variable="VV")["VV"]
    assert (band.units, band.kind, band.tolerance) == ("dB", "backscatter", 0.5)
    assert band.bias == pytest.approx(10, abs=1e-5)
    assert compare(a, b, variable="VV", statistic="std")["VV"].units == "1"
    counts = compare(a, a, variable="VV", statistic="count")["VV"]
    assert (counts.units, counts.bias) == ("pixels", 0)
    index = compare(a, b, variable="VV", kinds={"VV": "index"})["VV"]
    assert (index.units, index.kind) == ("1", "index")


def test_what_is_not_positive_has_no_db():
    a = vector_cube("CARD-BS", days=30)
    values = a["VV"].copy()
    values[0, 0, 1] = -0.01
    result = compare(a, a.assign(VV=values), variable="VV")
    assert result["VV"].n == a.sizes["time"] * a.sizes["parcel"] - 1 - 1  # one more was not seen
    row = result.ledger[result.ledger["state_b"] == "NO_VALUE"].iloc[0]
    assert (row["state_a"], row["n"]) == ("OK", 1)


def test_coherence_of_other_pairs_of_images_is_another_pass():
    six = vector_cube("CARD-COH6", parcels=2, days=60)
    twelve = six.assign_coords(reference_time=six["time"] - np.timedelta64(12, "D"))
    assert len(compare(six, twelve).matched) == 0
    blind = AgreementRule(same=("platform", "relative_orbit"))
    result = compare(six, twelve, rule=blind)
    assert len(result.matched) == six.sizes["time"]
    assert result["VV"].kind == "coherence"


def test_parcels_are_matched_by_id_in_any_order(ours):
    result = compare(ours, ours.isel(parcel=[5, 0, 3]), variable="NDVI")
    assert result["NDVI"].rmse == 0
    assert result["NDVI"].n > 0
    assert result.parcels == 3
    assert result.parcels_only_a == ("P1", "P2", "P4", "P6", "P7")
    back = compare(ours.isel(parcel=[5, 0, 3]), ours, variable="NDVI")
    assert back.parcels_only_b == result.parcels_only_a
    with pytest.raises(NoOverlapError, match="no parcel in common"):
        compare(ours, vector_cube(parcels=["x"]), variable="NDVI")


def test_tables_give_what_their_cubes_give(ours, theirs):
    theirs = theirs.isel(time=slice(5, None))
    cubes = compare(ours, theirs)
    for a, b in (
        (cbm.to_observations(ours), cbm.to_observations(theirs)),
        (cbm.to_observations(ours).sample(frac=1, random_state=0), theirs),
        (ours, cbm.to_observations(theirs).astype({"relative_orbit": "float64"})),
    ):
        result = compare(a, b)
        assert result.parcels == 8
        keys = "date", "platform", "relative_orbit"
        pd.testing.assert_frame_equal(result.by(*keys), cubes.by(*keys))
        pd.testing.assert_frame_equal(result.ledger, cubes.ledger)
        # Times of tables are microseconds.
        pd.testing.assert_frame_equal(
            result.only_a.drop(columns=["time", "nearest"]),
            cubes.only_a.drop(columns=["time", "nearest"]),
        )
        for band in cubes:
            assert result[band].intervals["rmse"] == pytest.approx(cubes[band].intervals["rmse"])


def test_a_constant_source_has_no_slope(ours):
    flat = ours.assign(NDVI=ours["NDVI"] * 0 + 0.1)
    band = compare(flat, ours, variable="NDVI")["NDVI"]
    assert np.isnan([band.r, band.slope, band.intercept, band.orthogonal_slope]).all()
    assert np.isfinite([band.bias, band.rmse, band.proportional_slope]).all()
    band = compare(ours, flat, variable="NDVI")["NDVI"]
    assert np.isnan(band.r)
    assert band.slope == pytest.approx(0, abs=1e-7)


def test_too_little_gives_counts_alone(ours):
    two = ours.isel(time=[0], parcel=[0, 1])
    band = compare(two, two, variable="NDVI")["NDVI"]
    assert (band.n, band.days) == (2, 1)
    assert np.isnan([band.bias, band.rmse, band.r, *band.limits, band.within]).all()
    assert np.isnan(band.intervals["bias"]).all()
    assert (band.extremes, band.all_extremes) == (0, True)


def test_sources_without_a_common_pass_have_no_pair(ours):
    later = ours.assign_coords(time=ours["time"] + np.timedelta64(11, "m"))
    result = compare(ours, later, variable="NDVI")
    assert (len(result.matched), result.availability, result["NDVI"].n) == (0, 0, 0)
    assert np.isnan(result["NDVI"].bias)
    assert len(result.pairs) == 0
    assert (result.only_a["nearest"] == pd.Timedelta("11min")).all()
    assert (result.only_b["nearest"] == pd.Timedelta("-11min")).all()
    assert "0 days 00:11:00" in repr(result)
    half_a_day = AgreementRule(tolerance="12h")
    assert len(compare(ours, later, rule=half_a_day).matched) == ours.sizes["time"]


def test_no_acquisitions_at_all(ours):
    none = ours.isel(time=slice(0))
    result = compare(none, none)
    assert np.isnan(result.availability)
    assert len(compare(ours, none).only_a) == ours.sizes["time"]
    assert len(compare(none, ours).only_b) == ours.sizes["time"]


def test_inputs_stay_as_they_are(ours, theirs):
    copies = ours.copy(deep=True), theirs.copy(deep=True)
    table = cbm.to_observations(theirs)
    before = table.copy()
    compare(ours, theirs)
    compare(ours, table)
    assert ours.identical(copies[0])
    assert theirs.identical(copies[1])
    pd.testing.assert_frame_equal(table, before)


def test_wrong_options_are_refused(ours):
    with pytest.raises(UnknownBandError, match="VV"):
        compare(ours, vector_cube("CARD-BS"), variable="NDVI")
    with pytest.raises(UnknownBandError, match="no band in common"):
        compare(ours, vector_cube("CARD-BS"))
    with pytest.raises(UnknownStatisticError, match="p99"):
        compare(ours, ours, statistic="p99")
    with pytest.raises(OptionError, match="vector cube"):
        compare(ours, [1, 2])
    with pytest.raises(OptionError, match="kind of NDVI"):
        compare(ours, ours, kinds={"NDVI": "colour"})
    with pytest.raises(DuplicateIdError, match="P0"):
        compare(ours, ours.isel(parcel=[0, 0]))


# --- real data -----------------------------------------------------------------------------------


def salms(folder, kind, column="MEAN"):
    tables = []
    for path in sorted(folder.glob(f"*_{kind}_ts.csv")):
        table = pd.read_csv(path).assign(parcel=path.name.split("_")[0])
        tables.append(table.rename(columns={column: "mean", "count": "n_valid"}))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(time=pd.to_datetime(table["date"], format="ISO8601", utc=True))


def named(table, band, name="coherence"):
    return table[table["band"] == band].assign(band=name)


@pytest.mark.realdata
def test_coherence_of_the_two_polarisations(realdata):
    """The JRC's `s1_coh6` is the average of VV and VH; the two themselves differ."""
    table = salms(realdata / "jrc-salms" / "tsdir", "s1_coh6")
    vv, vh, whole = (named(table, f"s1_coh6{end}") for end in ("_VV", "_VH", ""))
    kinds = {"coherence": "coherence"}
    keys = ["parcel", "time"]
    wide = vv.merge(vh, on=keys, suffixes=("_vv", "_vh")).sort_values(keys)
    average = wide[keys].assign(
        band="coherence", mean=(wide["mean_vv"] + wide["mean_vh"]) / 2, n_valid=wide["n_valid_vv"]
    )
    same = compare(whole, average, kinds=kinds)["coherence"]
    assert (same.n, same.availability, same.within) == (480, 1, 1)
    assert abs(same.bias) < 1e-15
    assert same.rmse < 1e-15
    band = compare(vv, vh, kinds=kinds)["coherence"]
    a, b = wide["mean_vv"], wide["mean_vh"]
    assert (band.n, band.days, band.kind) == (480, 48, "coherence")
    assert band.bias == pytest.approx((b - a).mean())
    assert band.r == pytest.approx(stats.pearsonr(a, b).statistic)
    assert band.within == pytest.approx(((b - a).abs() <= 0.03).mean())
    assert band.slope == pytest.approx(stats.linregress(a, b).slope)


@pytest.mark.realdata
def test_coherence_of_the_signals_is_that_of_the_series(realdata):
    """`signals` repeats weeks of the series around events, some weeks twice."""
    folder = realdata / "jrc-salms"
    series = named(salms(folder / "tsdir", "s1_coh6"), "s1_coh6_VV")
    weeks = series.assign(item=series["parcel"] + "_" + series["week"].astype(str))
    some = weeks.iloc[::7]
    result = compare(weeks, pd.concat([some, some]), kinds={"coherence": "coherence"})
    assert result["coherence"].n == len(some)
    assert result["coherence"].rmse == 0
    whole = result.availability_by().iloc[0]
    assert whole["only_a"] == len(weeks) - len(some)


@pytest.mark.realdata
def test_indices_without_numbers_are_no_value(realdata):
    """24 rows of the JRC's indices have pixels and no numbers."""
    table = salms(realdata / "jrc-salms" / "tsdir", "s2_idx")
    result = compare(table, table)
    ledger = result.ledger
    lost = ledger[ledger["state_a"] == "NO_VALUE"].groupby("band")["n"].sum()
    assert lost.to_dict() == {"BSI": 12, "GARI": 12}
    assert result["NDVI"].n == 710


@pytest.fixture(scope="module")
def field(realdata):
    """The mean NDVI of one field from the raster, from a table, and filled every five days."""
    folder = realdata / "spain"
    with xr.open_dataset(folder / "raw_s2_ndvi_field.nc") as raster:
        ndvi = raster["NDVI"].astype("float64").mean(("x", "y")).load()
    with xr.open_dataset(folder / "cropsar_ndvi.nc", mask_and_scale=False) as filled:
        dn = filled["NDVI"].load().astype("uint8").astype("float64")
        dn = (dn.where(dn != 255) / 250 - 0.08).mean(("x", "y"))
        cropsar = row(dn["t"].values, dn.values)
    table = pd.read_csv(folder / "mogpr_input.csv").dropna(subset="NDVI")
    return row(ndvi["t"].values, ndvi.values), row(table["date"], table["NDVI"]), cropsar


def row(times, values):
    return pd.DataFrame({"parcel": "field", "time": times, "band": "NDVI", "mean": values})


@pytest.mark.realdata
def test_the_mean_of_a_field_is_that_of_another_processor(field):
    raster, table, _ = field
    band = compare(raster, table)["NDVI"]
    assert (band.n, band.availability) == (33, 1)
    assert max(abs(band.limits[0]), abs(band.limits[1]), band.rmse) < 7e-8
    assert band.orthogonal_slope == pytest.approx(1, abs=1e-6)


@pytest.mark.realdata
def test_a_filled_series_is_near_the_observations(field):
    raster, _, cropsar = field
    result = compare(raster, cropsar, rule=AgreementRule(tolerance="2D"))
    apart = (result.matched["time_b"] - result.matched["time_a"]).abs()
    assert apart.max() <= pd.Timedelta("2D")
    assert result["NDVI"].n == len(result.pairs) >= 25
    assert result.pairs["d"].abs().median() <= 0.0084 + 1e-4
    assert len(result.only_b) == 73 - len(result.matched)
