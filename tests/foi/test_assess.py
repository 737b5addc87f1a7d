"""The cases that define an FOI assessment, and a plain loop as judge of all others."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterstats import zonal_stats

from cbmcube.exceptions import NoOverlapError, ParcelsError
from cbmcube.foi import FoiRule, assess
from cbmcube.warnings import OutsideParcelsWarning
from tests.foi.conftest import (
    NORTH,
    WEST,
    clusters_of,
    make_parcels,
    make_raster,
    patches,
    pixel_box,
    plainly,
    whole,
)
from tests.zonal.conftest import random_polygons

NO_BUFFER = FoiRule(buffer_m=0.0)
FLAGS = ["status", "foi_h", "foi_c"]


def judged(codes, rule=None, **options):
    """Return the row of one parcel that covers all of a raster."""
    return assess(make_raster(codes), whole(codes), rule=rule, **options).iloc[0]


def halves(left, right, rows=12, columns=12, share=0.5):
    codes = np.full((rows, columns), right, dtype="uint8")
    codes[:, : round(columns * share)] = left
    return codes


def rows_of(*sizes, width=10):
    """Return rows of pixels that hold these numbers of pixels of classes 0, 1, …"""
    return np.repeat(np.arange(len(sizes), dtype="uint8"), sizes).reshape(-1, width)


def test_two_halves_are_heterogeneous_and_two_things():
    row = judged(halves(1, 2))
    assert row[FLAGS].to_list() == ["OK", True, True]
    assert row[["n_total", "n_inside", "n_clusters_large", "n_classes_large"]].to_list() == [
        144,
        100,
        2,
        2,
    ]
    assert row[["share_1", "share_2", "dominant_share", "simpson", "shannon"]].to_list() == [
        0.5,
        0.5,
        0.5,
        0.5,
        1.0,
    ]


@pytest.mark.parametrize(
    ("small", "heterogeneous"), [(29, False), (30, True), (50, True), (70, True), (71, False)]
)
def test_the_limits_of_a_share_count(small, heterogeneous):
    """Exactly 0.30 and exactly 0.70 count; one pixel of a hundred beyond does not."""
    row = judged(rows_of(small, 100 - small), FoiRule(buffer_m=0))
    assert bool(row["foi_h"]) is heterogeneous
    assert row["share_0"] == np.float32(small / 100)


@pytest.mark.parametrize("pixels", [100, 1000, 9990])
def test_limits_count_whatever_the_size(pixels):
    three = pixels * 3 // 10
    assert judged(rows_of(three, pixels - three), NO_BUFFER)["foi_h"]
    assert not judged(rows_of(three - 1, pixels - three + 1), NO_BUFFER)["foi_h"]


def test_one_class_has_no_diversity():
    row = judged(np.full((12, 12), 7, dtype="uint8"))
    assert row[FLAGS].to_list() == ["OK", False, False]
    assert row[["shannon", "simpson", "dominant_share"]].to_list() == [0.0, 0.0, 1.0]
    assert row["dominant_class"] == 7


def test_two_clusters_of_one_class_are_one_thing():
    """Two patches of 30 pixels; the ground between them is of no class that counts."""
    codes = np.full((10, 20), 9, dtype="uint8")
    codes[2:8, 2:7] = codes[2:8, 12:17] = 1
    row = judged(codes, NO_BUFFER, classes=[1, 2])
    assert row[FLAGS].to_list() == ["OK", False, False]
    assert row[["n_total", "n_observed", "n_valid"]].to_list() == [200, 200, 60]
    assert row[["n_clusters_large", "n_classes_large"]].to_list() == [2, 1]
    codes[2:8, 12:17] = 2
    assert judged(codes, NO_BUFFER, classes=[1, 2])["foi_c"]


def test_a_checkerboard_is_two_things_only_by_its_corners():
    codes = (np.indices((10, 10)).sum(axis=0) % 2).astype("uint8")
    by_corners = judged(codes, FoiRule(buffer_m=0, neighbours=8))
    by_sides = judged(codes, FoiRule(buffer_m=0, neighbours=4))
    assert by_corners["clusters"] == [(0, 50), (1, 50)]
    assert by_corners["foi_c"]
    assert by_sides["clusters"] == []
    assert by_sides[FLAGS].to_list() == ["OK", True, False]


def test_blocks_that_touch_at_a_corner_are_one_with_eight_neighbours():
    codes = np.full((12, 12), 5, dtype="uint8")
    codes[2:5, 2:6] = codes[5:8, 6:10] = 1
    assert (1, 24) in clusters_of(assess(make_raster(codes), whole(codes), rule=NO_BUFFER))
    four = FoiRule(buffer_m=0, neighbours=4, cluster_px=11)
    assert clusters_of(assess(make_raster(codes), whole(codes), rule=four))[1:] == [(1, 12)] * 2


@pytest.mark.parametrize(("px", "large"), [(20, False), (21, True)])
def test_a_cluster_is_large_above_the_limit(px, large):
    codes = np.ones((12, 12), dtype="uint8")
    codes[1 : 1 + px // 10, 1:11] = 0
    codes[1 + px // 10, 1 : 1 + px % 10] = 0
    assert bool(judged(codes, NO_BUFFER)["foi_c"]) is large


def test_the_buffer_takes_a_rim_of_one_pixel_away():
    """A rim of 44 pixels, such as a track around a field: a class without the buffer, not with."""
    codes = np.zeros((12, 12), dtype="uint8")
    codes[1:-1, 1:-1] = 1
    assert judged(codes, NO_BUFFER)["foi_c"]
    row = judged(codes)
    assert row[FLAGS].to_list() == ["OK", True, False]
    assert row["clusters"] == [(1, 100)]
    assert row["share_0"] == np.float32(44 / 144)
    inner = judged(codes, FoiRule(shares_buffer_m=-10))
    assert inner[["foi_h", "n_total", "share_1"]].to_list() == [False, 100, 1.0]


@settings(max_examples=20)
@given(order=st.permutations(range(4)), seed=st.integers(0, 50))
def test_the_names_of_classes_change_nothing(order, seed):
    codes = patches((60, 60), seed)
    parcels = make_parcels(
        [pixel_box(2, 2, 40, 30), pixel_box(10, 10, 58, 50), pixel_box(3, 40, 20, 58)]
    )
    names = np.array([0, 7, 200, 31])[list(order)]
    plain = assess(make_raster(codes), parcels)
    named = assess(make_raster(names[codes].astype("uint8")), parcels)
    same = ["status", "foi_h", "foi_c", "n_valid", "n_clusters_large", "n_classes_large"]
    pd.testing.assert_frame_equal(pd.DataFrame(named[same]), pd.DataFrame(plain[same]))
    for number in range(3):
        renamed = sorted((int(names[c]), px) for c, px in clusters_of(plain, number))
        assert sorted(clusters_of(named, number)) == renamed
    for code, name in enumerate(names):
        np.testing.assert_array_equal(plain[f"share_{code}"], named[f"share_{name}"])


def fields(count, seed, largest=400.0):
    bounds = (WEST + 300, NORTH - 1700, WEST + 2100, NORTH - 300)
    return random_polygons(count, bounds=bounds, seed=seed, largest=largest)


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("seed", range(3))
def test_a_plain_loop_finds_the_same(seed, neighbours):
    """Stars, slivers, rings and pairs, some partly outside, and an independent loop over them."""
    codes = patches((220, 260), seed)
    shapes = fields(60, seed)
    rule = FoiRule(neighbours=neighbours, cluster_px=8)
    found = assess(make_raster(codes, chunks={"y": 64, "x": 80}), make_parcels(shapes), rule=rule)
    some_clusters = 0
    for number, shape in enumerate(shapes):
        row = found.iloc[number]
        expected = plainly(codes, shape, neighbours=neighbours, larger_than=8)
        assert (row["n_observed"], row["n_inside"]) == (expected.n_observed, expected.n_inside)
        assert clusters_of(found, number) == expected.clusters
        for code in range(4):
            if expected.n_observed:
                share = np.float32(expected.counts.get(code, 0) / expected.n_observed)
                assert row[f"share_{code}"] == share
        if row["status"] == "OK":
            shares = np.array([*expected.counts.values()]) / expected.n_observed
            assert row["foi_h"] == bool(((shares >= 0.3) & (shares <= 0.7)).any())
            assert row["foi_c"] == (len({code for code, _ in expected.clusters}) > 1)
        some_clusters += len(expected.clusters)
    assert some_clusters > 50
    assert {*found["status"]} >= {"OK", "NOT_VALID"}


def test_rasterstats_counts_the_same_classes():
    codes = patches((220, 260), 8)
    shapes = fields(80, 8)
    found = assess(make_raster(codes), make_parcels(shapes))
    affine = Affine(10, 0, WEST, 0, -10, NORTH)
    expected = zonal_stats(shapes, codes, affine=affine, categorical=True, nodata=255)
    counted = pd.DataFrame(expected).reindex(columns=range(4)).fillna(0).to_numpy()
    shares = found[[f"share_{code}" for code in range(4)]].to_numpy()
    mine = np.nan_to_num(shares) * found["n_valid"].to_numpy()[:, None]
    np.testing.assert_allclose(mine, counted, atol=1e-3)


def test_diversity_is_what_its_formulas_say():
    row = judged(rows_of(60, 30, 10), NO_BUFFER, classes=[0, 1, 2, 3])
    shares = [0.6, 0.3, 0.1]
    shannon = -sum(s * np.log(s) for s in shares) / np.log(4)
    assert row["shannon"] == pytest.approx(shannon, rel=1e-6)
    assert row["simpson"] == pytest.approx(1 - 0.36 - 0.09 - 0.01, rel=1e-6)
    assert row["share_3"] == 0.0
    assert row["dominant_class"] == 0


def test_code_zero_is_a_class_unless_the_raster_says_that_it_is_none():
    codes = halves(0, 3)
    row = judged(codes)
    assert row[FLAGS].to_list() == ["OK", True, True]
    assert row["dominant_class"] == 0
    stated = assess(make_raster(codes, nodata=0), whole(codes)).iloc[0]
    assert "share_0" not in stated
    assert stated[["n_total", "n_observed", "n_valid"]].to_list() == [144, 72, 72]
    assert stated[["status", "foi_h", "share_3"]].to_list() == ["OK", False, 1.0]


def test_holes_and_all_parts_of_a_parcel_are_seen():
    codes = np.ones((20, 40), dtype="uint8")
    codes[5:15, 5:15] = 2
    codes[:, 25:] = 3
    ring = pixel_box(0, 0, 20, 20).difference(pixel_box(5, 5, 15, 15))
    pair = shapely.union(pixel_box(0, 0, 20, 5), pixel_box(0, 30, 20, 35))
    found = assess(make_raster(codes), make_parcels([ring, pair]), rule=NO_BUFFER)
    assert clusters_of(found, 0) == [(1, 300)]
    assert clusters_of(found, 1) == [(1, 100), (3, 100)]
    assert found["foi_c"].to_list() == [False, True]


def test_parts_of_a_parcel_that_do_not_touch_are_clusters_of_their_own():
    codes = np.ones((20, 40), dtype="uint8")
    parcels = make_parcels([shapely.union(pixel_box(0, 0, 20, 5), pixel_box(0, 30, 20, 35))])
    row = assess(make_raster(codes), parcels, rule=NO_BUFFER).iloc[0]
    assert row[["n_clusters_large", "n_classes_large"]].to_list() == [2, 1]


def test_parcels_that_overlap_keep_all_their_pixels():
    codes = patches((40, 40), 2)
    shapes = [pixel_box(0, 0, 20, 20), pixel_box(10, 10, 30, 30), pixel_box(0, 0, 20, 20)]
    together = assess(make_raster(codes), make_parcels(shapes))
    for number, shape in enumerate(shapes):
        alone = assess(make_raster(codes), make_parcels([shape]), classes=range(4))
        assert clusters_of(alone) == clusters_of(together, number)
        assert alone["n_valid"].item() == together["n_valid"].iloc[number] == 400


def reasons(codes, shapes, **options):
    found = assess(make_raster(codes), make_parcels(shapes), **options)
    return found[["status", "reason"]].astype(object).to_numpy().tolist(), found


def test_every_way_to_be_too_small_has_a_reason():
    codes = patches((60, 60), 1)
    shapes = [
        pixel_box(0, 0, 3, 13),  # 39 pixels
        pixel_box(0, 0, 4, 10),  # 40, and 16 of them inside
        pixel_box(0, 0, 2, 30),  # nothing is inside
        pixel_box(0, 0, 5, 16),  # 80, 42 of them inside: just enough
        pixel_box(0, 0, 9, 7),  # 63, 35 of them inside
        shapely.Point(WEST + 103, NORTH - 103).buffer(1),  # no centre of a pixel
    ]
    told, found = reasons(codes, shapes)
    assert told == [
        ["NOT_VALID", "TOO_SMALL"],
        ["NOT_VALID", "TOO_NARROW"],
        ["NOT_VALID", "EMPTIED"],
        ["OK", np.nan],
        ["NOT_VALID", "TOO_NARROW"],
        ["NOT_VALID", "TOO_SMALL"],
    ]
    assert found["foi_h"].isna().to_list() == [True, False, False, False, False, True]
    assert found["foi_c"].isna().to_list() == [True, True, True, False, True, True]
    assert found["n_inside"].to_list() == [11, 16, 0, 42, 35, 0]


def test_what_was_not_seen_has_a_reason():
    """No data, data on less than half, on exactly half, and too few pixels of the classes."""
    codes = np.ones((20, 80), dtype="uint8")
    codes[:, :20] = 255
    codes[:, 20:31] = 255
    codes[:, 40:50] = 254
    codes[:, 60:80] = 9
    codes[0:13, 60:63] = 1
    shapes = [pixel_box(0, left, 20, left + 20) for left in (0, 20, 40, 60)]
    told, found = reasons(codes, shapes, classes=[1, 2], ignore=[254, 255])
    assert told == [
        ["NOT_EXECUTED", "NO_INPUT"],
        ["NOT_VALID", "PARTLY_SEEN"],
        ["OK", np.nan],
        ["NOT_VALID", "TOO_FEW_PIXELS"],
    ]
    assert found["n_observed"].to_list() == [0, 180, 200, 400]
    assert found["n_valid"].to_list() == [0, 180, 200, 39]
    assert np.isnan(found["share_1"].iloc[0])
    assert pd.isna(found["dominant_class"].iloc[0])


def test_a_parcel_that_the_raster_cuts_off_knows_its_whole_size():
    codes = np.ones((20, 20), dtype="uint8")
    shapes = [pixel_box(0, 15, 10, 26), pixel_box(0, 10, 10, 25)]
    told, found = reasons(codes, shapes)
    assert told == [["NOT_VALID", "PARTLY_SEEN"], ["OK", np.nan]]
    assert found["n_total"].to_list() == [110, 150]
    assert found["n_observed"].to_list() == [50, 100]


def test_parcels_outside_and_without_geometry_stay_in_their_place():
    codes = halves(1, 2)
    shapes = [None, pixel_box(0, 400, 12, 412), pixel_box(0, 0, 12, 12), shapely.Polygon()]
    with pytest.warns(OutsideParcelsWarning, match="1 of 4 parcels"):
        told, found = reasons(codes, shapes)
    assert told == [
        ["NOT_EXECUTED", "NO_GEOMETRY"],
        ["NOT_EXECUTED", "OUTSIDE"],
        ["OK", np.nan],
        ["NOT_EXECUTED", "NO_GEOMETRY"],
    ]
    assert found["clusters"].map(len).to_list() == [0, 0, 2, 0]


def test_without_any_pixel_there_is_still_a_row_for_each_parcel():
    found = assess(make_raster(halves(1, 2)), make_parcels([None, shapely.Polygon()]))
    assert found["reason"].to_list() == ["NO_GEOMETRY"] * 2
    assert not [name for name in found if name.startswith("share_")]
    assert found["dominant_class"].isna().all()
    masked = assess(make_raster(np.full((12, 12), 4, "uint8"), nodata=4), whole(np.ones((12, 12))))
    assert masked["reason"].to_list() == ["NO_INPUT"]


def test_nothing_in_common_with_the_raster_is_an_error():
    with pytest.raises(NoOverlapError, match="no parcel touches"):
        assess(make_raster(halves(1, 2)), make_parcels([pixel_box(0, 400, 12, 412)]))


def test_invalid_geometries_are_refused():
    bow = shapely.Polygon(
        [(WEST, NORTH), (WEST + 90, NORTH - 90), (WEST + 90, NORTH), (WEST, NORTH - 90)]
    )
    with pytest.raises(ParcelsError, match="invalid"):
        assess(make_raster(halves(1, 2)), make_parcels([bow]))


def test_the_order_of_parcels_is_the_users_and_changes_nothing():
    codes = patches((220, 260), 4)
    parcels = make_parcels(fields(50, 4))
    found = assess(make_raster(codes, chunks={"y": 50, "x": 50}), parcels)
    mixed = parcels.sample(frac=1.0, random_state=1)
    again = assess(make_raster(codes, chunks={"y": 50, "x": 50}), mixed)
    assert again.index.to_list() == mixed.index.to_list()
    pd.testing.assert_frame_equal(again.reindex(found.index), found)


def test_a_raster_whose_rows_run_north_gives_the_same():
    codes = patches((220, 260), 5)
    parcels = make_parcels(fields(50, 5))
    up = make_raster(codes[::-1], affine=Affine(10, 0, WEST, 0, 10, NORTH - 2200))
    pd.testing.assert_frame_equal(assess(up, parcels), assess(make_raster(codes), parcels))


def test_parcels_in_degrees_are_projected_and_inputs_stay_as_they_are():
    codes = patches((220, 260), 6)
    parcels = make_parcels(fields(30, 6)).to_crs("EPSG:4326").assign(buffer_m=-50.0)
    raster = make_raster(codes, nodata=77)
    before, attrs = parcels.copy(), dict(raster.attrs)
    found = assess(raster, parcels)
    assert found.crs == parcels.crs
    pd.testing.assert_frame_equal(parcels, before)
    assert raster.attrs == attrs
    np.testing.assert_array_equal(raster, codes)
    back = assess(raster, parcels.to_crs("EPSG:32632").drop(columns="buffer_m"))
    pd.testing.assert_series_equal(found["n_inside"], back["n_inside"])


@pytest.mark.realdata
def test_real_land_use_polygons_hold_one_class_each(realdata):
    """The raster was made from these polygons: each has one share, and their pixels add up."""
    codes = np.load(realdata / "slovenia" / "LULC.npy")[..., 0]
    polygons = gpd.read_file(realdata / "slovenia" / "LULC.gpkg")
    raster = slovenia(codes)
    found = assess(
        raster, polygons, rule=FoiRule(buffer_m=0, min_px=0, cluster_px=0, min_observed=0)
    )
    inside = polygons.within(shapely.box(*raster.odc.geobox.boundingbox.bbox))
    assert found["n_valid"].sum() == 10_100
    assert (found["n_observed"] == 0).sum() == 7
    assert (found["n_observed"] == found["n_total"])[inside].all()
    some = found["n_valid"] > 0
    assert (found.loc[some, "dominant_share"] == 1.0).all()
    assert (found.loc[some, "dominant_class"] == polygons.loc[some, "LULC_ID"]).all()
    counted = found.groupby("dominant_class")["n_valid"].sum()
    assert counted.to_dict() == {0: 155, 1: 11, 2: 7601, 3: 1777, 4: 358, 8: 198}


@pytest.mark.realdata
def test_one_parcel_around_real_land_use_holds_its_classes(realdata):
    """Shares from known counts of pixels, clusters by GDAL, on pixels that are not square."""
    codes = np.load(realdata / "slovenia" / "LULC.npy")[..., 0]
    raster = slovenia(codes)
    ground = make_parcels([shapely.box(*raster.odc.geobox.boundingbox.bbox)], crs=32633)
    row = assess(raster, ground, rule=NO_BUFFER)
    shares = {0: 155, 1: 11, 2: 7601, 3: 1777, 4: 358, 8: 198}
    for code, px in shares.items():
        assert row[f"share_{code}"].item() == np.float32(px / 10_100)
    expected = rasterio.features.shapes(codes.astype("uint8"), connectivity=8)
    areas = [(int(value), round(shapely.geometry.shape(shape).area)) for shape, value in expected]
    large = sorted((pair for pair in areas if pair[1] > 20), key=lambda pair: (-pair[1], pair[0]))
    assert clusters_of(row) == large
    assert row["n_classes_large"].item() == len({code for code, _ in large})


def slovenia(codes):
    west, south, east, north = 465181.0522, 5079244.8912, 466180.5315, 5080254.6335
    affine = Affine((east - west) / 100, 0, west, 0, -(north - south) / 101, north)
    return make_raster(codes, affine=affine, crs="EPSG:32633")
