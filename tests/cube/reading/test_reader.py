"""The reader gives values in physical units, or says which file it could not read and why."""

from __future__ import annotations

import logging
import pickle

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from odc.loader import RasterLoadParams, RasterSource

from cbmcube.cluster import worker_environment
from cbmcube.cube.radiometry._radiometry import Radiometry
from cbmcube.cube.reading._order import ReadOrder
from cbmcube.cube.reading._reader import CardDriver, _logged, not_read
from cbmcube.exceptions import ReadError
from tests.file_server import serve_files

STEP = Affine(10, 0, 500_000, 0, -10, 5_400_000)
GRID = GeoBox((300, 400), STEP, "EPSG:32632")
OFFSET = Radiometry(1e-4, -0.1, "test")
AS_STORED = Radiometry(1.0, 0.0, "test")
FLOAT = RasterLoadParams("float32", fill_value=float("nan"))


@pytest.fixture
def numbers():
    found = np.random.default_rng(3).integers(1, 9000, GRID.shape).astype("uint16")
    found[:20, :30] = 0
    return found


@pytest.fixture
def write(tmp_path):
    def write(name, values, nodata=None, transform=STEP, crs="EPSG:32632", **options):
        path = tmp_path / name
        shape = {"height": values.shape[0], "width": values.shape[1], "count": 1}
        options = {"driver": "GTiff", "dtype": values.dtype, "nodata": nodata} | options
        options |= {"tiled": True, "blockxsize": 128, "blockysize": 128}
        with rasterio.open(path, "w", crs=crs, transform=transform, **shape, **options) as file:
            file.write(values, 1)
        return str(path)

    return write


@pytest.fixture
def server(tmp_path):
    with serve_files(tmp_path, tmp_path / "requests.log") as server:
        yield server


def order(dtype="uint16", nodata=0.0, radiometry=OFFSET, on_error="raise"):
    return ReadOrder("an item", "B04", dtype, nodata, radiometry, on_error)


def reader(href, instructions, grid=GRID):
    return CardDriver().open(RasterSource(instructions.attach(href), geobox=grid), None)


def reflectance(numbers):
    """(DN - 1000) / 10000 in float32, NaN for 0, as the product's documents say."""
    values = (numbers.astype("float32") - np.float32(1000)) * np.float32(1e-4)
    return np.where(numbers == 0, np.float32("nan"), values)


@pytest.mark.trap("T12")
def test_values_are_those_of_the_file_calibrated(write, numbers):
    path = write("a.tif", numbers, nodata=0)
    place, values = reader(path, order()).read(FLOAT, GRID[10:200, 20:333])
    assert place == np.s_[0:190, 0:313]
    assert values.dtype == "float32"
    np.testing.assert_array_equal(values, reflectance(numbers)[10:200, 20:333])


def test_a_given_array_is_filled_in_place(write, numbers):
    """odc-loader 0.5 hands the first source of a block an array to fill, later ones none."""
    target = np.full((320, 420), 7, "float32")
    place, values = reader(write("a.tif", numbers), order()).read(FLOAT, GRID.pad(10), dst=target)
    assert np.shares_memory(values, target)
    np.testing.assert_array_equal(target[10:-10, 10:-10], reflectance(numbers))
    assert (target[:10] == 7).all()
    assert place == np.s_[10:310, 10:410]


def test_a_reader_travels(write, numbers):
    sent = pickle.loads(pickle.dumps(reader(write("a.tif", numbers), order())))  # noqa: S301
    np.testing.assert_array_equal(sent.read(FLOAT, GRID)[1], reflectance(numbers))


def test_nothing_is_read_where_the_file_does_not_lie(write, numbers):
    away = GeoBox((50, 50), STEP * Affine.translation(1000, 0), "EPSG:32632")
    place, values = reader(write("a.tif", numbers), order()).read(FLOAT, away)
    assert values.size == 0
    assert np.empty(away.shape)[place].size == 0


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_class_codes_stay_codes(write, dtype):
    codes = np.arange(GRID.shape[0] * GRID.shape[1]).reshape(GRID.shape).astype("uint8")
    path = write("scl.tif", codes, nodata=0)
    cfg = RasterLoadParams(dtype, fill_value=0)
    _, values = reader(path, order(dtype, 0, None)).read(cfg, GRID)
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, codes)


