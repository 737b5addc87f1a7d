"""Snapshots: numbered, immutable lists of commits, the only thing that readers see."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from cbmcube._html import html_table
from cbmcube.exceptions import StoreCorruptError
from cbmcube.observations.store._commits import Commit, result_line, root_hash
from cbmcube.observations.store._names import canonical_json, is_blob, is_file, snapshot_name
from cbmcube.observations.store._parts import decode, encode

if TYPE_CHECKING:
    from cbmcube.observations.store._store import Store

_BEGINNING = datetime.fromtimestamp(0, UTC)

INDEX_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("part", pa.string()),
        ("sha256", pa.string()),
        ("content", pa.string()),
        ("rows", pa.int64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("acquisition", pa.string()),
        ("time", pa.timestamp("us", tz="UTC")),
        ("group", pa.int32()),
        ("platform", pa.string()),
        ("file", pa.string()),
        ("first_row", pa.int64()),
        ("first_row_group", pa.int32()),
        ("info", pa.string()),
    ]
)
"""One row for each commit. ``file`` holds the rows of the unit from ``first_row`` on, and its row
groups from ``first_row_group`` on; it is the part, or a file of several units. ``info`` is JSON.
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One published state of a store. Nothing that happens later changes what it says.

    Examples
    --------
    >>> from cbmcube.observations.store import create_store
    >>> store = create_store(getfixture("tmp_path") / "store", {"product": "CARD-BS"})
    >>> plan = store.put_blob("plans", b"{}", "json")
    >>> commit = store.commit("0" * 64, None, status="empty", info={"acquisition": "a"})
    >>> store.publish(plan=plan, keys=[commit.key])
    <Snapshot 1 of ...: 1 unit, 0 rows, root ...>
    """

    number: int
    root: str
    """Hash of all results; equal results have equal roots."""
    index: str
    """Blob (kind ``index``) with one row for each commit."""
    plan: str
    """Blob (kind ``plans``) of the plan whose units these are."""
    created: str
    """When it was published, as ISO time in UTC."""
    units: int
    rows: int
    store: Store = field(repr=False, compare=False)
    _cache: dict[str, pa.Table] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def parts(self) -> pa.Table:
        """One row for each commit, see `INDEX_SCHEMA`; read once."""
        if "parts" not in self._cache:
            self._cache["parts"] = read_index(self.store.get_blob("index", self.index))
        return self._cache["parts"]

    def to_json(self) -> bytes:
        """Return the record as it is stored."""
        names = ("number", "root", "index", "plan", "created", "units", "rows")
        return canonical_json({name: getattr(self, name) for name in names})

    def __getstate__(self) -> tuple[Any, ...]:
        names = ("number", "root", "index", "plan", "created", "units", "rows", "store")
        return tuple(getattr(self, name) for name in names)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        names = ("number", "root", "index", "plan", "created", "units", "rows", "store")
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_cache", {})

    def __repr__(self) -> str:
        units = f"{self.units:,} unit{'s' * (self.units != 1)}"
        return (
            f"<Snapshot {self.number} of {self.store.url}: "
            f"{units}, {self.rows:,} rows, root {self.root[:12]}>"
        )

    def _repr_html_(self) -> str:
        facts = {
            "store": self.store.url,
            "published": self.created,
            "units": f"{self.units:,}",
            "rows": f"{self.rows:,}",
            "root": self.root,
        }
        return html_table(f"Snapshot {self.number}", facts)


def read_snapshot(data: bytes, number: int, store: Store) -> Snapshot:
    """Read a stored record; StoreCorruptError if it is torn."""
    try:
        fields = json.loads(data)
        found = Snapshot(**fields, store=store)
        sound = (
            found.number == number
            and is_blob(found.index)
            and is_blob(found.plan)
            and all(type(fields[name]) is str for name in ("root", "created"))
            and all(type(fields[name]) is int for name in ("units", "rows"))
        )
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreCorruptError(f"{snapshot_name(number)} cannot be read: {error}") from error
    if not sound:
        raise StoreCorruptError(f"{snapshot_name(number)} contradicts itself")
    return found


def index_table(
    commits: Iterable[Commit], placed: pa.Table | None, packs: Collection[str]
) -> pa.Table:
    """Return the index of some commits, in the order of time, acquisition, group and key.

    `placed` is an earlier index: where it has the same rows of a unit in one of `packs`, they
    stay there.
    """
    rows = [_index_row(commit) for commit in commits]
    if placed is not None:
        _keep_places(rows, placed, packs)
    rows.sort(key=lambda r: (r["time"] or _BEGINNING, r["acquisition"], r["group"], r["key"]))
    return pa.Table.from_pylist(rows, schema=INDEX_SCHEMA)


def _index_row(commit: Commit) -> dict[str, Any]:
    first = None if commit.part is None else 0
    return {
        "key": commit.key,
        "part": commit.part,
        "sha256": commit.sha256,
        "content": commit.content,
        "rows": commit.rows,
        "status": commit.status,
        "reason": commit.reason,
        **described(commit.info),
        "file": commit.part,
        "first_row": first,
        "first_row_group": first,
        "info": canonical_json(dict(commit.info)).decode(),
    }


def described(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an index shows of a commit's info, in columns of its own."""
    time, platform = info.get("time"), info.get("platform")
    return {
        "acquisition": str(info.get("acquisition") or ""),
        "time": None if time is None else _utc(time),
        "group": int(info.get("group", -1)),
        "platform": None if platform is None else str(platform),
    }


def _utc(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _keep_places(rows: list[dict[str, Any]], placed: pa.Table, packs: Collection[str]) -> None:
    names = ("file", "first_row", "first_row_group")
    moved = placed.filter(pc.not_equal(placed["file"], placed["part"]))
    columns = (moved[name].to_pylist() for name in ("key", "content", *names))
    places = {(key, content): place for key, content, *place in zip(*columns, strict=True)}
    for row in rows:
        place = places.get((row["key"], row["content"]))
        if place is not None and place[0] in packs:
            row.update(zip(names, place, strict=True))


def index_bytes(table: pa.Table) -> bytes:
    """Return an index as the bytes of its blob."""
    return encode(table)


def read_index(data: bytes) -> pa.Table:
    """Return the index in a blob; StoreCorruptError if it names files that no store has."""
    try:
        table = decode(data).cast(INDEX_SCHEMA)
    except (pa.ArrowInvalid, OSError, ValueError) as error:
        raise StoreCorruptError(f"the index of a snapshot cannot be read: {error}") from error
    for name in ("part", "file"):
        strange = [
            n for n in pc.unique(table[name]).to_pylist() if n is not None and not is_file(n)
        ]
        if strange:
            raise StoreCorruptError(
                "the index of a snapshot names what is no part", given=repr(strange[0])[:100]
            )
    return table


def index_root(table: pa.Table) -> str:
    """Return the root hash of an index."""
    columns = (table[name].to_pylist() for name in ("key", "content", "rows", "status"))
    return root_hash(map(result_line, *columns))


def now() -> str:
    """Return the present as ISO time in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
