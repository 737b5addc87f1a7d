"""The confidence of pairs: identities of the formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.markers.combining._fuse_pairs import fused_confidence, is_radar
from tests.markers.tables import table

share = st.floats(0, 1)


@given(share, share)
def test_fused_confidence_is_symmetric_and_the_sources(a, b):
    found = fused_confidence(np.array([a]), np.array([b]))[0]
    assert found == fused_confidence(np.array([b]), np.array([a]))[0]
    assert 0.5 <= found <= 1
    if max(a, b) < 1:
        assert found == pytest.approx(1 - 1 / (1 / (1 - a) + 1 / (1 - b)), abs=1e-12)


@given(share, share, share)
def test_fused_confidence_is_monotone(a, b, more):
    low, high = sorted([a, more])
    one, other = (fused_confidence(np.array([x]), np.array([b]))[0] for x in (low, high))
    assert one <= other + 1e-12
    assert one >= max(low, b) - 1e-12  # two witnesses are never worse than one


def test_two_zeros_are_one_half():
    assert fused_confidence(np.zeros(1), np.zeros(1)).tolist() == [0.5]
    assert fused_confidence(np.ones(1), np.ones(1)).tolist() == [1.0]


def test_radar_is_known_by_its_sources():
    events = table([("P0", 0, 1), ("P0", 5, 6), ("P0", 8, 9), ("P0", 11, 12)])
    events["sources"] = [["S1:15"], ["S1:15", "S1"], ["S1:15", "S2"], []]
    assert is_radar(events).tolist() == [True, True, False, False]
