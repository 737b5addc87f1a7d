"""The pixels behave like a farmed land under a real sky."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from affine import Affine
from pyproj import Transformer
from rasterio.features import rasterize

GRASS = ("permanent grassland", "temporary grassland")


def optical(items, tile=None):
    return [
        i
        for i in items
        if i.collection_id == "CARD-2A" and (tile is None or tile in i.properties["grid:code"])
    ]


def grid(item, band):
    fields = item.assets[band].extra_fields
    return Affine(*fields["proj:transform"]), tuple(fields["proj:shape"])


def ndvi(item, read):
    offset = 1000.0 if item.properties["s2:processing_baseline"] == "05.10" else 0.0
    red, infrared = (read(item, band).astype(float) - offset for band in ("B04", "B08"))
    clear = np.isin(read(item, "SCL"), (4, 5)).repeat(2, axis=0).repeat(2, axis=1)
    total = np.where(clear, infrared + red, np.nan)
    return (infrared - red) / total


def parcel_means(item, band, values, parcels):
    """Return the mean of the pixels well inside each parcel, NaN below 8 pixels."""
    transform, shape = grid(item, band)
    numbers = range(1, len(parcels) + 1)
    shapes = parcels.to_crs(item.properties["proj:code"]).geometry.buffer(-12)
    drawn = [pair for pair in zip(shapes, numbers, strict=True) if not pair[0].is_empty]
    labels = rasterize(drawn, out_shape=shape, transform=transform)
    means = np.full(len(parcels), np.nan)
    for number in numbers:
        inside = values[labels == number]
        if np.isfinite(inside).sum() >= 8 and np.isfinite(inside).mean() > 0.9:
            means[number - 1] = np.nanmean(inside)
    return means


@pytest.fixture(scope="module")
def parcels(country):
    frame = gpd.read_file(country.parcels)
    frame["geometry"] = frame.geometry.make_valid()
    faults = country.truth["faults"]
    spoilt = faults["overlap"] + faults["invalid"] + faults["sliver"] + faults["misdeclared"]
    return frame[~frame["field_id"].isin(spoilt)].reset_index(drop=True)


@pytest.fixture(scope="module")
def events(country):
    return pd.read_csv(country.events, parse_dates=["date"])


def test_tiles_of_a_zone_agree_where_they_overlap(items, read):
    north = {i.datetime: i for i in optical(items, "32UQV")}
    south = {i.datetime: i for i in optical(items, "32UQU")}
    assert north.keys() == south.keys()
    for when, upper in north.items():
        lower = south[when]
        for band in upper.assets:
            (a, shape_a), (b, shape_b) = grid(upper, band), grid(lower, band)
            row, column = round((a.f - b.f) / a.a), round((b.c - a.c) / a.a)
            rows = min(shape_a[0], row + shape_b[0]) - row
            left = max(0, column)
            columns = min(shape_a[1], column + shape_b[1]) - left
            assert rows >= 10
            assert columns >= 50
            one = read(upper, band)[row : row + rows, left : left + columns]
            two = read(lower, band)[:rows, left - column : left - column + columns]
            np.testing.assert_array_equal(one, two)


def test_the_twin_differs_by_exactly_the_offset(country, items, read):
    by_id = {item.id: item for item in items}
    kept, superseded = (by_id[country.truth["twin"][name]] for name in ("kept", "superseded"))
    for band in ("B02", "B03", "B04", "B08", "B11"):
        new, old = read(kept, band).astype(int), read(superseded, band).astype(int)
        np.testing.assert_array_equal(new == 0, old == 0)
        assert set((new - old)[old > 0].tolist()) == {1000}
    np.testing.assert_array_equal(read(kept, "SCL"), read(superseded, "SCL"))


def test_stored_numbers_rise_by_the_offset_at_the_change(country, items, read):
    change = pd.Timestamp(country.truth["baseline_change"], tz="UTC")
    darkest = {True: [], False: []}
    for item in optical(items, "32UQU"):
        clear = np.isin(read(item, "SCL"), (4, 5)).repeat(2, axis=0).repeat(2, axis=1)
        if clear.mean() > 0.2:
            darkest[item.datetime >= change].append(np.median(read(item, "B02")[clear]))
    # Blue over land is below 0.12 everywhere: only the offset can lift it above 1000.
    assert max(darkest[False]) < 1200 - 100
    assert min(darkest[True]) > 1200
    assert max(darkest[True]) < 2200


def test_classes_are_legal_and_agree_with_the_cloud_cover(items, read):
    seen = set()
    for item in optical(items):
        classes = read(item, "SCL")
        seen |= set(np.unique(classes).tolist())
        data = classes[classes > 0]
        cloud = 100 * np.isin(data, (8, 9, 10)).mean()
        assert item.properties["eo:cloud_cover"] == pytest.approx(cloud, abs=0.006)
    assert {0, 3, 4, 5, 7, 8, 9, 10} <= seen <= {0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
    assert {6, 11} <= seen


def test_clouds_are_bright_and_shadows_dark(items, read):
    ratios = []
    for item in optical(items):
        classes = read(item, "SCL").repeat(2, axis=0).repeat(2, axis=1)
        offset = 1000 if item.properties["s2:processing_baseline"] == "05.10" else 0
        blue = read(item, "B02").astype(float) - offset
        clear = np.isin(classes, (4, 5))
        if clear.mean() > 0.1:
            for code, factor in ((9, 4.0), (3, 0.9)):
                if (classes == code).sum() > 200:
                    ratios.append(
                        (code, np.median(blue[classes == code]) / np.median(blue[clear]), factor)
                    )
    assert {code for code, _, _ in ratios} == {3, 9}
    assert all(ratio > factor for code, ratio, factor in ratios if code == 9)
    assert all(ratio < factor for code, ratio, factor in ratios if code == 3)


def test_what_the_swath_did_not_see_is_no_data_in_every_band(country, items, read):
    cut = []
    for item in optical(items):
        empty = read(item, "SCL") == 0
        fine = empty.repeat(2, axis=0).repeat(2, axis=1)
        for band in ("B02", "B03", "B04", "B08"):
            np.testing.assert_array_equal(read(item, band) == 0, fine)
        np.testing.assert_array_equal(read(item, "B11") == 0, empty)
        if empty.any():
            cut.append(item)
            assert_footprint_shows_data(item, ~empty)
    assert cut
    assert {i.datetime.isoformat() for i in cut} == {country.truth["swath_edge"]}


def assert_footprint_shows_data(item, data):
    """A pixel holds data if its centre lies in the footprint, a pixel's width aside."""
    transform, shape = grid(item, "SCL")
    rows, columns = np.indices(shape)
    x, y = transform.c + 20 * (columns + 0.5), transform.f - 20 * (rows + 0.5)
    to_grid = Transformer.from_crs("EPSG:4326", item.properties["proj:code"], always_xy=True)
    outline = shapely.get_coordinates(shapely.geometry.shape(item.geometry))
    footprint = shapely.Polygon(np.stack(to_grid.transform(*outline.T), axis=1))
    inner, outer = footprint.buffer(-20), footprint.buffer(20)
    assert data[shapely.contains_xy(inner, x, y)].all()
    assert not data[~shapely.contains_xy(outer, x, y)].any()


