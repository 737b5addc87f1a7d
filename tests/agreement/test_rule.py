"""The rule of a comparison: what it takes, and the kinds of numbers."""

from __future__ import annotations

import dataclasses

import pytest

from cbmcube.agreement import KINDS, AgreementRule
from cbmcube.agreement._rule import kind_of
from cbmcube.exceptions import OptionError


def test_the_tolerances_are_those_of_the_table():
    rule = AgreementRule()
    limits = {kind: rule.limit(kind, "mean") for kind in KINDS}
    assert limits == {"reflectance": 0.01, "index": 0.02, "backscatter": 0.5, "coherence": 0.03}
    assert rule.limit("coherence", "std") == 0.03
    assert rule.limit("backscatter", "std") == 0.02  # linear, not in dB
    assert {rule.limit(kind, "count") for kind in KINDS} == {1.0}
    assert (rule.tolerance, rule.draws, rule.extreme) == ("10min", 1000, 10)


def test_equal_rules_have_equal_ids_and_each_field_counts():
    rule = AgreementRule()
    assert rule.params_id == AgreementRule(tolerance="10min").params_id
    other = {"tolerance": "1h", "same": (), "parts": "1min", "areas": (1.0,)}
    numbers = {
        field.name: getattr(rule, field.name) + 1
        for field in dataclasses.fields(rule)
        if field.name not in other
    }
    ids = [AgreementRule(**{name: value}).params_id for name, value in (other | numbers).items()]
    assert len({rule.params_id, *ids}) == len(dataclasses.fields(rule)) + 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.seed = 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"tolerance": "soon"},
        {"tolerance": "-1h"},
        {"tolerance": None},
        {"tolerance": "NaT"},
        {"parts": "x"},
        {"same": ("crop",)},
        {"index": 0.0},
        {"backscatter": float("nan")},
        {"extreme": -1.0},
        {"pixels": 0.0},
        {"draws": 0},
        {"listed": 0},
        {"pairs": 0},
        {"areas": (3.0, 1.0)},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(OptionError):
        AgreementRule(**wrong)


@pytest.mark.parametrize(
    ("band", "product", "paired", "kind"),
    [
        ("B04", "CARD-2A", False, "reflectance"),
        ("B8A", None, False, "reflectance"),
        ("BSI", "CARD-2A", False, "index"),
        ("NDVI", None, False, "index"),
        ("VV", "CARD-BS", False, "backscatter"),
        ("VH", None, False, "backscatter"),
        ("VV", "CARD-COH6", False, "coherence"),
        ("VV", None, True, "coherence"),
        ("RVI", "CARD-BS", False, "index"),
        ("B", None, False, "index"),
    ],
)
def test_kinds_come_from_names_and_products(band, product, paired, kind):
    assert kind_of(band, product, paired=paired, kinds={}) == kind
    assert kind_of(band, product, paired=paired, kinds={band: "coherence"}) == "coherence"
