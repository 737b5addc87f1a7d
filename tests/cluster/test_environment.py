from __future__ import annotations

import logging
import os
import pickle

import cloudpickle
import dask
import pytest

from cbmcube.cluster import (
    GDAL_DEFAULTS,
    S3Access,
    WorkerEnvironment,
    local_cluster,
    prepare_workers,
    signed,
)
from cbmcube.exceptions import ClusterMismatchError, OptionError

CANARY = "c4n4ry-5161"
VARIABLE = "CBMCUBE_TEST_A"


def add_signature(href):
    return f"{href}?sig={CANARY}"


def values_of(names):
    return {name: os.environ.get(name) for name in names}


def everything():
    return WorkerEnvironment(
        env={VARIABLE: CANARY},
        s3=S3Access(key=CANARY, secret=CANARY),
        bearer={"data.example.org": CANARY},
        signer=lambda href: f"{href}?{CANARY}",
    )


@pytest.mark.trap("T34")
def test_a_plugin_shows_no_value_in_any_form():
    plugin = everything()
    assert CANARY not in f"{plugin!r} {plugin} {vars(plugin)!r}"
    # also not in its bytes, which a worker logs when it cannot read them
    assert CANARY.encode() not in cloudpickle.dumps(plugin)
    again = pickle.loads(cloudpickle.dumps(plugin))  # noqa: S301
    assert again.name == plugin.name
    assert repr(again) == repr(plugin)
    again.setup(None)
    try:
        assert os.environ[VARIABLE] == CANARY
        assert signed("https://h/a") == f"https://h/a?{CANARY}"
    finally:
        again.teardown(None)
    assert VARIABLE not in os.environ


def test_workers_get_it_also_those_that_join_later_and_lose_it_again():
    names = [VARIABLE, *GDAL_DEFAULTS]
    with local_cluster(workers=1, dashboard=False, env={"GDAL_HTTP_TIMEOUT": "33"}) as client:
        expected = {**GDAL_DEFAULTS, "GDAL_HTTP_TIMEOUT": "33", VARIABLE: "1"}
        with prepare_workers(client, env={VARIABLE: "1"}, signer=add_signature) as prepared:
            client.cluster.scale(2)
            client.wait_for_workers(2, timeout=60)
            told = client.run(values_of, names)
            assert len(told) == 2
            assert all(found == expected for found in told.values())
            assert set(client.run(signed, "https://h/a").values()) == {f"https://h/a?sig={CANARY}"}
            with prepare_workers(client, env={VARIABLE: "2"}):
                assert set(client.run(os.getenv, VARIABLE).values()) == {"2"}
            assert set(client.run(os.getenv, VARIABLE).values()) == {"1"}
            client.restart()
            assert set(client.run(os.getenv, VARIABLE).values()) == {"1"}
            assert VARIABLE in repr(prepared)
        assert set(client.run(os.getenv, VARIABLE).values()) == {None}
        assert set(client.run(signed, "https://h/a").values()) == {"https://h/a"}
    assert VARIABLE not in os.environ


def test_a_client_that_closed_inside_the_block_is_no_error():
    # A client that is closed before its block ends leaves itself as Dask's scheduler.
    with (
        dask.config.set(scheduler=None),
        local_cluster(workers=1, dashboard=False) as client,
        prepare_workers(client),
    ):
        client.close()


def test_values_are_checked_before_anything_is_sent():
    with pytest.raises(OptionError, match="TOKEN") as caught:
        prepare_workers(None, env={"TOKEN": 123456})
    assert "123456" not in str(caught.value)
    for options in ({"s3": {"key": CANARY}}, {"bearer": {"h": f"{CANARY} x"}}, {"signer": CANARY}):
        with pytest.raises(OptionError) as caught, local_cluster(workers=1, **options):
            pass
        assert CANARY not in str(caught.value)


@pytest.mark.trap("T44")
def test_workers_without_the_library_are_named(monkeypatch):
    monkeypatch.setattr(
        "cbmcube.cluster._environment.workers_without", lambda *_: ["tcp://10.0.0.1:1"]
    )
    with pytest.raises(ClusterMismatchError, match=r"tcp://10\.0\.0\.1:1") as caught:
        prepare_workers(None, env={VARIABLE: CANARY})
    assert "install_on_workers" in str(caught.value)
    assert CANARY not in str(caught.value)


class Unreadable:
    """A signer that no process can make from its bytes."""

    def __call__(self, href):
        return href

    def __reduce__(self):
        return (int, ("nothing",))


def log_everything():
    for name in ("distributed", "distributed.protocol.pickle"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(logging.StreamHandler())


@pytest.mark.trap("T34")
def test_a_plugin_that_cannot_be_loaded_shows_nothing_in_logs(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    with local_cluster(workers=1, dashboard=False) as client:
        client.run(log_everything)
        with pytest.raises(Exception, match="invalid literal"):
            prepare_workers(client, env={VARIABLE: CANARY}, signer=Unreadable())
        logs = str(client.get_worker_logs()) + str(client.get_scheduler_logs())
    logs += caplog.text + "".join(capfd.readouterr())
    assert "Failed to deserialize" in logs
    assert CANARY not in logs
