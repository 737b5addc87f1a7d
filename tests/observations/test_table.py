"""Tables say what the vector cube says, one row at a time."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import cbmcube as cbm
from cbmcube.exceptions import OptionError
from cbmcube.testing import vector_cube


@pytest.fixture(scope="module")
def stats():
    return vector_cube().compute()


def same(cell, number):
    """A missing number is null in the table."""
    return pd.isna(cell) if np.isnan(number) else cell == number


def test_one_row_per_acquisition_parcel_and_band(stats):
    table = cbm.to_observations(stats)
    sizes = stats.sizes
    assert len(table) == sizes["time"] * sizes["parcel"] * sizes["band"]
    assert not table.duplicated(["parcel", "acquisition", "band"]).any()


def test_every_number_is_where_it_belongs(stats):
    table = cbm.to_observations(stats).set_index(["time", "parcel", "band"])
    rng = np.random.default_rng(0)
    for _ in range(50):
        t, p = rng.integers(stats.sizes["time"]), rng.integers(stats.sizes["parcel"])
        band = str(rng.choice(stats.band.values))
        key = (
            pd.Timestamp(stats.time.values[t], tz="UTC").floor("us"),
            stats.parcel.values[p],
            band,
        )
        row = table.loc[key]
        for name in stats.statistic.values:
            number = stats[band].sel(statistic=name).values[t, p]
            assert same(row[name], number)
        assert row["n_valid"] == stats.n_valid.sel(band=band).values[t, p]
        assert row["n_total"] == stats.n_total.sel(band=band).values[p]
        assert row["observed"] == stats.observed.values[t, p]
        assert row["items"] == stats["items"].values[t]
        assert same(row["SCL_4"], stats.SCL_fraction.sel({"class": 4}).values[t, p])


def test_states_tell_unseen_masked_and_partial_apart(stats):
    changed = stats.copy(deep=True)
    changed["observed"][0] = [0.0, 1.0, 0.94, 0.95]
    changed["n_valid"][:, 0] = [0, 0, 3, 3]
    table = cbm.to_observations(changed.isel(time=[0]))
    states = table.groupby("parcel", sort=False)["state"].agg(["first", "nunique"])
    assert states["first"].tolist() == ["NO_DATA", "MASKED", "PARTIAL", "OK"]
    assert (states["nunique"] == 1).all()


def test_types_are_arrow_and_missing_is_null(stats):
    changed = stats.copy(deep=True)
    before = cbm.to_observations(stats)["mean"].isna().sum()
    changed["B04"][0, 1] = np.nan
    changed["relative_orbit"][0] = -1
    table = cbm.to_observations(changed)
    assert all(isinstance(dtype, pd.ArrowDtype) for dtype in table.dtypes)
    assert table.dtypes["time"].pyarrow_dtype == pa.timestamp("us", tz="UTC")
    assert table["mean"].isna().sum() == before + 1
    assert table["relative_orbit"].isna().sum() == stats.sizes["parcel"] * stats.sizes["band"]


def test_geometry_on_request(stats):
    table = cbm.to_observations(stats, geometry=True)
    assert isinstance(table, gpd.GeoDataFrame)
    assert table.crs == "EPSG:32632"
    shapes = dict(zip(stats.parcel.values, stats.geometry.values, strict=True))
    assert all(shapes[p].equals(g) for p, g in zip(table["parcel"], table.geometry, strict=True))


def test_one_date_as_fields(stats):
    fields = cbm.to_geodataframe(stats.isel(time=3))
    assert fields.index.tolist() == stats.parcel.values.tolist()
    expected = stats.B08.isel(time=3).sel(statistic="p75").values
    np.testing.assert_array_equal(fields["B08_p75"].to_numpy(), expected)
    assert fields.crs == "EPSG:32632"
    assert cbm.to_geodataframe(stats.isel(time=[3])).equals(fields)


def test_what_is_not_a_vector_cube_is_refused(stats):
    with pytest.raises(OptionError, match="one date"):
        cbm.to_geodataframe(stats)
    with pytest.raises(OptionError, match="without time"):
        cbm.to_observations(stats.isel(time=0))
    with pytest.raises(OptionError, match="observed"):
        cbm.to_observations(stats.drop_vars("observed"))


def test_class_shares_alone_make_fields_but_no_rows(stats):
    shares = stats[["SCL_fraction", "observed"]].drop_dims("band", errors="ignore")
    shares = shares.assign_coords(statistic=stats.statistic)
    fields = cbm.to_geodataframe(shares.isel(time=0))
    np.testing.assert_array_equal(
        fields["SCL_4"].to_numpy(), stats.SCL_fraction.isel(time=0).sel({"class": 4}).values
    )
    with pytest.raises(OptionError, match="class shares only"):
        cbm.to_observations(shares)


def test_what_could_not_be_read_is_neither_masked_nor_unseen(stats):
    """Whole, in part, and not at all; the list names acquisition, items and band."""
    changed = stats.copy(deep=True)
    failed = changed.n_valid * 0
    failed[0, 0, :3] = [7, 2, 1]
    changed["n_failed"] = failed
    changed["observed"][0] = [0.0, 0.5, 1.0, 1.0]
    changed["n_valid"][:, 0] = [0, 3, 0, 3]
    band = changed.band.values[0]
    table = cbm.to_observations(changed.isel(time=[0]))
    states = table[table.band == band]["state"].tolist()
    assert states == ["READ_FAILED", "READ_FAILED", "READ_FAILED", "OK"]
    listed = cbm.report(changed)
    assert listed.to_dict("records") == [
        {
            "time": changed.time.values[0],
            "acquisition": changed.acquisition.values[0],
            "items": changed["items"].values[0],
            "band": band,
            "parcels": 3,
            "pixels": 10,
        }
    ]
    assert cbm.report(stats).empty
