"""Compaction, garbage collection, verification and repair."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cbmcube.exceptions import OptionError, StoreCorruptError
from cbmcube.observations.store import (
    ROW_GROUP,
    compact,
    gc,
    read_rows,
    repair,
    verify,
    withdraw,
)
from tests.observations.store.units import commit, info_of, key_of, put_plan, rows_of

NOW = timedelta(0)


def publish(store, units, rows=6):
    """Publish units of several groups: (name, group) each."""
    names = [name for name, _ in units]
    for name, group in units:
        commit(store, name, info=info_of(name, group), table=rows_of(name, rows))
    return store.publish(plan=put_plan(store, names), keys=map(key_of, names))


def rows_in(store, snapshot):
    return {row["key"]: read_rows(store, row) for row in snapshot.parts.to_pylist() if row["file"]}


def names_below(ram, folder):
    return {path.name for path in (ram / "store" / folder).rglob("*") if path.is_file()}


def age(ram, days, *folders):
    then = time.time() - days * 86_400
    for folder in folders:
        for path in (ram / "store" / folder).rglob("*"):
            os.utime(path, (then, then))


def exchange_places(store, ram, names):
    """Publish two units in one file, and let the index say the rows of one are the other's."""
    publish(store, [(name, 0) for name in names])
    snapshot = compact(store)
    rows = snapshot.parts.to_pylist()
    rows[0]["first_row"], rows[1]["first_row"] = rows[1]["first_row"], rows[0]["first_row"]
    rows[0]["first_row_group"], rows[1]["first_row_group"] = 1, 0
    index = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=snapshot.parts.schema), index)
    name = store.put_blob("index", index.getvalue().to_pybytes(), "parquet")
    path = ram / "store" / "snapshots" / "000000000002.json"
    path.write_text(path.read_text().replace(snapshot.index, name))
    return store.snapshot()


