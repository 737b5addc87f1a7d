"""The rule: its defaults are the published ones, and nonsense is refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from cbmcube.exceptions import OptionError
from cbmcube.foi import FoiRule


def test_defaults_are_those_of_the_published_assessment():
    rule = FoiRule()
    assert (rule.low_share, rule.high_share) == (0.30, 0.70)
    assert (rule.cluster_px, rule.neighbours, rule.buffer_m, rule.min_px) == (20, 8, -10.0, 40)


def test_every_field_is_part_of_the_id():
    plain = FoiRule()
    others = [
        replace(plain, low_share=0.2),
        replace(plain, high_share=0.8),
        replace(plain, cluster_px=10),
        replace(plain, neighbours=4),
        replace(plain, buffer_m=-5.0),
        replace(plain, shares_buffer_m=-5.0),
        replace(plain, min_px=0),
        replace(plain, min_observed=0.8),
    ]
    assert len({rule.params_id for rule in [plain, *others]}) == 9
    assert FoiRule(buffer_m=-10).params_id == plain.params_id


def test_a_rule_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        FoiRule().min_px = 0


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"low_share": 30.0, "high_share": 70.0}, "not percentages"),
        ({"low_share": 0.8}, "no interval"),
        ({"low_share": float("nan")}, "no interval"),
        ({"neighbours": 6}, "4 or 8"),
        ({"buffer_m": 5.0}, "never widened"),
        ({"shares_buffer_m": float("-inf")}, "never widened"),
        ({"min_px": -1}, "not negative"),
        ({"cluster_px": -1}, "not negative"),
        ({"min_observed": 1.5}, "between 0 and 1"),
    ],
)
def test_nonsense_is_refused(fields, match):
    with pytest.raises(OptionError, match=match):
        FoiRule(**fields)
