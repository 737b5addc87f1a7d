"""Commits: the records that say that a unit of work is done, and with which result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from cbmcube.exceptions import OptionError, StoreCorruptError
from cbmcube.observations.store._names import canonical_json, checked_key, is_file

STATUSES = ("ok", "empty", "nodata", "corrupt", "refused")
"""What can become of a unit: rows; no parcel; nothing seen; unreadable; not allowed.

The last two are failures that trying again would not change, and carry a reason.
"""

FAILURES = ("corrupt", "refused")


@dataclass(frozen=True, slots=True)
class Commit:
    """What became of one unit of work.

    Examples
    --------
    >>> Commit("0" * 64, "refused", reason="its host is not allowed").status
    'refused'
    """

    key: str
    """The unit's key, a SHA-256 of all that decides its result."""
    status: str
    """One of `STATUSES`."""
    part: str | None = None
    """Name of the Parquet file with the rows, ``None`` if there are none."""
    sha256: str | None = None
    """SHA-256 of that file's bytes."""
    content: str | None = None
    """SHA-256 of the rows themselves, whatever wrote the file; results are compared by it."""
    rows: int = 0
    reason: str | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    """What readers need to know of the unit: acquisition, time, group, items, versions."""

    def __post_init__(self) -> None:
        checked_key(self.key)
        if self.status not in STATUSES:
            raise OptionError(
                "a unit has no such status", given=repr(self.status), allowed=", ".join(STATUSES)
            )
        if self.status in FAILURES and not self.reason:
            raise OptionError(f"a unit that is {self.status} needs a reason", hint="pass reason=")
        if self.status == "ok" and self.part is None:
            raise OptionError(
                "a unit that is ok needs its rows", hint="pass the table, or status 'empty'"
            )
        hashes = (self.sha256, self.content)
        if (self.part is None) != (hashes == (None, None)) or (self.rows and self.part is None):
            raise OptionError("part, hashes and rows of a commit belong together", given=self.part)

    @property
    def line(self) -> str:
        """Return what the root hash of a snapshot is made from."""
        return result_line(self.key, self.content, self.rows, self.status)

    def to_json(self) -> bytes:
        """Return the record as it is stored."""
        names = ("key", "status", "part", "sha256", "content", "rows", "reason")
        return canonical_json(
            {**{name: getattr(self, name) for name in names}, "info": dict(self.info)}
        )

    @classmethod
    def from_json(cls, data: bytes, key: str) -> Self:
        """Read a stored record; StoreCorruptError if it is torn or belongs to another unit."""
        try:
            fields = json.loads(data)
            commit = cls(**fields)
            hashes = (commit.sha256, commit.content)
            sound = (
                commit.key == key
                and (commit.part is None or is_file(commit.part))
                and all(value is None or checked_key(value) for value in hashes)
                and _is_count(fields["rows"])
                and isinstance(fields["reason"], str | None)
                and isinstance(fields["info"], dict)
            )
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise StoreCorruptError(f"the commit of unit {key} cannot be read: {error}") from error
        if not sound:
            raise StoreCorruptError(f"the commit of unit {key} contradicts itself")
        return commit

    def agrees(self, other: Commit) -> bool:
        """Return whether both say the same result of the unit."""
        return self.line == other.line


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def result_line(key: str, content: str | None, rows: int, status: str) -> str:
    """Return the line of a unit in what is hashed to the root of a snapshot."""
    return f"{key} {content or '-'} {rows} {status}"


def root_hash(lines: Iterable[str]) -> str:
    """Return the hash that two snapshots share if and only if their results are equal.

    Examples
    --------
    >>> root_hash(["b 1", "a 1"]) == root_hash(["a 1", "b 1"])
    True
    """
    digest = hashlib.sha256()
    for line in sorted(lines):
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()
