"""Workers of a real Dask Gateway whose environment lacks cbmcube, as the images of hubs do."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import xarray as xr

import cbmcube
import cbmcube.testing
from cbmcube.cluster import ClusterReport, check_cluster, gateway_cluster
from cbmcube.exceptions import ClusterMismatchError
from tests.cluster.environments import make_python, write_wheel
from tests.services.gateway import gateway_or_skip

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """An interpreter without cbmcube and xvec."""
    return make_python(tmp_path_factory.mktemp("image") / "venv")


@pytest.fixture(scope="module")
def gateway(image):
    yield from gateway_or_skip(python=image)


@pytest.mark.trap("T44")
def test_what_lacks_is_named_then_installed_also_on_workers_that_join_later(
    gateway, image, tmp_path
):
    wheel = write_wheel(tmp_path, "cbmcube")
    write_wheel(tmp_path, "xvec")
    with (
        pytest.raises(ClusterMismatchError, match="(?s)lack cbmcube.*scheduler, tls.*install=True"),
        gateway_cluster(**gateway.login(), progress=False),
    ):
        pass
    assert gateway.clusters() == []
    pip = {"PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    cube = cbmcube.testing.vector_cube().chunk({"time": 2})
    weekly = cbmcube.composite(cube, "10D")
    expected = weekly.compute(scheduler="synchronous")
    with gateway_cluster(
        **gateway.login(),
        options={"environment": pip},
        install=wheel,
        env={"CBMCUBE_TEST_A": "b"},
        progress=False,
    ) as client:
        assert check_cluster(client) == ClusterReport(1, ())
        home = next(iter(client.run(lambda: __import__("cbmcube").__file__).values()))
        assert Path(home).is_relative_to(image.parents[1])
        xr.testing.assert_identical(weekly.compute(), expected)
        # a machine of its own, as it were: the next worker finds nothing of it
        subprocess.run(
            [str(image), "-m", "pip", "uninstall", "--quiet", "--yes", "cbmcube", "xvec"],
            check=True,
        )
        client.cluster.scale(2)
        client.wait_for_workers(2, timeout=120)
        assert set(client.run(os.getenv, "CBMCUBE_TEST_A").values()) == {"b"}
        assert check_cluster(client) == ClusterReport(2, ())
        xr.testing.assert_identical(weekly.compute(), expected)
    gateway.wait_until_empty()
