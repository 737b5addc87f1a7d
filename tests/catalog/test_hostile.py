"""Items made to read what they should not, or to take more than there is: each refused by name.

Behind every item lie a canary: a raster with one tell-tale number and a text file, and a server
inside with a log. Neither number nor text may appear, and the log must stay empty.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine

import cbmcube as cbm
from cbmcube.catalog import AccessPolicy
from cbmcube.exceptions import (
    AccessError,
    BadItemError,
    EmptySearchError,
    Error,
    NoGridError,
    ReadError,
    TooLargeError,
    UnsupportedAssetError,
)
from cbmcube.warnings import RefusedItemWarning
from tests.file_server import FileServer, serve_files

CANARY = "canary-5f1d"
NUMBER = 4242
STEP = [10, 0, 500_000, 0, -10, 5_400_000]
HOME = "https://stac.example.com/v1/collections/CARD-2A/items/hostile"


@dataclass
class Place:
    """Where an attack starts from, and what it aims at."""

    season: Path
    outside: Path
    front: FileServer
    inside: FileServer


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile")
    for name in ("front", "inside"):
        (root / name).mkdir()
    with (
        serve_files(root / "front", root / "front.log") as front,
        serve_files(root / "inside", root / "inside.log") as inside,
    ):
        write(root / "inside" / "canary.tif", np.full((40, 60), NUMBER, "uint16"))
        (root / "inside" / "canary.txt").write_text(f"X-Line: {CANARY}\n")
        yield front, inside


@pytest.fixture
def place(servers):
    front, inside = servers
    # a folder for each test, because GDAL remembers what an address held
    season = front.folder / f"season-{len(list(front.folder.iterdir()))}"
    season.mkdir()
    inside.forget()
    return Place(season, inside.folder, front, inside)


def write(path, values, **options):
    settings = {
        "driver": "GTiff",
        "height": values.shape[0],
        "width": values.shape[1],
        "count": 1,
        "dtype": values.dtype,
        "crs": "EPSG:32632",
        "transform": Affine(*STEP),
    } | options
    with rasterio.open(path, "w", **settings) as file:
        file.write(values, 1)


def hostile(href, *, asset=None, **item):
    """An item of a remote catalogue; `asset` adds to its one asset."""
    fields = {
        "href": href,
        "roles": ["data"],
        "type": "image/tiff",
        "proj:code": "EPSG:32632",
        "proj:shape": [40, 60],
        "proj:transform": STEP,
    }
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": "hostile",
        "collection": "CARD-2A",
        "geometry": {"type": "Point", "coordinates": [9.003, 48.753]},
        "bbox": [9.003, 48.753, 9.003, 48.753],
        "properties": {"datetime": "2024-03-05T10:10:21Z", "s2:processing_baseline": "03.01"},
        "links": [{"rel": "self", "href": HOME}],
        "assets": {"B04": fields | (asset or {})},
    } | item


def vrt(source):
    return (
        '<VRTDataset rasterXSize="60" rasterYSize="40"><SRS>EPSG:32632</SRS>'
        f"<GeoTransform>{','.join(str(STEP[i]) for i in (2, 0, 1, 5, 3, 4))}</GeoTransform>"
        '<VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        f"<SourceFilename>{source}</SourceFilename><SourceBand>1</SourceBand>"
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


def raw_vrt(path):
    return (
        '<VRTDataset rasterXSize="60" rasterYSize="40">'
        '<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">'
        f"<SourceFilename>{path}</SourceFilename></VRTRasterBand></VRTDataset>"
    )


def linked(place):
    link = place.season / "link"
    link.symlink_to(place.outside)
    return f"{link}/canary.tif"


def address(place, host):
    return place.inside.url.replace("127.0.0.1", host) + "/canary.tif"


ADDRESSES = {
    "a path": (lambda p: f"{p.outside}/canary.tif", "local files"),
    "a file URL": (lambda p: f"file://{p.outside}/canary.tif", "local files"),
    "an upper-case file URL": (lambda p: f"FILE://{p.outside}/canary.tif", "local files"),
    "a file URL of localhost": (lambda p: f"file://localhost{p.outside}/canary.tif", "local files"),
    "a quoted file URL": (
        lambda p: f"file://{p.season}/%2e%2e/%2e%2e/inside/canary.tif",
        "local files",
    ),
    "a climbing path": (lambda p: f"{p.season}/../../inside/canary.tif", "local files"),
    "a link out of the folder": (linked, "local files"),
    "a share": (lambda _: "file://fileserver/share/a.tif", "scheme 'file'"),
    "a drive": (lambda _: "C:/secrets/a.tif", "scheme 'c'"),
    "a backslash drive": (lambda _: "C:\\secrets\\a.tif", "characters"),
    "a VRT scheme": (lambda p: f"vrt://{p.outside}/canary.tif", "scheme 'vrt'"),
    "a VRT's text": (lambda p: vrt(f"{p.outside}/canary.tif"), "characters"),
    "a zip scheme": (lambda p: f"zip+file://{p.outside}/a.zip", "scheme 'zip\\+file'"),
    "a zip path": (lambda p: f"/vsizip/{p.outside}/a.zip/canary.tif", "virtual path 'vsizip'"),
    "a zip in a zip": (lambda _: "/vsizip//vsizip//a.zip/b.zip/c.tif", "virtual path 'vsizip'"),
    "an exclamation mark": (lambda p: f"{p.inside.url}/a.zip!canary.tif", "characters"),
    "a part of a file": (
        lambda p: f"/vsisubfile/0_100,{p.outside}/canary.tif",
        "virtual path 'vsisubfile'",
    ),
    "two slashes": (lambda p: f"//vsicurl/{p.inside.url}/canary.tif", "virtual path 'vsicurl'"),
    "a header file": (
        lambda p: f"/vsicurl?header_file={p.outside}/canary.txt&url={p.inside.url}/canary.tif",
        "virtual path 'vsicurl'",
    ),
    "a virtual path in a file URL": (
        lambda p: f"file:///vsicurl/{p.inside.url}/canary.tif",
        "virtual path 'vsicurl'",
    ),
    "standard input": (lambda _: "/vsistdin/", "virtual path 'vsistdin'"),
    "memory": (lambda _: "MEM:::DATAPOINTER=1,PIXELS=9,LINES=9", "scheme 'mem'"),
    "netCDF": (lambda p: f'NETCDF:"{p.outside}/canary.tif":x', "scheme 'netcdf'"),
    "GTIFF_DIR": (lambda p: f"GTIFF_DIR:1:{p.outside}/canary.tif", "scheme 'gtiff_dir'"),
    "data": (lambda _: "data:image/tiff;base64,SUkqAA==", "scheme 'data'"),
    "an inside address": (lambda p: f"{p.inside.url}/canary.tif", "not public"),
    "upper case": (lambda p: f"{p.inside.url.replace('http', 'HTTP')}/canary.tif", "not public"),
    "a decimal address": (lambda p: address(p, "2130706433"), "not public"),
    "a hexadecimal address": (lambda p: address(p, "0x7f000001"), "not public"),
    "an octal address": (lambda p: address(p, "0177.0.0.1"), "not public"),
    "a short address": (lambda p: address(p, "127.1"), "not public"),
    "IPv6": (lambda p: address(p, "[::1]"), "not public"),
    "a mapped address": (lambda p: address(p, "[::ffff:127.0.0.1]"), "not public"),
    "a quoted address": (lambda p: address(p, "%31%32%37.0.0.1"), "no usable host"),
    "a wide address": (lambda p: address(p, "\uff11\uff12\uff17.0.0.1"), "not public"),
    "localhost": (lambda p: address(p, "localhost"), "not public"),
    "LOCALHOST.": (lambda p: address(p, "LOCALHOST."), "not public"),
    "the metadata service": (lambda _: "http://169.254.169.254/latest/meta-data", "not public"),
    "a private network": (lambda _: "https://192.168.1.1/a.tif", "not public"),
    "a user": (lambda p: address(p, "example.com@127.0.0.1"), "names a user"),
    "a user behind a backslash": (
        lambda p: address(p, "example.com\\@127.0.0.1"),
        "characters",
    ),
    "a line break": (lambda _: "https://exam\nple.com/a.tif", "characters"),
    "a null": (lambda p: f"{p.season}/a.tif\x00{p.outside}/canary.tif", "characters"),
    "a placeholder": (lambda _: "$B04_TIF", "placeholder"),
    "nothing": (lambda _: "", "no href"),
    "no text": (lambda _: 7, "no href"),
    "a bucket of a user": (lambda _: "s3://key:word@bucket/a.tif", "names a user"),
    "another store": (lambda _: "/vsigs/bucket/a.tif", "virtual path 'vsigs'"),
    "ftp": (lambda _: "ftp://example.com/a.tif", "scheme 'ftp'"),
}


def quiet(place, error):
    """Nothing that lies inside was touched or told."""
    assert CANARY not in str(error)
    assert str(NUMBER) not in str(error)
    assert place.inside.requests() == []


@pytest.mark.trap("T25")
@pytest.mark.parametrize(("make", "match"), ADDRESSES.values(), ids=ADDRESSES)
def test_addresses_in_a_catalogue(place, make, match):
    path = place.season / "season.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [hostile(make(place))]}))
    with (
        pytest.warns(RefusedItemWarning, match=match),
        pytest.raises(EmptySearchError, match=match) as caught,
    ):
        cbm.search(cbm.open_catalog(path), cbm.CARD_2A)
    quiet(place, caught.value)


@pytest.mark.parametrize(("make", "match"), ADDRESSES.values(), ids=ADDRESSES)
def test_addresses_in_items_that_were_not_searched(place, make, match):
    href = make(place)
    item = pystac.Item.from_dict(hostile("https://data.example.com/a.tif"))
    item.assets["B04"].href = href
    policy = AccessPolicy(roots=(place.season,))
    with pytest.raises(AccessError, match=match) as caught:
        cbm.load_native([item], cbm.CARD_2A, bands="B04", access=policy)
    assert "item 'hostile', asset 'B04'" in str(caught.value)
    quiet(place, caught.value)


@pytest.mark.parametrize(
    ("alternate", "match"),
    [
        ({"x": {"href": "s3://b/k", "alternate": {"y": {"href": "s3://b/k"}}}}, "of its own"),
        ({"x": "s3://b/k"}, "no address"),
        ({"x": {"href": "/etc/hostname"}}, "local files"),
        ({"x": {"href": "s3://b/a.zip", "archive:href": "../../etc/hostname"}}, "no member"),
        ({"x": {"href": "s3://b/a.zip", "archive:href": "b.zip/c.tif"}}, "an archive within"),
        ({"x": {"href": "s3://b/a.zip", "archive:href": "/"}}, "no member"),
        ({"x": {"href": "http://10.0.0.1/a.zip", "archive:href": "a.tif"}}, "not public"),
    ],
)
def test_alternates(place, alternate, match):
    """The address itself is refused too, so that only the alternate could help."""
    features = [hostile("http://127.0.0.1:1/a.tif", asset={"alternate": alternate})]
    item = pystac.Item.from_dict(features[0])
    policy = AccessPolicy(prefer=("x",))
    with pytest.raises(AccessError, match=match) as caught:
        cbm.load_native([item], cbm.CARD_2A, bands="B04", access=policy)
    quiet(place, caught.value)


GRIDS = {
    "a million million pixels": ({"proj:shape": [10**6, 10**6]}, (TooLargeError, NoGridError)),
    "a shape beyond integers": ({"proj:shape": [10**30, 10**30]}, (TooLargeError, NoGridError)),
    "negative pixels": ({"proj:shape": [-40, 60]}, Error),
    "a shape of text": ({"proj:shape": ["many", "more"]}, Error),
    "NaN in the transform": ({"proj:transform": [float("nan"), *STEP[1:]]}, NoGridError),
    "an infinite origin": ({"proj:transform": [10, 0, float("inf"), *STEP[3:]]}, NoGridError),
    "steps of zero": ({"proj:transform": [0, 0, 500_000, 0, 0, 5_400_000]}, NoGridError),
    "a rotation": ({"proj:transform": [10, 3, 500_000, 3, -10, 5_400_000]}, NoGridError),
    "a short transform": ({"proj:transform": [10]}, Error),
    "no CRS of this Earth": ({"proj:code": "EPSG:999999"}, NoGridError),
    "a CRS as a file": ({"proj:code": "/etc/hostname"}, NoGridError),
    "a place far from its footprint": ({"proj:code": "EPSG:32638"}, NoGridError),
}


@pytest.mark.parametrize(("asset", "kind"), GRIDS.values(), ids=GRIDS)
def test_grids(place, asset, kind, nothing_computes):
    item = pystac.Item.from_dict(hostile("https://data.example.com/a.tif", asset=asset))
    with nothing_computes, pytest.raises(kind, match="hostile") as caught:
        cbm.load_native([item], cbm.CARD_2A, bands="B04")
    quiet(place, caught.value)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_footprints_that_are_no_numbers(number):
    where = {"type": "Point", "coordinates": [number, 48.75]}
    item = pystac.Item.from_dict(hostile("https://data.example.com/a.tif", geometry=where))
    with pytest.raises(BadItemError, match="hostile"):
        cbm.load_native([item], cbm.CARD_2A, bands="B04")


@pytest.mark.parametrize(
    "asset",
    [{"type": "application/vnd+zarr"}, {"type": "text/html"}, {"storage:tier": "tape"}],
)
def test_what_is_no_raster_at_hand(place, asset):
    item = pystac.Item.from_dict(hostile("https://data.example.com/a.tif", asset=asset))
    with pytest.raises(UnsupportedAssetError, match="item 'hostile', asset 'B04'") as caught:
        cbm.load_native([item], cbm.CARD_2A, bands="B04")
    quiet(place, caught.value)


def bomb(path):
    """3 kB that ask for 2 GB: one sparse block of 16384 x 16384 numbers of 64 bit."""
    side = {"height": 16384, "width": 16384, "blockxsize": 16384, "blockysize": 16384}
    place = {"crs": "EPSG:32632", "transform": Affine(*STEP)}
    options = {"driver": "GTiff", "count": 1, "dtype": "float64", "tiled": True, "SPARSE_OK": True}
    with rasterio.open(path, "w", **side, **place, **options):
        pass


def names_an_overview(path, inside):
    write(path, np.ones((40, 60), "uint16"))
    with rasterio.open(path, "r+") as file:
        file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=f"/vsicurl/{inside.url}/canary.tif")


FILES = {
    "a VRT of a local file": (
        lambda path, p: path.write_text(vrt(f"{p.outside}/canary.tif")),
        "not recognized",
    ),
    "a VRT of an inside address": (
        lambda path, p: path.write_text(vrt(f"/vsicurl/{p.inside.url}/canary.tif")),
        "not recognized",
    ),
    "a VRT of raw bytes": (
        lambda path, p: path.write_text(raw_vrt(f"{p.outside}/canary.txt")),
        "not recognized",
    ),
    "a tile index": (
        lambda path, p: path.write_text(
            f"<GDALTileIndexDataset><IndexDataset>{p.outside}</IndexDataset></GDALTileIndexDataset>"
        ),
        "not recognized",
    ),
    "a web map": (
        lambda path, p: path.write_text(
            f'<GDAL_WMS><Service name="TMS"><ServerUrl>{p.inside.url}</ServerUrl></Service>'
            "</GDAL_WMS>"
        ),
        "not recognized",
    ),
    "a bomb": (lambda path, _: bomb(path), "too much memory"),
    "another type": (
        lambda path, _: write(path, np.ones((40, 60), "float64")),
        "float64 in the file, uint16 in the item",
    ),
    "another shape": (
        lambda path, _: write(path, np.ones((41, 60), "uint16")),
        r"\(41, 60\) in the file, \(40, 60\) in the item",
    ),
    "another CRS": (
        lambda path, _: write(path, np.ones((40, 60), "uint16"), crs="EPSG:32633"),
        "EPSG:32633 in the file, EPSG:32632 in the item",
    ),
    "another place": (
        lambda path, _: write(
            path, np.ones((40, 60), "uint16"), transform=Affine(*STEP) * Affine.translation(0, 1)
        ),
        "5399990.0.* in the file",
    ),
    "no CRS": (
        lambda path, _: write(path, np.ones((40, 60), "uint16"), crs=None),
        "none in the file",
    ),
    "text": (lambda path, _: path.write_text("II*\x00 or not"), "could not be read"),
    "nothing": (lambda path, _: path.write_bytes(b""), "could not be read"),
}


@pytest.mark.parametrize("how", ["from disk", "from the web"])
@pytest.mark.parametrize(("make", "match"), FILES.values(), ids=FILES)
def test_files(place, make, match, how):
    make(place.season / "a.tif", place)
    href = f"{place.season}/a.tif"
    if how == "from the web":
        href = f"{place.front.url}/{place.season.name}/a.tif"
    policy = AccessPolicy(roots=(place.season,), hosts=("127.0.0.1",))
    item = pystac.Item.from_dict(hostile(href))
    cube = cbm.load_native([item], cbm.CARD_2A, bands="B04", access=policy)
    with pytest.raises(ReadError, match=match) as caught:
        cube.compute(scheduler="synchronous")
    assert "item 'hostile', asset 'B04' could not be read" in str(caught.value)
    quiet(place, caught.value)
    recorded = cbm.load_native(
        [item], cbm.CARD_2A, bands="B04", access=policy, on_error="record"
    ).compute(scheduler="synchronous")
    assert np.isneginf(recorded["EPSG32632_10m"].B04).all()


def test_a_file_that_names_another_as_its_overview(place):
    """Its own numbers are read, the other file is not asked for."""
    names_an_overview(place.season / "a.tif", place.inside)
    item = pystac.Item.from_dict(hostile(f"{place.front.url}/{place.season.name}/a.tif"))
    policy = AccessPolicy(hosts=("127.0.0.1",))
    cube = cbm.load_native([item], cbm.CARD_2A, bands="B04", access=policy)
    values = cube.compute(scheduler="synchronous")["EPSG32632_10m"].B04.values
    np.testing.assert_allclose(values, 1e-4)
    assert place.inside.requests() == []


def test_a_server_that_redirects_inside(place):
    """Both servers stand on one computer, so that their ports tell them apart."""
    href = place.front.redirect(f"{place.inside.url}/canary.tif")
    item = pystac.Item.from_dict(hostile(href))
    policy = AccessPolicy(hosts=("127.0.0.1",))
    cube = cbm.load_native([item], cbm.CARD_2A, bands="B04", access=policy)
    with pytest.raises(
        ReadError, match="redirects to another address, which is not public"
    ) as caught:
        cube.compute(scheduler="synchronous")
    quiet(place, caught.value)


def test_one_hostile_item_does_not_keep_out_the_others(place):
    good = hostile("https://data.example.com/a.tif", id="good")
    bad = [hostile(make(place), id=f"bad-{n}") for n, (make, _) in enumerate(ADDRESSES.values())]
    path = place.season / "season.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [*bad, good]}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RefusedItemWarning)
        found = cbm.search(cbm.open_catalog(path), cbm.CARD_2A)
    assert [item.id for item in found] == ["good"]
    dropped = {one.id for one in cbm.report(found).dropped}
    assert dropped == {one["id"] for one in bad}