class TestCompact:
    def test_units_of_a_group_share_files(self, store):
        units = [(f"{group}-{number}", group) for group in range(2) for number in range(5)]
        before = publish(store, units)
        seen = []
        after = compact(store, acquisitions=2, progress=lambda *steps: seen.append(steps))
        assert (after.number, after.root, after.plan) == (2, before.root, before.plan)
        assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
        files = {}
        for row in after.parts.to_pylist():
            files.setdefault(row["file"], []).append(row)
        assert sorted(len(rows) for rows in files.values()) == [1, 1, 2, 2, 2, 2]
        for rows in files.values():
            assert len({row["group"] for row in rows}) == 1
            assert [row["first_row"] for row in rows] == [0, 6][: len(rows)]

    def test_rows_stay_where_the_index_says(self, store):
        """By pyarrow alone: row by row, and by the row groups of each unit."""
        rows = 2 * ROW_GROUP + 100
        publish(store, [("a", 0), ("b", 0), ("c", 0)], rows)
        snapshot = compact(store)
        table = pq.read_table(snapshot.parts["file"][0].as_py(), filesystem=store.filesystem)
        names = {key_of(name): name for name in "abc"}
        for row in snapshot.parts.to_pylist():
            expected = rows_of(names[row["key"]], rows)
            assert table.slice(row["first_row"], row["rows"]).combine_chunks().equals(expected)
            with store.filesystem.open_input_file(row["file"]) as file:
                one = pq.ParquetFile(file).read_row_group(row["first_row_group"] + 1)
            assert one.equals(expected.slice(ROW_GROUP, ROW_GROUP))
            assert read_rows(store, row, ["mean"]).equals(expected.select(["mean"]))

    def test_readers_of_earlier_snapshots_notice_nothing(self, store):
        before = publish(store, [("a", 0), ("b", 0)])
        rows = rows_in(store, before)
        index = store.snapshot(1).to_json()
        after = compact(store)
        gc(store, NOW)
        assert store.snapshot(1).to_json() == index
        assert rows_in(store, store.snapshot(1)) == rows == rows_in(store, after)

    def test_again_it_does_what_is_left(self, store):
        publish(store, [("a", 0), ("b", 0), ("c", 1)])
        first = compact(store)
        assert compact(store).number == first.number
        files = set(first.parts["file"].to_pylist())
        publish(store, [("a", 0), ("b", 0), ("c", 1), ("d", 1)])
        second = compact(store)
        assert len(files & set(second.parts["file"].to_pylist())) == 1
        assert len(set(second.parts["file"].to_pylist())) == 2

    def test_full_files_are_not_written_again(self, store):
        units = [(name, 0) for name in "abcdef"]
        publish(store, units[:4])
        full = set(compact(store, acquisitions=2).parts["file"].to_pylist())
        publish(store, units)
        seen = []
        after = compact(store, acquisitions=2, progress=lambda *steps: seen.append(steps))
        assert seen == [(1, 1)]
        assert full < set(after.parts["file"].to_pylist())

    def test_publishing_goes_back_to_the_parts_of_a_lost_file(self, store, ram):
        publish(store, [("a", 0), ("b", 0)])
        (ram / "store" / compact(store).parts["file"][0].as_py()).unlink()
        later = publish(store, [("a", 0), ("b", 0)])
        assert later.parts["file"].equals(later.parts["part"])
        assert verify(store).ok

    def test_rows_are_checked_before_they_are_packed_again(self, store, ram):
        assert exchange_places(store, ram, "ab").number == 2
        publish(store, [("a", 0), ("b", 0), ("c", 0)])
        with pytest.raises(StoreCorruptError, match="does not hold the rows of unit"):
            compact(store)

    def test_publishing_later_keeps_the_files(self, store):
        publish(store, [("a", 0), ("b", 0)])
        packed = set(compact(store).parts["file"].to_pylist())
        later = publish(store, [("a", 0), ("b", 0), ("c", 0)])
        assert packed < set(later.parts["file"].to_pylist())
        assert publish(store, [("a", 0), ("b", 0), ("c", 0)]).number == later.number

    def test_units_without_rows_stay_without_a_file(self, store):
        commit(store, "a", status="empty")
        publish(store, [("b", 0), ("c", 0)])
        keys = [key_of(name) for name in "abc"]
        store.publish(plan=put_plan(store, list("abc")), keys=keys)
        row = {row["key"]: row for row in compact(store).parts.to_pylist()}[key_of("a")]
        assert [row[n] for n in ("part", "file", "first_row", "first_row_group")] == [None] * 4

    def test_units_of_other_columns_get_files_of_their_own(self, store):
        for name in "abcd":
            table = rows_of(name)
            table = table.drop_columns(["count"]) if name in "cd" else table
            commit(store, name, table=table, info={"acquisition": name})
        keys = list(map(key_of, "abcd"))
        before = store.publish(plan=put_plan(store, list("abcd")), keys=keys)
        rows = rows_in(store, before)
        after = compact(store)
        assert len(set(after.parts["file"].to_pylist())) == 2
        assert rows_in(store, after) == rows

    def test_a_unit_without_a_single_row(self, store):
        publish(store, [("a", 0), ("b", 0)], rows=0)
        after = compact(store)
        assert all(table.num_rows == 0 for table in rows_in(store, after).values())
        assert verify(store, rows=True).ok

    def test_damaged_parts_are_not_packed(self, store, ram):
        snapshot = publish(store, [("a", 0), ("b", 0)])
        part = ram / "store" / snapshot.parts["part"][0].as_py()
        part.write_bytes(part.read_bytes()[:-1])
        with pytest.raises(StoreCorruptError):
            compact(store)
        assert store.snapshots() == [1]

    def test_two_at_least(self, store):
        with pytest.raises(OptionError, match="at least 2"):
            compact(store, acquisitions=1)


