"""What colours the parcels of a map."""

from __future__ import annotations

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from dask.callbacks import Callback

from cbmcube.exceptions import OptionError, UnknownStatisticError
from cbmcube.plotting.interactive._colouring import colouring_of
from cbmcube.testing import vector_cube

GREY = [160, 160, 160, 120]


def fields(stats, **columns):
    ids = stats["parcel"].values
    return gpd.GeoDataFrame(columns, geometry=stats["geometry"].values, index=ids, crs=32633)


def colours(parcels, stats=None, *, by=None, statistic="mean", time=None):
    return colouring_of(parcels, stats, by=by, statistic=statistic, time=time)


@pytest.fixture(scope="module")
def stats():
    return vector_cube(parcels=40)


def test_a_statistic_is_scaled_between_its_percentiles(stats):
    found = colours(fields(stats), stats, time="2024-06-01", statistic="p25")
    away = np.abs(stats["time"].values - np.datetime64("2024-06-01"))
    nearest = stats["time"][int(np.argmin(away))]
    values = stats["NDVI"].sel(statistic="p25", time=nearest).values.astype(float)
    low, high = np.nanpercentile(values, [2, 98])
    expected = mpl.colormaps["viridis"](np.clip((values - low) / (high - low), 0, 1), bytes=True)
    seen = np.isfinite(values)
    np.testing.assert_array_equal(found.rgba[seen, :3], expected[seen, :3])
    assert (found.rgba[~seen] == GREY).all()
    assert found.title == f"NDVI p25, {str(nearest.values)[:10]}"
    assert found.entries[0] == ("#440154", f"{low:.3g}")
    assert found.entries[-1][1] == f"{high:.3g}"


def test_the_default_date_is_the_fullest_of_the_last_ten(stats):
    found = colours(fields(stats), stats)
    last = stats["NDVI"].sel(statistic="mean").isel(time=slice(-10, None))
    counts = np.isfinite(last).sum("parcel").values
    best = np.flatnonzero(counts == counts.max())[-1]
    assert found.title.endswith(str(last["time"].values[best])[:10])


def test_parcels_follow_their_ids_not_their_order(stats):
    parcels = fields(stats)
    forth = colours(parcels, stats, time="2024-06-01").rgba
    back = colours(parcels[::-1], stats, time="2024-06-01").rgba
    np.testing.assert_array_equal(back[::-1], forth)
    more = pd.concat([parcels, parcels.iloc[:1].set_axis(["other"])])
    assert colours(more, stats, time="2024-06-01").rgba[-1].tolist() == GREY


def test_one_compute_of_one_date():
    lazy = vector_cube(parcels=5, lazy=True)
    runs = []
    with Callback(start=lambda graph: runs.append(len(graph))):
        colours(fields(lazy), lazy, time="2024-06-01")
    assert len(runs) == 1
    assert runs[0] < 10


def test_columns_and_given_values(stats):
    parcels = fields(stats, crop=["maize", "wheat"] * 20, area=np.arange(40.0))
    found = colours(parcels, by="crop")
    assert [label for _, label in found.entries] == ["maize", "wheat"]
    assert len(np.unique(found.rgba, axis=0)) == 2
    assert (found.rgba[0] == found.rgba[2]).all()
    assert colours(parcels, by="area").gradient
    given = pd.Series([1.0, 2.0], index=parcels.index[[3, 5]], name="mowings")
    found = colours(parcels, by=given)
    assert (found.rgba == GREY).all(axis=1).sum() == 38
    assert found.title == "mowings"


def test_rare_and_missing_classes_are_grey_and_named(stats):
    names = [f"crop {min(k // 4, 8)}" for k in range(39)] + [None]
    found = colours(fields(stats, crop=names), by="crop")
    assert len(found.entries) == 8
    assert found.entries[-1][1] == "other or none"
    assert found.rgba[-1].tolist() == GREY


def test_nothing_to_show_is_grey_or_plain(stats):
    parcels = fields(stats, empty=np.full(40, np.nan))
    assert (colours(parcels, by="empty").rgba == GREY).all()
    assert len(np.unique(colours(parcels).rgba, axis=0)) == 1


def test_the_legend_is_escaped(stats):
    page = colours(fields(stats, crop=["<b>"] * 40), by="crop").legend_html()
    assert "<b>" not in page
    assert "&lt;b&gt;" in page


def test_what_is_not_there_is_refused(stats):
    parcels = fields(stats, crop=["maize"] * 40)
    with pytest.raises(OptionError, match=r"colour the map(.|\n)*NDVI, crop"):
        colours(parcels, stats, by="EVI")
    with pytest.raises(OptionError, match=r"no parcel of the map(.|\n)*set_index"):
        colours(parcels.reset_index(), stats)
    with pytest.raises(UnknownStatisticError):
        colours(parcels, stats, statistic="p7")
    with pytest.raises(OptionError, match="no acquisition"):
        colours(parcels, stats.isel(time=slice(0)))
    with pytest.raises(OptionError, match="no vector cube"):
        colours(parcels, [])


def test_the_legend_counts_what_has_no_value_and_invents_no_scale(stats):
    values = pd.Series(np.nan, index=stats["parcel"].values, name="x")
    none = colours(fields(stats), by=values)
    assert none.legend_html().count("<span") == 1
    assert "no value (40)" in none.legend_html()
    values.iloc[5:] = 1.0
    some = colours(fields(stats), by=values).legend_html()
    assert "no value (5)" in some
    assert some.count("<span") == 13
    values[:] = 1.0
    assert "no value" not in colours(fields(stats), by=values).legend_html()
