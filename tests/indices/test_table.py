"""The table is the published one, with names that can be variables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cbmcube.exceptions import OptionError
from cbmcube.indices import INDICES, Index, list_indices
from cbmcube.indices._formula import evaluate, parse_formula
from cbmcube.indices._table import choose_indices
from cbmcube.products import CARD_2A, CARD_BS

BY_HAND = {
    "NDVI": lambda b: (b["B08"] - b["B04"]) / (b["B08"] + b["B04"]),
    "NDMI": lambda b: (b["B08"] - b["B11"]) / (b["B08"] + b["B11"]),
    "SAVI": lambda b: 1.5 * (b["B08"] - b["B04"]) / (b["B08"] + b["B04"] + 0.5),
    "EVI": lambda b: 2.5 * (b["B08"] - b["B04"]) / (b["B08"] + 6 * b["B04"] - 7.5 * b["B02"] + 1),
    "NDRE1": lambda b: (b["B08"] - b["B05"]) / (b["B08"] + b["B05"]),
    "CIre": lambda b: b["B07"] / b["B05"] - 1,
    "NDVI_RE3": lambda b: (b["B08"] - b["B07"]) / (b["B08"] + b["B07"]),
    "NBSI": lambda b: (
        ((b["B11"] + b["B04"]) - (b["B08"] + b["B02"]))
        / ((b["B11"] + b["B04"]) + (b["B08"] + b["B02"]))
    ),
    "VH_VV": lambda b: b["VH"] / b["VV"],
    "VH_VV_dB": lambda b: b["VH"] / b["VV"],
    "VV_VH_dB": lambda b: b["VV"] / b["VH"],
    "RVI4": lambda b: 4 * b["VH"] / (b["VV"] + b["VH"]),
    "NDPI": lambda b: (b["VV"] - b["VH"]) / (b["VV"] + b["VH"]),
}


@pytest.mark.parametrize("name", INDICES)
def test_each_formula_is_that_of_its_definition(name):
    rng = np.random.default_rng(3)
    bands = {band: rng.uniform(0.01, 0.6, 1000) for band in INDICES[name].bands}
    found, _ = evaluate(parse_formula(INDICES[name].formula), bands)
    np.testing.assert_allclose(found, BY_HAND[name](bands), rtol=1e-12)


def test_the_table_is_whole_and_every_name_can_be_a_variable():
    assert set(INDICES) == set(BY_HAND)
    table = list_indices()
    assert isinstance(table, pd.DataFrame)
    assert table.index.tolist() == list(INDICES)
    assert all(name.isidentifier() for name in table.index)
    known = {*CARD_2A.band_names, *CARD_BS.band_names}
    assert all(set(bands.split()) <= known for bands in table["bands"])
    assert (table.loc[["NDVI", "NDMI", "NDRE1", "NDVI_RE3", "NBSI", "NDPI"], "lowest"] == -1).all()
    assert table.loc["SAVI", ["lowest", "highest"]].isna().all()
    assert table["source"].str.len().gt(5).all()
    assert table.loc["VH_VV_dB", "formula"] == "10 log10(VH / VV)"


def test_the_table_cannot_be_changed_by_accident():
    with pytest.raises(TypeError):
        INDICES["NDVI"] = None


def test_soil_and_green_lie_where_the_bare_soil_rule_expects_them():
    """Typical spectra: green is not bare, soil is (NDVI at most 0.288)."""
    green = {"B04": 0.04, "B08": 0.40}
    soil = {"B04": 0.18, "B07": 0.225, "B08": 0.22}
    ndvi = parse_formula(INDICES["NDVI"].formula)
    assert evaluate(ndvi, green)[0] == pytest.approx(9 / 11)
    assert evaluate(ndvi, soil)[0] == pytest.approx(0.1)
    assert evaluate(parse_formula(INDICES["NDVI_RE3"].formula), soil)[0] < -0.002


def test_unknown_repeated_and_empty_wishes_are_refused():
    with pytest.raises(OptionError, match=r"(?s)no such index.*'NDVII'.*NBSI.*from_spyndex"):
        choose_indices(["NDVII"], of_means=False)
    with pytest.raises(OptionError, match="asked for once"):
        choose_indices(["NDVI", Index("NDVI", "B08")], of_means=False)
    with pytest.raises(OptionError, match="no index"):
        choose_indices([], of_means=False)


def test_pixels_and_means_are_not_exchanged():
    with pytest.raises(OptionError, match=r"(?s)RVI4 is computed from parcel means.*speckle"):
        choose_indices("RVI4", of_means=False)
    with pytest.raises(OptionError, match=r"(?s)NDVI is computed from pixels.*add_indices"):
        choose_indices("NDVI", of_means=True)
