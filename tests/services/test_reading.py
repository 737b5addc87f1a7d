"""Cubes read by worker processes from real servers hold what lies on the disk."""

from __future__ import annotations

import re
import zipfile
from datetime import UTC, datetime

import numpy as np
import pystac
import pytest
import rasterio
import shapely
import xarray as xr
from affine import Affine

import cbmcube as cbm
from cbmcube.cluster import S3Access, prepare_workers, worker_environment
from tests.services.processes import refused

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("workers")]


def expect_files(country, items, cubes, band):
    """Compare every pixel with rasterio on the files: the first item by id that has data."""
    seen = 0
    for node in cubes.children.values():
        west, north = float(node.x[0]) - 5, float(node.y[0]) + 5
        for number, ids in enumerate(node["items"].values):
            expected = np.full(node[band].shape[1:], np.nan, "float32")
            for name in sorted(ids.split(), reverse=True):
                path = country.folder / items[name] / f"{band}.tif"
                with rasterio.open(path) as source:
                    values, transform = source.read(1), source.transform
                row, column = round((north - transform.f) / 10), round((transform.c - west) / 10)
                part = expected[row:, column:][: values.shape[0], : values.shape[1]]
                np.copyto(part, values, where=~np.isnan(values))
                seen += 1
            np.testing.assert_array_equal(node[band].values[number], expected)
    assert seen == len(items) > 5


def folders(items):
    return {item.id: f"{item.collection_id}/{item.id}" for item in items}


def test_from_the_disk_first(country, season):
    items = season(str(country.folder))
    cubes = cbm.load_native(items, cbm.CARD_BS, bands=["VV"]).compute()
    expect_files(country, folders(items), cubes, "VV")


@pytest.mark.parametrize(
    ("product", "bands"), [(cbm.CARD_BS, ["VV", "VH"]), (cbm.CARD_2A, ["B04", "B11", "SCL"])]
)
def test_from_a_web_server(country, season, web, product, bands):
    here = cbm.load_native(season(str(country.folder), product), product, bands=bands)
    there = cbm.load_native(season(f"{web.url}/public", product), product, bands=bands)
    expected = here.compute(scheduler="synchronous")
    with web.watched() as requests:
        xr.testing.assert_identical(there.compute(), expected)
    assert {request.status for request in requests if request.method == "GET"} == {206}
    assert not any(request.authorization != "-" for request in requests)


@pytest.mark.trap("T33")
def test_from_an_object_store_with_its_keys(country, season, workers, store):
    items = season("s3://season")
    cubes = cbm.load_native(items, cbm.CARD_BS, bands=["VV"])
    assert "prepare_workers" in refused(workers, cubes)  # the workers have no keys
    wrong = S3Access(endpoint=store.endpoint, key="AKIAWRONG", secret=store.key)
    with prepare_workers(workers, s3=wrong):
        assert re.search("403|does not exist in our records", refused(workers, cubes))
    right = S3Access(endpoint=store.endpoint, key=store.key, secret=store.secret)
    with prepare_workers(workers, s3=right):
        expect_files(country, folders(items), cubes.compute(), "VV")
    assert "AWS_SECRET_ACCESS_KEY" in refused(workers, cubes)  # what was given is gone again
    with worker_environment(s3=right):  # the same without a cluster
        expect_files(country, folders(items), cubes.compute(scheduler="threads"), "VV")


