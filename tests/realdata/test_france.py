"""Crop types of real parcels on land that the models have not seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cbmcube.learning import CropRule, cross_validate, spatial_folds

pytest.importorskip("sklearn")
pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def parcels(realdata):
    from benchmarks.croptypes import read

    return read(realdata)


def test_features_are_those_of_the_file(parcels, realdata):
    """The published scale of backscatter, and reflectance, in single cells."""
    from benchmarks.croptypes import FILE

    table = pd.read_parquet(realdata / FILE).set_index(["sample_id", "timestamp"])
    assert parcels.dekads.shape == (359, 11 * 51)
    rng = np.random.default_rng(0)
    compared = 0
    for sample in rng.choice(parcels.labels.index, 20, replace=False):
        for time, row in table.loc[sample].iloc[::7].iterrows():
            if row["S1-SIGMA0-VH"] != 65535:
                found = parcels.dekads.loc[sample, f"VH_dB_{time:%Y-%m-%d}"]
                assert found == pytest.approx(20 * np.log10(row["S1-SIGMA0-VH"]) - 83, abs=1e-4)
                compared += 1
            if row["S2-L2A-B08"] != 65535:
                found = parcels.dekads.loc[sample, f"B08_{time:%Y-%m-%d}"]
                assert found == pytest.approx(row["S2-L2A-B08"] / 10_000, rel=1e-6)
    assert compared > 100


def test_the_balanced_decision_beats_the_plain_forest_on_new_land(parcels):
    """A reduced form of the published table: three dealings of the folds, 30 trees."""
    from benchmarks.croptypes import SIZE, extra, forest

    folds = spatial_folds(parcels.places, size=SIZE, folds=4, repeats=3)
    plain, better = (
        cross_validate(parcels.dekads, parcels.labels, folds, estimator=made, rule=rule)
        for made, rule in (
            (forest(30), CropRule()),
            (extra(30), CropRule(decision="balanced")),
        )
    )
    first, second = (one.by_prediction["balanced_accuracy"] for one in (plain, better))
    assert 0.42 < first.mean() < 0.58
    assert second.mean() > 0.56
    assert (second - first).min() > 0.04
    assert (second - first).mean() > 2 * (second - first).std()
