"""Writers round as they say and leave no trace outside their files."""

from __future__ import annotations

import os

import geopandas as gpd
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from cbmcube.demo._write import keep_bits, write_parcels


@given(st.lists(st.floats(2.0**-20, 2.0**13, width=32), min_size=1), st.integers(4, 20))
def test_rounding_keeps_the_stated_bits(numbers, bits):
    values = np.array(numbers, dtype="float32")
    rounded = keep_bits(values, bits)
    assert rounded.dtype == np.float32
    assert (np.abs(rounded.astype(float) - values) <= 2.0 ** -(bits + 1) * values * 1.0000001).all()
    np.testing.assert_array_equal(keep_bits(rounded, bits), rounded)


def test_parcels_hold_no_time_of_writing(tmp_path, monkeypatch):
    monkeypatch.setenv("OGR_CURRENT_DATE", "1999-01-01T00:00:00.000Z")
    frame = gpd.GeoDataFrame({"field_id": ["F0001"]}, geometry=[box(0, 0, 1, 1)], crs=3035)
    write_parcels(tmp_path / "parcels.gpkg", frame)
    assert b"2025-01-01T00:00:00.000Z" in (tmp_path / "parcels.gpkg").read_bytes()
    assert os.environ["OGR_CURRENT_DATE"] == "1999-01-01T00:00:00.000Z"
