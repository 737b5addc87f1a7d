"""The real command in processes of their own: killed, interrupted, and with an object store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from cbmcube.__main__ import main
from cbmcube.observations.store import open_store
from tests.services.gateway import gateway_or_skip

pytestmark = [
    pytest.mark.services,
    pytest.mark.filterwarnings("ignore::cbmcube.warnings.RepairedParcelsWarning"),
]

PATIENCE = 180
LOCAL = '[cluster]\nkind = "local"\nworkers = 2\n'


@pytest.fixture(scope="module")
def text(country):
    """A job of some 20 units in two zones."""
    return f"""
[catalog]
path = "{country.catalogue}"
period = "2024-03"
filter = "platform IN ('sentinel-1a', 'sentinel-1b')"
[product]
name = "CARD-BS"
bands = ["VV"]
[parcels]
path = "{country.parcels}"
id = "field_id"
[store]
url = "season"
"""


@pytest.fixture(scope="module")
def undisturbed(text, tmp_path_factory):
    """The root hash of a run that nothing disturbs, and its units."""
    file = tmp_path_factory.mktemp("undisturbed") / "job.toml"
    file.write_text(text)
    assert main(["run", str(file), "--no-progress"]) == 0
    snapshot = open_store(file.parent / "season").snapshot()
    return snapshot.root, snapshot.units


@pytest.fixture
def start(tmp_path, text):
    """Start the command in a session of its own, as a terminal or a batch system would."""
    started = []

    def run(lines=""):
        file = tmp_path / "job.toml"
        file.write_text(text + lines)
        command = [sys.executable, "-m", "cbmcube", "run", str(file), "--json-progress", "-"]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return file, process

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def wait_for_commits(file, process, least=2):
    """Wait until some units are done, so that the run is surely in the middle."""
    until = time.monotonic() + PATIENCE
    while len(list((file.parent / "season" / "commits").rglob("*.json"))) < least:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def family(process):
    return psutil.Process(process.pid).children(recursive=True)


def test_killed_halfway_and_run_again_it_has_the_same_bytes(start, undisturbed):
    file, process = start()
    wait_for_commits(file, process)
    process.kill()
    process.communicate()
    store = open_store(file.parent / "season")
    committed = len(store.committed())
    root, units = undisturbed
    assert 2 <= committed < units
    assert store.snapshots() == []  # it had no time to publish
    assert main(["status", str(file)]) == 1
    assert main(["run", str(file), "--no-progress"]) == 0
    assert store.snapshot().root == root
    assert main(["verify", str(file)]) == 0


@pytest.mark.parametrize(
    ("number", "whole_group", "lines"),
    [(signal.SIGINT, True, LOCAL), (signal.SIGTERM, False, "")],
    ids=["ctrl-c in a terminal, with workers", "terminated, without"],
)
def test_asked_to_end_it_tidies_up_and_says_how_it_ended(
    start, undisturbed, number, whole_group, lines
):
    """Ctrl-C reaches the workers, too, as they belong to the terminal's group."""
    file, process = start(lines)
    wait_for_commits(file, process)
    workers = family(process)
    assert bool(workers) is bool(lines)
    if whole_group:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number, err
    assert json.loads(out.splitlines()[-1])["event"] == "cancelled"
    assert "Traceback" not in err
    assert "what is committed stays, run it again to go on" in err
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive
    store = open_store(file.parent / "season")
    assert len(store.committed()) >= 2
    assert main(["run", str(file), "--no-progress"]) == 0
    assert store.snapshot().root == undisturbed[0]


def test_the_same_in_a_bucket_and_its_keys_are_found_nowhere(
    store, tmp_path, text, undisturbed, monkeypatch, capfd
):
    """The job names the variables; worker processes write with what these hold."""
    prefix = f"scripted-{tmp_path.name}"
    file = tmp_path / "job.toml"
    place = f"""url = "s3://{store.bucket}/{prefix}"
endpoint = "{store.endpoint}"
region = "us-east-1"
environment = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
"""
    file.write_text(text.replace('url = "season"', place) + LOCAL)
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", store.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", store.secret)
    assert main(["run", str(file), "--log", "debug"]) == 0
    assert main(["status", str(file), "--json"]) == 0
    address = [f"s3://{store.bucket}/{prefix}", "--endpoint", store.endpoint]
    assert main(["verify", *address, "--region", "us-east-1"]) == 0
    out, err = capfd.readouterr()
    assert (
        json.loads(next(line for line in out.splitlines() if line[:1] == "{"))["root"]
        == (undisturbed[0])
    )
    client = store.client()
    listed = client.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix=prefix)
    names = [one["Key"] for page in listed for one in page["Contents"]]
    assert len(names) > 40
    bodies = [client.get_object(Bucket=store.bucket, Key=n)["Body"].read() for n in names]
    for secret in (store.key, store.secret):
        assert secret not in out + err
        assert not any(secret.encode() in body for body in bodies)
        assert secret not in " ".join(names)


def test_keys_that_are_wrong_or_missing_are_a_users_error(
    store, tmp_path, text, monkeypatch, capfd
):
    file = tmp_path / "job.toml"
    place = f"""url = "s3://{store.bucket}/wrong"
endpoint = "{store.endpoint}"
region = "us-east-1"
environment = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
"""
    file.write_text(text.replace('url = "season"', place))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", store.key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-canary-canary")
    assert main(["run", str(file)]) == 2
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert main(["run", str(file)]) == 2
    out, err = capfd.readouterr()
    assert "canary" not in out + err
    assert "export AWS_SECRET_ACCESS_KEY=" in err


@pytest.fixture(scope="module")
def gateway():
    yield from gateway_or_skip()


def test_a_cluster_that_a_killed_run_left_is_stopped_by_another_command(
    gateway, start, undisturbed, monkeypatch, capfd
):
    """As the exit handler of a workflow does; then the run goes on without a cluster."""
    monkeypatch.setenv("GW_PASSWORD", gateway.password)
    file, process = start(f"""
[cluster]
kind = "gateway"
address = "{gateway.address}"
proxy = "{gateway.proxy_address}"
auth = "basic"
username = "ada"
password = "GW_PASSWORD"
""")
    wait_for_commits(file, process, least=1)
    process.kill()
    _, err = process.communicate()
    (name,) = gateway.clusters()
    assert main(["cluster", "list", str(file)]) == 0
    assert main(["cluster", "stop", str(file)]) == 0
    out, said = capfd.readouterr()
    assert f"{name}  running" in out
    assert f"Stopped: {name}" in out
    gateway.wait_until_empty()
    assert gateway.password not in out + err + said
    file.write_text(file.read_text().split("[cluster]")[0])
    assert main(["run", str(file), "--no-progress"]) == 0
    store = open_store(file.parent / "season")
    assert store.snapshot().root == undisturbed[0]
    for one in (file.parent / "season").rglob("*"):
        assert not one.is_file() or gateway.password.encode() not in one.read_bytes()
