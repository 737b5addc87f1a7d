"""The store of observations in a real object store that checks keys."""

from __future__ import annotations

import pickle
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cbmcube.exceptions import (
    ConflictError,
    StoreAccessError,
    StoreCorruptError,
    StoreExistsError,
    StoreNotFoundError,
    StoreUnavailableError,
)
from cbmcube.observations.store import (
    compact,
    create_store,
    diff,
    gc,
    open_store,
    read_rows,
    repair,
    verify,
)
from cbmcube.observations.store._failpoints import FailpointReached, armed
from cbmcube.observations.store._probe import forget_probes
from cbmcube.warnings import SingleWriterWarning
from tests.observations.store.units import RECIPE, commit, key_of, put_plan, rows_of
from tests.services.processes import free_port, running
from tests.services.s3 import ObjectStore

pytestmark = pytest.mark.services

NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def url(s3) -> str:
    return f"s3://{s3.bucket}/stores/{uuid.uuid4().hex}"


@pytest.fixture
def store(s3, url):
    return create_store(url, RECIPE, endpoint=s3.endpoint)


def published(store, names=NAMES):
    for name in names:
        commit(store, name)
    return store.publish(plan=put_plan(store, names), keys=map(key_of, names))


def objects(s3, url):
    """List what is below the store's prefix, by another client."""
    prefix = url.split("/", 3)[3] + "/"
    pages = s3.client().get_paginator("list_objects_v2").paginate(Bucket=s3.bucket, Prefix=prefix)
    return {found["Key"][len(prefix) :] for page in pages for found in page.get("Contents", ())}


def test_a_season_as_in_a_folder(s3, url, store, tmp_path):
    """The same work gives the same names, hashes and root; nothing else is left behind."""
    local = create_store(tmp_path / "store", RECIPE)
    here, there = published(local), published(store)
    assert there.root == here.root
    assert diff(store, local).empty
    files = {
        p.relative_to(tmp_path / "store").as_posix()
        for p in (tmp_path / "store").rglob("*")
        if p.is_file()
    }
    assert objects(s3, url) == files
    packed = compact(store)
    assert packed.root == here.root
    for row in packed.parts.to_pylist():
        (name,) = (n for n in NAMES if key_of(n) == row["key"])
        assert read_rows(store, row).equals(rows_of(name))
    assert verify(store, rows=True).ok
    assert open_store(url, endpoint=s3.endpoint).committed() == set(map(key_of, NAMES))


def test_the_same_again_changes_nothing(s3, url, store):
    first = published(store)
    before = objects(s3, url)
    assert published(create_store(url, RECIPE, endpoint=s3.endpoint)).number == first.number
    assert objects(s3, url) == before


def test_another_result_is_a_conflict(store):
    made = commit(store, "a")
    with pytest.raises(ConflictError):
        commit(store, "a", table=rows_of("b"))
    assert store.commits() == [made]


def test_of_four_threads_one_commits(s3, url, store):
    """Each of 30 keys is created four times at once; all four see the same record."""
    found = []

    def work(number):
        writer = open_store(url, endpoint=s3.endpoint)
        info = {"acquisition": str(number), "group": 0}
        found.extend([commit(writer, name, info=info) for name in range(30)])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 120
    # The first writer's name is in the record, so four equal records mean one winner.
    stored = {made.key: made for made in store.commits()}
    assert len(stored) == 30
    assert all(
        made.info == stored[made.key].info or made.agrees(stored[made.key]) for made in found
    )
    assert sorted({made.key for made in found}) == sorted(stored)


def test_the_condition_itself_has_one_winner(store):
    """50 names, four threads: exactly one of four requests creates each object."""
    backend = store.objects.backend
    won = []

    def work(number):
        names = ((name, f"probe/{name:032x}") for name in range(50))
        won.extend([n for n, path in names if backend.create(path, b"%d" % number, "probe")])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == list(range(50))


