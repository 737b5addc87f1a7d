"""Commits, blobs and snapshots of a store in a folder."""

from __future__ import annotations

import json
import pickle
import shutil
import threading
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cbmcube.exceptions import (
    ConflictError,
    OptionError,
    StoreCorruptError,
    StoreExistsError,
    StoreFormatError,
    StoreNotFoundError,
)
from cbmcube.observations.store import (
    Store,
    canonical_json,
    create_store,
    open_store,
    read_rows,
    sha256,
)
from cbmcube.warnings import DamagedStoreWarning
from tests.observations.store.units import RECIPE, commit, info_of, key_of, put_plan, rows_of


def files_in(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def published(store, names):
    for name in names:
        commit(store, name)
    return store.publish(plan=put_plan(store, names), keys=map(key_of, names))


class TestMaking:
    def test_a_store_is_opened_by_its_recipe(self, store, ram):
        assert create_store(ram / "store", dict(reversed(RECIPE.items()))).recipe == RECIPE
        assert open_store(f"file://{ram}/store").recipe_hash == sha256(canonical_json(RECIPE))
        document = json.loads((ram / "store" / "store.json").read_bytes())
        assert document == {"format": 1, "recipe": RECIPE, "recipe_hash": store.recipe_hash}

    def test_another_recipe_is_refused(self, store):
        with pytest.raises(StoreExistsError, match="engine: 2, there 1"):
            create_store(store.url, {**RECIPE, "engine": 2})

    def test_a_recipe_is_json(self, ram):
        with pytest.raises(OptionError, match="JSON"):
            create_store(ram / "x", {"buffer": float("nan")})

    def test_the_recipe_cannot_be_changed_from_outside(self, store):
        store.recipe["bands"].append("HH")
        assert store.recipe == RECIPE

    def test_other_peoples_folders_stay_their_own(self, ram):
        (ram / "thesis.docx").touch()
        with pytest.raises(StoreExistsError, match="thesis.docx"):
            create_store(ram, RECIPE)
        assert files_in(ram) == ["thesis.docx"]

    def test_what_a_killed_creation_left_is_no_stranger(self, ram):
        (ram / "tmp").mkdir()
        (ram / "tmp" / "0123").write_bytes(b"{")
        assert create_store(ram, RECIPE).committed() == set()

    @pytest.mark.parametrize("names", [[], ["a", "b"]])
    def test_a_place_without_a_store_is_described(self, ram, names):
        for name in names:
            (ram / name).touch()
        with pytest.raises(StoreNotFoundError, match=", ".join(names) or "nothing"):
            open_store(ram)

    def test_a_newer_format_asks_for_an_update(self, store, ram):
        path = ram / "store" / "store.json"
        path.write_text(path.read_text().replace('"format":1', '"format":2'))
        with pytest.raises(StoreFormatError, match="update cbmcube"):
            open_store(store.url)
        with pytest.raises(StoreFormatError):
            create_store(store.url, RECIPE)

    @pytest.mark.parametrize(
        "text",
        ["", "{", "[]", "null", '{"format":1}', '{"format":"1","recipe":{},"recipe_hash":""}'],
    )
    def test_a_damaged_description_is_said(self, store, ram, text):
        (ram / "store" / "store.json").write_text(text)
        with pytest.raises(StoreCorruptError, match="damaged"):
            open_store(store.url)

    def test_a_changed_recipe_is_damage(self, store, ram):
        path = ram / "store" / "store.json"
        path.write_text(path.read_text().replace("VH", "HH"))
        with pytest.raises(StoreCorruptError):
            open_store(store.url)

    def test_a_store_that_appears_meanwhile_is_no_stranger(self, store, ram, monkeypatch):
        """Another writer made it between the look for it and the look around."""
        backend = store.objects.backend
        entry = type(backend).entry
        hide = lambda self, name: None if name == "store.json" else entry(self, name)  # noqa: E731
        monkeypatch.setattr(type(backend), "entry", hide)
        assert create_store(ram / "store", RECIPE).recipe == RECIPE

    def test_threads_that_make_one_store_get_one(self, ram):
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(create_store(ram / "s", RECIPE)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {store.recipe_hash for store in found} == {found[0].recipe_hash}
        assert len(found) == 8


class TestBlobs:
    def test_a_blob_is_named_by_its_bytes(self, store, ram):
        name = store.put_blob("items", b"{}", "json")
        assert name == f"{sha256(b'{}')}.json"
        assert store.get_blob("items", name) == b"{}"
        assert (ram / "store" / "blobs" / "items" / name).read_bytes() == b"{}"

    def test_a_damaged_blob_is_found_and_made_again(self, store, ram):
        name = store.put_blob("items", b"{}", "json")
        (ram / "store" / "blobs" / "items" / name).write_bytes(b"[]")
        with pytest.raises(StoreCorruptError, match="other bytes"):
            store.get_blob("items", name)
        assert store.put_blob("items", b"{}", "json") == name
        assert store.get_blob("items", name) == b"{}"

    def test_what_is_there_is_not_written_again(self, store, monkeypatch):
        name = store.put_blob("items", b"{}", "json")
        backend = type(store.objects.backend)
        monkeypatch.setattr(backend, "put", lambda *_: pytest.fail("written again"))
        assert store.put_blob("items", b"{}", "json") == name

    def test_a_missing_blob_is_said(self, store):
        with pytest.raises(StoreCorruptError, match="missing"):
            store.get_blob("items", f"{key_of('x')}.json")

    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            ("secrets", f"{'0' * 64}.json"),
            ("items", "../../store.json"),
            ("items", f"{'0' * 64}.json/../x"),
            ("items", f"{'0' * 64}.json\n"),
            ("items", f"{'0' * 63}٣.json"),
            ("../items", f"{'0' * 64}.json"),
        ],
    )
    def test_only_hashes_are_names(self, store, kind, name):
        with pytest.raises(OptionError):
            store.get_blob(kind, name)

    @pytest.mark.parametrize("suffix", ["", "../x", "JSON", "a" * 17, "a.b"])
    def test_suffixes_are_short_words(self, store, suffix):
        with pytest.raises(OptionError):
            store.put_blob("items", b"{}", suffix)


