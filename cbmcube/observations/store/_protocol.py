"""The commit of one unit: its part is written first, and only then that it is done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cbmcube.exceptions import ConflictError, OptionError, StoreCorruptError, StoreUnavailableError
from cbmcube.observations.store._commits import Commit
from cbmcube.observations.store._failpoints import failpoint
from cbmcube.observations.store._names import (
    canonical_json,
    checked_key,
    commit_name,
    part_name,
    sha256,
)
from cbmcube.observations.store._objects import Objects
from cbmcube.observations.store._parts import canonical_table, content_hash, encode
from cbmcube.observations.store._snapshots import described

_ATTEMPTS = 5  # each lost one means that somebody took the commit back in between


def commit_unit(
    objects: Objects,
    key: str,
    table: pa.Table | None,
    *,
    status: str,
    reason: str | None,
    info: Mapping[str, Any],
) -> Commit:
    """Write the part of a unit and its commit, see `Store.commit`."""
    commit, data = _make_commit(key, table, status=status, reason=reason, info=info)
    if data is not None and commit.part is not None:
        objects.backend.put(commit.part, data, "part")
    for _ in range(_ATTEMPTS):
        if objects.create(commit_name(key), commit.to_json(), "commit"):
            return commit
        failpoint("commit", "readback")
        try:
            found = objects.read_commit(key)
        except StoreCorruptError:
            # A torn record says nothing, so it is replaced.
            objects.set_aside(key)
            continue
        if found is None:
            continue
        if not found.agrees(commit):
            _record_conflict(objects, commit, found)
        # Equal: another writer was first, or it was this one and the answer was lost.
        return found
    raise StoreUnavailableError(f"the commit of unit {key} vanishes as often as it is written")


def _make_commit(
    key: str,
    table: pa.Table | None,
    *,
    status: str,
    reason: str | None,
    info: Mapping[str, Any],
) -> tuple[Commit, bytes | None]:
    """Return the record of a result and the bytes of its part."""
    checked_key(key)
    try:
        canonical_json(dict(info))
        described(info)
    except (TypeError, ValueError) as error:
        raise OptionError(
            "info of a commit holds JSON values, with time as ISO text and group as a number",
            given=str(error),
        ) from error
    if table is None:
        return Commit(key, status, reason=reason, info=dict(info)), None
    plain = canonical_table(table)
    data = encode(plain)
    digest = sha256(data)
    commit = Commit(
        key,
        status,
        part=part_name(key, digest),
        sha256=digest,
        content=content_hash(plain),
        rows=plain.num_rows,
        reason=reason,
        info=dict(info),
    )
    return commit, data


def _record_conflict(objects: Objects, commit: Commit, found: Commit) -> None:
    record = {"new": json.loads(commit.to_json()), "stored": json.loads(found.to_json())}
    data = canonical_json(record)
    name = f"runs/conflicts/{commit.key}-{sha256(data)[:16]}.json"
    objects.backend.put(name, data, "log")
    raise ConflictError(
        f"unit {commit.key} was computed twice with different results",
        given=f"{commit.status}, {commit.rows} rows, {commit.content}",
        allowed=f"what is stored: {found.status}, {found.rows} rows, {found.content}",
        hint=f"compare versions and inputs; both results are kept, see {name}",
    )
