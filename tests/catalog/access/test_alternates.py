"""Which address of an asset is used, and how members of ZIP archives are named."""

from __future__ import annotations

import json
import re
import zipfile

import numpy as np
import pystac
import pytest
import rasterio
from affine import Affine

import cbmcube as cbm
from cbmcube.catalog import AccessPolicy, gate_items, open_catalog, search
from cbmcube.catalog.access import _alternates as alternates
from cbmcube.catalog.access._access import Gate
from cbmcube.catalog.access._alternates import ORIGINAL, final_asset, zip_path
from cbmcube.cluster import local_cluster
from cbmcube.exceptions import AccessError, UnsupportedAssetError
from cbmcube.products import CARD_2A

API = "https://stac.example.com/v1"
SCENE = {
    "href": "https://data.example.com/items/scene/red",
    "type": "image/jp2",
    "alternate": {
        "local": {
            "href": "/archive/products/scene.zip",
            "archive:href": "/scene.SAFE/B04.jp2",
            "archive:format": "application/zip",
        },
        "s3": {"href": "s3://bucket/scene/B04.jp2"},
        "mirror": {"href": "https://mirror.example.com/B04.jp2"},
    },
}
LOCAL = "/vsizip/{/archive/products/scene.zip}/scene.SAFE/B04.jp2"
ROOTS = ("/archive",)


def final(asset=SCENE, **policy):
    return final_asset(asset, Gate(AccessPolicy(**policy), API))


@pytest.mark.trap("T26")
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, SCENE["href"]),
        ({"prefer": ("local",)}, SCENE["href"]),
        ({"prefer": ("local",), "roots": ROOTS}, LOCAL),
        ({"prefer": ("local", "s3")}, "s3://bucket/scene/B04.jp2"),
        ({"prefer": ("s3", "local"), "roots": ROOTS}, "s3://bucket/scene/B04.jp2"),
        ({"prefer": ("mirror",)}, "https://mirror.example.com/B04.jp2"),
        ({"prefer": ("https",)}, SCENE["href"]),
        ({"prefer": ("ftp",)}, SCENE["href"]),
        ({"hosts": ("mirror.example.com",)}, "https://mirror.example.com/B04.jp2"),
        ({"schemes": ("s3",)}, "s3://bucket/scene/B04.jp2"),
    ],
)
def test_the_first_wanted_address_that_is_allowed(policy, expected):
    found = final(**policy)
    assert found["href"] == expected
    assert found.get(ORIGINAL) == (None if expected == SCENE["href"] else SCENE["href"])
    assert found["alternate"] == SCENE["alternate"]


def test_without_alternates_the_error_is_the_address_s_own():
    with pytest.raises(AccessError, match="^host '10.0.0.1' is not public"):
        final({"href": "http://10.0.0.1/a.tif"})


def test_with_alternates_the_error_names_each():
    asset = {"href": "http://10.0.0.1/a.tif", "alternate": {"disk": {"href": "/etc/a.tif"}}}
    with pytest.raises(AccessError, match="10.0.0.1.*; alternate 'disk': local files"):
        final(asset)


def test_what_is_rewritten_once_can_be_rewritten_again():
    once = final(prefer=("local",), roots=ROOTS)
    assert final(once, prefer=("local",), roots=ROOTS) == once
    assert final(once)["href"] == SCENE["href"]
    assert ORIGINAL not in final(once)


def test_a_forged_note_of_the_original_is_an_address_like_any_other():
    forged = {"href": LOCAL, ORIGINAL: "/etc/passwd"}
    with pytest.raises(AccessError, match="local files"):
        final(forged)
    with pytest.raises(AccessError, match="virtual path"):
        final({"href": LOCAL})


