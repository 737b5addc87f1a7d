"""A store and a dictionary live through the same events and must stay the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cbmcube.exceptions import StoreCorruptError
from cbmcube.observations.store import (
    compact,
    create_store,
    gc,
    open_store,
    read_rows,
    repair,
    verify,
    withdraw,
)
from cbmcube.observations.store._failpoints import FailpointReached, armed
from tests.observations.store.units import RECIPE, commit, key_of, put_plan, rows_of

LONG = os.environ.get("CBMCUBE_LONG") == "1"
MEMORY = "/dev/shm"  # noqa: S108  # a folder of its own in it

NUMBERS = st.integers(0, 7)
WRITERS = st.integers(0, 1)
BEFORE_THE_LINK = ["part.begin", "part.temp", "part.synced", "part.renamed", "part.end"]
BEFORE_THE_LINK += ["commit.begin", "commit.temp", "commit.synced"]
AFTER_THE_LINK = ["commit.linked", "commit.end"]
IN_PUBLISH = [
    f"{what}.{step}"
    for what in ("index", "snapshot")
    for step in ("begin", "temp", "synced", "end")
]
IN_COMPACT = ["pack.begin", "pack.temp", "pack.renamed", "pack.end", *IN_PUBLISH]
IN_GC = ["gc.begin", "gc.commit", "gc.object", "gc.end"]


class StoreMachine(RuleBasedStateMachine):
    """Units are named ``number.version``; a reprocessed unit has the next version."""

    @initialize()
    def make(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
        self.writers = [create_store(self.folder / "store", RECIPE) for _ in range(2)]
        self.clock = 0
        self.plan_units: dict[int, int] = {}
        self.plans: dict[str, set[str]] = {}
        self.committed: set[str] = set()
        self.failed: set[str] = set()
        self.snapshots: dict[int, tuple[frozenset[str], str]] = {}
        self.roots: dict[frozenset[str], str] = {}
        self.make_plan({0: 0, 1: 0})

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    # What the user does ---------------------------------------------------------------------

    def make_plan(self, units: dict[int, int]) -> None:
        self.plan_units = units
        names = {f"{number}.{version}" for number, version in units.items()}
        self.plan = put_plan(self.writers[0], sorted(names))
        self.plans[self.plan] = names
        # A second apart: the clock of files may be coarser than this test is fast.
        self.clock += 1
        path = self.folder / "store" / "blobs" / "plans" / self.plan
        os.utime(path, (1e9 + self.clock, 1e9 + self.clock))

    @property
    def wanted(self) -> set[str]:
        return self.plans[self.plan]

    def name(self, number: int) -> str:
        return f"{number}.{self.plan_units.get(number, 0)}"

    @rule(number=NUMBERS)
    def add_a_unit(self, number: int) -> None:
        self.make_plan({number: 0, **self.plan_units})

    @rule(number=NUMBERS)
    def reprocess_a_unit(self, number: int) -> None:
        units = dict(self.plan_units)
        units[number] = units.get(number, 0) + 1
        self.make_plan(units)

    @rule(number=NUMBERS, writer=WRITERS)
    def commit_a_unit(self, number: int, writer: int) -> None:
        """Whether it is of the plan or not, was committed before or not."""
        name = self.name(number)
        if name not in self.failed:
            commit(self.writers[writer], name)
            self.committed.add(name)

    @rule(number=NUMBERS, writer=WRITERS)
    def commit_a_failure_and_take_it_back(self, number: int, writer: int) -> None:
        name = self.name(number)
        store = self.writers[writer]
        if name in self.failed:
            assert withdraw(store, [key_of(name)]) == 1
            self.failed.remove(name)
            self.committed.remove(name)
        elif name not in self.committed:
            commit(store, name, status="corrupt", reason="torn")
            self.failed.add(name)
            self.committed.add(name)

    @rule(number=NUMBERS, writer=WRITERS, point=st.sampled_from(BEFORE_THE_LINK + AFTER_THE_LINK))
    def die_in_a_commit(self, number: int, writer: int, point: str) -> None:
        name = self.name(number)
        if name in self.failed:
            return
        with armed(f"{point}:raise"), pytest.raises(FailpointReached):
            commit(self.writers[writer], name)
        if point in AFTER_THE_LINK:
            self.committed.add(name)

    @rule(writer=WRITERS)
    def publish(self, writer: int) -> None:
        done = self.wanted & self.committed
        snapshot = self.writers[writer].publish(plan=self.plan, keys=map(key_of, done))
        self.note(snapshot)

    @rule(writer=WRITERS)
    def rerun(self, writer: int) -> None:
        """What is left, and nothing else; then everything is published."""
        store = self.writers[writer]
        done = store.committed()
        for name in sorted(self.wanted):
            if key_of(name) not in done:
                commit(store, name)
                self.committed.add(name)
        self.publish(writer)

    @rule(writer=WRITERS, point=st.sampled_from(IN_PUBLISH))
    def die_in_publishing(self, writer: int, point: str) -> None:
        before = set(self.writers[0].snapshots())
        try:
            with armed(f"{point}:raise"):
                self.publish(writer)
        except FailpointReached:
            assert (set(self.writers[0].snapshots()) != before) == (point == "snapshot.end")
            self.note_latest()

    def note(self, snapshot) -> None:
        names = frozenset(self.wanted & self.committed)
        known = self.snapshots.setdefault(snapshot.number, (names, snapshot.plan))
        assert known == (names, self.plan)
        assert max(self.snapshots) == snapshot.number
        failed = frozenset(name for name in names & self.failed)
        assert self.roots.setdefault((names, failed), snapshot.root) == snapshot.root

    def note_latest(self) -> None:
        numbers = self.writers[0].snapshots()
        if numbers and numbers[-1] not in self.snapshots:
            self.note(self.writers[0].snapshot())

    # What the keeper of the store does --------------------------------------------------------

    @precondition(lambda self: self.snapshots)
    @rule(writer=WRITERS, size=st.integers(2, 4))
    def compact(self, writer: int, size: int) -> None:
        before = self.writers[writer].snapshot()
        after = compact(self.writers[writer], acquisitions=size)
        assert (after.root, after.plan) == (before.root, before.plan)
        assert compact(self.writers[writer], acquisitions=size).number == after.number
        self.snapshots.setdefault(after.number, self.snapshots[before.number])

    @precondition(lambda self: self.snapshots)
    @rule(writer=WRITERS, point=st.sampled_from(IN_COMPACT))
    def die_in_compacting(self, writer: int, point: str) -> None:
        before = self.writers[writer].snapshot()
        try:
            with armed(f"{point}:raise"):
                compact(self.writers[writer])
        except FailpointReached:
            pass
        after = self.writers[writer].snapshot()
        assert after.root == before.root
        self.snapshots.setdefault(after.number, self.snapshots[before.number])

    @rule(writer=WRITERS)
    def collect_garbage(self, writer: int) -> None:
        planned = gc(self.writers[writer], timedelta(0), dry_run=True)
        done = gc(self.writers[writer], timedelta(0))
        assert planned.deleted == done.deleted
        self.forget()
        assert not list((self.folder / "store" / "tmp").iterdir())

    @rule(writer=WRITERS, point=st.sampled_from(IN_GC))
    def die_in_garbage_collection(self, writer: int, point: str) -> None:
        try:
            with armed(f"{point}:raise"):
                gc(self.writers[writer], timedelta(0))
        except FailpointReached:
            pass
        here = self.writers[writer].committed()
        gone = {name for name in self.committed if key_of(name) not in here}
        assert not gone & self.needed()
        self.committed -= gone
        self.failed -= gone

    def needed(self) -> set[str]:
        plans = {self.plan, *(plan for _, plan in self.snapshots.values())}
        named = [self.plans[plan] for plan in plans] + [
            names for names, _ in self.snapshots.values()
        ]
        return set().union(*named)

    def forget(self) -> None:
        self.committed &= self.needed()
        self.failed &= self.needed()

    @rule()
    def open_again(self) -> None:
        self.writers[1] = open_store(self.folder / "store")

    # What goes wrong ----------------------------------------------------------------------

    @precondition(lambda self: self.wanted & self.committed)
    @rule(data=st.data(), size=st.integers(0, 40), writer=WRITERS)
    def tear_a_commit(self, data, size: int, writer: int) -> None:
        """A disk that loses the end of a file: publishing finds it, a rerun makes it again."""
        store = self.writers[writer]
        name = data.draw(st.sampled_from(sorted(self.wanted & self.committed)))
        key = key_of(name)
        path = self.folder / "store" / "commits" / key[:2] / f"{key}.json"
        path.write_bytes(path.read_bytes()[:size])
        assert (key in store.committed()) == (size > 0)
        if size > 0:
            with pytest.raises(StoreCorruptError, match="run again"):
                store.publish(plan=self.plan, keys=[key])
            assert key not in store.committed()
        commit(store, name)
        self.failed.discard(name)
        self.committed.add(name)

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data(), writer=WRITERS, missing=st.booleans())
    def damage_a_file(self, data, writer: int, *, missing: bool) -> None:
        """Verification finds it; repair and a rerun make all snapshots whole again."""
        store = self.writers[writer]
        parts = store.snapshot().parts.to_pylist()
        files = sorted({row["file"] for row in parts} - {None})
        if not files:
            return
        name = data.draw(st.sampled_from(files))
        path = self.folder / "store" / name
        if missing:
            path.unlink()
        else:
            content = bytearray(path.read_bytes())
            content[data.draw(st.integers(0, len(content) - 1))] ^= 0x40
            path.write_bytes(content)
        report = verify(store)
        (problem,) = report.problems
        assert (problem.name, problem.kind) == (name, "missing" if missing else "damaged")
        assert set(problem.keys) == {row["key"] for row in parts if row["file"] == name}
        assert repair(store, report) == ()
        here = store.committed()
        for unit in sorted(self.committed):
            if key_of(unit) not in here:
                commit(store, unit)
        self.failed -= {unit for unit in self.failed if key_of(unit) not in here}
        assert verify(store).ok

    # What always holds --------------------------------------------------------------------

    @invariant()
    def the_store_has_the_commits_of_the_dictionary(self) -> None:
        assert self.writers[0].committed() == {key_of(name) for name in self.committed}

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data(), writer=WRITERS)
    def read_a_snapshot(self, data, writer: int) -> None:
        """Any of them, whatever has happened since."""
        number = data.draw(st.sampled_from(sorted(self.snapshots)))
        snapshot = self.writers[writer].snapshot(number)
        names, plan = self.snapshots[number]
        assert snapshot.plan == plan
        rows = {row["key"]: row for row in snapshot.parts.to_pylist()}
        assert rows.keys() == {key_of(name) for name in names}
        for name in names:
            row = rows[key_of(name)]
            if row["status"] == "ok":
                assert read_rows(self.writers[writer], row).equals(rows_of(name))

    @precondition(lambda self: self.snapshots)
    @rule()
    def everything_is_sound(self) -> None:
        assert verify(self.writers[0], rows=True).ok


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=2_000 if LONG else 15,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
