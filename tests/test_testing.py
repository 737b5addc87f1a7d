"""What invented cubes show happens when their table of events says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cbmcube.plotting.seasons._events import event_table
from cbmcube.testing import planted_events, vector_cube

OPTIONS = {"parcels": 80, "seed": 5, "start": "2023-02-20", "days": 230}


@pytest.fixture(scope="module")
def planted():
    return planted_events(**OPTIONS)


def test_each_field_has_the_events_of_its_crop(planted):
    cube = vector_cube(**OPTIONS)
    crops = cube["crop"].to_series()
    assert (planted["crop"].to_numpy() == crops[planted["parcel"]].to_numpy()).all()
    numbers = planted.groupby("crop")["event"].agg(["first", "nunique", "size"])
    assert numbers.loc["winter wheat"].to_list() == ["harvest", 1, 20]
    assert numbers.loc["grassland"].to_list() == ["mowing", 1, 60]
    assert numbers.loc["maize"].to_list() == ["sowing", 1, 20]
    assert planted["date"].dtype == "datetime64[ns]"
    assert planted.sort_values(["parcel", "date"]).index.size == len(planted)


def steps(cube, name, parcel):
    """Return the change between one valid observation and the next, with both dates."""
    one = cube[name].sel(parcel=parcel, statistic="mean").to_series().dropna()
    return pd.DataFrame({"from": one.index[:-1], "to": one.index[1:], "step": np.diff(one)})


def test_ndvi_falls_across_each_cut_and_nowhere_else(planted):
    cube = vector_cube("CARD-2A", **OPTIONS)
    cuts = planted[planted["event"] == "mowing"]
    for parcel, dates in cuts.groupby("parcel")["date"]:
        found = steps(cube, "NDVI", parcel).query("step < -0.15")
        assert len(found) == len(dates)
        assert (found["from"].to_numpy() <= dates.to_numpy()).all()
        assert (dates.to_numpy() <= found["to"].to_numpy()).all()


def test_coherence_jumps_in_the_pair_after_a_harvest(planted):
    """The pair whose earlier image is the first one after the harvest."""
    cube = vector_cube("CARD-COH6", **OPTIONS)
    cube = cube.isel(time=cube["relative_orbit"].to_numpy() == 15)
    for parcel, date in planted.query("event == 'harvest'")[["parcel", "date"]].to_numpy():
        table = steps(cube, "VV", parcel)
        jump = table.loc[table["step"].idxmax(), "to"]
        earlier = cube["reference_time"].sel(time=jump).to_numpy()
        assert np.timedelta64(0) <= earlier - np.datetime64(date) < np.timedelta64(6, "D")


def test_events_outside_the_season_are_left_out():
    few = planted_events(**{**OPTIONS, "days": 100})
    assert few["date"].max() < pd.Timestamp("2023-02-20") + pd.Timedelta(days=100)
    assert set(few["event"]) == {"mowing", "sowing"}
    assert planted_events(0).empty


def test_ids_of_the_user_are_kept_and_figures_take_the_table():
    table = planted_events(["a", 7])
    assert table["parcel"].to_list() == ["a", 7, 7, 7]
    assert event_table(table, 7)["event"].to_list() == ["mowing"] * 3