def test_mowing_lowers_ndvi_far_beyond_noise(items, read, parcels, events):
    series = ndvi_series(items, read, parcels)
    drops = []
    mown = events[events["event"] == "mowing"]
    for index, parcel in parcels[parcels["crop"].isin(GRASS)].iterrows():
        days = mown.loc[mown["field_id"] == parcel["field_id"], "date"]
        for day in days:
            own = series[index].dropna()
            before = own[(own.index < day) & (own.index > day - pd.Timedelta("25D"))]
            after = own[(own.index > day) & (own.index < day + pd.Timedelta("8D"))]
            if len(before) and len(after):
                drops.append(before.iloc[-1] - after.iloc[0])
    assert len(drops) >= 3
    assert min(drops) > 0.12


def test_unmown_grass_stays_green(items, read, parcels, events):
    series = ndvi_series(items, read, parcels)
    grass = parcels[parcels["crop"].isin(GRASS)]
    first = events[events["event"] == "mowing"].groupby("field_id")["date"].min()
    changes = []
    for index, parcel in grass.iterrows():
        end = first.get(parcel["field_id"], pd.Timestamp("2024-06-01"))
        own = series[index].dropna()
        changes += own[own.index < end].diff().dropna().tolist()
    assert len(changes) > 20
    assert min(changes) > -0.12


