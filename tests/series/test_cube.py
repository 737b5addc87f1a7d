"""Questions to a vector cube, and the errors that answer wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from cbmcube.exceptions import UnknownBandError, UnknownStatisticError
from cbmcube.series import orbit_table, select_bands, select_statistics, valid_share
from cbmcube.testing import vector_cube


def test_bands_are_selected_in_the_asked_order():
    stats = vector_cube()
    assert select_bands(stats, ["NDVI", "B04", "NDVI"]) == ["NDVI", "B04"]
    assert select_bands(stats, "B08") == ["B08"]
    assert select_bands(stats, None) == ["B04", "B08", "NDVI"]
    with pytest.raises(UnknownBandError, match=r"'B99'[\s\S]*B04, B08, NDVI"):
        select_bands(stats, ["B04", "B99"])
    with pytest.raises(UnknownBandError, match="no band was asked for"):
        select_bands(stats, [])


def test_pixel_numbers_are_no_bands():
    with pytest.raises(UnknownBandError):
        select_bands(vector_cube(), "n_valid")


def test_statistics_are_checked():
    stats = vector_cube()
    assert select_statistics(stats, "p25") == ["p25"]
    with pytest.raises(UnknownStatisticError, match=r"'p5'[\s\S]*count, mean"):
        select_statistics(stats, ["mean", "p5"])
    with pytest.raises(UnknownStatisticError, match="no statistic"):
        select_statistics(stats, [])


def test_share_of_valid_pixels():
    stats = vector_cube()
    by_hand = stats["n_valid"].values[2] / stats["n_total"].values[2]
    np.testing.assert_allclose(valid_share(stats, "NDVI"), by_hand)
    without = valid_share(stats.drop_vars("n_valid"), "NDVI")
    np.testing.assert_array_equal(without, stats["n_valid"].values[2] > 0)


def test_a_parcel_without_pixels_has_a_share_of_nothing():
    stats = vector_cube(days=10)
    stats = stats.assign(n_valid=0 * stats["n_valid"], n_total=0 * stats["n_total"])
    assert (valid_share(stats, "NDVI") == 0).all()


def test_orbits_of_a_cube():
    table = orbit_table(vector_cube("CARD-COH6"))
    assert table.drop_duplicates().to_numpy().tolist() == [
        [15, "ascending", 6],
        [139, "descending", 6],
    ]
    bare = vector_cube().drop_vars(["relative_orbit", "orbit_state"])
    assert orbit_table(bare).shape == (bare.sizes["time"], 0)
