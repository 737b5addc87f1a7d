"""Coherence of ten real parcels with seventeen field events: what is found, and what is not.

The published series has one number for each week, from several orbits, so that the noise is larger
than that of one orbit, and p-values are not those of the rule's promise. Ten parcels are too few to
learn thresholds from: the numbers below are what was seen, not a quality.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cbmcube.markers import (
    COHERENCE_PRESETS,
    CoherenceRule,
    check_events,
    coherence_noise,
    coherence_tests,
    mowing_coherence,
)
from tests.realdata import salms

pytestmark = pytest.mark.realdata

NEAR = pd.Timedelta(days=6)

SEEN = {  # band, rule, alpha: events of the field that are near a detection; detections; of
    # these, not near an event
    ("VV", "default", 1e-3): (1, 1, 0),
    ("VH", "default", 1e-3): (2, 3, 1),
    ("VV", "default", 1e-2): (6, 7, 1),
    ("VH", "default", 1e-2): (6, 8, 2),
    ("VH", "default", 5e-2): (10, 20, 10),
    ("VV", "sen4cap", 3e-8): (1, 1, 0),
    ("VH", "sen4cap", 3e-8): (1, 3, 2),
    ("VV", "sen4cap", 3e-7): (2, 2, 0),
    ("VH", "sen4cap", 3e-7): (2, 4, 2),
}


@pytest.fixture(scope="module")
def stats(realdata):
    return salms.cube(realdata, "s1_coh6")


@pytest.fixture(scope="module")
def field(realdata):
    return salms.events(realdata)


def _near(field, events):
    """Return which events of the field and which rows meet, within six days."""
    seen = events[events["main_date"].notna()]
    same = field["parcel"].to_numpy()[:, None] == seen["parcel"].to_numpy()
    date = field["date"].to_numpy()[:, None]
    after = date >= (seen["start_date"] - NEAR).to_numpy()
    before = date <= (seen["end_date"] + NEAR).to_numpy()
    return same & after & before


@pytest.mark.parametrize(("band", "preset", "alpha"), SEEN)
def test_what_is_found_of_seventeen_events(stats, field, band, preset, alpha):
    rule = replace(COHERENCE_PRESETS[preset], variable=band, alpha=alpha)
    events = check_events(mowing_coherence(stats, rule))
    near = _near(field, events)
    assert len(field) == 17
    found = near.any(axis=1).sum(), near.shape[1], (~near.any(axis=0)).sum()
    assert found == SEEN[band, preset, alpha]
    assert set(events["status"]) == {"OK"}


def test_ten_parcels_are_too_few_to_pool(stats):
    assert len(coherence_noise(stats)) == 0
    pooled = mowing_coherence(stats, "pooled")
    alone = mowing_coherence(stats)
    columns = ["parcel", "start_date", "p_value", "status"]
    pd.testing.assert_frame_equal(pooled[columns], alone[columns])
    one = CoherenceRule(pooled=True, min_peers=10, size_ratio=1e4)
    assert coherence_noise(stats, one)["s0"].to_numpy() == pytest.approx([0.0723], abs=5e-4)


def test_the_season_of_each_parcel(stats):
    """All weeks but the first five are tested; three seasons of ten are below 0.04."""
    tests = coherence_tests(stats)
    assert (tests["n_tests"] == 43).all()
    assert (tests["p_season"] < 0.04).sum() == 3
    share = (tests["p_value"] <= 0.5).sum() / np.isfinite(tests["p_value"]).sum()
    assert 0.4 < share < 0.6