class TestCommits:
    def test_what_is_committed_is_read_back(self, store):
        made = commit(store, "a")
        assert store.committed() == {key_of("a")}
        assert store.commits() == store.commits([key_of("a"), key_of("b")]) == [made]
        assert made.part == f"parts/{made.key[:2]}/{made.key}-{made.sha256[:16]}.parquet"
        assert (made.rows, made.status, made.info) == (6, "ok", info_of("a"))
        assert store.read_part(made.part).equals(rows_of("a"))

    def test_the_hash_is_that_of_the_file(self, store, ram):
        made = commit(store, "a")
        data = (ram / "store" / made.part).read_bytes()
        assert sha256(data) == made.sha256
        assert pq.read_table(ram / "store" / made.part).equals(rows_of("a"))

    def test_the_same_again_changes_nothing(self, store, ram):
        made = commit(store, "a")
        before = files_in(ram)
        assert commit(open_store(store.url), "a") == made
        assert files_in(ram) == before

    def test_other_information_is_no_conflict(self, store):
        made = commit(store, "a")
        assert commit(store, "a", info={"versions": {"gdal": "4"}}) == made

    @pytest.mark.parametrize(
        "other",
        [
            {"table": rows_of("b")},
            {"table": rows_of("a").slice(1)},
            {"table": rows_of("a").rename_columns([*rows_of("a").column_names[:-1], "scenes"])},
            {"status": "nodata"},
            {"status": "corrupt", "reason": "torn"},
        ],
    )
    def test_another_result_is_a_conflict(self, store, ram, other):
        made = commit(store, "a")
        with pytest.raises(ConflictError, match="different results"):
            commit(store, "a", **other)
        assert store.commits() == [made]
        (record,) = (ram / "store" / "runs" / "conflicts").iterdir()
        assert json.loads(record.read_text())["stored"]["sha256"] == made.sha256

    @pytest.mark.parametrize("status", ["empty", "nodata", "corrupt", "refused"])
    def test_units_without_rows(self, store, status):
        reason = "its file is torn" if status in ("corrupt", "refused") else None
        made = commit(store, "a", status=status, reason=reason)
        assert (made.part, made.rows, made.reason) == (None, 0, reason)
        assert store.commits() == [made]

    def test_a_unit_without_data_may_have_rows_that_say_so(self, store):
        made = store.commit(key_of("a"), rows_of("a"), status="nodata", info={})
        assert made.rows == 6

    @pytest.mark.parametrize(
        "given",
        [
            {"status": "done"},
            {"status": "corrupt"},
            {"status": "refused", "reason": ""},
            {"table": None},
            {"info": {"time": "yesterday"}},
            {"info": {"group": "first"}},
            {"info": {"cloud": float("nan")}},
            {"info": {"time": datetime(2018, 5, 1, tzinfo=UTC)}},
            {"table": pa.table({"a": [[1]]})},
            {"table": pa.table({"a": [b"1"]})},
            {"table": pa.table([[1], [2]], names=["a", "a"])},
        ],
    )
    def test_what_cannot_be_kept_is_refused_before_anything_is_written(self, store, ram, given):
        before = files_in(ram)
        with pytest.raises(OptionError):
            commit(store, "a", **given)
        assert files_in(ram) == before

    def test_the_same_rows_with_another_status_are_a_conflict(self, store):
        commit(store, "a")
        with pytest.raises(ConflictError):
            store.commit(key_of("a"), rows_of("a"), status="nodata", info=info_of("a"))

    @pytest.mark.parametrize("key", ["", "0" * 63, "0" * 65, "A" * 64, "../" + "0" * 61, None, 7])
    def test_keys_are_hashes(self, store, key):
        with pytest.raises(OptionError):
            store.commit(key, None, status="empty", info={})
        with pytest.raises(OptionError):
            store.commits([key])

    def test_a_lost_answer_is_a_success(self, store, monkeypatch):
        """The link was made, and the disk said otherwise."""
        backend = store.objects.backend
        create = type(backend).create
        store.safe_writers  # noqa: B018  # asked before answers get lost
        monkeypatch.setattr(type(backend), "create", lambda *given: create(*given) and False)
        made = commit(store, "a")
        assert store.commits() == [made]
        assert published(store, ["a"]).number == 1

    def test_empty_commit_files_are_not_done(self, store, ram):
        made = commit(store, "a")
        path = ram / "store" / "commits" / made.key[:2] / f"{made.key}.json"
        path.write_bytes(b"")
        assert store.committed() == set()
        assert commit(store, "a") == made
        assert store.commits() == [made]

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text[: len(text) // 2],
            lambda text: text.replace('"rows":6', '"rows":"6"'),
            lambda text: text.replace('"rows":6', '"rows":-6'),
            lambda text: text.replace("parts/", "../../"),
            lambda text: text.replace('"status":"ok"', '"status":"fine"'),
            lambda text: text.replace('"status":"ok"', '"status":["ok"]'),
            lambda text: text.replace('"info":{', '"info":[{').replace("}}", "}]}"),
            lambda text: text.replace('"key":"ca', '"key":"ac'),
            lambda text: text.replace('"reason":null', '"reason":7'),
            lambda text: text.replace('"reason":null', '"cause":null'),
            lambda _: "[" * 100_000,
        ],
    )
    def test_a_torn_commit_is_set_aside_and_made_again(self, store, ram, change):
        made = commit(store, "a")
        plan = put_plan(store, ["a"])
        path = ram / "store" / "commits" / made.key[:2] / f"{made.key}.json"
        torn = change(path.read_text())
        assert torn != path.read_text()
        path.write_text(torn)
        with pytest.raises(StoreCorruptError):
            store.commits()
        with pytest.raises(StoreCorruptError, match="run again"):
            store.publish(plan=plan, keys=[made.key])
        assert store.committed() == set()
        (kept,) = (ram / "store" / "runs" / "set-aside").iterdir()
        assert kept.read_text() == torn
        assert commit(store, "a") == made
        assert store.publish(plan=plan, keys=[made.key]).units == 1

    def test_files_that_are_no_commits_are_not_counted(self, store, ram):
        commit(store, "a")
        (ram / "store" / "commits" / "00").mkdir(exist_ok=True)
        (ram / "store" / "commits" / "00" / ".nfs0001").write_text("x")
        (ram / "store" / "commits" / "00" / f"{'0' * 63}.json").write_text("x")
        assert store.committed() == {key_of("a")}


