"""Files of strangers: what may open them, what they may cost, and what they must hold."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError

from cbmcube.cube.reading._route import MAX_HOPS, TRUSTED, require_safe_route
from cbmcube.cube.reading._safety import (
    LARGEST_BLOCK,
    check_promise,
    gdal_path,
    is_remote,
    open_raster,
)
from cbmcube.exceptions import AccessError, ReadError
from tests.file_server import serve_files

STEP = Affine(10, 0, 500_000, 0, -10, 5_400_000)
GRID = GeoBox((40, 60), STEP, "EPSG:32632")
VALUES = np.arange(2400, dtype="uint16").reshape(40, 60)


@pytest.fixture
def write(tmp_path):
    def write(name="a.tif", values=VALUES, **options):
        path = tmp_path / name
        settings = {
            "driver": "GTiff",
            "height": values.shape[0],
            "width": values.shape[1],
            "count": 1,
            "dtype": values.dtype,
            "crs": "EPSG:32632",
            "transform": STEP,
        } | options
        with rasterio.open(path, "w", **settings) as file:
            file.write(values, 1)
        return str(path)

    return write


@pytest.fixture
def server(tmp_path):
    with serve_files(tmp_path, tmp_path / "requests.log") as server:
        yield server


def read(href):
    with open_raster(href) as dataset:
        return dataset.read(1)


def promise(path, *, dtype="uint16", grid=GRID):
    with open_raster(path) as dataset:
        return check_promise(dataset, dtype=dtype, grid=grid)


def vrt(source):
    return (
        '<VRTDataset rasterXSize="60" rasterYSize="40"><VRTRasterBand dataType="UInt16" band="1">'
        f"<SimpleSource><SourceFilename>{source}</SourceFilename><SourceBand>1</SourceBand>"
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


def test_geotiff_and_jpeg_2000_open(write):
    np.testing.assert_array_equal(read(write()), VALUES)
    lossless = {"driver": "JP2OpenJPEG", "REVERSIBLE": "YES", "QUALITY": 100}
    np.testing.assert_array_equal(read(write("a.jp2", **lossless)), VALUES)


@pytest.mark.parametrize(
    "content",
    [
        "ncols 2\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2\n3 4\n",
        "<GDALTileIndexDataset></GDALTileIndexDataset>",
        "<GDAL_WMS></GDAL_WMS>",
        "P5\n2 2\n255\nabcd",
        "",
    ],
    ids=["ASCII grid", "tile index", "WMS", "PGM", "empty"],
)
def test_other_formats_do_not(tmp_path, content):
    path = tmp_path / "b.tif"
    path.write_text(content)
    with pytest.raises(RasterioError, match="not recognized"):
        read(str(path))


def test_a_vrt_under_another_name_opens_nothing(write, server):
    secret = write("secret.tif")
    name = server.folder / "innocent.tif"
    for source in (secret, f"/vsicurl/{server.url}/secret.tif", "/etc/hostname"):
        name.write_text(vrt(source))
        for href in (str(name), f"{server.url}/innocent.tif", vrt(source), f"vrt://{secret}"):
            with pytest.raises(RasterioError):
                read(href)
    assert not any("secret" in line for line in server.requests())


def test_nothing_beside_a_file_is_opened(write, server):
    """An overview, a mask or metadata beside the file could be a VRT, or of any format."""
    path = write()
    for suffix in (".ovr", ".msk", ".vrt"):
        (server.folder / f"a.tif{suffix}").write_text(vrt(f"/vsicurl/{server.url}/secret.tif"))
    band = '<PAMRasterBand band="1"><NoDataValue>7</NoDataValue></PAMRasterBand>'
    (server.folder / "a.tif.aux.xml").write_text(f"<PAMDataset>{band}</PAMDataset>")
    for href in (path, f"{server.url}/a.tif"):
        with open_raster(href) as dataset:
            assert dataset.overviews(1) == []
            assert dataset.nodatavals == (None,)
            np.testing.assert_array_equal(dataset.read(1, masked=True).data, VALUES)
    asked = {line.split()[1] for line in server.requests()}
    assert asked == {"/a.tif"}


def test_a_file_that_names_another_as_its_overview_leads_nowhere(write, server):
    path = write()
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=f"/vsicurl/{server.url}/secret.tif")
    np.testing.assert_array_equal(read(path), VALUES)
    promise(path)
    assert server.requests() == []


@pytest.mark.parametrize(("rows", "allowed"), [(4096, True), (4112, False)])
def test_blocks_have_a_largest_size(tmp_path, rows, allowed):
    """8192 columns of 16 bit: 4096 rows are 64 MiB to the byte; blocks are multiples of 16."""
    assert rows * 8192 * 2 <= LARGEST_BLOCK if allowed else rows * 8192 * 2 > LARGEST_BLOCK
    path = tmp_path / "bomb.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=rows,
        width=8192,
        count=1,
        dtype="uint16",
        crs="EPSG:32632",
        transform=STEP,
        tiled=True,
        blockxsize=8192,
        blockysize=rows,
        SPARSE_OK=True,
    ):
        pass
    assert path.stat().st_size < 10_000
    if allowed:
        with open_raster(str(path)) as dataset:
            assert dataset.width == 8192
    else:
        with pytest.raises(ReadError, match="64 MiB") as caught, open_raster(str(path)):
            pass
        assert "4112 x 8192 pixels of uint16" in str(caught.value)


def test_interleaved_bands_count_together(tmp_path):
    path = tmp_path / "wide.tif"
    shape = {"height": 2048, "width": 2048, "count": 20, "dtype": "uint16"}
    options = {"tiled": True, "blockxsize": 2048, "blockysize": 2048, "SPARSE_OK": True}
    place = {"crs": "EPSG:32632", "transform": STEP}
    for interleave, allowed in (("band", True), ("pixel", False)):
        with rasterio.open(
            path, "w", driver="GTiff", interleave=interleave, **shape, **options, **place
        ):
            pass
        if allowed:
            with open_raster(str(path)):
                pass
        else:
            with pytest.raises(ReadError, match="too much memory"), open_raster(str(path)):
                pass


def test_a_file_that_keeps_its_promise(write):
    assert promise(write()) is GRID
    assert promise(write(), grid=None) == GRID


def test_a_crs_may_be_spelt_otherwise(write):
    """The corners decide: WKT without an authority, and its twin with other axis names."""
    wkt = rasterio.crs.CRS.from_proj4("+proj=utm +zone=32 +datum=WGS84 +units=m").to_wkt()
    assert promise(write(crs=wkt)) is GRID


def test_a_south_up_file_keeps_its_promise_too(write):
    up = Affine(10, 0, 500_000, 0, 10, 5_399_600)
    grid = GeoBox((40, 60), up, "EPSG:32632")
    assert promise(write(transform=up), grid=grid) is grid
    with pytest.raises(ReadError, match="transform"):
        promise(write(transform=up))


@pytest.mark.parametrize(
    ("change", "what", "held", "promised"),
    [
        ({"grid": GeoBox((40, 61), STEP, "EPSG:32632")}, "shape", "(40, 60)", "(40, 61)"),
        ({"grid": GeoBox((40, 60), STEP, "EPSG:32633")}, "CRS", "EPSG:32632", "EPSG:32633"),
        ({"dtype": "float32"}, "type", "uint16", "float32"),
        ({"dtype": "uint8"}, "type", "uint16", "uint8"),
        ({"dtype": "int16"}, "type", "uint16", "int16"),
        (
            {"grid": GeoBox((40, 60), STEP * Affine.translation(0.5, 0), "EPSG:32632")},
            "transform",
            "500000.0",
            "500005.0",
        ),
        (
            {"grid": GeoBox((40, 60), STEP * Affine.scale(1.001), "EPSG:32632")},
            "transform",
            "10.0",
            "10.00",
        ),
    ],
)
def test_a_broken_promise_is_told_with_both_sides(write, change, what, held, promised):
    with pytest.raises(ReadError, match=f"the {what} of the file is not") as caught:
        promise(write(), **change)
    given = str(caught.value).splitlines()[1]
    in_file, _, in_item = given.partition(" in the file, ")
    assert held in in_file
    assert promised in in_item


@pytest.mark.parametrize("dtype", ["uint16", "int32", "uint32"])
def test_a_smaller_type_of_the_same_kind_will_do(write, dtype):
    promise(write(), dtype=dtype)


@pytest.mark.parametrize(("pixels", "allowed"), [(0.009, True), (0.011, False)])
def test_rounding_is_no_broken_promise(write, pixels, allowed):
    path = write(transform=STEP * Affine.translation(pixels, -pixels))
    if allowed:
        promise(path)
    else:
        with pytest.raises(ReadError, match="transform"):
            promise(path)


def test_a_file_without_crs_promises_nothing(write):
    with pytest.raises(ReadError, match="CRS of the file"):
        promise(write(crs=None))


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("/data/a.tif", "/data/a.tif"),
        ("https://host/a.tif?x=1", "/vsicurl/https://host/a.tif?x=1"),
        ("HTTP://host/a.tif", "/vsicurl/HTTP://host/a.tif"),
        ("s3://bucket/a.tif", "/vsis3/bucket/a.tif"),
        ("/vsizip/{/vsis3/bucket/a.zip}/b.tif", "/vsizip/{/vsis3/bucket/a.zip}/b.tif"),
    ],
)
def test_paths_for_gdal(href, path):
    assert gdal_path(href) == path
    assert is_remote(href) == ("://" in href or "vsis3" in href)


@pytest.mark.trap("T26")
@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_of_zip_archives_are_read_from_disk_and_web(write, server, kind):
    write()
    with zipfile.ZipFile(server.folder / "scene.zip", "w", kind) as archive:
        archive.write(server.folder / "a.tif", "scene.SAFE/IMG DATA/B04.tif")
    member = "scene.SAFE/IMG DATA/B04.tif"
    for archive in (f"{server.folder}/scene.zip", f"/vsicurl/{server.url}/scene.zip"):
        np.testing.assert_array_equal(read(f"/vsizip/{{{archive}}}/{member}"), VALUES)
        with pytest.raises(RasterioError):
            read(f"/vsizip/{{{archive}}}/scene.SAFE/B99.tif")


def test_redirects_into_private_networks_are_refused_before_anything_is_asked_there(
    server, tmp_path
):
    with serve_files(tmp_path, tmp_path / "inside.log") as inside:
        for target in (
            f"{inside.url}/a.tif",
            "http://169.254.169.254/latest",
            "http://[::1]:1/a.tif",
            "http://2130706433:1/a.tif",
        ):
            with pytest.raises(AccessError, match="not public"):
                require_safe_route(server.redirect(target))
            zipped = f"/vsizip/{{/vsicurl/{server.redirect(target)}}}/a.tif"
            with pytest.raises(AccessError, match="not public"):
                require_safe_route(zipped)
        assert inside.requests() == []


def test_other_redirects_that_are_refused(server):
    for target in (
        "file:///etc/passwd",
        "ftp://example.org/a.tif",
        "https:///a.tif",
        "http://[::1/a.tif",
        "http://host:port/a.tif",
    ):
        with pytest.raises(AccessError, match="no web address|cannot be read"):
            require_safe_route(server.redirect(target))
    endless = server.redirect("/redirect/" * (MAX_HOPS + 1) + "a.tif")
    with pytest.raises(AccessError, match="too many"):
        require_safe_route(endless)


def test_redirects_on_one_server_are_followed_once(server, write):
    write()
    address = server.redirect("/redirect//a.tif")
    for _ in range(3):
        require_safe_route(address)
    assert len(server.requests()) == 3


def test_a_trusted_host_may_be_redirected_to(server, tmp_path, monkeypatch):
    with serve_files(tmp_path, tmp_path / "inside.log") as inside:
        monkeypatch.setenv(TRUSTED, "other.example,127.0.0.1")
        require_safe_route(server.redirect(f"{inside.url}/a.tif"))
        assert len(inside.requests()) == 1


def test_what_is_not_on_the_web_is_not_asked_for(tmp_path):
    for href in (f"{tmp_path}/a.tif", "s3://bucket/a.tif", f"/vsizip/{{{tmp_path}/a.zip}}/a.tif"):
        require_safe_route(href)


def test_a_server_that_does_not_answer_is_left_to_gdal():
    require_safe_route("http://127.0.0.1:9/a.tif")
