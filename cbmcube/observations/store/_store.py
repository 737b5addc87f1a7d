"""A store of observations: blobs, parts, commits and snapshots in a folder or a bucket."""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
import time
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from cbmcube._html import html_table
from cbmcube.exceptions import OptionError, StoreCorruptError, StoreNotFoundError
from cbmcube.observations.store._address import Address
from cbmcube.observations.store._commits import Commit
from cbmcube.observations.store._names import canonical_json, is_file, sha256, snapshot_name
from cbmcube.observations.store._objects import Objects
from cbmcube.observations.store._parts import decode
from cbmcube.observations.store._protocol import commit_unit
from cbmcube.observations.store._publish import publish_commits
from cbmcube.observations.store._snapshots import Snapshot, read_snapshot
from cbmcube.warnings import DamagedStoreWarning

_counter = itertools.count()


class Store:
    """A store of observations, as `create_store` and `open_store` return it.

    It is small and can be sent to workers; keys of object stores are no part of it, each
    process takes them from its own environment.

    Examples
    --------
    >>> from cbmcube.observations.store import create_store, open_store
    >>> folder = getfixture("tmp_path") / "season"
    >>> store = create_store(folder, {"product": "CARD-BS", "bands": ["VV", "VH"]})
    >>> open_store(folder).recipe["bands"]
    ['VV', 'VH']
    """

    def __init__(self, address: Address, recipe: Mapping[str, Any]) -> None:
        self._objects = Objects(address)
        self._recipe = canonical_json(dict(recipe))

    @property
    def url(self) -> str:
        """Where the store lies; a folder or ``s3://bucket/prefix``."""
        return self._objects.address.url

    @property
    def recipe(self) -> dict[str, Any]:
        """What decides, beside the inputs, the numbers in the store; a copy."""
        found: dict[str, Any] = json.loads(self._recipe)
        return found

    @property
    def recipe_hash(self) -> str:
        """SHA-256 of the recipe's canonical JSON."""
        return sha256(self._recipe)

    @property
    def safe_writers(self) -> bool:
        """Whether several runs may write at once; found out, once, by trying."""
        return self._objects.safe_writers

    @property
    def filesystem(self) -> Any:
        """A pyarrow file system in which names of parts and files are paths."""
        return self._objects.backend.filesystem()

    def put_blob(self, kind: str, data: bytes, suffix: str) -> str:
        """Write an input, unless it is there, and return its name.

        Parameters
        ----------
        kind
            ``parcels``, ``items``, ``plans`` or ``index``.
        data
            The bytes; the name is their SHA-256.
        suffix
            End of the name, such as ``json`` or ``parquet``.
        """
        return self._objects.put_blob(kind, data, suffix, "blob")

    def get_blob(self, kind: str, name: str) -> bytes:
        """Return an input.

        Raises
        ------
        StoreCorruptError
            If it is missing, or its bytes do not have the hash in its name.
        """
        return self._objects.get_blob(kind, name)

    def commit(
        self,
        key: str,
        table: pa.Table | None,
        *,
        status: str,
        reason: str | None = None,
        info: Mapping[str, Any],
    ) -> Commit:
        """Write the rows of a unit, and then that it is done. Doing it again changes nothing.

        Parameters
        ----------
        key
            SHA-256 of all that decides the result.
        table
            The rows, ``None`` if there are none.
        status
            ``ok``, ``empty``, ``nodata``, ``corrupt`` or ``refused``.
        reason
            Why; needed for the last two.
        info
            What readers need to know: ``acquisition``, ``time`` (ISO, UTC), ``group`` (int),
            ``platform`` and more; JSON values.

        Returns
        -------
        Commit
            The record in the store, which may be that of an earlier, equal result.

        Raises
        ------
        ConflictError
            If the unit is committed with another result. Both are kept, and the conflict is
            recorded in ``runs/conflicts``.
        """
        return commit_unit(self._objects, key, table, status=status, reason=reason, info=info)

    def committed(self) -> set[str]:
        """Return the keys of the units that are done, from the names of their commits alone."""
        # A torn write, on a disk that allows it, is an empty file: that unit is not done.
        return {
            entry.name[-69:-5]
            for entry in self._objects.backend.entries("commits")
            if entry.size and re.fullmatch(r"commits/../[0-9a-f]{64}\.json", entry.name)
        }

    def commits(self, keys: Iterable[str] | None = None) -> list[Commit]:
        """Read commits, in the order of their keys; those that are absent are left out.

        Raises
        ------
        StoreCorruptError
            If one is torn. `publish` sets such a record aside, so that a rerun makes it again.
        """
        wanted = sorted(self.committed() if keys is None else set(keys))
        found = self._objects.map(self._objects.read_commit, wanted)
        return [commit for commit in found if commit is not None]

    def publish(self, *, plan: str, keys: Iterable[str]) -> Snapshot:
        """Publish a snapshot of the commits of these units; the same again adds none.

        Parameters
        ----------
        plan
            Blob (kind ``plans``) of the plan whose units these are.
        keys
            The units; each must be committed.

        Raises
        ------
        StoreNotFoundError
            If a unit is not committed, or there is no such plan.
        StoreCorruptError
            If commits are torn. They are set aside: a rerun computes their units again.
        """
        return publish_commits(self, plan, keys)

    def snapshot(self, number: int | None = None) -> Snapshot:
        """Return a snapshot, the latest by default.

        Raises
        ------
        StoreNotFoundError
            If there is none.

        Warns
        -----
        DamagedStoreWarning
            If the record of the latest is torn, so that the one before it is returned.
        """
        if number is None:
            return self._latest()
        try:
            data = self._objects.backend.read(snapshot_name(number))
        except FileNotFoundError:
            raise StoreNotFoundError(
                "there is no such snapshot",
                given=number,
                allowed=", ".join(map(str, self.snapshots())) or "none yet",
            ) from None
        return read_snapshot(data, number, self)

    def snapshots(self) -> list[int]:
        """Return the numbers of all snapshots, in order."""
        names = (entry.name for entry in self._objects.backend.entries("snapshots"))
        return sorted(int(n[10:22]) for n in names if re.fullmatch(r"snapshots/\d{12}\.json", n))

    def read_part(self, name: str, columns: Iterable[str] | None = None) -> pa.Table:
        """Read a part whole, and check its bytes against the hash in its name.

        Parameters
        ----------
        name
            Name of the part, as commits and snapshots give it (``part``, ``file``).
        columns
            Columns to return; all by default.
        """
        if not is_file(name):
            raise OptionError("this is no part's name", given=repr(name)[:100])
        data = self._objects.read(name)
        stem = name.rpartition("/")[2].removesuffix(".parquet")
        if not sha256(data).startswith(stem.rpartition("-")[2]):
            raise self._objects.damaged(name, "has other bytes than its name says")
        return decode(data, None if columns is None else list(columns))

    def log(self, run: str, lines: bytes) -> str:
        """Keep lines of a run's log, as a new object below ``runs/``; return its name.

        Secrets do not belong there. What is done is never decided by it.
        """
        host = re.sub(r"[^A-Za-z0-9]", "-", socket.gethostname())[:40] or "host"
        stamp = f"{time.time_ns():019d}"
        name = f"runs/{run}/{host.strip('-')}-{os.getpid()}-{stamp}-{next(_counter):06d}.jsonl"
        self._objects.backend.put(name, lines, "log")
        return name

    @property
    def objects(self) -> Objects:
        """The store's objects, for the modules of this folder."""
        return self._objects

    def _latest(self) -> Snapshot:
        for number in reversed(self.snapshots()):
            try:
                return self.snapshot(number)
            except StoreCorruptError as error:
                warnings.warn(
                    f"{error}; the snapshot before it is used", DamagedStoreWarning, stacklevel=3
                )
        raise StoreNotFoundError(
            "nothing is published in this store yet",
            given=self.url,
            hint="let the plan run until it publishes a snapshot",
        )

    def __getstate__(self) -> dict[str, Any]:
        return {"address": self._objects.address, "recipe": self._recipe}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._objects, self._recipe = Objects(state["address"]), state["recipe"]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Store) and self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash((self._objects.address, self._recipe))

    def __repr__(self) -> str:
        product = self.recipe.get("product", "?")
        return f"<Store {self.url}: {product}, recipe {self.recipe_hash[:12]}>"

    def _repr_html_(self) -> str:
        facts = {name: value for name, value in self.recipe.items() if value is not None}
        return html_table(f"Store {self.url}", {**facts, "recipe": self.recipe_hash})
