from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import pytest
import xarray as xr
from distributed import Client

import cbmcube
import cbmcube.testing
from cbmcube.cluster import check_cluster, install_on_workers, prepare_workers
from cbmcube.exceptions import ClusterMismatchError, OptionError
from tests.cluster.environments import make_python, write_wheel


@pytest.fixture(scope="module")
def other_python(tmp_path_factory):
    return make_python(tmp_path_factory.mktemp("other") / "venv")


@contextlib.contextmanager
def cluster_of(python, folder):
    """Run a scheduler and a worker of another interpreter."""
    clean = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    address = str(folder / "scheduler.json")
    common = ["--scheduler-file", address, "--host", "127.0.0.1", "--no-dashboard"]
    commands = (
        ["distributed.cli.dask_scheduler", "--port", "0"],
        ["distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny"],
    )
    with contextlib.ExitStack() as stack:
        for command in commands:
            log = stack.enter_context((folder / f"{command[0]}.log").open("wb"))
            process = subprocess.Popen(
                [str(python), "-m", *command, *common],
                cwd=folder,
                env=clean,
                stdout=log,
                stderr=log,
            )
            stack.callback(process.wait, timeout=20)
            stack.callback(process.terminate)
        client = stack.enter_context(Client(scheduler_file=address, timeout=60))
        client.wait_for_workers(1, timeout=60)
        yield client


@pytest.mark.trap("T44")
def test_what_lacks_is_named_and_then_installed_and_then_works(other_python, tmp_path):
    wheel = write_wheel(tmp_path, "cbmcube")
    write_wheel(tmp_path, "xvec")
    options = ["--no-deps", "--no-index", "--find-links", str(tmp_path)]
    cube = cbmcube.testing.vector_cube().chunk({"time": 2})
    weekly = cbmcube.composite(cube, "10D")
    expected = weekly.compute(scheduler="synchronous")
    with cluster_of(other_python, tmp_path) as client:
        with pytest.raises(ClusterMismatchError, match="xvec: not installed|not installed on"):
            check_cluster(client)
        with pytest.raises(ClusterMismatchError, match="workers lack cbmcube"):
            prepare_workers(client, env={"A": "b"})
        report = install_on_workers(client, wheel=wheel, pip_options=options)
        assert report.ok
        assert report.missing == ()
        assert check_cluster(client) == report
        with prepare_workers(client, env={"CBMCUBE_TEST_A": "b"}):
            assert set(client.run(os.getenv, "CBMCUBE_TEST_A").values()) == {"b"}
            xr.testing.assert_identical(weekly.compute(), expected)
            home = next(iter(client.run(lambda: __import__("cbmcube").__file__).values()))
    assert Path(home).is_relative_to(other_python.parents[1])


def test_a_wheel_is_a_wheel(tmp_path):
    for path in (tmp_path / "cbmcube.tar.gz", tmp_path / "absent.whl"):
        with pytest.raises(OptionError, match="not a wheel"):
            install_on_workers(None, wheel=path)