class TestGc:
    def test_what_is_in_use_stays(self, store, ram):
        publish(store, [("a", 0), ("b", 0)])
        compact(store)
        commit(store, "c")
        plan = put_plan(store, ["a", "c"])
        age(ram, 400, "")
        report = gc(store, NOW, plans=[plan])
        assert report.deleted == ()
        # All of them Parquet, but for three commits, two plans and one list of items.
        assert report.kept == len(list((ram / "store").rglob("*.parquet"))) + 3 + 3
        assert verify(store).ok

    def test_the_unpublished_work_of_the_newest_plan_stays(self, store, ram):
        """Before the first snapshot nothing else says what is in use."""
        put_plan(store, ["a"])
        commit(store, "a")
        age(ram, 400, "")
        assert gc(store).deleted == ()

    def test_of_several_plans_the_newest_counts(self, store, ram):
        plans = [put_plan(store, [name]) for name in "abc"]
        age(ram, 400, "")
        path = ram / "store" / "blobs" / "plans" / plans[1]
        os.utime(path, (path.stat().st_mtime + 1,) * 2)
        gc(store)
        assert names_below(ram, "blobs/plans") == {plans[1]}

    def test_plans_that_were_given_up_go_with_their_work(self, store, ram):
        old = put_plan(store, ["old"])
        made = commit(store, "old")
        age(ram, 8, "")
        new = put_plan(store, ["new"])
        kept = commit(store, "new")
        report = gc(store)
        assert report.deleted[:2] == (f"commits/{made.key[:2]}/{made.key}.json", made.part)
        assert f"blobs/plans/{old}" in report.deleted
        assert report.bytes > 0
        assert store.committed() == {kept.key}
        assert store.read_part(kept.part).num_rows == 6
        assert names_below(ram, "blobs/plans") == {new}
        assert len(names_below(ram, "blobs/index")) == 1

    @pytest.mark.parametrize(("days", "gone"), [(6.9, 0), (7.1, 5)])
    def test_nothing_young_goes(self, store, ram, days, gone):
        put_plan(store, ["new"])
        old = put_plan(store, ["old"])
        commit(store, "old")
        (ram / "store" / "tmp" / "left").write_bytes(b"half")
        age(ram, days, "")
        put_plan(store, ["new"])
        report = gc(store)
        assert len(report.deleted) == gone
        assert (f"blobs/plans/{old}" in report.deleted) == bool(gone)
        assert names_below(ram, "tmp") == (set() if gone else {"left"})

    def test_a_dry_run_deletes_nothing(self, store, ram):
        put_plan(store, ["old"])
        commit(store, "old")
        age(ram, 8, "")
        put_plan(store, ["new"])
        before = set((ram / "store").rglob("*"))
        planned = gc(store, dry_run=True)
        assert set((ram / "store").rglob("*")) == before
        assert "would delete" in repr(planned)
        assert gc(store).deleted == planned.deleted
        assert json.dumps(planned.to_dict())
        assert str(len(planned.deleted)) in planned._repr_html_()

    def test_parts_of_an_overtaken_writer_go(self, store, ram):
        """Another library's bytes of the same rows: the first commit won."""
        put_plan(store, ["a"])
        made = commit(store, "a")
        orphan = made.part.replace(made.sha256[:16], "0" * 16)
        (ram / "store" / orphan).write_bytes(b"PAR1")
        age(ram, 8, "")
        assert gc(store).deleted == (orphan,)

    def test_what_is_wanted_again_is_young(self, store, ram):
        """Between listing and deleting, a plan may come back."""
        put_plan(store, ["old"])
        age(ram, 8, "")
        put_plan(store, ["new"])
        put_plan(store, ["old"])
        report = gc(store)
        assert report.deleted == ()

    def test_what_became_young_since_it_was_listed_stays(self, store, ram, monkeypatch):
        """A writer puts the same part again while the garbage is collected."""
        commit(store, "old")
        age(ram, 8, "")
        put_plan(store, ["new"])
        backend = type(store.objects.backend)
        entry = backend.entry

        def written_again(self, name):
            if name.startswith("parts/"):
                self.touch(name)
            return entry(self, name)

        monkeypatch.setattr(backend, "entry", written_again)
        report = gc(store)
        assert [name.partition("/")[0] for name in report.deleted] == ["commits"]
        assert len(names_below(ram, "parts")) == 1

    def test_logs_stay(self, store, ram):
        name = store.log("run", b"{}\n")
        put_plan(store, [])
        age(ram, 400, "")
        gc(store)
        assert (ram / "store" / name).is_file()

    @pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b'{"units": "../x"}'])
    def test_without_knowing_what_is_needed_nothing_goes(self, store, ram, damage):
        commit(store, "old")
        store.put_blob("plans", damage, "json")
        age(ram, 8, "")
        with pytest.raises(StoreCorruptError, match="nothing was deleted"):
            gc(store)
        assert store.committed() == {key_of("old")}

    def test_a_torn_snapshot_stops_it(self, store, ram):
        publish(store, [("a", 0)])
        (ram / "store" / "snapshots" / "000000000001.json").write_bytes(b"{")
        with pytest.raises(StoreCorruptError):
            gc(store, NOW)

    def test_ages_are_not_negative(self, store):
        with pytest.raises(OptionError):
            gc(store, timedelta(days=-1))