def test_float_values_as_stored_are_untouched_bits(write):
    values = np.random.default_rng(1).standard_normal(GRID.shape).astype("float32")
    values[5] = np.nan
    path = write("vv.tif", values, nodata=np.nan)
    _, found = reader(path, order("float32", np.nan, AS_STORED)).read(FLOAT, GRID)
    np.testing.assert_array_equal(found.view("uint32"), values.view("uint32"))


def test_what_the_file_calls_no_data_is_none_either(write, numbers):
    """The item says 0, the file says 65535: neither is a value."""
    numbers[100, 100:110] = 65535
    _, values = reader(write("a.tif", numbers, nodata=65535), order()).read(FLOAT, GRID)
    np.testing.assert_array_equal(np.isnan(values), (numbers == 0) | (numbers == 65535))


def test_whole_numbers_whose_no_data_is_nan_lose_nothing(write, numbers):
    path = write("a.tif", numbers, nodata=0)
    _, values = reader(path, order(nodata=np.nan, radiometry=AS_STORED)).read(FLOAT, GRID)
    np.testing.assert_array_equal(np.isnan(values), numbers == 0)
    assert values[150, 150] == numbers[150, 150]


def test_averages_are_those_of_the_values_and_not_rounded(write, numbers):
    cfg = RasterLoadParams("float32", fill_value=np.nan, resampling="average")
    _, found = reader(write("a.tif", numbers, nodata=0), order()).read(cfg, GRID.zoom_out(2))
    quads = reflectance(numbers).reshape(150, 2, 200, 2).swapaxes(1, 2).reshape(150, 200, 4)
    full = ~np.isnan(quads).all(axis=2)
    np.testing.assert_allclose(found[full], np.nanmean(quads[full], axis=1), atol=1e-6)
    assert np.isnan(found[~full]).all()


@pytest.mark.parametrize(("shift", "moved"), [(0.4, 0), (0.6, 1)])
def test_nearest_is_nearest_on_a_shifted_grid(write, numbers, shift, moved):
    """A shift below half a pixel takes the same pixel, above it the next one."""
    target = GeoBox((100, 100), STEP * Affine.translation(50 + shift, 60), "EPSG:32632")
    _, found = reader(write("a.tif", numbers), order()).read(FLOAT, target)
    expected = reflectance(numbers)[60:160, 50 + moved : 150 + moved]
    np.testing.assert_array_equal(found, expected)


def test_overviews_change_no_number(write, numbers):
    path = write("a.tif", numbers)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4], rasterio.enums.Resampling.nearest)
    plain = write("plain.tif", numbers)
    cfg = RasterLoadParams("float32", fill_value=np.nan, resampling="average", use_overviews=True)
    with_overviews, without = (
        reader(one, order()).read(cfg, GRID.zoom_out(4))[1] for one in (path, plain)
    )
    np.testing.assert_array_equal(with_overviews, without)


@given(
    text=st.text(min_size=1),
    href=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    nodata=st.floats(allow_nan=False, allow_infinity=False),
)
def test_an_order_comes_back_from_any_address(text, href, nodata):
    text = text.encode("utf-8", "replace").decode()
    sent = ReadOrder(text, text, "uint16", nodata, OFFSET, "record")
    assert ReadOrder.detach(sent.attach(href)) == (href, sent)


@pytest.mark.trap("T36")
def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ReadError, match=r"item 'an item', asset 'B04'.*\n.*gone\.tif") as caught:
        reader(f"{tmp_path}/gone.tif", order()).read(FLOAT, GRID)
    assert pickle.loads(pickle.dumps(caught.value)).args == caught.value.args  # noqa: S301


@pytest.mark.trap("T36")
def test_a_cut_off_file_is_an_error_and_no_missing_data(write, numbers, tmp_path):
    path = write("a.tif", numbers, compress="deflate")
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) // 2])
    with pytest.raises(ReadError, match="asset 'B04' could not be read"):
        reader(path, order()).read(FLOAT, GRID)