class TestSnapshots:
    def test_a_snapshot_lists_the_units(self, store):
        snapshot = published(store, list("fedcba"))
        assert (snapshot.number, snapshot.units, snapshot.rows) == (1, 6, 36)
        rows = snapshot.parts.to_pylist()
        assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
        for row in rows:
            (made,) = store.commits([row["key"]])
            assert row["file"] == row["part"] == made.part
            assert (row["first_row"], row["first_row_group"]) == (0, 0)
            assert json.loads(row["info"]) == made.info
            assert row["time"] == datetime.fromisoformat(made.info["time"])
            assert read_rows(store, row).equals(store.read_part(made.part))

    def test_the_root_is_the_hash_of_what_was_found(self, store):
        """By hand, from the definition."""
        commit(store, "b", status="refused", reason="its host is not allowed")
        made = commit(store, "a")
        snapshot = store.publish(plan=put_plan(store, ["a", "b"]), keys=store.committed())
        lines = [f"{made.key} {made.content} 6 ok\n", f"{key_of('b')} - 0 refused\n"]
        assert snapshot.root == sha256("".join(sorted(lines)).encode())

    def test_the_same_is_published_once(self, store):
        first = published(store, ["a"])
        assert published(store, ["a"]).to_json() == first.to_json()
        assert store.snapshots() == [1]

    def test_another_plan_is_another_snapshot(self, store):
        first = published(store, ["a"])
        second = store.publish(plan=put_plan(store, ["a", "b"]), keys=[key_of("a")])
        assert (second.number, second.root == first.root) == (2, True)

    def test_later_snapshots_leave_earlier_ones_alone(self, store):
        published(store, ["a"])
        published(store, ["a", "b"])
        assert [store.snapshot(number).units for number in store.snapshots()] == [1, 2]
        assert store.snapshot().number == 2

    def test_only_what_is_done_can_be_published(self, store):
        commit(store, "a")
        plan = put_plan(store, ["a"])
        with pytest.raises(StoreNotFoundError, match="1 of 2 units are not committed"):
            store.publish(plan=plan, keys=[key_of("a"), key_of("b")])
        with pytest.raises(StoreNotFoundError, match="plan"):
            store.publish(plan=f"{key_of('x')}.json", keys=[key_of("a")])

    def test_nothing_is_published_yet(self, store):
        with pytest.raises(StoreNotFoundError, match="nothing is published"):
            store.snapshot()
        with pytest.raises(StoreNotFoundError, match="none yet"):
            store.snapshot(3)

    def test_a_snapshot_of_nothing(self, store):
        snapshot = store.publish(plan=put_plan(store, []), keys=[])
        assert (snapshot.units, snapshot.rows, snapshot.parts.num_rows) == (0, 0, 0)

    def test_threads_that_publish_at_once_take_turns(self, store, ram):
        names = [str(number) for number in range(6)]
        for name in names:
            commit(store, name)
        plan = put_plan(store, names)
        found = []

        def publish(count):
            writer = open_store(ram / "store")
            found.append(writer.publish(plan=plan, keys=map(key_of, names[:count])))

        threads = [threading.Thread(target=publish, args=(count,)) for count in (1, 2, 3, 4, 5, 6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(snapshot.number for snapshot in found) == [1, 2, 3, 4, 5, 6]
        for snapshot in found:
            assert store.snapshot(snapshot.number).to_json() == snapshot.to_json()

    @pytest.mark.parametrize("text", ["", "{}", '{"number":2}', "[[["])
    def test_a_torn_snapshot_is_passed_over(self, store, ram, text):
        published(store, ["a"])
        published(store, ["a", "b"])
        (ram / "store" / "snapshots" / "000000000002.json").write_text(text)
        with pytest.raises(StoreCorruptError):
            store.snapshot(2)
        with pytest.warns(DamagedStoreWarning, match="the snapshot before it is used"):
            assert store.snapshot().number == 1
        with pytest.warns(DamagedStoreWarning):
            assert published(store, ["a", "b"]).number == 3
        assert store.snapshot().units == 2

    def test_an_index_that_points_elsewhere_is_refused(self, store):
        snapshot = published(store, ["a"])
        rows = snapshot.parts.to_pylist()
        rows[0]["file"] = "../../etc/passwd"
        evil = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(rows, schema=snapshot.parts.schema), evil)
        name = store.put_blob("index", evil.getvalue().to_pybytes(), "parquet")
        document = {**json.loads(snapshot.to_json()), "index": name, "number": 2}
        store.objects.backend.put("snapshots/000000000002.json", canonical_json(document), "log")
        with pytest.raises(StoreCorruptError, match="no part"):
            store.snapshot(2).parts  # noqa: B018

    def test_a_lost_index_is_written_again(self, store, ram):
        snapshot = published(store, ["a"])
        (ram / "store" / "blobs" / "index" / snapshot.index).unlink()
        assert published(store, ["a"]).parts.num_rows == 1


class TestSharing:
    def test_a_store_and_its_snapshots_travel(self, store, monkeypatch):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "c4n4ry")
        snapshot = published(store, ["a"])
        assert snapshot.parts.num_rows
        data = pickle.dumps((store, snapshot))
        assert b"c4n4ry" not in data
        assert len(data) < 2_000
        there, seen = pickle.loads(data)  # noqa: S301
        assert (there.url, there.recipe, there.committed()) == (store.url, RECIPE, {key_of("a")})
        assert seen == snapshot
        assert seen.parts.equals(snapshot.parts)

    def test_a_store_shows_itself(self, store):
        snapshot = published(store, ["a"])
        assert repr(store) == f"<Store {store.url}: CARD-BS, recipe {store.recipe_hash[:12]}>"
        assert store.recipe_hash in store._repr_html_()
        assert "1 unit, 6 rows" in repr(snapshot)
        assert snapshot.root in snapshot._repr_html_()

    def test_what_is_shown_is_escaped(self, ram):
        store = create_store(ram / "s", {"product": "<script>"})
        assert "<script>" not in store._repr_html_()

    def test_pyarrow_reads_parts_by_their_names(self, store):
        made = commit(store, "a")
        table = pq.read_table(made.part, filesystem=store.filesystem, columns=["mean"])
        assert table["mean"].equals(rows_of("a")["mean"])
        assert store.read_part(made.part, ["mean"]).equals(table)

    def test_a_damaged_part_is_not_read(self, store, ram):
        made = commit(store, "a")
        path = ram / "store" / made.part
        data = bytearray(path.read_bytes())
        data[20] ^= 1
        path.write_bytes(data)
        with pytest.raises(StoreCorruptError, match="other bytes"):
            store.read_part(made.part)
        with pytest.raises(OptionError):
            store.read_part("store.json")

    def test_logs_are_new_objects(self, store, ram):
        names = [store.log("run-1", f"{number}\n".encode()) for number in range(3)]
        assert len(set(names)) == 3
        assert sorted(names) == names
        lines = [(ram / "store" / name).read_text() for name in names]
        assert lines == ["0\n", "1\n", "2\n"]
        with pytest.raises(OptionError):
            store.log("../up", b"")

    def test_there_is_no_pickle_in_a_store(self, store, ram):
        published(store, ["a", "b"])
        store.log("run-1", b"{}\n")
        for name in files_in(ram / "store"):
            head = (ram / "store" / name).read_bytes()[:4]
            assert head == b"PAR1" or head[:1] in b"{p"  # Parquet, JSON, and our text of a blob

    def test_a_copy_of_the_folder_is_the_store(self, store, ram):
        snapshot = published(store, ["a"])
        shutil.copytree(ram / "store", ram / "copy")
        assert open_store(ram / "copy").snapshot().root == snapshot.root


def test_types_of_the_table_come_back(store):
    """Bit by bit, with what a float can hold, and without what pandas adds."""
    floats = np.array([0.0, -0.0, np.nan, np.inf, 1e-45], "float32")
    table = pa.table(
        {
            "text": pa.array(["å", None, "", "b", "b"]).dictionary_encode(),
            "long": pa.array(["a", None, "b", "c", "d"], pa.large_string()),
            "number": pa.array([1, None, 2**62, -(2**62), 0]),
            "float": pa.array(floats, from_pandas=False),
            "flag": [True, None, False, True, True],
            "time": pa.array([0, 1, None, 2, 3], pa.timestamp("us", "UTC")),
        }
    ).replace_schema_metadata({"pandas": "{}"})
    made = store.commit(key_of("a"), table, status="ok", info={})
    back = store.read_part(made.part)
    assert back["float"].to_numpy().tobytes() == floats.tobytes()
    assert back.schema.metadata is None
    assert str(back["text"].type) == str(back["long"].type) == "string"
    for name in ("text", "long", "number", "flag", "time"):
        assert back[name].to_pylist() == table[name].to_pylist()
    assert isinstance(store, Store)
