"""A job gets the workers it asks for, with what they need to read, and ends them."""

from __future__ import annotations

import os
from contextlib import contextmanager

import dask
import pytest
from distributed import Client, LocalCluster, get_client

from cbmcube.cluster import prepare_workers
from cbmcube.exceptions import OptionError
from cbmcube.scripting import _workers as workers
from cbmcube.scripting import read_job
from cbmcube.scripting._workers import gateway_address, job_workers
from tests.scripting.conftest import FULL, MINIMAL

S3 = """
[[cluster.s3]]
endpoint = "https://objects.example.org"
bucket = "eodata"
key = "MY_KEY"
secret = "MY_SECRET"
[cluster]
"""


def job_with(write, lines, store='"season"'):
    return read_job(write(MINIMAL.replace('"season"', store) + f"[cluster]\n{lines}"))


def variable(name):
    import os

    return os.environ.get(name)


@pytest.fixture
def recorded(monkeypatch):
    """Stand-ins for what makes clusters, which note what they were asked for."""
    calls = {}

    def stand_in(name):
        @contextmanager
        def make(*arguments, **options):
            calls[name] = (arguments, options)
            yield f"client of {name}"

        return make

    for name in ("local_cluster", "gateway_cluster", "prepare_workers", "worker_environment"):
        monkeypatch.setattr(workers, name, stand_in(name))
    return calls


def test_threads_of_this_process_get_the_settings_and_no_client(write, recorded, monkeypatch):
    monkeypatch.setenv("DATA_TOKEN", "abc")
    lines = 'env = {GDAL_HTTP_TIMEOUT = "7"}\nbearer = {"data.example.org" = "DATA_TOKEN"}'
    with job_workers(job_with(write, lines)) as client:
        assert client is None
    (_, options) = recorded["worker_environment"]
    assert options["env"] == {"GDAL_HTTP_TIMEOUT": "7"}
    assert options["bearer"] == {"data.example.org": "abc"}
    assert options["s3"] == []


def test_local_processes(write, recorded, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    lines = 'kind = "local"\nworkers = 3\nthreads_per_worker = 2\nmemory_limit = "2 GiB"'
    store = '"s3://bucket/season"\nenvironment = ["AWS_ACCESS_KEY_ID"]'
    with job_workers(job_with(write, lines, store)) as client:
        assert client == "client of local_cluster"
    (_, options) = recorded["local_cluster"]
    assert (options["workers"], options["threads_per_worker"]) == (3, 2)
    assert options["memory_limit"] == "2GiB"
    # Workers write to the store themselves, so they need its keys.
    assert options["env"] == {"AWS_ACCESS_KEY_ID": "id"}


def test_a_gateway(write, recorded, monkeypatch):
    pytest.importorskip("dask_gateway")
    for name in read_job(write(FULL)).variables:
        monkeypatch.setenv(name, f"value of {name}")
    job = read_job(write(FULL))
    with job_workers(job) as client:
        assert client == "client of gateway_cluster"
    _, options = recorded["gateway_cluster"]
    assert options["address"] == "https://dask.example.org"
    assert options["proxy_address"] == "tls://proxy.example.org:8786"
    assert options["install"] is True
    assert options["workers"] == (2, 8)
    assert options["options"] == {"worker_cores": 2, "image": "registry.example.org/cbmcube:1"}
    assert options["timeout"] == 90
    assert options["env"] == {
        "GDAL_HTTP_TIMEOUT": "60",
        "AWS_ACCESS_KEY_ID": "value of AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY": "value of AWS_SECRET_ACCESS_KEY",
    }
    assert options["bearer"] == {"data.example.org": "value of DATA_TOKEN"}
    (access,) = options["s3"]
    assert (access.bucket, access.key, access.secret) == (
        *("eodata", "value of EODATA_KEY", "value of EODATA_SECRET"),
    )
    login = options["auth"]
    assert type(login).__name__ == "BasicAuth"
    assert (login.username, login.password) == ("me", "value of DASK_PASSWORD")


@pytest.mark.parametrize("name", ["jupyterhub", "kerberos"])
def test_other_logins_are_named(write, name):
    job = job_with(write, f'kind = "gateway"\nauth = "{name}"')
    assert gateway_address(job)["auth"] == name
    assert set(gateway_address(job_with(write, 'kind = "gateway"')).values()) == {None}


@pytest.mark.parametrize("kind", ["threads", "local", "gateway"])
def test_a_variable_that_is_not_set_is_named_before_anything_starts(
    write, recorded, monkeypatch, kind
):
    monkeypatch.delenv("DATA_TOKEN", raising=False)
    job = job_with(write, f'kind = "{kind}"\nbearer = {{"data.example.org" = "DATA_TOKEN"}}')
    with pytest.raises(OptionError, match="DATA_TOKEN"), job_workers(job):
        pass
    assert not recorded


def test_a_running_cluster_is_prepared_and_runs_on(write, monkeypatch):
    """The scheduler is somebody's own; the store's key reaches its worker and goes again."""
    monkeypatch.setenv("MY_STORE_KEY", "abc")
    given = []

    def prepare(client, **options):
        # The worker shares this process, and so its variables: only what is sent counts.
        given.append(options["env"])
        return prepare_workers(client, **options)

    monkeypatch.setattr(workers, "prepare_workers", prepare)
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address="127.0.0.1:0",
        protocol="tcp",
    ) as cluster:
        lines = f'kind = "address"\naddress = "{cluster.scheduler_address}"'
        job = job_with(write, lines, '"s3://bucket/x"\nenvironment = ["MY_STORE_KEY"]')
        with job_workers(job) as client:
            assert client.submit(variable, "MY_STORE_KEY").result() == "abc"
            assert client.submit(variable, "GDAL_CACHEMAX").result()
        assert given == [{"MY_STORE_KEY": "abc"}]
        with Client(cluster.scheduler_address) as other:
            assert other.submit(sum, [1, 2]).result() == 3
    assert os.environ["MY_STORE_KEY"] == "abc"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "what://is-this"])
def test_a_scheduler_that_does_not_answer(write, address):
    job = job_with(write, f'kind = "address"\naddress = "{address}"\ntimeout = 0.2')
    with pytest.raises(OptionError, match="no Dask scheduler answers"), job_workers(job):
        pass
    assert dask.config.get("scheduler", None) is None
    with pytest.raises(ValueError, match="No global client"):
        get_client()
