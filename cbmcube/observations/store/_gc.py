"""Garbage collection: what nothing names any more, and nobody may still be writing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from cbmcube._html import html_table
from cbmcube.exceptions import OptionError, StoreCorruptError
from cbmcube.observations.store._backend import Entry
from cbmcube.observations.store._commits import Commit
from cbmcube.observations.store._failpoints import failpoint
from cbmcube.observations.store._names import BLOB_KINDS, commit_name, is_blob
from cbmcube.observations.store._parts import decode

if TYPE_CHECKING:
    from cbmcube.observations.store._store import Store

GRACE = timedelta(days=7)
"""Age below which nothing is deleted: a run may be writing it."""


@dataclass(frozen=True, slots=True)
class GcReport:
    """What a garbage collection deleted, or would delete."""

    deleted: tuple[str, ...]
    """Names of objects, in the order of deletion."""
    bytes: int
    kept: int
    """Objects that something names, or that are too young."""
    dry_run: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "deleted": list(self.deleted),
            "bytes": self.bytes,
            "kept": self.kept,
            "dry_run": self.dry_run,
        }

    def __repr__(self) -> str:
        verb = "would delete" if self.dry_run else "deleted"
        return f"<GcReport: {verb} {len(self.deleted)} objects, {self.bytes:,} bytes>"

    def _repr_html_(self) -> str:
        return html_table("Garbage collection", {**self.to_dict(), "deleted": len(self.deleted)})


def gc(
    store: Store,
    older_than: timedelta = GRACE,
    *,
    dry_run: bool = False,
    plans: Iterable[str] = (),
) -> GcReport:
    """Delete what no snapshot and no plan in use names and is old.

    In use are the newest plan, the plans of all snapshots, and plans younger than
    `older_than`; their commits and parts stay, published or not. So do logs. What goes are
    parts and commits of plans that were given up, files of interrupted writers, and the parts
    of units that were committed by somebody else first.

    Parameters
    ----------
    store
        The store. Runs of plans in use may go on meanwhile.
    older_than
        Age below which nothing is deleted.
    dry_run
        Delete nothing, and say what would be deleted.
    plans
        Blobs of further plans in use: where a store was copied, the newest file need not be
        the newest plan.

    Raises
    ------
    StoreCorruptError
        If a snapshot or a plan cannot be read, so that nobody knows what it names. Then
        nothing is deleted.

    Examples
    --------
    >>> from cbmcube.observations.store import create_store, gc
    >>> gc(create_store(getfixture("tmp_path") / "store", {"product": "CARD-BS"}))
    <GcReport: deleted 0 objects, 0 bytes>
    """
    if older_than < timedelta(0):
        raise OptionError("an age is not negative", given=older_than)
    failpoint("gc", "begin")
    before = time.time() - older_than.total_seconds()
    named = _Named(store, before, plans)
    deleted, size, kept = [], 0, 0
    for entry in named.candidates():
        if entry.modified > before or not (dry_run or _delete(store, entry, before)):
            kept += 1
            continue
        deleted.append(entry.name)
        size += entry.size
    failpoint("gc", "end")
    return GcReport(tuple(deleted), size, kept + named.kept, dry_run)


def _delete(store: Store, entry: Entry, before: float) -> bool:
    failpoint("gc", "commit" if entry.name.startswith("commits/") else "object")
    if entry.name.startswith("tmp/"):
        store.objects.backend.drop_leftover(entry.name)
        return True
    # A writer may have wanted it again since it was listed, which makes it new.
    now = store.objects.backend.entry(entry.name)
    if now is None or now.modified > before:
        return False
    store.objects.backend.delete(entry.name)
    return True


class _Named:
    """What snapshots and plans in use name."""

    def __init__(self, store: Store, before: float, further: Iterable[str]) -> None:
        self._store = store
        self._backend = store.objects.backend
        self.kept = 0
        self._files: set[str] = set()
        self._keys: set[str] = set()
        self._blobs: set[str] = set()
        for plan in {*further, *self._snapshots(), *self._plans_in_use(before)}:
            self._plan(plan)

    def candidates(self) -> Iterator[Entry]:
        """List what nothing names: commits first, so that none ever names a lost part."""
        yield from self._unnamed_commits()
        for folder in ("parts", "packs"):
            yield from self._unless(self._files, folder)
        yield from self._unless(self._blobs, "blobs")
        yield from self._backend.entries("probe")
        yield from self._backend.leftovers()

    def _unless(self, named: set[str], folder: str) -> Iterator[Entry]:
        for entry in list(self._backend.entries(folder)):
            if entry.name in named:
                self.kept += 1
            else:
                yield entry

    def _unnamed_commits(self) -> Iterator[Entry]:
        live = {commit_name(key) for key in self._keys}
        entries = list(self._backend.entries("commits"))
        found = [entry for entry in entries if entry.name in live]
        self.kept += len(found)
        for commit in self._store.objects.map(self._commit, found):
            if commit is not None and commit.part is not None:
                self._files.add(commit.part)
        yield from (entry for entry in entries if entry.name not in live)

    def _commit(self, entry: Entry) -> Commit | None:
        try:
            return self._store.objects.read_commit(entry.name[-69:-5])
        except StoreCorruptError:
            return None  # publish sets it aside; what it named is made again under the same name

    def _snapshots(self) -> Iterator[str]:
        for number in self._store.snapshots():
            snapshot = self._store.snapshot(number)
            self._blobs |= {f"blobs/index/{snapshot.index}", f"blobs/plans/{snapshot.plan}"}
            parts = snapshot.parts
            self._keys |= set(parts["key"].to_pylist())
            for column in ("file", "part"):
                self._files |= set(parts[column].to_pylist()) - {None}
            yield snapshot.plan

    def _plans_in_use(self, before: float) -> Iterator[str]:
        found = sorted(self._backend.entries("blobs/plans"), key=lambda e: (e.modified, e.name))
        for entry in found:
            if entry.modified > before or entry is found[-1]:
                yield entry.name.rpartition("/")[2]

    def _plan(self, name: str) -> None:
        self._blobs.add(f"blobs/plans/{name}")
        try:
            plan = json.loads(self._store.get_blob("plans", name))
            for blob in _blobs_in(plan):
                self._blobs |= {f"blobs/{kind}/{blob}" for kind in BLOB_KINDS}
            units = decode(self._store.get_blob("index", plan["units"]), ["key"])
            self._keys |= set(units["key"].to_pylist())
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise StoreCorruptError(
                f"the plan {name} cannot be read, so nobody knows what it needs: {error!r}",
                hint="nothing was deleted; make the plan again, or gc when it is old",
            ) from error


def _blobs_in(value: Any) -> Iterable[str]:
    """Return every blob's name in a JSON value, whatever it stands for."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for member in value:
            yield from _blobs_in(member)
    elif is_blob(value):
        yield value
