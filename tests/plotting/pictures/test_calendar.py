"""What a calendar shows, read back from its figure."""

from __future__ import annotations

from itertools import combinations

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import pytest
import shapely
import xarray as xr
from dask.callbacks import Callback
from matplotlib.colors import to_rgba
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from odc.geo.xr import xr_coords

from cbmcube.exceptions import (
    MissingCRSError,
    NoOverlapError,
    OptionError,
    ParcelsError,
    UnknownBandError,
)
from cbmcube.plotting import calendar
from cbmcube.plotting.pictures._classes import SCL_COLOURS

CRS = "EPSG:32632"
LEFT, TOP = 500_000.0, 5_900_000.0


def pixel_cube(bands, *, size=10.0, side=60, times=4, crs=CRS, left=LEFT, top=TOP, lazy=False):
    """A cube as load returns it; `bands` gives each a function of (time, row, column)."""
    count = round(side * 10 / size)
    box = GeoBox.from_bbox((left, top - 10 * side, left + 10 * side, top), crs, resolution=size)
    assert box.shape == (count, count)
    when = np.datetime64("2024-05-01T10:20:00", "ns") + np.arange(times) * np.timedelta64(5, "D")
    index = np.indices((times, count, count))
    cube = xr.Dataset(
        {name: (("time", "y", "x"), make(*index)) for name, make in bands.items()},
        coords={
            **xr_coords(box),
            "time": when,
            "platform": ("time", ["sentinel-2a", "sentinel-2b"] * (times // 2) or ["sentinel-2a"]),
            "relative_orbit": ("time", [22] * times),
            "orbit_state": ("time", ["descending"] * times),
        },
        attrs={"product": "CARD-2A"},
    )
    for name in cube.data_vars:
        cube[name].attrs["grid_mapping"] = "spatial_ref"
    return cube.chunk({"time": 1}) if lazy else cube


def ramp(factor):
    return lambda t, _r, c: (factor * (c + 60 * t) / 240).astype("float32")


def visible(**options):
    return pixel_cube({"B02": ramp(0.1), "B03": ramp(0.2), "B04": ramp(0.25)}, **options)


def field(left=200, bottom=-400, width=100, height=60, crs=CRS):
    shape = shapely.box(LEFT + left, TOP + bottom, LEFT + left + width, TOP + bottom + height)
    row = {"crop": ["maize"], "area_m2": [float(width * height)], "geometry": [shape]}
    return gpd.GeoDataFrame(row, index=["F1"], crs=CRS).to_crs(crs)


def images(figure):
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def legend(figure):
    found = [a for a in figure.axes[0].get_children() if type(a).__name__ == "Legend"]
    return [text.get_text() for one in found for text in one.get_texts()]


def test_true_colour_has_the_pixels_around_the_parcel_with_one_stretch():
    cube = visible()
    figure = calendar(cube, field(), margin=50)
    shown = images(figure)
    assert [image.shape for image in shown] == [(20, 20, 4)] * 4  # 100 m and 50 m on both sides
    for when, image in enumerate(shown):
        columns = np.arange(15, 35)  # from 150 m to 350 m
        for channel, factor in enumerate((0.25, 0.2, 0.1)):
            expected = np.clip(factor * (columns + 60 * when) / 240 / 0.25, 0, 1)
            np.testing.assert_allclose(image[..., channel], np.tile(expected, (20, 1)), atol=1e-6)
    assert "true colour: B04, B03, B02, reflectance 0 to 0.25  ·  4 acquisitions" in texts(figure)
    assert "Parcel F1  ·  maize  ·  0.60 ha" in texts(figure)


def test_rows_of_the_window_are_north_up_around_the_parcel():
    cube = pixel_cube({"B04": lambda _t, r, c: (r / 100 + 0 * c).astype("float32")})
    figure = calendar(cube, field(bottom=-400, height=60), margin=0, stretch=(0, 1))
    first, last = images(figure)[0][0, 0], images(figure)[0][-1, 0]  # rows 32 and 41
    assert len(images(figure)[0]) == 10
    np.testing.assert_allclose(first, mpl.colormaps["viridis"](0.32), atol=0.02)
    np.testing.assert_allclose(last, mpl.colormaps["viridis"](0.41), atol=0.02)


def test_the_outline_lies_on_the_pixels_of_the_parcel():
    figure = calendar(visible(), field(), margin=50)
    axis = figure.axes[0]
    left, right, bottom, top = axis.images[1].get_extent()
    segments = axis.collections[0].get_segments()
    assert len(segments) == 4
    low, high = segments[1].min(axis=0), segments[1].max(axis=0)
    chip = right - left
    np.testing.assert_allclose(low, [left + chip * 50 / 200, bottom + chip * 70 / 200], atol=1e-6)
    np.testing.assert_allclose(
        high, [left + chip * 150 / 200, bottom + chip * 130 / 200], atol=1e-6
    )
    assert top - bottom == pytest.approx(chip)


def test_dates_are_in_order_and_wrap_into_rows():
    figure = calendar(
        visible(times=10).isel(time=[9, 3, 4, 0, 1, 2, 5, 6, 7, 8]), field(), columns=4
    )
    days = [text for text in texts(figure) if text.startswith("2024-")]
    assert days == sorted(days)
    assert len(days) == 10
    corners = [image.get_extent() for image in figure.axes[0].images]
    assert len({round(corner[0], 6) for corner in corners}) == 4
    assert len({round(corner[2], 6) for corner in corners}) == 3
    assert "S2A ↓22" in texts(figure)


def test_two_passes_on_one_day_have_their_times():
    cube = visible(times=2)
    times = cube["time"].values
    cube = cube.assign_coords(time=[times[0], times[0] + np.timedelta64(12, "h")])
    days = [text for text in texts(calendar(cube, field())) if text.startswith("2024-")]
    assert days == ["2024-05-01 10:20", "2024-05-01 22:20"]


def test_the_cloud_share_is_that_of_the_parcel():
    """Columns 20 to 24 of the parcel's ten are under cloud, on the coarse grid of SCL."""

    def scl(t, _r, c):
        return np.where((t == 1) & (c >= 10) & (c < 12), 9, np.where(t == 2, 8, 4)).astype("uint8")

    coarse = pixel_cube({"SCL": scl}, size=20.0)
    tree = xr.DataTree.from_dict({"EPSG32632_10m": visible(), "EPSG32632_20m": coarse})
    figure = calendar(tree, field())
    states = [text for text in texts(figure) if text.startswith("cloud")]
    assert states == ["cloud 0%", "cloud 40%", "cloud 100%", "cloud 0%"]
    bars = figure.axes[0].collections[-1]
    widths = [path.get_extents().width for path in bars.get_paths()]
    chip = np.diff(figure.axes[0].images[0].get_extent()[:2])[0]
    np.testing.assert_allclose(widths, np.array([0, 0.4, 1, 0]) * chip, atol=1e-6)
    assert any("SCL 3, 8 to 10" in text for text in legend(figure))


def test_classes_have_their_official_colours_and_a_legend():
    coarse = pixel_cube({"SCL": lambda t, _r, c: (t + 3 + 0 * c).astype("uint8")}, size=20.0)
    figure = calendar(coarse, field(), bands=["SCL"])
    for code, image in zip((3, 4, 5, 6), images(figure), strict=True):
        np.testing.assert_allclose(image[0, 0], to_rgba(SCL_COLOURS[code]))
    assert {"4 vegetation", "11 snow or ice", "9 cloud, high probability"} <= {*legend(figure)}
    assert len([text for text in legend(figure) if text[0].isdigit()]) == 11


def test_missing_pixels_are_transparent_over_a_hatch():
    cube = visible()
    cube["B04"] = cube["B04"].where((cube["x"] < LEFT + 250) & (cube["time"] > cube["time"][0]))
    figure = calendar(cube, field(), margin=50)
    shares = [(image[..., 3] == 0).mean() for image in images(figure)]
    np.testing.assert_allclose(shares, [1, 0.5, 0.5, 0.5])
    hatched = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    assert len(hatched) == 4
    assert "no data" in legend(figure)
    assert texts(figure).count("no data") == 1
    assert texts(figure).count("data 50%") == 3
    fewer = calendar(cube, field(), margin=50, empty=False)
    assert len(images(fewer)) == 3
    assert any("3 acquisitions, 1 without data left out" in text for text in texts(fewer))


def test_nothing_to_see_is_still_a_figure():
    blind = visible() * np.nan
    blind.attrs["product"] = "CARD-2A"
    assert images(calendar(blind, field(), empty=False)) == []
    assert all((image[..., 3] == 0).all() for image in images(calendar(blind, field())))


def test_pixels_beyond_the_cube_are_missing_and_chips_stay_square():
    figure = calendar(visible(), field(left=0), margin=50)
    for image in images(figure):
        assert image.shape == (20, 20, 4)
        assert (image[:, :5, 3] == 0).all()
        assert (image[:, 5:, 3] == 1).all()


def test_radar_is_vv_vh_and_their_ratio_in_db():
    cube = pixel_cube(
        {
            "VV": lambda _t, _r, c: np.where(c == 20, -0.01, 0.1).astype("float32"),
            "VH": lambda _t, _r, c: np.full(c.shape, 0.01, "float32"),
        }
    )
    cube.attrs["product"] = "CARD-BS"
    figure = calendar(cube, field(), margin=0)
    image = images(figure)[0]
    np.testing.assert_allclose(image[0, 1, :3], [8 / 14, 6 / 15, 8 / 12], atol=1e-5)
    assert (image[:, 0, 3] == 0).all()  # no dB of a negative power
    assert any("VV \N{MINUS SIGN}18 to \N{MINUS SIGN}4 dB" in text for text in texts(figure))


@pytest.mark.parametrize(
    ("bands", "told"),
    [
        (("B08", "B04", "B03"), "false colour: B08 0 to 0.5, B04 0 to 0.25, B03 0 to 0.25"),
        (("B08", "B04"), "false colour: B08 0 to 0.5, B04 0 to 0.25, B04 0 to 0.25"),
        (("NDVI",), "NDVI  ·"),
    ],
)
def test_the_picture_is_the_best_that_the_bands_allow(bands, told):
    figure = calendar(pixel_cube({name: ramp(0.3) for name in bands}), field())
    assert any(text.startswith(told) for text in texts(figure))


def test_one_band_has_a_colour_bar_and_its_own_range():
    figure = calendar(pixel_cube({"NDVI": ramp(1.0)}), field(), stretch=(-0.1, 0.9))
    bar = figure.axes[1]
    assert bar.get_xlim() == (-0.1, 0.9)
    assert bar.get_title() == "NDVI (-)"


def test_bands_of_two_resolutions_meet_on_the_finer_one():
    coarse = pixel_cube({"B11": lambda _t, _r, c: (0.01 * c).astype("float32")}, size=20.0)
    fine = pixel_cube({"B08": ramp(0.5), "B04": ramp(0.25)})
    tree = xr.DataTree.from_dict({"a": coarse, "b": fine})
    figure = calendar(tree, field(), bands=["B11", "B08", "B04"], margin=50)
    red = images(figure)[0][0, :, 0]
    np.testing.assert_allclose(red, 0.01 * (np.arange(15, 35) // 2) / 0.4, atol=1e-6)


def test_the_crs_that_sees_the_parcel_is_taken():
    far = visible(left=LEFT + 5000)
    other = visible(crs="EPSG:32633", left=100_000.0)
    tree = xr.DataTree.from_dict({"a": other, "b": visible()})
    assert len(images(calendar(tree, field()))) == 4
    with pytest.raises(NoOverlapError, match="parcel F1"):
        calendar(far, field())


def test_parcels_in_another_crs_and_other_forms():
    expected = images(calendar(visible(), field(), margin=50))
    shape = field().geometry.iloc[0]
    for parcel in (field(crs="EPSG:3035"), field().geometry, Geometry(shape, CRS)):
        for image, wanted in zip(
            images(calendar(visible(), parcel, margin=50)), expected, strict=True
        ):
            assert abs(image.shape[0] - wanted.shape[0]) <= 2  # turned, so a little wider


def test_a_sliver_without_a_pixel_centre_has_the_nearest():
    figure = calendar(visible(), field(left=201, width=2, height=2))
    assert not any(text == "no data" for text in texts(figure))


def test_only_the_window_is_read_and_once():
    runs = []
    lazy = visible(lazy=True, side=240).chunk({"time": 1, "y": 60, "x": 60})
    keys = []
    with Callback(start=runs.append, pretask=lambda key, *_: keys.append(key)):
        calendar(lazy, field(left=200, bottom=-400), margin=20)
    assert len(runs) == 1
    blocks = {key[1:] for key in keys if isinstance(key, tuple) and len(key) == 4}
    assert {block[1:] for block in blocks} == {(0, 0)}


def test_nothing_overlaps_on_the_page():
    cloud = {"SCL": lambda _t, _r, c: np.full(c.shape, 9, "uint8")}
    bands = {"B02": ramp(0.1), "B03": ramp(0.2), "B04": ramp(0.25)}
    cube = pixel_cube({**bands, **cloud}, times=12)
    figure = calendar(cube, field())
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    boxes += [
        child.get_window_extent()
        for child in figure.axes[0].get_children()
        if type(child).__name__ == "Legend"
    ]
    for first, second in combinations(boxes, 2):
        assert not first.padded(-0.5).overlaps(second.padded(-0.5))
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0 for box in boxes)


def test_the_legend_of_classes_fits():
    coarse = pixel_cube({"SCL": lambda _t, _r, c: np.full(c.shape, 4, "uint8")}, size=20.0)
    figure = calendar(coarse, field(), bands="SCL")
    figure.draw_without_rendering()
    for child in figure.axes[0].get_children():
        if type(child).__name__ == "Legend":
            box = child.get_window_extent()
            assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
            assert (
                box.y1
                < figure.axes[0].transData.transform((0, figure.axes[0].images[0].get_extent()[2]))[
                    1
                ]
            )


def test_wrong_parcels_and_options_say_what_to_do():
    cube, two = visible(), gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)] * 2, crs=CRS)
    with pytest.raises(OptionError, match="2 parcels"):
        calendar(cube, two)
    with pytest.raises(MissingCRSError, match="parcels.loc"):
        calendar(cube, field().loc["F1"])
    with pytest.raises(MissingCRSError, match="set_crs"):
        calendar(cube, field().set_crs(None, allow_override=True))
    with pytest.raises(OptionError, match="geometry of a parcel"):
        calendar(cube, "F1")
    with pytest.raises(ParcelsError, match="no geometry"):
        calendar(cube, field().set_geometry([None], crs=CRS))
    with pytest.raises(UnknownBandError, match="B99"):
        calendar(cube, field(), bands=["B99"])
    for wrong in ({"bands": ["B02", "B03"]}, {"stretch": (1, 1)}, {"margin": -1}, {"columns": 0}):
        with pytest.raises(OptionError):
            calendar(cube, field(), **wrong)
    with pytest.raises(OptionError, match="no acquisition"):
        calendar(cube.isel(time=[]), field())
    with pytest.raises(OptionError, match="no pixel cube"):
        calendar(xr.Dataset({"a": 1}), field())


def test_one_date_selected_away_is_still_drawn():
    assert len(images(calendar(visible().isel(time=1), field()))) == 1


@pytest.mark.realdata
def test_a_real_field_has_the_dates_on_which_it_was_seen(realdata):
    """33 dates; on four of them, part of the 2,322 pixels of the field has no data."""
    folder = realdata / "spain"
    with xr.open_dataset(folder / "raw_s2_ndvi_field.nc") as raw:
        cube = (raw[["B04", "B08", "SCL"]] / 1.0).rename(t="time").load()
    cube = cube.assign(B04=cube["B04"] / 1e4, B08=cube["B08"] / 1e4).odc.assign_crs("EPSG:32630")
    figure = calendar(cube, gpd.read_file(folder / "field.geojson"))
    shown = [(image[..., 3] == 1).sum() for image in images(figure)]
    assert len(shown) == 33
    assert shown.count(2322) == 29
    assert sorted(shown)[:4] == [195, 208, 1773, 2137]