class TestVerify:
    def test_a_sound_store(self, store):
        publish(store, [("a", 0), ("b", 0)])
        seen = []
        report = verify(store, progress=lambda *steps: seen.append(steps))
        assert report.ok
        # The store, the plan, its five inputs, the snapshot's index, two commits, two parts.
        assert report.objects == len(seen) == 11
        assert seen[-1] == (11, 11)
        assert "all sound" in repr(report)
        assert json.loads(json.dumps(report.to_dict()))["ok"] is True

    @pytest.mark.parametrize(
        ("pattern", "kind", "keys"),
        [
            ("store.json", "damaged", 0),
            ("blobs/plans/*", "damaged", 0),
            ("blobs/parcels/*", "damaged", 0),
            ("blobs/items/*", "damaged", 0),
            ("parts/*/*", "damaged", 1),
            ("packs/*/*", "damaged", 2),
        ],
    )
    @pytest.mark.parametrize("missing", [False, True])
    def test_what_is_missing_or_damaged_is_named(self, store, ram, pattern, kind, keys, missing):
        publish(store, [("a", 0), ("b", 0)])
        if "packs" in pattern:
            compact(store)
        path = min((ram / "store").glob(pattern))
        if missing:
            path.unlink()
        else:
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        report = verify(store)
        (problem,) = report.problems
        assert problem.name == path.relative_to(ram / "store").as_posix()
        assert problem.kind == ("missing" if missing else kind)
        assert len(problem.keys) == keys
        assert not report.ok
        assert problem.name in repr(report)
        assert problem.name in report._repr_html_()

    def test_a_lost_index_is_named(self, store, ram):
        snapshot = publish(store, [("a", 0)])
        (ram / "store" / "blobs" / "index" / snapshot.index).unlink()
        (problem,) = verify(store).problems
        assert problem.name == f"blobs/index/{snapshot.index}"

    def test_torn_and_foreign_commits_are_named(self, store, ram):
        publish(store, [("a", 0), ("b", 0)])
        paths = [ram / "store" / "commits" / key_of(n)[:2] / f"{key_of(n)}.json" for n in "ab"]
        paths[0].write_bytes(b'{"key"')
        paths[1].write_text(paths[1].read_text().replace('"rows":6', '"rows":7'))
        assert {p.name[11:13]: p.kind for p in verify(store).problems} == {
            key_of("a")[:2]: "torn",
            key_of("b")[:2]: "differs",
        }

    def test_a_failure_that_was_tried_again_is_no_damage(self, store):
        commit(store, "a", status="corrupt", reason="torn")
        snapshot = store.publish(plan=put_plan(store, ["a"]), keys=[key_of("a")])
        withdraw(store, [key_of("a")])
        assert verify(store, snapshot.number).ok
        commit(store, "a")
        assert verify(store, snapshot.number).ok

    def test_a_snapshot_that_lies_about_its_root_is_named(self, store, ram):
        snapshot = publish(store, [("a", 0)])
        path = ram / "store" / "snapshots" / "000000000001.json"
        path.write_text(path.read_text().replace(snapshot.root, "0" * 64))
        (problem,) = verify(store).problems
        assert (problem.name, problem.kind) == ("snapshots/000000000001.json", "differs")

    def test_rows_that_are_not_what_was_committed(self, store, ram):
        """Files and their hashes agree, and only the rows' own hash tells."""
        exchange_places(store, ram, "ab")
        assert verify(store).ok
        (problem,) = verify(store, rows=True).problems
        assert (problem.kind, len(problem.keys)) == ("damaged", 2)

    def test_an_older_snapshot(self, store):
        publish(store, [("a", 0)])
        publish(store, [("a", 0), ("b", 0)])
        assert verify(store, 1).objects < verify(store).objects