@pytest.mark.parametrize(
    "point",
    [
        "part.begin",
        "part.end",
        "commit.begin",
        "commit.end",
        "index.end",
        "snapshot.begin",
        "snapshot.end",
    ],
)
def test_a_run_that_died_is_finished_by_the_next(store, tmp_path, point):
    root = published(create_store(tmp_path / "store", RECIPE)).root
    with armed(f"{point}:raise"), pytest.raises(FailpointReached):
        published(store)
    assert published(open_store(store.url, endpoint=store.objects.address.endpoint)).root == root
    assert len(store.snapshots()) == 1


def test_a_lost_answer_is_a_success(store, monkeypatch):
    """The object was created, and the client's own second request is refused."""
    client = store.objects.backend._client
    put = client.put_object

    def twice(**request):
        answer = put(**request)
        return put(**request) if "IfNoneMatch" in request else answer

    monkeypatch.setattr(client, "put_object", twice)
    made = commit(store, "a")
    assert store.commits() == [made]
    assert store.publish(plan=put_plan(store, ["a"]), keys=[made.key]).number == 1
    assert store.snapshots() == [1]


def test_listings_longer_than_one_page(store, monkeypatch):
    client = store.objects.backend._client
    list_objects = client.list_objects_v2
    monkeypatch.setattr(client, "list_objects_v2", lambda **r: list_objects(**r, MaxKeys=3))
    for name in range(10):
        commit(store, name)
    assert store.committed() == {key_of(name) for name in range(10)}


def test_garbage_goes_and_what_is_named_stays(store):
    put_plan(store, ["old"])
    old = commit(store, "old")
    time.sleep(1.1)  # the clock of objects counts seconds, and the newest plan must be told
    published(store)
    time.sleep(1.1)
    report = gc(store, timedelta(0))
    assert old.part in report.deleted
    assert store.committed() == set(map(key_of, NAMES))
    assert verify(store).ok


def test_damage_is_found_and_repaired(s3, url, store):
    published(store)
    part = store.commits([key_of("a")])[0].part
    prefix = url.split("/", 3)[3]
    s3.client().put_object(Bucket=s3.bucket, Key=f"{prefix}/{part}", Body=b"PAR1")
    with pytest.raises(StoreCorruptError):
        store.read_part(part)
    report = verify(store)
    assert [(p.name, p.kind) for p in report.problems] == [(part, "damaged")]
    assert repair(store, report) == ()
    assert published(store).number == 1
    assert verify(store).ok


def test_pyarrow_reads_parts(store):
    made = commit(store, "a")
    table = pq.read_table(made.part, filesystem=store.filesystem, columns=["mean"])
    assert table["mean"].equals(rows_of("a")["mean"])


class TestKeys:
    def test_wrong_keys_are_said_without_being_shown(self, s3, url, monkeypatch):
        for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
            with monkeypatch.context() as patch:
                patch.setenv(name, "c4n4ry")
                with pytest.raises(StoreAccessError, match="AWS_ACCESS_KEY_ID") as caught:
                    create_store(url, RECIPE, endpoint=s3.endpoint)
            assert "c4n4ry" not in str(caught.value)

    def test_without_keys_the_variables_are_named(self, s3, url, monkeypatch):
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
        with pytest.raises(StoreAccessError, match="has no keys"):
            create_store(url, RECIPE, endpoint=s3.endpoint)

    def test_keys_that_change_count_at_once(self, s3, url, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setenv("AWS_SECRET_ACCESS_KEY", "old")
            with pytest.raises(StoreAccessError):
                create_store(url, RECIPE, endpoint=s3.endpoint)
        assert create_store(url, RECIPE, endpoint=s3.endpoint).committed() == set()

    def test_keys_are_in_nothing_that_is_kept_or_sent(self, s3, url, store):
        snapshot = published(store)
        seen = [pickle.dumps((store, snapshot)), repr((store, snapshot)).encode()]
        seen += [store._repr_html_().encode(), snapshot._repr_html_().encode()]
        prefix = url.split("/", 3)[3]
        for name in objects(s3, url):
            body = s3.client().get_object(Bucket=s3.bucket, Key=f"{prefix}/{name}")["Body"]
            seen.append(body.read())
        assert not [text for text in seen if s3.secret.encode() in text or s3.key.encode() in text]

    @pytest.mark.parametrize(
        "variables",
        [{"AWS_ENDPOINT_URL": "http://{}"}, {"AWS_S3_ENDPOINT": "{}", "AWS_HTTPS": "NO"}],
    )
    def test_the_endpoint_may_come_from_the_environment(self, s3, url, monkeypatch, variables):
        """Botocore's variable, or those that GDAL reads, which workers have anyway."""
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(s3.endpoint.removeprefix("http://")))
        made = commit(create_store(url, RECIPE), "a")
        assert open_store(url).commits() == [made]
        assert pq.read_table(made.part, filesystem=open_store(url).filesystem).num_rows == 6


