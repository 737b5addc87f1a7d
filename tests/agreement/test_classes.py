"""Classes of parcels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import cbmcube as cbm
from cbmcube.agreement import AgreementRule, compare
from cbmcube.exceptions import OptionError
from cbmcube.testing import vector_cube


@pytest.fixture(scope="module")
def ours():
    cube = vector_cube("CARD-BS", parcels=7, days=30)
    hectares = np.array([0.299, 0.3, 0.999, 1.0, 2.9, 3.0, np.nan])
    return cube.assign_coords(area_m2=("parcel", hectares * 10_000))


def counts(result):
    table = result.by("parcel_class")
    table = table[table["band"] == "VV"]
    return dict(zip(table["parcel_class"].astype(str), table["n"], strict=True))


def test_an_area_at_the_end_of_a_class_is_in_the_next(ours):
    cube = ours.isel(parcel=[0, 1, 2, 3, 4, 5, 6])
    result = compare(cube, cube)
    sizes = np.isfinite(cube["VV"].sel(statistic="mean")).sum("time").values
    assert counts(result) == {
        "< 0.3 ha": sizes[0],
        "0.3 to 1 ha": sizes[1] + sizes[2],
        "1 to 3 ha": sizes[3] + sizes[4],
        ">= 3 ha": sizes[5],
        "not stated": sizes[6],
    }


def test_the_ends_are_the_users(ours):
    assert set(counts(compare(ours, ours, rule=AgreementRule(areas=(1.0,))))) == {
        "< 1 ha",
        ">= 1 ha",
        "not stated",
    }
    assert set(counts(compare(ours, ours, rule=AgreementRule(areas=())))) == {
        "any area",
        "not stated",
    }


def test_the_area_of_either_source_counts(ours):
    table = cbm.to_observations(ours)
    assert counts(compare(table, ours)) == counts(compare(ours, table))
    assert set(counts(compare(table, table))) == {"not stated"}


def test_other_classes_of_the_user_by_parcel_id(ours):
    kinds = pd.Series({"P1": "b", "P0": "a", "P6": "b", "elsewhere": "c"})
    found = counts(compare(ours, ours.isel(parcel=slice(None, None, -1)), parcel_class=kinds))
    n = np.isfinite(ours["VV"].sel(statistic="mean")).sum("time").values
    assert found == {"a": n[0], "b": n[1] + n[6], "not stated": n[2:6].sum()}
    ordered = kinds.astype(pd.CategoricalDtype(["c", "b", "a"], ordered=True))
    assert list(counts(compare(ours, ours, parcel_class=ordered))) == ["b", "a", "not stated"]


def test_classes_that_are_no_series_are_refused(ours):
    for wrong in (["a"] * 7, pd.Series(["a", "b"], index=["P0", "P0"])):
        with pytest.raises(OptionError, match="one class for each parcel"):
            compare(ours, ours, parcel_class=wrong)
