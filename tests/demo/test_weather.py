"""Clouds cover the share of the land that they should."""

from __future__ import annotations

import numpy as np
import pytest

from cbmcube.demo._sizes import recipe
from cbmcube.demo._weather import Sky, cloud_shares, soil_moisture
from cbmcube.demo._zones import Plane, site_centre


@pytest.mark.parametrize("seed", range(5))
def test_shares_run_from_none_to_all(seed):
    shares = cloud_shares(recipe("tiny", seed), 18, clear=(3, 8))
    assert (shares == 0).sum() >= 3
    assert (shares == 1).sum() >= 1
    assert 0 < shares[3] < 0.1
    assert 0 < shares[8] < 0.1
    assert 0.2 < shares.mean() < 0.6


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_the_sky_covers_its_share(share):
    chosen = recipe("medium", 0)
    x, y = site_centre(chosen)
    plane = Plane(
        (x - chosen.width / 2 + 10, 0.0, 20.0),
        (y + chosen.height / 2 - 10, -20.0, 0.0),
        (chosen.height // 20, chosen.width // 20),
    )
    cover = Sky(chosen, 4, share).cover(plane)
    assert (cover.cloud > 0).mean() == pytest.approx(share, abs=0.03)
    for layer in (cover.cloud, cover.shadow, cover.cirrus):
        assert layer.dtype == np.float32
        assert 0 <= layer.min() <= layer.max() <= 1
    assert not (cover.shadow * cover.cloud > 0.26).any()


def test_soil_dries_between_rains():
    wet = soil_moisture(0)
    assert wet.shape == (366,)
    assert 0 < wet.min() < wet.max() <= 1
    left = wet[1:] / wet[:-1]
    assert left.min() == pytest.approx(0.87)  # nothing dries faster than without rain
    assert 0.4 < np.isclose(left, 0.87).mean() < 0.9
