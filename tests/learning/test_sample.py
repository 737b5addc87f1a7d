"""Which parcels are taken, on tables small enough to see through."""

from __future__ import annotations

import pandas as pd
import pytest

from cbmcube.exceptions import DuplicateIdError, OptionError
from cbmcube.learning import SAMPLE_REASONS, SampleRule, crop_sample


def table(**columns):
    return pd.DataFrame(columns).set_axis([f"p{k}" for k in range(len(columns["area_m2"]))])


def test_reasons_and_borders():
    """0.3 ha and GOOD are taken; the first of several reasons counts."""
    parcels = table(
        code=["a", "a", "a", None, None],
        area_m2=[3000.0, 2999.9, 1e5, 1e5, 10.0],
        class_10m=["GOOD", "POOR", "LIMITED", "GOOD", "POOR"],
    )
    found = crop_sample(parcels, "code")
    assert found["reason"].tolist() == [None, "TOO_SMALL", "CLASS_POOR", "NO_CLASS", "NO_CLASS"]
    assert found["label"].tolist() == ["a", None, None, None, None]
    assert set(found["reason"].dropna()) == set(SAMPLE_REASONS)
    assert found["area_ha"].iloc[0] == pytest.approx(0.3)


def test_the_share_is_of_the_area_that_is_taken():
    """b has exactly 1 % of the area and stays; c less; its small parcel does not count."""
    parcels = table(code=["a", "b", "c", "c"], area_m2=[9.85e5, 1e4, 5e3, 2e3])
    found = crop_sample(parcels, "code")
    assert found["label"].tolist() == ["a", "b", "other", None]
    assert found["declared"].tolist() == ["a", "b", "c", "c"]


def test_groups_come_before_the_share():
    parcels = table(code=[1, 2, 3], area_m2=[9.9e5, 6e3, 6e3])
    found = crop_sample(parcels, "code", groups={2: "grass", 3: "grass"})
    assert found["label"].tolist() == ["1", "grass", "grass"]
    assert crop_sample(parcels, "code")["label"].tolist() == ["1", "other", "other"]


def test_the_input_stays_and_rules_have_ids():
    parcels = table(code=["a"], area_m2=[1e4])
    before = parcels.copy()
    crop_sample(parcels, "code", rule=SampleRule(other="rest"))
    pd.testing.assert_frame_equal(parcels, before)
    assert SampleRule().params_id != SampleRule(min_area_ha=0.5).params_id


def test_what_is_missing_is_said():
    with pytest.raises(OptionError, match="crop"):
        crop_sample(table(area_m2=[1.0]), "crop")
    with pytest.raises(DuplicateIdError):
        crop_sample(table(code=["a", "b"], area_m2=[1.0, 1.0]).set_axis(["x", "x"]), "code")
