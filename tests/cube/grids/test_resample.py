"""Another grid only when asked for, each band in the way its kind allows."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
import rasterio.warp
from affine import Affine
from odc.geo.geobox import GeoBox

import cbmcube as cbm
from cbmcube.exceptions import GridMismatchError, NoGridError, OptionError, SeveralGridsError


@pytest.fixture
def item(scenes, digital_numbers):
    codes = np.random.default_rng(4).integers(1, 12, (20, 30)).astype("uint8")
    made = scenes.item(
        "a",
        {"B04": digital_numbers, "B8A": digital_numbers[:20, :30], "SCL": codes},
        steps={"SCL": (20, -20), "B8A": (20, -20)},
    )
    made.codes = codes
    return made


def block_means(values, factor):
    """Means of the pixels that are there, in blocks of `factor` x `factor`."""
    rows, columns = (size // factor for size in values.shape)
    cut = values[: rows * factor, : columns * factor].astype("float64")
    return np.nanmean(
        cut.reshape(rows, factor, columns, factor).transpose(0, 2, 1, 3).reshape(rows, columns, -1),
        axis=2,
    )


def test_one_cube_of_bands_of_two_resolutions(item, digital_numbers, reflectance):
    cube = cbm.load([item], cbm.CARD_2A, bands=["B04", "SCL"], resolution=10, block=16)
    np.testing.assert_array_equal(cube.B04[0], reflectance(digital_numbers))
    np.testing.assert_array_equal(cube.SCL[0], np.kron(item.codes, np.ones((2, 2), "uint8")))
    assert cube.SCL.dtype == "uint8"
    assert cube.attrs["resampling"] == "B04: nearest; SCL: nearest"


def test_coarser_pixels_are_means_of_what_is_there(item, digital_numbers, reflectance):
    """The corner without data counts for nothing; classes are never averaged."""
    digital_numbers[:8, :8] = 0
    with rasterio.open(item.assets["B04"].href, "r+") as target:
        target.write(digital_numbers, 1)
    cube = cbm.load([item], cbm.CARD_2A, bands=["B04", "SCL"], resolution=20, block=7)
    values = reflectance(digital_numbers)
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match="Mean of empty slice"):
        expected = block_means(values, 2)
    assert np.isnan(expected).sum() == 16
    np.testing.assert_allclose(cube.B04[0], expected, rtol=1e-5, atol=1e-9)
    np.testing.assert_array_equal(cube.SCL[0], item.codes)
    assert cube.attrs["resampling"] == "B04: average; SCL: nearest"


@pytest.mark.trap("T13")
def test_sources_are_corrected_before_they_are_averaged_and_meet(scenes):
    """400 with and 1400 without the offset stand for one reflectance, 0.04."""
    old = scenes.item("a", {"B04": np.full((8, 8), 400, "uint16")})
    new = scenes.item("b", {"B04": np.full((8, 8), 1400, "uint16")},
                      origin=(500_080, 5_400_000), s2__processing_baseline="05.10")  # fmt: skip
    cube = cbm.load([old, new], cbm.CARD_2A, bands="B04", resolution=40)
    np.testing.assert_allclose(cube.B04[0], np.full((2, 4), 0.04), rtol=1e-6)


def test_finer_pixels_are_interpolated(scenes):
    """A plane in x and y is itself again wherever four source pixels surround a point."""
    rows, columns = np.mgrid[:12, :12]
    item = scenes.item("a", {"B04": (1000 + 40 * columns + 70 * rows).astype("uint16")})
    cube = cbm.load([item], cbm.CARD_2A, bands="B04", resolution=5)
    at = (np.arange(24) - 0.5) / 2
    plane = (1000 + 40 * at[None, :] + 70 * at[:, None]) * 1e-4
    np.testing.assert_allclose(cube.B04[0, 1:-1, 1:-1], plane[1:-1, 1:-1], rtol=1e-5)
    assert cube.attrs["resampling"] == "B04: bilinear"
    kept = cbm.load([item], cbm.CARD_2A, bands="B04", resolution=5, resampling="nearest").B04[0]
    np.testing.assert_array_equal(kept[::2, ::2], kept[1::2, 1::2])


@pytest.mark.parametrize(("method", "step"), [("nearest", 15), ("average", 15), ("bilinear", 7)])
def test_another_crs_is_what_gdal_makes_of_the_whole_file(
    item, digital_numbers, reflectance, method, step
):
    cube = cbm.load([item], cbm.CARD_2A, bands="B04", crs="EPSG:3035", resolution=step, block=19)
    if method == "nearest":
        cube = cbm.load(
            [item], cbm.CARD_2A, bands="B04", like=cube.odc.geobox, resampling=method, block=19
        )
    assert cube.attrs["resampling"] == f"B04: {method}"
    assert cube.odc.crs.epsg == 3035
    geobox = cube.odc.geobox
    expected = np.full(geobox.shape, np.nan, "float32")
    rasterio.warp.reproject(
        reflectance(digital_numbers).astype("float32"),
        expected,
        src_transform=Affine(10, 0, 500_000, 0, -10, 5_400_000),
        src_crs="EPSG:32632",
        src_nodata=np.nan,
        dst_transform=geobox.affine,
        dst_crs="EPSG:3035",
        dst_nodata=np.nan,
        resampling=rasterio.warp.Resampling[method],
        tolerance=0.0,
    )
    np.testing.assert_allclose(cube.B04[0].values, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", ["average", "bilinear", "cubic"])
def test_blocks_never_change_a_resampled_number(item, method):
    asked = {"bands": "B04", "resolution": 30, "resampling": method}
    whole = cbm.load([item], cbm.CARD_2A, **asked).B04
    blocks = cbm.load([item], cbm.CARD_2A, **asked, block=5).B04
    np.testing.assert_allclose(blocks, whole, rtol=1e-5)


def test_pixel_edges_do_not_depend_on_what_was_found(scenes, digital_numbers):
    """Origins at multiples of 10 m: edges of 40 m pixels lie on multiples of 40 m."""
    items = [
        scenes.item(name, {"B04": digital_numbers}, origin=(500_010 + x, 5_400_030), day=5)
        for name, x in (("a", 0), ("b", 90))
    ]
    for found in (items, items[:1], items[1:]):
        west, _, _, _, _, north = _steps(cbm.load(found, cbm.CARD_2A, bands="B04", resolution=40))
        assert west % 40 == 0
        assert north % 40 == 0
    odd = scenes.item("c", {"B04": digital_numbers}, origin=(500_003, 5_400_008))
    west, _, _, _, _, north = _steps(cbm.load([odd], cbm.CARD_2A, bands="B04", resolution=20))
    assert (west % 20, north % 20) == (3, 8)


def _steps(cube):
    affine = cube.odc.geobox.affine
    return affine.c, affine.a, affine.b, affine.d, affine.e, affine.f


def test_like_takes_a_grid_as_it_is(item, digital_numbers, reflectance):
    other = cbm.load([item], cbm.CARD_2A, bands="B04").isel(x=slice(7, 40), y=slice(3, 30))
    cube = cbm.load([item], cbm.CARD_2A, bands=["B04", "SCL"], like=other)
    np.testing.assert_array_equal(cube.B04[0], reflectance(digital_numbers)[3:30, 7:40])
    assert cube.odc.geobox == other.odc.geobox
    with pytest.raises(OptionError, match="like names a whole grid"):
        cbm.load([item], cbm.CARD_2A, bands="B04", like=other, resolution=10)
    with pytest.raises(GridMismatchError, match="like carries no regular grid"):
        cbm.load([item], cbm.CARD_2A, bands="B04", like=other.drop_vars(["x", "y", "spatial_ref"]))


@pytest.mark.trap("T19")
def test_a_shifted_grid_interpolates_and_takes_the_nearest_class(scenes):
    """Half a pixel and a bit: pasted as they are, pixels would lie 6 m off."""
    columns = np.tile(np.arange(1, 21, dtype="uint16") * 100, (20, 1))
    item = scenes.item("a", {"B04": columns, "SCL": (columns // 100 % 12).astype("uint8")})
    shifted = GeoBox((18, 18), Affine(10, 0, 500_006, 0, -10, 5_400_000), "EPSG:32632")
    cube = cbm.load([item], cbm.CARD_2A, bands=["B04", "SCL"], like=shifted)
    np.testing.assert_allclose(cube.B04[0, 5], (np.arange(1, 19) + 0.6) * 100e-4, rtol=1e-5)
    np.testing.assert_array_equal(cube.SCL[0, 5], np.arange(2, 20) % 12)
    assert cube.attrs["resampling"] == "B04: bilinear; SCL: nearest"


@pytest.mark.trap("T24")
def test_items_without_a_grid_load_onto_a_given_one(item, digital_numbers, reflectance):
    native = cbm.load([item], cbm.CARD_2A, bands="B04")
    del item.assets["B04"].extra_fields["proj:transform"]
    with pytest.raises(NoGridError, match="pass like= with the whole grid|read_headers=True"):
        cbm.load([item], cbm.CARD_2A, bands="B04", resolution=10)
    cube = cbm.load([item], cbm.CARD_2A, bands="B04", like=native, resampling="nearest")
    np.testing.assert_array_equal(cube.B04[0], reflectance(digital_numbers))


def test_several_crs_need_a_choice(scenes, digital_numbers):
    west = scenes.item("w", {"B04": digital_numbers}, origin=(719_000, 5_400_000))
    east = scenes.item("e", {"B04": digital_numbers}, origin=(278_000, 5_400_000), epsg=32633)
    with pytest.raises(SeveralGridsError, match="EPSG32632_10m, EPSG32633_10m"):
        cbm.load([west, east], cbm.CARD_2A, bands="B04", resolution=20)
    cube = cbm.load([west, east], cbm.CARD_2A, bands="B04", resolution=20, crs=32633)
    assert cube.odc.crs.epsg == 32633
    assert len(cube.attrs["source_bounds"]) == 2
    assert np.isfinite(cube.B04).sum() > 1000


def test_decibels_and_classes_are_never_mixed(scenes):
    radar = scenes.item(
        "s", {"VV": np.full((8, 8), -80, "int16")}, collection="SENTINEL1_SIG0_20M",
        extra={"VV": {"nodata": -9999, "raster:bands": [{"scale": 10, "data_type": "int16"}]}},
        s2__processing_baseline=None,
    )  # fmt: skip
    with pytest.raises(OptionError, match="'s', asset 'VV'.*stored as decibel(.|\n)*nearest"):
        cbm.load([radar], cbm.CARD_BS, bands="VV", resolution=20)
    cube = cbm.load([radar], cbm.CARD_BS, bands="VV", resolution=20, resampling="nearest")
    np.testing.assert_allclose(cube.VV[0], np.full((4, 4), 10**-0.8), rtol=1e-5)
    codes = scenes.item("c", {"SCL": np.full((8, 8), 4, "uint8")})
    for asked in ({"SCL": "average"}, {"classes": "bilinear"}):
        with pytest.raises(OptionError, match="class codes of band SCL cannot be mixed"):
            cbm.load([codes], cbm.CARD_2A, bands="SCL", resolution=20, resampling=asked)


def test_what_cannot_be_asked_for_is_refused_by_name(item):
    for options, match in (
        ({"resampling": "nearest"}, "has nothing to do without another grid"),
        ({"resolution": 10, "resampling": "guess"}, "no such way of resampling"),
        ({"resolution": 10, "resampling": {"B08": "nearest"}}, "names what is not loaded"),
        ({"resolution": 0}, "resolution must be a pixel size"),
        ({"resolution": float("nan")}, "resolution must be a pixel size"),
        ({"crs": "EPSG:4326"}, "resolution must be a pixel size"),
        ({"crs": "nowhere", "resolution": 10}, "crs= is not a known CRS"),
    ):
        with pytest.raises(OptionError, match=match):
            cbm.load([item], cbm.CARD_2A, bands="B04", **options)
