"""Rules: what they refuse, what their hash sees, the named ones."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import pytest

from cbmcube.exceptions import OptionError
from cbmcube.learning import SIMILARITY_RULES, SimilarityRule
from cbmcube.learning._similarity_rule import choose_rule


def test_defaults_are_those_of_the_docs():
    rule = SimilarityRule()
    assert (rule.peers, rule.min_peers, rule.min_periods) == (30, 10, 6)
    assert rule.radii_m == (5_000, 10_000, 20_000)
    assert (rule.floor, rule.floor_db, rule.trim) == (0.02, 0.3, 0.1)
    assert (rule.min_area_m2, rule.crs) == (3_000, "EPSG:3035")
    with pytest.raises(FrozenInstanceError):
        rule.peers = 3


OTHER = {
    "peers": 29,
    "min_peers": 9,
    "radii_m": (5_000.0,),
    "min_area_m2": 1.0,
    "peer_classes": ("GOOD", "LIMITED"),
    "poor_classes": ("NONE",),
    "min_periods": 7,
    "trim": 0.2,
    "floor": 0.03,
    "floor_db": 0.4,
    "decibel": False,
    "p_share": 0.5,
    "best_by": "likelihood",
    "others_from": 1.5,
    "crs": "EPSG:3857",
}


def test_every_field_is_in_the_hash():
    assert {field.name for field in fields(SimilarityRule)} == {*OTHER}
    ids = {SimilarityRule(**{name: value}).params_id for name, value in OTHER.items()}
    assert len(ids | {SimilarityRule().params_id}) == len(OTHER) + 1
    assert replace(SimilarityRule(), peers=30).params_id == SimilarityRule().params_id


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_peers": 2},
        {"peers": 9},
        {"radii_m": ()},
        {"radii_m": (0.0, 10.0)},
        {"radii_m": (10.0, 5.0)},
        {"radii_m": (10.0, 10.0)},
        {"min_periods": 0},
        {"trim": 0.5},
        {"trim": -0.1},
        {"floor": 0.0},
        {"floor_db": -1.0},
        {"p_share": 0.0},
        {"p_share": 1.1},
        {"best_by": "luck"},
    ],
    ids=str,
)
def test_contradictions_are_refused(wrong):
    with pytest.raises(OptionError, match="no rule of similarity"):
        SimilarityRule(**wrong)


def test_rules_are_chosen_by_name():
    assert choose_rule(None) == choose_rule("default") == SimilarityRule()
    jrc = choose_rule("jrc-peers")
    assert (jrc.peers, jrc.radii_m, jrc.min_area_m2) == (10, (1_000,), 3_000)
    assert choose_rule(jrc) is jrc
    assert [*SIMILARITY_RULES] == ["default", "jrc-peers"]
    for wrong in ("jrc", 3, object()):
        with pytest.raises(OptionError, match="jrc-peers"):
            choose_rule(wrong)
