"""Repair: have damaged results made again, by taking back that they are done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from cbmcube.exceptions import OptionError, StoreCorruptError
from cbmcube.observations.store._commits import FAILURES
from cbmcube.observations.store._compact import pack_bytes, publish_places
from cbmcube.observations.store._names import pack_name, sha256
from cbmcube.observations.store._verify import Problem, VerifyReport, verify

if TYPE_CHECKING:
    from cbmcube.observations.store._store import Store


def withdraw(store: Store, keys: Iterable[str]) -> int:
    """Take back that units are done, so that the next run tries them again.

    Only units that failed for good (``corrupt``, ``refused``) can be taken back: their file
    may have been restored since. Snapshots keep what they say. The old records are kept in
    ``runs/set-aside``.

    Returns
    -------
    int
        Units that were taken back.

    Examples
    --------
    >>> from cbmcube.observations.store import create_store, withdraw
    >>> store = create_store(getfixture("tmp_path") / "store", {"product": "CARD-BS"})
    >>> commit = store.commit("0" * 64, None, status="corrupt", reason="torn file", info={})
    >>> withdraw(store, [commit.key]), store.committed()
    (1, set())
    """
    commits = store.commits(keys)
    sound = [commit for commit in commits if commit.status not in FAILURES]
    if sound:
        raise OptionError(
            "units with results cannot be taken back",
            given=f"{sound[0].key}: {sound[0].status}",
            allowed=", ".join(FAILURES),
        )
    for commit in commits:
        store.objects.set_aside(commit.key)
    return len(commits)


def repair(store: Store, report: VerifyReport | None = None) -> tuple[Problem, ...]:
    """Have what is damaged made again, as far as it can be.

    Files of several units are written again from the parts; where that gives other bytes, a
    new snapshot names the parts. Of units whose part is lost, the commit is taken back: the
    next run computes them, and as equal results get equal names, snapshots that named the
    lost part are whole again, too. Torn commits are taken back as well.

    Parameters
    ----------
    store
        The store.
    report
        What `verify` found; by default it is called for the latest snapshot.

    Returns
    -------
    tuple of Problem
        What a run will not make again: inputs, which planning again writes, and records of
        the store or its snapshots.

    Examples
    --------
    >>> from cbmcube.observations.store import create_store, repair
    >>> store = create_store(getfixture("tmp_path") / "store", {"product": "CARD-BS"})
    >>> plan = store.put_blob("plans", b"{}", "json")
    >>> commit = store.commit("0" * 64, None, status="empty", info={"acquisition": "a"})
    >>> snapshot = store.publish(plan=plan, keys=[commit.key])
    >>> repair(store)
    ()
    """
    report = verify(store) if report is None else report
    left = []
    for problem in report.problems:
        folder = problem.name.partition("/")[0]
        if folder == "packs":
            _rebuild(store, problem.name)
        elif folder in ("parts", "commits"):
            for key in problem.keys:
                store.objects.set_aside(key)
        else:
            left.append(problem)
    return tuple(left)


def _rebuild(store: Store, name: str) -> None:
    """Write a file of several units again, or publish that the parts take its place."""
    units: dict[int, dict[str, Any]] = {}
    for number in reversed(store.snapshots()):
        # An earlier snapshot may know units of the file that were replaced since.
        for row in _units_in(store, number, name):
            units.setdefault(row["first_row"], row)
    tables = [_part_of(store, units[first_row]) for first_row in sorted(units)]
    sound = [table for table in tables if table is not None]
    if len(sound) == len(tables):
        data = pack_bytes(sound)
        if pack_name(sha256(data)) == name:
            store.objects.backend.put(name, data, "pack")
            return
    store.objects.backend.delete(name)
    publish_places(store, {(r["key"], r["content"]): (r["part"], 0, 0) for r in units.values()})


def _units_in(store: Store, number: int, name: str) -> list[dict[str, Any]]:
    try:
        parts = store.snapshot(number).parts
    except StoreCorruptError:
        return []
    found: list[dict[str, Any]] = parts.filter(pc.equal(parts["file"], name)).to_pylist()
    return found


def _part_of(store: Store, row: dict[str, Any]) -> pa.Table | None:
    """Return the rows of a unit; if its part is lost, take back that it is done."""
    try:
        return store.read_part(row["part"])
    except StoreCorruptError:
        store.objects.set_aside(row["key"])
        return None