def test_recorded_failures_mark_what_the_item_covers_and_no_more(tmp_path):
    failing = order(on_error="record")
    place, values = reader(f"{tmp_path}/gone.tif", failing).read(FLOAT, GRID.pad(10))
    assert place == np.s_[10:310, 10:410]
    assert np.isneginf(values).all()
    assert values.shape == GRID.shape
    cfg = RasterLoadParams("uint8", fill_value=0)
    codes = reader(f"{tmp_path}/gone.tif", order("uint8", 0, None, "record")).read(cfg, GRID)[1]
    assert codes.dtype == "uint8"
    assert (codes == 255).all()


def test_a_recorded_failure_is_logged_once(tmp_path, caplog):
    _logged.clear()
    failing = reader(f"{tmp_path}/gone-too.tif", order(on_error="record"))
    for _ in range(3):
        failing.read(FLOAT, GRID)
    lines = [one.getMessage() for one in caplog.records if one.name.startswith("cbmcube")]
    assert len(lines) == 1
    assert "'an item'" in lines[0]
    assert "'B04'" in lines[0]
    assert "\n" not in lines[0]


@pytest.mark.parametrize(
    ("dtype", "mark"), [("float32", -np.inf), ("uint8", 255), ("int16", 32767)]
)
def test_marks(dtype, mark):
    assert not_read(dtype) == mark


def test_a_block_costs_three_requests_and_further_ones_one(server, write, numbers):
    """One for the route, one for the size and one for the header, and the pixels."""
    write("a.tif", numbers)
    far = reader(f"{server.url}/a.tif", order())
    np.testing.assert_array_equal(far.read(FLOAT, GRID)[1], reflectance(numbers))
    heads = [line for line in server.requests() if line.startswith("HEAD")]
    assert len(heads) == 2
    server.forget()
    far.read(FLOAT, GRID[:128, :128])
    assert not any(line.startswith("HEAD") for line in server.requests())


@pytest.mark.trap("T35")
def test_a_refusal_is_not_remembered(server, write, numbers):
    write("a.tif", numbers)
    closed = reader(f"{server.url}/refuse/a.tif", order())
    with pytest.raises(ReadError, match="401") as caught:
        closed.read(FLOAT, GRID)
    assert "prepare_workers" in str(caught.value)
    (server.folder / "OPEN").touch()
    np.testing.assert_array_equal(closed.read(FLOAT, GRID)[1], reflectance(numbers))


def test_a_busy_server_is_waited_for(server, write, numbers, monkeypatch):
    monkeypatch.setattr("cbmcube.cube.reading._reader.RETRY_DELAY", 0.01)
    write("a.tif", numbers)
    with rasterio.Env(GDAL_HTTP_MAX_RETRY=0):
        values = reader(f"{server.url}/busy/a.tif", order()).read(FLOAT, GRID)[1]
    np.testing.assert_array_equal(values, reflectance(numbers))
    assert [line.split()[0] for line in server.requests()].count("HEAD") >= 3


def test_a_file_cut_off_on_its_way_is_tried_twice_and_then_an_error(
    server, write, numbers, monkeypatch
):
    monkeypatch.setattr("cbmcube.cube.reading._reader.RETRY_DELAY", 0.01)
    write("a.tif", numbers, compress="deflate")
    with pytest.raises(ReadError, match="could not be read"):
        reader(f"{server.url}/cut/a.tif", order()).read(FLOAT, GRID)
    assert len([one for one in server.requests() if one.endswith("bytes=0-16383")]) >= 2


@pytest.mark.trap("T32")
def test_an_address_is_signed_when_it_is_read(server, write, numbers, caplog):
    write("a.tif", numbers)
    far = reader(f"{server.url}/token/a.tif", order())
    with worker_environment(signer=lambda href: f"{href}?token=right"):
        np.testing.assert_array_equal(far.read(FLOAT, GRID)[1], reflectance(numbers))
    assert b"token=" not in pickle.dumps(far)
    caplog.set_level(logging.DEBUG)
    with (
        worker_environment(signer=lambda href: f"{href}?token=secret"),
        pytest.raises(ReadError, match="403") as caught,
    ):
        reader(f"{server.url}/token/b.tif", order()).read(FLOAT, GRID)
    assert any("token=secret" in line for line in server.requests())
    told = str(caught.value) + repr(caught.value) + caplog.text
    assert "secret" not in told
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_refused_signature_can_be_recorded(server):
    failing = reader(f"{server.url}/token/a.tif", order(on_error="record"))
    assert np.isneginf(failing.read(FLOAT, GRID)[1]).all()