@pytest.mark.parametrize(
    ("alternate", "match"),
    [
        ({"a": {"href": "s3://b/c", "alternate": {"b": {"href": "s3://b/d"}}}}, "of its own"),
        ({"a": "s3://bucket/c"}, "'a' is no address"),
        ([{"href": "s3://bucket/c"}], "not named addresses"),
    ],
)
def test_alternates_that_are_none_are_refused(alternate, match):
    with pytest.raises(AccessError, match=match):
        final({"href": "https://data.example.com/a.tif", "alternate": alternate})


def test_alternates_in_a_circle_are_refused():
    asset = {"href": "https://data.example.com/a.tif"}
    asset["alternate"] = {"again": asset}
    with pytest.raises(AccessError, match="alternates of its own"):
        final(asset)


@pytest.mark.parametrize(
    ("archive", "member", "path"),
    [
        ("/data/a.zip", "x/b.tif", "/vsizip/{/data/a.zip}/x/b.tif"),
        ("/data/a.zip", "/x/b.tif", "/vsizip/{/data/a.zip}/x/b.tif"),
        ("https://h/a.zip", "b.tif", "/vsizip/{/vsicurl/https://h/a.zip}/b.tif"),
        ("s3://bucket/a.zip", "b.tif", "/vsizip/{/vsis3/bucket/a.zip}/b.tif"),
        ("/data/a (1).zip", "x y/b.tif", "/vsizip/{/data/a (1).zip}/x y/b.tif"),
    ],
)
def test_paths_of_members(archive, member, path):
    assert zip_path(archive, member) == path


@pytest.mark.parametrize(
    "member",
    [
        "",
        "/",
        "//etc/passwd",
        "../etc/passwd",
        "x/../../etc/passwd",
        "x/..",
        "./b.tif",
        "x//b.tif",
        "x\\b.tif",
        "x\nb.tif",
        "b}.tif",
        "inner.zip/b.tif",
        "x/inner.tar/b.tif",
        "inner.ZIP",
        None,
        7,
    ],
)
def test_members_that_lead_out_or_on_are_refused(member):
    with pytest.raises(AccessError, match="its archive"):
        zip_path("/data/a.zip", member)


