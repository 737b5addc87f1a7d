from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import xarray as xr
from distributed import Client

import cbmcube
import cbmcube.testing
from cbmcube.cluster import check_cluster, install_on_workers, prepare_workers
from cbmcube.exceptions import ClusterMismatchError, OptionError

LACKS = ("cbmcube", "xvec")


def write_wheel(folder, name):
    """Write a wheel of an installed package of pure Python."""
    found = importlib.metadata.distribution(name)
    version = found.version
    root = Path(importlib.util.find_spec(name).origin).parent
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in sorted(root.rglob("*.py")):
            wheel.write(file, file.relative_to(root.parent))
        wheel.writestr(f"{info}/METADATA", found.read_text("METADATA"))
        tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tags)
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture(scope="module")
def other_python(tmp_path_factory):
    """An interpreter with all that this one has, but for the packages of `LACKS`."""
    if importlib.util.find_spec("ensurepip") is None:
        pytest.skip("no ensurepip: install python3-venv")
    folder = tmp_path_factory.mktemp("other") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        target = packages / entry.name
        if not entry.name.lstrip("_").startswith((*LACKS, "editable")) and not target.exists():
            target.symlink_to(entry)
    return folder / "bin" / "python"


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
