"""The catalogue spyndex: as a source of formulas, and as an oracle for the table."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest

from cbmcube.exceptions import OptionError
from cbmcube.indices import INDICES, from_spyndex
from cbmcube.indices._formula import evaluate, parse_formula
from cbmcube.warnings import IndexNameWarning

spyndex = pytest.importorskip("spyndex")

BANDS = {"B": "B02", "R": "B04", "RE1": "B05", "RE3": "B07", "N": "B08", "S1": "B11"}


@pytest.fixture(scope="module")
def bands():
    rng = np.random.default_rng(11)
    names = [f"B{number:02d}" for number in range(2, 13)] + ["B8A", "VV", "VH"]
    return {name: rng.uniform(0.005, 0.7, 2000) for name in names}


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        ("NDVI", "NDVI", {}),
        ("NDMI", "NDMI", {}),
        ("EVI", "EVI", {"g": 2.5, "C1": 6.0, "C2": 7.5, "L": 1.0}),
        ("SAVI", "SAVI", {"L": 0.5}),
        ("NDRE1", "NDREI", {}),
        ("CIre", "CIRE", {"N": "B07"}),
        ("NBSI", "BI", {}),
        ("NDPI", "NDPolI", {}),
        ("RVI4", "DpRVIVV", {}),
        ("VH_VV", "VHVVR", {}),
    ],
)
def test_the_table_agrees_with_the_catalogue_on_random_bands(bands, ours, theirs, options):
    """The catalogue computes its own formulas; ours never meets them."""
    letters = {letter: bands[name] for letter, name in BANDS.items()}
    letters |= {"VV": bands["VV"], "VH": bands["VH"]}
    letters |= {key: bands[v] if isinstance(v, str) else v for key, v in options.items()}
    wanted = spyndex.indices[theirs].bands
    expected = spyndex.computeIndex(theirs, {letter: letters[letter] for letter in wanted})
    found, _ = evaluate(parse_formula(INDICES[ours].formula), bands)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def usable():
    """Names of the catalogue that can be had without further arguments."""
    letters = {"B", "G", "R", "RE1", "RE2", "RE3", "N", "N2", "S1", "S2", "VV", "VH"}
    constants = {name for name, one in spyndex.constants.items() if one.default is not None}
    return [name for name, one in spyndex.indices.items() if set(one.bands) <= letters | constants]


def test_every_usable_index_of_the_catalogue_is_what_the_catalogue_computes(bands):
    letters = dict(BANDS) | {"G": "B03", "RE2": "B06", "N2": "B8A", "S2": "B12"}
    names = usable()
    assert len(names) > 200
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndexNameWarning)
        for name in names:
            index = from_spyndex(name)
            params = {
                letter: bands.get(letters.get(letter, letter), None)
                if letter in letters or letter in bands
                else spyndex.constants[letter].default
                for letter in spyndex.indices[name].bands
            }
            with np.errstate(all="ignore"):
                expected = spyndex.computeIndex(name, params)
            found, _ = evaluate(parse_formula(index.formula), bands)
            np.testing.assert_allclose(found, expected, rtol=1e-9, err_msg=name)


def test_letters_become_bands_and_the_source_is_named():
    index = from_spyndex("NDREI")
    assert index.formula == "(B08 - B05) / (B08 + B05)"
    assert index.limits == (-1, 1)
    assert index.source.startswith("spyndex NDREI, https://doi.org/")
    assert index.computed == "pixels"
    assert from_spyndex("NDVI", bands={"N": "B8A"}).bands == ("B8A", "B04")
    assert from_spyndex("DpRVIVV").computed == "means"


def test_constants_are_numbers_in_the_formula():
    assert from_spyndex("SAVI", constants={"L": 0.5}).formula == (
        "(1.0 + 0.5) * (B08 - B04) / (B08 + B04 + 0.5)"
    )
    assert "7.5" in from_spyndex("EVI").formula


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("RVI", "not the radar vegetation index"),
        ("NDWI", "open water"),
        ("NDPI", "phenology"),
        ("CIRE", "B08 for near infrared"),
        ("SAVI", "L = 1"),
    ],
)
def test_names_with_two_meanings_are_warned_of(name, said):
    with pytest.warns(IndexNameWarning, match=said):
        from_spyndex(name)
    assert from_spyndex(name, rename="OWN").name == "OWN"  # and no warning


def test_the_homonyms_are_still_what_the_warnings_say():
    """Another release of the catalogue may change its mind."""
    formulas = {name: spyndex.indices[name].formula for name in ("RVI", "NDWI", "NDPI", "CIRE")}
    assert formulas["RVI"] == "RE2/R"
    assert formulas["NDWI"] == "(G-N)/(G+N)"
    assert "alpha" in formulas["NDPI"]
    assert formulas["CIRE"] == "(N/RE1)-1"
    assert spyndex.constants["L"].default == 1


def test_what_the_product_lacks_is_named():
    """Thermal and violet bands, kernels, and constants without a value."""
    lacking = [name for name in spyndex.indices if name not in usable()]
    assert {"kNDVI", "NBRT1"} <= set(lacking)
    for name in lacking:
        with pytest.raises(OptionError, match="CARD-2A does not have") as error:
            from_spyndex(name)
        named = str(error.value).split("given:")[1].split("\n")[0]
        assert set(named.replace(" ", "").split(",")) <= set(spyndex.indices[name].bands)


def test_unknown_names_and_arguments_are_refused():
    with pytest.raises(OptionError, match=r"(?s)no such index.*NDVI"):
        from_spyndex("ndvi")
    with pytest.raises(OptionError, match="does not name these"):
        from_spyndex("NDVI", constants={"L": 0.5})
    with pytest.raises(OptionError, match="does not name these"):
        from_spyndex("NDVI", bands={"S1": "B11"})


def test_without_the_package_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "spyndex", None)
    with pytest.raises(ImportError, match=r"pip install 'cbmcube\[indices\]'"):
        from_spyndex("NDVI")