class TestPlaces:
    def test_no_bucket(self, s3):
        with pytest.raises(StoreNotFoundError, match="no such bucket"):
            open_store("s3://elsewhere/dk", endpoint=s3.endpoint)

    def test_no_store(self, s3, url):
        s3.client().put_object(Bucket=s3.bucket, Key=f"{url.split('/', 3)[3]}/x/thesis", Body=b"")
        with pytest.raises(StoreNotFoundError, match="here is x"):
            open_store(url, endpoint=s3.endpoint)
        with pytest.raises(StoreExistsError, match="place of its own"):
            create_store(url, RECIPE, endpoint=s3.endpoint)

    def test_a_prefix_that_begins_like_another(self, s3, url, store):
        published(store)
        other = create_store(f"{url}-2", RECIPE, endpoint=s3.endpoint)
        assert other.committed() == set()
        assert other.snapshots() == []

    def test_nobody_there(self, url, monkeypatch):
        monkeypatch.setattr("cbmcube.observations.store._s3._ATTEMPTS", 1)
        with pytest.raises(StoreUnavailableError, match="does not answer"):
            open_store(url, endpoint=f"http://127.0.0.1:{free_port()}")


@pytest.fixture
def careless(s3, tmp_path) -> Iterator[str]:
    """The address of a store that accepts any key and ignores conditions."""
    behind, before = free_port(), free_port()
    upstream = f"http://127.0.0.1:{behind}"
    endpoint = f"http://127.0.0.1:{before}"
    server = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(behind)]
    script = Path(__file__).with_name("proxy_ignoring_conditions.py")
    proxy = [sys.executable, str(script), str(before), f"127.0.0.1:{behind}"]
    with (
        running(server, probe=f"{upstream}/moto-api/", log=tmp_path / "server.log"),
        running(proxy, probe=f"{endpoint}/moto-api/", log=tmp_path / "proxy.log"),
    ):
        ObjectStore(endpoint, s3.bucket, s3.key, s3.secret).client().create_bucket(Bucket=s3.bucket)
        yield endpoint


def test_a_store_that_ignores_conditions_has_one_writer(s3, url, careless, tmp_path):
    """It says so once, and works; the results are those of any store."""
    forget_probes()
    with pytest.warns(SingleWriterWarning, match="only one run") as caught:
        store = create_store(url, RECIPE, endpoint=careless)
    assert not store.safe_writers
    snapshot = published(store)
    assert published(store).number == snapshot.number
    assert snapshot.root == published(create_store(tmp_path / "store", RECIPE)).root
    with pytest.raises(ConflictError):
        commit(store, "a", table=rows_of("b"))
    assert compact(store).root == snapshot.root
    assert len(caught) == 1
    there = ObjectStore(careless, s3.bucket, s3.key, s3.secret)
    assert not [name for name in objects(there, url) if name.startswith("probe/")]
    # Another address is asked anew.
    assert create_store(url, RECIPE, endpoint=s3.endpoint).safe_writers
    forget_probes()
