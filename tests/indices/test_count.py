"""Bad pixels of an index are counted, parcel by parcel."""

from __future__ import annotations

import numpy as np
import pytest

import cbmcube as cbm
from cbmcube.exceptions import OptionError
from cbmcube.indices import add_indices, count_bad
from tests.indices.conftest import make_cube


@pytest.fixture
def stats(square):
    """Ten negative red pixels, five masked near-infrared ones, three of these in common."""
    red, near = np.full((2, 10, 10), 0.05, "float32"), np.full((2, 10, 10), 0.3, "float32")
    red[0, 0] = -0.01
    near[0, 0, :3], near[0, 1, :2] = np.nan, np.nan
    near[1, 4, 4], red[1, 4, 4] = 2e-7, -3e-7
    cube = add_indices(make_cube({"B04": red, "B08": near}), ["NDVI", "SAVI"], flags=True)
    return cbm.reduce_parcels(cube, square)


def test_bad_pixels_are_those_that_have_their_bands_and_no_index(stats):
    found = count_bad(stats)
    assert found.n_bad_index.dims == ("band", "time", "parcel")
    assert found.n_bad_index.sel(band="NDVI").values.tolist() == [[7], [1]]
    assert (found.n_bad_index.sel(band=["SAVI", "B04", "B08"]) == 0).all()
    assert found.n_valid.sel(band="NDVI").values.tolist() == [[100 - 10 - 2], [99]]
    assert found.n_bad_index.dtype == np.int32


def test_the_flags_are_gone_and_the_rest_is_as_it_was(stats):
    found = count_bad(stats)
    assert found.band.values.tolist() == ["B04", "B08", "NDVI", "SAVI"]
    assert set(found.data_vars) == {
        "B04", "B08", "NDVI", "SAVI", "observed", "n_valid", "n_total", "n_bad_index",
    }  # fmt: skip
    np.testing.assert_array_equal(found.NDVI, stats.NDVI)
    table = cbm.to_observations(found)
    assert set(table["band"]) == {"B04", "B08", "NDVI", "SAVI"}


def test_the_mean_of_a_flag_is_the_share_of_bad_pixels(stats):
    assert float(stats.NDVI_bad.sel(statistic="mean")[0, 0]) == pytest.approx(7 / 95)


def test_counting_is_lazy(stats, nothing_computes):
    with nothing_computes:
        assert count_bad(stats).n_bad_index.chunks


def test_without_flags_there_is_nothing_to_count(square):
    cube = add_indices(make_cube({"B04": np.ones((1, 9, 9)), "B08": np.ones((1, 9, 9))}), "NDVI")
    with pytest.raises(OptionError, match="flags=True"):
        count_bad(cbm.reduce_parcels(cube, square))


def test_a_written_cube_keeps_the_count(stats, tmp_path):
    path = cbm.write_vector_cube(count_bad(stats).compute(), tmp_path / "stats.zarr")
    back = cbm.open_vector_cube(path).compute()
    assert back.n_bad_index.sel(band="NDVI").values.tolist() == [[7], [1]]
    assert back.NDVI.attrs["formula"] == "(B08 - B04) / (B08 + B04)"
