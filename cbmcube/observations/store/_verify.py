"""Verification: everything that a snapshot names is there, and has the hash it should have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cbmcube._html import html_table
from cbmcube.exceptions import StoreCorruptError, StoreError
from cbmcube.observations.store._commits import FAILURES, Commit
from cbmcube.observations.store._compact import Progress
from cbmcube.observations.store._names import STORE, canonical_json, is_blob, sha256
from cbmcube.observations.store._parts import content_hash
from cbmcube.observations.store._rows import read_rows
from cbmcube.observations.store._snapshots import Snapshot, index_root

if TYPE_CHECKING:
    from cbmcube.observations.store._store import Store

_THREADS = 16
_KINDS = {"all_parcels": "parcels"}  # the other blobs that a plan names itself are tables


@dataclass(frozen=True, slots=True)
class Problem:
    """One object of a store that is not as it should be."""

    name: str
    """Name of the object."""
    kind: str
    """``missing``, ``damaged`` (other bytes), ``torn`` (a record that cannot be read)
    or ``differs`` (a record that contradicts the snapshot)."""
    keys: tuple[str, ...] = ()
    """Units whose results it holds."""


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What `verify` checked, and what it found."""

    store: str
    snapshot: int
    objects: int
    """Objects that were read and hashed."""
    bytes: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "store": self.store,
            "snapshot": self.snapshot,
            "objects": self.objects,
            "bytes": self.bytes,
            "ok": self.ok,
            "problems": [
                {"name": p.name, "kind": p.kind, "keys": list(p.keys)} for p in self.problems
            ],
        }

    def __repr__(self) -> str:
        found = "all sound" if self.ok else f"{len(self.problems)} with problems"
        head = f"<VerifyReport of {self.store}, snapshot {self.snapshot}: "
        lines = [f"{head}{self.objects:,} objects, {self.bytes:,} bytes, {found}>"]
        lines += [f"  {p.kind}: {p.name} ({len(p.keys)} units)" for p in self.problems[:10]]
        if len(self.problems) > 10:
            lines.append(f"  and {len(self.problems) - 10} more in .problems")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        facts: dict[str, object] = {"objects": f"{self.objects:,}", "bytes": f"{self.bytes:,}"}
        facts |= {p.name: f"{p.kind}, {len(p.keys)} units" for p in self.problems[:10]}
        state = "all sound" if self.ok else f"{len(self.problems)} problems"
        return html_table(f"Snapshot {self.snapshot} of {self.store}: {state}", facts)


def verify(
    store: Store,
    snapshot: int | None = None,
    *,
    rows: bool = False,
    progress: Progress | None = None,
) -> VerifyReport:
    """Read and hash everything that a snapshot names, and report what is missing or damaged.

    Parameters
    ----------
    store
        The store; nothing in it is changed.
    snapshot
        Number of the snapshot, the latest by default.
    rows
        Decode the rows of each unit, too, and hash them as they were hashed when they were
        committed: slower, and independent of the Parquet files' own hashes.
    progress
        Called with the objects that were read and with all.

    Examples
    --------
    >>> from cbmcube.observations.store import create_store, verify
    >>> store = create_store(getfixture("tmp_path") / "store", {"product": "CARD-BS"})
    >>> plan = store.put_blob("plans", b"{}", "json")
    >>> commit = store.commit("0" * 64, None, status="empty", info={"acquisition": "a"})
    >>> snapshot = store.publish(plan=plan, keys=[commit.key])
    >>> verify(store).ok
    True
    """
    found = store.snapshot(snapshot)
    check = _Check(store, found, rows)
    jobs = list(check.jobs())
    problems: list[Problem] = []
    size = 0
    with ThreadPoolExecutor(_THREADS) as pool:
        for done, (read, problem) in enumerate(pool.map(check.run, jobs), start=1):
            size += read
            if problem is not None:
                problems.append(problem)
            if progress is not None:
                progress(done, len(jobs))
    problems += check.problems
    return VerifyReport(store.url, found.number, len(jobs), size, tuple(problems))