def test_keys_of_one_bucket_beside_another(workers, store, country):
    """An open bucket, and keys for all others."""
    client = store.client()
    client.create_bucket(Bucket="open")
    policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
    policy += '"Action":"s3:GetObject","Resource":"arn:aws:s3:::open/*"}]}'
    client.put_bucket_policy(Bucket="open", Policy=policy)
    path = next(country.folder.glob("CARD-BS/*/VV.tif"))
    client.upload_file(str(path), "open", "a.tif")
    client.upload_file(str(path), store.bucket, "a.tif")
    keys = S3Access(endpoint=store.endpoint, key=store.key, secret=store.secret)
    signed = S3Access(
        endpoint=store.endpoint, key=store.key, secret=store.secret, bucket=store.bucket
    )
    wrong = S3Access(endpoint=store.endpoint, key="AKIAWRONG", secret=store.key)

    def size(address):
        with rasterio.open(address) as source:
            return source.shape

    with rasterio.open(path) as source:
        expected = source.shape
    with prepare_workers(workers, s3=[wrong, signed]):
        assert set(workers.run(size, "s3://season/a.tif").values()) == {expected}
        with pytest.raises(Exception, match="does not exist in our records"):
            workers.run(size, "s3://open/a.tif")
    with prepare_workers(workers, s3=keys):
        assert set(workers.run(size, "s3://open/a.tif").values()) == {expected}
    # The bucket's own access is the one that counts: it has no keys, and is refused.
    closed = S3Access(endpoint=store.endpoint, bucket=store.bucket)
    with (
        prepare_workers(workers, s3=[keys, closed]),
        pytest.raises(Exception, match="403|Access Denied|AccessDenied"),
    ):
        workers.run(size, "s3://season/a.tif")


def big_cog(path):
    values = np.random.default_rng(0).random((1, 2048, 2048), dtype="float32")
    with rasterio.open(
        path,
        "w",
        driver="COG",
        count=1,
        width=2048,
        height=2048,
        dtype="float32",
        crs="EPSG:32633",
        transform=Affine(10, 0, 500_000, 0, -10, 5_400_000),
        blocksize=256,
        overviews="NONE",
    ) as target:
        target.write(values)
    return values[0]


@pytest.mark.parametrize("where", ["big.tif", "big.zip"])
def test_a_block_costs_a_few_requests_and_not_the_file(web, workers, where):
    path = web.data / "big.tif"
    values = big_cog(path)
    archive = web.data / "big.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        target.write(path, "in/big.tif")
    address = f"/vsicurl/{web.url}/public/{where}"
    if where == "big.zip":
        address = f"/vsizip/{{{address}}}/in/big.tif"

    def corner(name):
        with rasterio.open(name) as source:
            return source.read(1, window=((300, 400), (600, 700)))

    with web.watched() as requests:
        found = workers.submit(corner, address, pure=False).result()
    np.testing.assert_array_equal(found, values[300:400, 600:700])
    sent = sum(request.sent for request in requests)
    assert path.stat().st_size > 15e6
    assert sent < 2.5e6  # four blocks of 256 KiB, and headers
    assert len(requests) < 12
    assert all(request.status == 206 for request in requests if request.method == "GET")


def test_a_chunk_of_a_cube_costs_its_blocks(web):
    path = web.data / "scene.tif"
    values = big_cog(path)
    item = pystac.Item(
        id="scene",
        geometry=shapely.geometry.mapping(shapely.box(15.0, 48.56, 15.28, 48.75)),
        bbox=[15.0, 48.56, 15.28, 48.75],
        datetime=datetime(2024, 3, 5, tzinfo=UTC),
        properties={
            "platform": "sentinel-1a",
            "sat:relative_orbit": 22,
            "sat:orbit_state": "ascending",
        },
        collection="CARD-BS",
    )
    grid = {
        "proj:code": "EPSG:32633",
        "proj:shape": [2048, 2048],
        "proj:transform": [10, 0, 500_000, 0, -10, 5_400_000],
    }
    address = f"{web.url}/public/scene.tif"
    item.add_asset("VV", pystac.Asset(address, roles=["data"], extra_fields=grid))
    access = cbm.AccessPolicy(hosts=("127.0.0.1",))
    cube = cbm.load([item], cbm.CARD_BS, bands=["VV"], block=512, access=access)
    with web.watched() as requests:
        found = cube.VV.isel(time=0, y=slice(300, 400), x=slice(600, 700)).compute()
    np.testing.assert_array_equal(found, values[300:400, 600:700])
    assert sum(request.sent for request in requests) < 2e6
    assert 2 <= len(requests) < 8