class TestRepair:
    def test_a_lost_part_is_made_again_for_all_snapshots(self, store, ram):
        first = publish(store, [("a", 0)])
        last = publish(store, [("a", 0), ("b", 0)])
        (ram / "store" / store.commits([key_of("a")])[0].part).unlink()
        assert repair(store) == ()
        assert store.committed() == {key_of("b")}
        commit(store, "a")
        assert verify(store, first.number).ok
        assert verify(store, last.number).ok
        assert publish(store, [("a", 0), ("b", 0)]).number == last.number

    def test_a_file_of_several_units_is_written_again(self, store, ram):
        publish(store, [("a", 0), ("b", 0)])
        pack = ram / "store" / compact(store).parts["file"][0].as_py()
        data = pack.read_bytes()
        pack.write_bytes(b"")
        assert repair(store) == ()
        assert pack.read_bytes() == data

    def test_also_where_only_earlier_snapshots_know_all_its_units(self, store, ram):
        publish(store, [("a", 0), ("b", 0)])
        pack = ram / "store" / compact(store).parts["file"][0].as_py()
        publish(store, [("b", 0)])
        data = pack.read_bytes()
        pack.unlink()
        assert repair(store) == ()
        assert pack.read_bytes() == data

    def test_a_file_that_cannot_be_the_same_again_is_replaced(self, store, ram, monkeypatch):
        """Another release of Arrow may write other bytes."""
        publish(store, [("a", 0), ("b", 0)])
        snapshot = compact(store)
        (ram / "store" / snapshot.parts["file"][0].as_py()).write_bytes(b"PAR1")
        with monkeypatch.context() as patch:
            patch.setattr("cbmcube.observations.store._parts.ROW_GROUP", 4)
            assert repair(store) == ()
        later = store.snapshot()
        assert (later.number, later.root) == (3, snapshot.root)
        assert later.parts["file"].equals(later.parts["part"])
        assert verify(store, rows=True).ok
        assert compact(store).root == snapshot.root

    def test_without_its_parts_units_are_taken_back(self, store, ram):
        publish(store, [("a", 0), ("b", 0)])
        snapshot = compact(store)
        (ram / "store" / snapshot.parts["file"][0].as_py()).unlink()
        (ram / "store" / store.commits([key_of("a")])[0].part).unlink()
        repair(store)
        assert store.committed() == {key_of("b")}
        later = publish(store, [("a", 0), ("b", 0)])
        assert (later.root, later.number) == (snapshot.root, 3)
        assert verify(store, rows=True).ok
        assert verify(store, 1).ok
        assert compact(store).parts["file"].equals(snapshot.parts["file"])
        assert verify(store, 2).ok

    def test_torn_commits_are_taken_back(self, store, ram):
        publish(store, [("a", 0)])
        next((ram / "store" / "commits").rglob("*.json")).write_bytes(b"{")
        assert repair(store) == ()
        assert store.committed() == set()

    def test_inputs_are_left_to_planning(self, store, ram):
        publish(store, [("a", 0)])
        next((ram / "store" / "blobs" / "parcels").iterdir()).unlink()
        (left,) = repair(store)
        assert left.kind == "missing"
        put_plan(store, ["a"])
        assert verify(store).ok

    def test_only_failures_are_withdrawn(self, store):
        commit(store, "a")
        commit(store, "b", status="refused", reason="its host")
        with pytest.raises(OptionError, match="cannot be taken back"):
            withdraw(store, [key_of("a"), key_of("b")])
        assert withdraw(store, [key_of("b"), key_of("c")]) == 1
        assert store.committed() == {key_of("a")}
        assert commit(store, "b").rows == 6
