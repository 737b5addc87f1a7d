"""Tokens, signatures, redirects and faults of a real web server, and what workers make of them."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import rasterio
import xarray as xr

import cbmcube as cbm
from cbmcube.cluster import local_cluster, prepare_workers, worker_environment
from cbmcube.exceptions import OptionError, ReadError
from tests.services.processes import refused

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("workers")]


@pytest.fixture
def truth(country, season):
    """The cube as it is on the disk."""
    items = season(str(country.folder))
    return cbm.load_native(items, cbm.CARD_BS, bands=["VV"]).compute(scheduler="synchronous")


@pytest.fixture
def at(season, web):
    """Open the same cube at another place of the web server."""

    def load(place):
        return cbm.load_native(season(f"{web.url}/{place}"), cbm.CARD_BS, bands=["VV"])

    return load


@pytest.mark.trap("T35")
def test_a_token_that_comes_after_a_refusal_is_used_at_once(web, workers, at, truth):
    cubes = at("private")
    for _ in range(2):  # the second is answered from memory, if nothing forgets it
        assert "prepare_workers" in refused(workers, cubes)
    with prepare_workers(workers, bearer={web.url: web.token}), web.watched() as requests:
        xr.testing.assert_identical(cubes.compute(), truth)
    asked = [request for request in requests if request.by_gdal]
    assert {request.authorization for request in asked} == {f"Bearer {web.token}"}
    assert {request.status for request in asked} == {200, 206}
    assert "401" in refused(workers, at("private"))  # it ends with the block


@pytest.mark.trap("T35")
def test_gdal_alone_would_never_ask_again(web, workers):
    """Why the memory of GDAL is cleared whenever workers are given something."""
    address = f"{web.url}/private/CARD-BS/absent.tif"

    def fail(name):
        with pytest.raises(rasterio.errors.RasterioIOError), rasterio.open(name):
            pass

    with web.watched() as requests:
        for _ in range(3):
            workers.run(fail, address)
    assert len(requests) == 2  # one for each of the two workers
    with prepare_workers(workers), web.watched() as requests:
        workers.run(fail, address)
    assert len(requests) == 2


def test_a_token_goes_to_its_host_and_nowhere_else(web, workers, at, truth):
    elsewhere = f"http://127.0.0.1:{web.elsewhere}"
    # A redirect into this computer is refused unless that is wanted.
    env = {"CBMCUBE_REDIRECT_HOSTS": "127.0.0.1"}
    bearer = {web.url: web.token}
    with prepare_workers(workers, env=env, bearer=bearer), web.watched() as requests:
        xr.testing.assert_identical(at("private-away").compute(), truth)
        xr.testing.assert_identical(at("private-bucket").compute(), truth)
        workers.run(read_corner, f"{elsewhere}/public/{some_file(truth)}")
    there = [request for request in requests if request.port == web.elsewhere]
    assert len(there) > 20
    assert {request.authorization for request in there} == {"-"}
    here = [request for request in requests if request.port == web.port and request.by_gdal]
    assert len(here) > 20
    assert {request.authorization for request in here} == {f"Bearer {web.token}"}


def test_no_request_to_the_host_goes_without_the_token(web, workers, truth):
    """Also not the listing of the folder, which GDAL 3.10 asks for without it."""
    address = f"{web.url}/private/{some_file(truth)}"
    with prepare_workers(workers, bearer={web.url: web.token}), web.watched() as requests:
        workers.run(read_corner, address)
        workers.run(read_corner, address.replace("http://", "HTTP://"))
    assert len(requests) >= 2
    assert {request.authorization for request in requests} == {f"Bearer {web.token}"}


def read_corner(address):
    with rasterio.open(address) as source:
        return source.read(1, window=((0, 9), (0, 9))).sum()


def some_file(truth):
    name = str(next(iter(truth.children.values()))["items"].values[0]).split()[0]
    return f"CARD-BS/{name}/VV.tif"


def test_a_token_without_a_cluster(web, at, truth):
    cubes = at("private")
    with worker_environment(bearer={web.url: web.token}):
        xr.testing.assert_identical(cubes.compute(scheduler="threads"), truth)
    with pytest.raises(ReadError):
        cubes.compute(scheduler="synchronous")


class Signer:
    """Signs with what a file holds now, as a service would that is asked each time."""

    def __init__(self, path):
        self.path = path

    def __call__(self, href):
        return f"{href}?sig={self.path.read_text()}"


@pytest.mark.trap("T32")
def test_a_signature_is_made_when_a_block_is_read(web, workers, at, truth, tmp_path):
    """The graph is older than the signature that works, and outlives the one after it."""
    path = tmp_path / "signature"
    path.write_text("first")
    web.allow_signature("first")
    cubes = at("signed")
    with prepare_workers(workers, signer=Signer(path)):
        for text in ("second", "third"):
            web.allow_signature(text)
            told = refused(workers, cubes)  # what was signed with before has expired
            assert "403" in told
            assert "sig=" not in told
            path.write_text(text)
            xr.testing.assert_identical(cubes.compute(), truth)
    assert "403" in refused(workers, cubes)


@pytest.mark.trap("T33")
def test_a_busy_server_is_asked_again_whatever_the_user_set(web, at, truth):
    with rasterio.Env(GDAL_HTTP_TIMEOUT=30):  # odc-loader then carries this and nothing else
        cubes = at("shaky")
    web.set_busy(True)
    healer = threading.Timer(2.0, web.set_busy, [False])
    with web.watched() as requests:
        healer.start()
        begin = time.monotonic()
        xr.testing.assert_identical(cubes.compute(), truth)
        assert time.monotonic() - begin > 1.5
    assert sum(request.status == 503 for request in requests) >= 2
    healer.join()


@pytest.mark.trap("T33")
def test_the_workers_own_options_are_not_overruled_by_defaults(web, season):
    """odc-loader carries its own ten retries in the graph where nobody chose otherwise."""
    web.set_busy(True)
    try:
        env = {"GDAL_HTTP_MAX_RETRY": "0"}
        with local_cluster(workers=1, dashboard=False, env=env) as client, web.watched() as asked:
            items = season(f"{web.url}/shaky")
            cubes = cbm.load_native(items[:1], cbm.CARD_BS, bands=["VV"])
            assert "503" in refused(client, cubes)
    finally:
        web.set_busy(False)
    assert len(asked) <= 4  # the library tries twice, and checks the route


@pytest.mark.trap("T34")
def test_a_secret_around_load_is_refused(web, at):
    with (
        rasterio.Env(GDAL_HTTP_HEADERS=f"Authorization: Bearer {web.token}"),
        pytest.raises(OptionError, match="prepare_workers") as caught,
    ):
        at("private")
    assert web.token not in str(caught.value)


def test_a_token_does_not_hide_a_redirect_into_this_computer(web, at):
    """Without it, the server answers 401, and only who has the token is led elsewhere."""
    bearer = {web.url: web.token}
    # Workers of its own: a process remembers which redirects it found harmless.
    with (
        local_cluster(workers=1, dashboard=False, bearer=bearer) as client,
        web.watched() as requests,
    ):
        assert "not public" in refused(client, at("private-away"))
    assert {request.port for request in requests} == {web.port}


@pytest.mark.trap("T36")
def test_a_file_that_is_not_there_is_an_error_that_names_it(web, workers, at, truth):
    text = refused(workers, at("public/none"))
    assert "404" in text
    assert "asset 'VV'" in text
    assert any(f"item {name!r}" in text for name in ids(truth))
    assert f"{web.url}/public/none/CARD-BS/" in text


def ids(tree):
    lists = [node["items"].values for node in tree.children.values()]
    return {name for found in lists for text in found for name in text.split()}


@pytest.mark.trap("T36")
def test_a_file_that_is_not_there_is_marked_where_that_is_wanted(web, season, truth):
    """Each pixel of the missing file is -inf, and every other one is what it is."""
    items = season(f"{web.url}/public")
    planes = [text for node in truth.children.values() for text in node["items"].values]
    lost = next(item for item in items if item.id in planes)  # alone in its plane
    asset = lost.assets["VV"]
    asset.href = asset.href.replace("VV.tif", "absent.tif")
    access = cbm.AccessPolicy(hosts=("127.0.0.1",))
    options = {"bands": ["VV"], "on_error": "record", "access": access}
    cubes = cbm.load_native(items, cbm.CARD_BS, **options).compute()
    marked = 0
    for name, node in cubes.children.items():
        expected = truth[name]["VV"].values.copy()
        for number in np.flatnonzero(node["items"].values == lost.id):
            step, _, west, _, _, north = asset.extra_fields["proj:transform"]
            rows, columns = asset.extra_fields["proj:shape"]
            row = round((float(node.y[0]) + step / 2 - north) / step)
            column = round((west - float(node.x[0]) + step / 2) / step)
            expected[number, row : row + rows, column : column + columns] = -np.inf
            marked = rows * columns
        np.testing.assert_array_equal(node["VV"].values, expected)
        assert node.attrs["on_error"] == "record"
        assert int(np.isneginf(node["VV"].values).sum()) == (
            marked if lost.id in node["items"] else 0
        )
    assert marked > 1000
