"""The report: what it holds, and how it reads."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cbmcube.agreement import AgreementRule, compare
from cbmcube.agreement._metrics import NUMBERS, RESAMPLED
from cbmcube.exceptions import UnknownBandError
from cbmcube.testing import vector_cube


@pytest.fixture(scope="module")
def result():
    ours = vector_cube("CARD-2A", parcels=8)
    theirs = vector_cube("CARD-2A", parcels=8, seed=5).isel(time=slice(3, None), parcel=[1, 0, 2])
    return compare(ours, theirs, rule=AgreementRule(seed=4))


def test_bands_are_named_and_in_order(result):
    assert (list(result), len(result), "NDVI" in result) == (["B04", "B08", "NDVI"], 3, True)
    with pytest.raises(UnknownBandError, match="B04, B08, NDVI"):
        result["VV"]


def test_the_report_is_frozen(result):
    for record, name in ((result, "parcels"), (result["NDVI"], "bias")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, name, 1)


def test_one_row_for_each_band_has_all_numbers(result):
    table = result.to_frame()
    assert table["band"].tolist() == ["B04", "B08", "NDVI"]
    assert set(table["params_id"]) == {AgreementRule(seed=4).params_id}
    assert set(NUMBERS) < set(table.columns)
    for name in RESAMPLED:
        band = result["NDVI"]
        assert tuple(table.loc[2, [f"{name}_low", f"{name}_high"]]) == band.intervals[name]
    assert (table["lower"] < table["upper"]).all()
    scalars = {"object", "str", "string", "float64", "int64", "bool"}
    assert {str(dtype) for dtype in table.dtypes} <= scalars


def test_intervals_hold_the_numbers(result):
    for band in result.bands.values():
        for name in ("bias", "mae", "rmse", "r", "slope", "orthogonal_slope", "within"):
            low, high = band.intervals[name]
            assert low <= getattr(band, name) <= high
        for name, limit in zip(("lower", "upper"), band.limits, strict=True):
            low, high = band.intervals[name]
            assert low <= limit <= high


def test_it_reads_well(result):
    text = repr(result)
    assert text.startswith("<Agreement of the mean: second minus first\n")
    assert "3 in both, 5 in the first alone, 0 in the second alone" in text
    assert "81 in both, 3 in the first alone" in text
    for band in result:
        assert f"{band} " in text
    assert max(map(len, text.splitlines())) <= 110
    assert len(text.splitlines()) < 12


def test_it_reads_well_in_a_notebook(result):
    html = result._repr_html_()
    assert html.count("<table") == html.count("</table>") == 2
    assert "≤ 0.02" in html
    odd = compare(
        vector_cube().rename(NDVI="<NDVI>"), vector_cube().rename(NDVI="<NDVI>"), variable="<NDVI>"
    )
    assert "<NDVI>" not in odd._repr_html_()


def test_the_note_on_the_tolerance_comes_only_when_it_may_help(result):
    assert "tolerance" not in repr(result)  # the next pass of an orbit comes after days
    ours = vector_cube(days=30)
    late = ours.assign_coords(time=ours["time"] + np.timedelta64(14, "m"))
    assert "AgreementRule.tolerance" in repr(compare(ours, late))
