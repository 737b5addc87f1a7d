"""What a store remembers of plans and runs beside the results: their order and their logs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pyarrow.fs import FileSelector

from cbmcube.observations.store import Store

_PLANS = "plans"


def note_plan(store: Store, name: str) -> None:
    """Make a plan the latest of its store, unless it is."""
    if latest_plan(store) != name:
        write_lines(store, _PLANS, [{"plan": name}])


def latest_plan(store: Store) -> str | None:
    """Return the name of the plan that was noted last; ``None`` if there is none."""
    names = _names(store, _PLANS)
    return str(_read(store, names[-1])[-1]["plan"]) if names else None


def write_lines(store: Store, run: str, lines: Iterable[Mapping[str, Any]]) -> None:
    """Add lines to the log of a run."""
    text = "".join(f"{json.dumps(dict(line), sort_keys=True)}\n" for line in lines)
    if text:
        store.log(run, text.encode())


def read_lines(store: Store, run: str) -> list[dict[str, Any]]:
    """Return all lines of the log of a run, in the order in which they were written."""
    return [line for name in _names(store, run) for line in _read(store, name)]


def latest_run(store: Store) -> str | None:
    """Return the id of the run that began last."""
    found = store.filesystem.get_file_info(FileSelector("runs", allow_not_found=True))
    names = sorted(one.base_name for one in found if one.base_name.startswith("run-"))
    return names[-1] if names else None


def _names(store: Store, run: str) -> list[str]:
    found = store.filesystem.get_file_info(FileSelector(f"runs/{run}", allow_not_found=True))
    return sorted((one.path for one in found), key=_written)


def _written(path: str) -> tuple[str, ...]:
    """Return time and number of a log object, which its name ends with."""
    return tuple(path.removesuffix(".jsonl").rsplit("-", 2)[1:])


def _read(store: Store, name: str) -> list[dict[str, Any]]:
    with store.filesystem.open_input_stream(name) as file:
        return [json.loads(line) for line in file.read().splitlines()]
