"""What a job asks, kept beside the plan made from it, so that a changed job is noticed."""

from __future__ import annotations

import hashlib
import json
import tomllib
from contextlib import suppress

from pyarrow.fs import FileSelector

from cbmcube.exceptions import OptionError
from cbmcube.observations.store import Store, canonical_json
from cbmcube.scripting._job import Job

_ASKED = ("catalog", "product", "parcels", "recipe", "store")
_NOT_ASKED = {
    *(("catalog", "headers"), ("parcels", "password")),
    *(("store", name) for name in ("url", "endpoint", "region", "environment")),
}
_LARGEST = 4096


def question(job: Job) -> str:
    """Return a hash of all in a job that decides which units it has.

    Paths count as they are written, so that a copy of the folder asks the same.
    """
    data = tomllib.loads(job.text)
    asked = {
        table: {
            key: value
            for key, value in data.get(table, {}).items()
            if (table, key) not in _NOT_ASKED
        }
        for table in _ASKED
    }
    text = json.dumps(asked, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def remember_question(job: Job, store: Store, plan: str) -> None:
    """Write down that a plan (name of its blob) was made from what a job asks."""
    asked = question(job)
    if asked not in _remembered(store, plan):
        store.log(_run_of(plan), canonical_json({"question": asked}) + b"\n")


def check_question(job: Job, store: Store, plan: str) -> None:
    """Refuse to run a plan that was made from a job file that asked something else.

    A plan that no job file was kept for was made by a script, and is the user's to know.

    Raises
    ------
    OptionError
        If the job was changed after it was planned.
    """
    known = _remembered(store, plan)
    if known and question(job) not in known:
        raise OptionError(
            "the job file asks for something else than the plan in its store",
            given=str(job.file),
            allowed="the catalogue, product, parcels and recipe that were planned",
            hint=f"plan it: cbmcube plan {job.file.name}; what both have in common stays done",
        )


def _remembered(store: Store, plan: str) -> set[str]:
    found = set()
    system = store.filesystem
    for entry in system.get_file_info(FileSelector(f"runs/{_run_of(plan)}", allow_not_found=True)):
        if not entry.is_file or not 0 < entry.size <= _LARGEST:
            continue
        with system.open_input_file(entry.path) as stream, suppress(ValueError, KeyError):
            found.add(str(json.loads(stream.read())["question"]))
    return found


def _run_of(plan: str) -> str:
    return f"plan-{plan.partition('.')[0][:16]}"
