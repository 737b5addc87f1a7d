"""Read the tables of a job file into records, and collect what is wrong instead of stopping."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cbmcube.scripting._kinds import Kind
from cbmcube.scripting._problems import Problem, WrongValueError, meant, shown
from cbmcube.scripting._secrets import is_secret_name, looks_secret
from cbmcube.scripting._tables import TABLES


class Reader:
    """Reads tables; what is wrong is found in `problems` afterwards."""

    def __init__(self, folder: Path) -> None:
        self.problems: list[Problem] = []
        self._folder = folder

    def tables(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return a record for each table; None for one that cannot be used."""
        for name in data:
            if name not in TABLES:
                self._unknown(f"[{_safe(name)}]", name, TABLES, "table")
        return {name: self._table(cls, data.get(name, {}), name) for name, cls in TABLES.items()}

    def _table(self, cls: type, data: object, path: str) -> Any:
        place = f"[{path}]"
        if not isinstance(data, dict):
            self.problems.append(
                Problem(place, "this must be a table", allowed=f"{place} and below it key = value")
            )
            return None
        fields = {one.name: one for one in dataclasses.fields(cls)}
        before = len(self.problems)
        for name in data:
            if name not in fields:
                self._unknown(f"{place} {_safe(name)}", name, fields, "key")
        values = {
            name: self._value(one.metadata["kind"], data[name], path, name)
            for name, one in fields.items()
            if name in data
        }
        required = [one for one in fields.values() if one.default is dataclasses.MISSING]
        for one in required:
            if one.name not in data:
                self.problems.append(
                    Problem(
                        f"{place} {one.name}",
                        "this key is missing",
                        allowed=one.metadata["kind"].name,
                        hint=one.metadata["meaning"],
                    )
                )
        return cls(**values) if len(self.problems) == before else None

    def _value(self, kind: Kind | type, value: object, path: str, name: str) -> Any:
        if isinstance(kind, type):
            return self._nested(kind, value, f"{path}.{name}")
        try:
            return kind.read(value, self._folder)
        except WrongValueError as error:
            key = f"{name}.{_safe(error.key)}" if error.key else name
            given = None if error.given is None else shown(error.given)
            if given is not None and (looks_secret(given) or is_secret_name(key)):
                given = None
            problem = Problem(f"[{path}] {key}", error.what, given, error.allowed, error.hint)
            self.problems.append(problem)
            return None

    def _nested(self, cls: type, value: object, path: str) -> Any:
        """Read a table within a table, or each one of an array of tables."""
        if isinstance(value, list):
            return tuple(self._table(cls, one, path) for one in value)
        table = self._table(cls, value, path)
        default = next(
            one.default
            for parent in TABLES.values()
            for one in dataclasses.fields(parent)
            if one.metadata["kind"] is cls
        )
        return (table,) if default == () else table

    def _unknown(self, place: str, name: str, known: Mapping[str, object], what: str) -> None:
        near = meant(name, known)
        homes = [f"[{table}]" for table in _homes(name)] if what == "key" else []
        hint = f"did you mean {near!r}?" if near else None
        if not near and homes:
            hint = f"{name!r} belongs to {' or '.join(homes)}"
        self.problems.append(
            Problem(place, f"there is no such {what}", allowed=", ".join(known), hint=hint)
        )


def _homes(name: str) -> Iterator[str]:
    """Yield the tables that have a key of that name."""
    for table, cls in TABLES.items():
        if name in {one.name for one in dataclasses.fields(cls)}:
            yield table


def _safe(name: str) -> str:
    """Return a key for a message: a secret may have slipped into its place."""
    return "a key that looks like a secret" if looks_secret(name) else shown(name).strip("'\"")
