"""One side of a comparison."""

from __future__ import annotations

import pytest

import cbmcube as cbm
from cbmcube.agreement._source import common_bands, open_source
from cbmcube.exceptions import UnknownBandError
from cbmcube.testing import vector_cube


def test_acquisitions_are_told_as_far_as_they_are_known():
    cube = vector_cube("CARD-COH6", parcels=2, days=30)
    source = open_source(cube, "mean")
    assert source.steps["relative_orbit"].tolist() == cube["relative_orbit"].values.tolist()
    assert (source.steps["baseline_days"] == 6).all()
    assert source.paired
    bare = cube.drop_vars(["platform", "relative_orbit", "reference_time", "items"])
    source = open_source(bare, "mean")
    assert (source.steps[["relative_orbit", "baseline_days"]] == -1).all(axis=None)
    assert (source.steps[["platform", "items"]] == "").all(axis=None)
    assert not source.paired


def test_layers_are_lazy_and_laid_out_as_time_and_parcel(nothing_computes):
    with nothing_computes:
        cube = vector_cube("CARD-2A", lazy=True).transpose("parcel", "statistic", "time", ...)
        layers = open_source(cube, "p50").layers("NDVI", "p50")
    assert set(layers) == {"value", "n_valid", "observed"}
    shape = (cube.sizes["time"], cube.sizes["parcel"])
    assert {array.shape for array in layers.values()} == {shape}


def test_bands_are_those_in_both_in_the_order_of_the_first():
    cube = vector_cube("CARD-2A", days=20)
    a, b = open_source(cube, "mean"), open_source(cbm.to_observations(cube[_some(cube)]), "mean")
    assert common_bands(a, b, None) == ["B08", "NDVI"]
    assert common_bands(a, b, ["NDVI", "B08"]) == ["NDVI", "B08"]
    with pytest.raises(UnknownBandError, match="B04"):
        common_bands(a, b, "B04")


def _some(cube):
    return [name for name in cube.data_vars if name not in {"B04", "SCL_fraction"}]
