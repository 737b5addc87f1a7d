"""What a store remembers of plans and runs beside the results: their order and their logs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pyarrow.fs import FileSelector

from cbmcube._text import without_secrets
from cbmcube.observations.store import Store

_PLANS = "plans"
_SEARCHES = "searches"


def note_plan(store: Store, name: str) -> None:
    """Make a plan the latest of its store, unless it is."""
    if latest_plan(store) != name:
        write_lines(store, _PLANS, [{"plan": name}])


def latest_plan(store: Store) -> str | None:
    """Return the name of the plan that was noted last; ``None`` if there is none."""
    names = _names(store, _PLANS)
    return str(_read(store, names[-1])[-1]["plan"]) if names else None


def note_search(
    store: Store, plan: str, facts: Mapping[str, Any] | None, *, after: str | None = None
) -> None:
    """Keep what the search for a plan's items found and left out, unless it is kept already.

    Parameters
    ----------
    store
        Where to.
    plan
        The plan that was made of the items.
    facts
        What the search told; ``None`` if there was none.
    after
        The plan that this one updates, whose items it has as well.
    """
    if facts is None:
        return
    # The end of an open period is the time of the search, which is new each time.
    line = {"plan": plan, "after": after, "search": _clean(facts)}
    kept = read_lines(store, _SEARCHES)
    if all(_timeless(one) != _timeless(line) for one in kept):
        write_lines(store, _SEARCHES, [line])


def read_searches(store: Store, plan: str) -> list[dict[str, Any]]:
    """Return what the searches for a plan, and for those it updates, found and left out."""
    lines = read_lines(store, _SEARCHES)
    wanted, found = {plan}, []
    for line in reversed(lines):
        if line["plan"] in wanted:
            wanted.add(str(line["after"]))
            found.append(dict(line["search"]))
    return found[::-1]


def _clean(told: Any) -> Any:
    """Take the secrets of addresses out of all texts: reasons may quote what was refused."""
    if isinstance(told, Mapping):
        return {name: _clean(value) for name, value in told.items()}
    if isinstance(told, (list, tuple)):
        return [_clean(value) for value in told]
    return without_secrets(told) if isinstance(told, str) else told


def _timeless(line: Mapping[str, Any]) -> dict[str, Any]:
    return {**line, "search": {n: v for n, v in line["search"].items() if n != "period"}}


def read_log(store: Store) -> Iterator[dict[str, Any]]:
    """Yield the lines of all runs, run by run, one file of them at a time."""
    found = store.filesystem.get_file_info(FileSelector("runs", allow_not_found=True))
    for run in sorted(one.base_name for one in found if one.base_name.startswith("run-")):
        for name in _names(store, run):
            yield from _read(store, name)


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