def test_archives_of_another_kind_are_refused():
    asset = {
        "href": "/archive/a.tar",
        "archive:href": "b.tif",
        "archive:format": "application/x-tar",
    }
    with pytest.raises(UnsupportedAssetError, match="not ZIP"):
        final(asset, roots=ROOTS)
    asset |= {"href": "/archive/a}.zip", "archive:format": "application/zip"}
    with pytest.raises(AccessError, match="characters"):
        final(asset, roots=ROOTS)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of one product, and no memory of what was seen before."""
    monkeypatch.setattr(alternates, "_answers", {})
    (tmp_path / "products").mkdir()
    return tmp_path / "products"


def local_or_web(folder, name="scene.tif"):
    asset = {
        "href": "https://data.example.com/a.tif",
        "alternate": {"local": {"href": f"{folder}/{name}"}},
    }
    return final(asset, roots=(folder,), prefer="auto")["href"]


def test_local_files_are_taken_where_this_computer_sees_them(folder):
    assert local_or_web(folder) == f"{folder}/scene.tif"
    folder.rmdir()
    assert local_or_web(folder) == "https://data.example.com/a.tif"


def test_workers_are_asked_once_whether_they_see_local_files(folder):
    with local_cluster(workers=1, dashboard=False):
        assert local_or_web(folder) == f"{folder}/scene.tif"
        folder.rmdir()
        assert local_or_web(folder, "b.tif") == f"{folder}/b.tif"
        assert len(alternates._answers) == 1


def test_files_that_may_not_be_read_are_not_asked_for_either(folder, monkeypatch):
    monkeypatch.setattr(alternates, "_workers_see", lambda path: pytest.fail(f"asked for {path}"))
    asset = {"href": "https://data.example.com/a.tif", "alternate": {"x": {"href": "/etc/a.tif"}}}
    found = final(asset, roots=(folder,), prefer="auto")
    assert found["href"] == "https://data.example.com/a.tif"


def write_archive(folder):
    values = np.arange(1, 2401, dtype="uint16").reshape(40, 60)
    place = {"crs": "EPSG:32632", "transform": Affine(10, 0, 500_000, 0, -10, 5_400_000)}
    with rasterio.open(
        folder / "B04.tif",
        "w",
        driver="GTiff",
        height=40,
        width=60,
        count=1,
        dtype="uint16",
        **place,
    ) as file:
        file.write(values, 1)
    with zipfile.ZipFile(folder / "scene.zip", "w") as archive:
        archive.write(folder / "B04.tif", "scene.SAFE/B04.tif")
    (folder / "B04.tif").unlink()
    return values


@pytest.mark.trap("T26")
def test_a_band_in_a_zip_archive_is_searched_and_loaded(tmp_path):
    values = write_archive(tmp_path)
    item = pystac.Item.from_dict(
        {
            "type": "Feature",
            "stac_version": "1.1.0",
            "id": "scene",
            "collection": "CARD-2A",
            "geometry": {"type": "Point", "coordinates": [9.0, 48.75]},
            "bbox": [9.0, 48.75, 9.0, 48.75],
            "properties": {
                "datetime": "2024-03-05T10:10:21Z",
                "s2:processing_baseline": "03.01",
            },
            "links": [],
            "assets": {
                "B04": {
                    "href": "https://data.example.com/scene/red",
                    "roles": ["data"],
                    "proj:code": "EPSG:32632",
                    "proj:shape": [40, 60],
                    "proj:transform": [10, 0, 500_000, 0, -10, 5_400_000],
                    "alternate": {
                        "local": {
                            "href": f"{tmp_path}/scene.zip",
                            "archive:href": "/scene.SAFE/B04.tif",
                            "archive:format": "application/zip",
                        }
                    },
                }
            },
        }
    )
    path = tmp_path / "season.json"
    pystac.ItemCollection([item]).save_object(str(path))
    found = search(open_catalog(path, access=AccessPolicy(prefer=("local",))), CARD_2A)
    asset = found.items[0].assets["B04"]
    assert asset.href == f"/vsizip/{{{tmp_path}/scene.zip}}/scene.SAFE/B04.tif"
    assert asset.extra_fields[ORIGINAL] == "https://data.example.com/scene/red"
    cube = cbm.load(found, CARD_2A, bands="B04").compute()
    np.testing.assert_allclose(cube.B04[0], values * 1e-4, rtol=1e-6)
    assert gate_items(found.items)[0] is found.items[0]


@pytest.mark.trap("T26")
def test_real_items_are_rewritten_to_what_gdal_reads(realdata):
    read = {}
    for name in ("stac.eodc.eu__from_notebooks", "stac.eodc.eu__SENTINEL1_GRD"):
        features = json.loads((realdata / "stac-items" / f"{name}.json").read_text())["features"]
        read |= {one["id"]: one["assets"] for one in features}
    grd = next(one for name, one in read.items() if name.startswith("S1A"))["VH"]
    red = read["S2A_T38NKK_20240317T073412_L2A"]["red"]
    policy = {"prefer": ("local",), "roots": ("/eodc/products",)}
    for asset, suffix in ((grd, ".tiff"), (red, ".jp2")):
        href = final(asset, **policy)["href"]
        shape = r"/vsizip/\{/eodc/products/copernicus\.eu/[^{}]+\.zip\}/[^/]+\.SAFE/[^{}]+"
        assert re.fullmatch(shape + re.escape(suffix), href)
        assert final(asset)["href"] == asset["href"]
    cdse = json.loads(
        (realdata / "stac-items" / "stac.dataspace.copernicus.eu__sentinel-2-l2a.json").read_text()
    )["features"][0]["assets"]["B04_10m"]
    assert final(cdse)["href"].startswith("s3://eodata/")
    assert final(cdse, prefer=("https",))["href"].endswith("/$value")
