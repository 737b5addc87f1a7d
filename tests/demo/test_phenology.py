"""Plants grow, ripen and answer to the farmer's work."""

from __future__ import annotations

import numpy as np
import pytest

from cbmcube.demo._crops import CROPS, KINDS, USES
from cbmcube.demo._phenology import DAYS, EVENT_KINDS, grow

NAMES = [crop.name for crop in CROPS]


@pytest.fixture(scope="module")
def season():
    return grow(np.repeat(np.arange(len(KINDS)), 40), seed=2)


def of(season, name):
    return np.flatnonzero(season.kind == [kind.name for kind in KINDS].index(name))


def when(season, piece, event):
    rows = season.events
    return rows[(rows[:, 0] == piece) & (rows[:, 1] == EVENT_KINDS.index(event)), 2]


def test_states_are_shares(season):
    for name in ("green", "ripe", "flower", "residue", "tilth"):
        values = getattr(season, name)
        assert values.shape == (40 * len(KINDS), DAYS)
        assert 0 <= values.min() <= values.max() <= 1


@pytest.mark.parametrize("name", ["permanent grassland", "temporary grassland"])
def test_grass_is_cut_and_grows_again(season, name):
    for piece in of(season, name):
        cuts = when(season, piece, "mowing")
        assert 2 <= len(cuts) <= 4
        assert (np.diff(cuts) >= 38).all()
        for day in cuts:
            before, at, later = season.green[piece, [day - 2, day - 1, min(day + 33, DAYS - 1)]]
            assert before - at > 0.2
            assert later > at


@pytest.mark.parametrize("name", NAMES[:5])
def test_harvest_takes_the_canopy(season, name):
    for piece in of(season, name):
        [day] = when(season, piece, "harvest")
        assert season.green[piece, day - 2] > 0.75
        assert season.green[piece, day - 1] < 0.15
        assert season.residue[piece, day - 1] > 0.5
        assert (when(season, piece, "ploughing") > day).sum() == 1


@pytest.mark.parametrize("name", ["maize", "potatoes", "sugar beet"])
def test_spring_crops_are_sown_into_ploughed_soil(season, name):
    for piece in of(season, name):
        plough = when(season, piece, "ploughing")[0]
        [sow] = when(season, piece, "sowing")
        assert plough < sow < when(season, piece, "harvest")[0]
        assert season.green[piece, plough - 1] < 0.05
        assert season.tilth[piece, plough - 1] == 1


def test_cereals_yellow_before_harvest(season):
    for piece in of(season, "winter wheat"):
        [day] = when(season, piece, "harvest")
        assert season.ripe[piece, day - 2] > 0.7
        assert season.ripe[piece, 150] < 0.1


def test_land_of_other_use_is_not_worked(season):
    assert (season.kind[season.events[:, 0]] < min(USES.values())).all()