@dataclass(frozen=True, slots=True)
class _Job:
    name: str
    digest: str
    """How the SHA-256 of the object begins; empty for a commit."""
    units: tuple[dict[str, Any], ...] = ()


class _Check:
    """The objects of one snapshot, and how each is checked."""

    def __init__(self, store: Store, snapshot: Snapshot, rows: bool) -> None:  # noqa: FBT001
        self._store, self._snapshot, self._rows = store, snapshot, rows
        self.problems: list[Problem] = []

    def jobs(self) -> Iterator[_Job]:
        document = {
            "format": 1,
            "recipe": self._store.recipe,
            "recipe_hash": self._store.recipe_hash,
        }
        yield _Job(STORE, sha256(canonical_json(document)))
        yield from map(_blob, sorted(self._blobs()))
        units: dict[str, list[dict[str, Any]]] = {}
        for row in self._index():
            yield _Job(f"commits/{row['key'][:2]}/{row['key']}.json", "", (row,))
            if row["file"] is not None:
                units.setdefault(row["file"], []).append(row)
        for name, rows in units.items():
            known = rows[0]["sha256"] if name == rows[0]["part"] else name[-72:-8]
            yield _Job(name, known, tuple(rows))

    def run(self, job: _Job) -> tuple[int, Problem | None]:
        """Return the bytes read, and what is wrong."""
        keys = tuple(row["key"] for row in job.units)
        try:
            data = self._store.objects.backend.read(job.name)
        except FileNotFoundError:
            return 0, self._missing(job, keys)
        if not job.digest:
            kind = self._commit_problem(data, job.units[0])
        elif sha256(data) != job.digest:
            kind = "damaged"
        else:
            kind = "damaged" if self._rows and any(map(self._differs, job.units)) else None
        return len(data), Problem(job.name, kind, keys) if kind else None

    def _missing(self, job: _Job, keys: tuple[str, ...]) -> Problem | None:
        # gc may delete the commits of units that only an old snapshot names.
        return Problem(job.name, "missing", keys) if job.digest else None

    def _commit_problem(self, data: bytes, row: dict[str, Any]) -> str | None:
        try:
            commit = Commit.from_json(data, row["key"])
        except StoreCorruptError:
            return "torn"
        same = (commit.content, commit.rows, commit.status) == (
            row["content"],
            row["rows"],
            row["status"],
        )
        # A failure may have been taken back and tried again since.
        return None if same or row["status"] in FAILURES else "differs"

    def _differs(self, row: dict[str, Any]) -> bool:
        try:
            return content_hash(read_rows(self._store, row)) != row["content"]
        except StoreError:
            return True

    def _index(self) -> list[dict[str, Any]]:
        try:
            parts = self._snapshot.parts
        except StoreCorruptError:
            return []  # its blob is among the jobs, and found damaged there
        if index_root(parts) != self._snapshot.root:
            self.problems.append(Problem(f"snapshots/{self._snapshot.number:012d}.json", "differs"))
        return parts.to_pylist()

    def _blobs(self) -> set[str]:
        names = {f"blobs/index/{self._snapshot.index}", f"blobs/plans/{self._snapshot.plan}"}
        try:
            plan = json.loads(self._store.get_blob("plans", self._snapshot.plan))
        except (StoreCorruptError, ValueError):
            return names
        return names | set(plan_blobs(plan))


def plan_blobs(plan: Any) -> Iterator[str]:
    """Return where the inputs lie that a plan names."""
    if not isinstance(plan, dict):
        return
    holders = [("index", plan)]
    for kind, field in (("parcels", "groups"), ("items", "acquisitions")):
        members = plan.get(field)
        holders += (
            [(kind, m) for m in members if isinstance(m, dict)] if isinstance(members, list) else []
        )
    for kind, holder in holders:
        for field, value in holder.items():
            if is_blob(value):
                yield f"blobs/{_KINDS.get(field, kind)}/{value}"


def _blob(name: str) -> _Job:
    return _Job(name, name.rpartition("/")[2].partition(".")[0])