def ndvi_series(items, read, parcels):
    """Return NDVI by date and parcel, from whichever tile shows the parcel clearly."""
    found = {}
    for item in optical(items):
        day = pd.Timestamp(item.datetime).tz_localize(None)
        means = parcel_means(item, "B04", ndvi(item, read), parcels)
        held = found.get(day, np.full(len(parcels), np.nan))
        found[day] = np.where(np.isnan(held), means, held)
    return pd.DataFrame(found).T.sort_index()


def test_backscatter_is_linear_power_with_the_stated_speckle(items, read, parcels):
    scenes = [i for i in items if i.collection_id == "CARD-BS"]
    looks = []
    for item in scenes[:: len(scenes) // 6]:
        vv, vh = read(item, "VV"), read(item, "VH")
        assert vv.dtype == np.float32
        assert (vv > 0).all()
        assert -14 < 10 * np.log10(vv.mean()) < -6
        assert 4 < 10 * np.log10(vv.mean() / vh.mean()) < 10
        for shape in parcels.to_crs(item.properties["proj:code"]).geometry:
            transform, size = grid(item, "VV")
            inside = rasterize([shape], out_shape=size, transform=transform).astype(bool)
            if inside.sum() > 150:
                looks.append(vv[inside].mean() ** 2 / vv[inside].var())
    # 4.4 looks of speckle, lowered by structure inside fields.
    assert 3.3 < np.median(looks) < 4.6


def test_orbits_see_other_levels(items, read):
    level = {}
    for item in (i for i in items if i.collection_id == "CARD-BS"):
        state = item.properties["sat:orbit_state"]
        level.setdefault(state, []).append(10 * np.log10(read(item, "VV").mean()))
    assert 0.3 < np.mean(level["ascending"]) - np.mean(level["descending"]) < 1.1


def test_coherence_falls_over_work_and_is_high_on_bare_soil(items, read, parcels, events):
    ploughed = events[events["event"] == "ploughing"].groupby("field_id")["date"].min()
    during, after = [], []
    for item in (i for i in items if i.collection_id == "CARD-COH6"):
        vv = read(item, "VV")
        assert 0 <= vv.min() <= vv.max() <= 1
        first, second = (
            pd.Timestamp(item.properties[f"insar:{name}_datetime"]).tz_localize(None)
            for name in ("reference", "secondary")
        )
        means = parcel_means(item, "VV", vv, parcels)
        for value, name in zip(means, parcels["field_id"], strict=True):
            day = ploughed.get(name)
            if day is None or np.isnan(value):
                continue
            own = events.loc[events["field_id"] == name, "date"]
            # Midnight to midnight, so that the hour of the pass does not matter.
            if first < day and day + pd.Timedelta("1D") < second:
                during.append(value)
            settled = day + pd.Timedelta("1D") < first < day + pd.Timedelta("14D")
            if settled and not own.between(first.floor("D"), second).any():
                after.append(value)
    assert len(during) > 5
    assert len(after) > 5
    assert np.median(during) < 0.45
    assert np.median(after) > 0.55


def test_grass_is_more_coherent_after_the_cut(items, read, parcels, events):
    first = events[events["event"] == "mowing"].groupby("field_id")["date"].min()
    before, after = [], []
    for item in (i for i in items if i.collection_id == "CARD-COH6"):
        start, stop = (
            pd.Timestamp(item.properties[f"insar:{name}_datetime"]).tz_localize(None)
            for name in ("reference", "secondary")
        )
        means = parcel_means(item, "VV", read(item, "VV"), parcels)
        for value, name in zip(means, parcels["field_id"], strict=True):
            day = first.get(name)
            if day is None or np.isnan(value):
                continue
            if stop < day and start > day - pd.Timedelta("20D"):
                before.append(value)
            elif start > day + pd.Timedelta("1D") and stop < day + pd.Timedelta("14D"):
                after.append(value)
    assert min(len(before), len(after)) >= 3
    assert np.mean(after) - np.mean(before) > 0.08
