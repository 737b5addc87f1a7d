"""The fault bench: ``python -m benchmarks.faults --short`` (5 minutes) or ``--long``.

Runs the trials of the acceptance table, prints each row, and with ``--page`` writes them into the
table of ``docs/reliability.md``, where rows of other trials stay.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.faults import season_trials, store_trials
from benchmarks.faults.trials import LONG, ROOT, SHORT, Row, Trial, suite

PAGE = ROOT / "docs" / "reliability.md"
_BEGIN, _END = "<!-- table: begin -->", "<!-- table: end -->"

TRIALS = (
    Trial(
        "kills-store",
        "SIGKILLs at random over a job on the store, all kinds of processes",
        "0 lost, 0 twice, root hash equal to the undisturbed run",
        store_trials.kills,
    ),
    Trial(
        "kills-season",
        "SIGKILLs at random over the run of a season that reads images",
        "0 lost, 0 twice, root hash equal to the undisturbed run",
        season_trials.kills,
    ),
    Trial(
        "failpoints",
        "a kill before and after every step of a commit",
        "the next run recovers, root hash equal",
        suite("tests/observations/store/test_failpoints.py"),
        "pytest tests/observations/store/test_failpoints.py",
    ),
    Trial(
        "at-once",
        "two, then four runs on one store at once",
        "one root hash",
        store_trials.at_once,
    ),
    Trial("twice", "every unit done twice", "root hash equal", store_trials.twice),
    Trial(
        "broken",
        "a season, images over HTTP and store in S3: 20 % of requests answered 503, 5 % stalled, "
        "5 % reset, 5 % cut, 1 % of ranges wrong, every commit's response lost",
        "finishes, root hash equal, at most twice the requests",
        season_trials.everything_broken,
    ),
    Trial(
        "broken-store",
        "the store alone, in S3: the same faults",
        "finishes in one run, root hash equal",
        store_trials.object_store,
    ),
    Trial(
        "outage",
        "S3 gone in the middle of a run",
        "a clear error; the next run resumes",
        store_trials.outage,
    ),
    Trial(
        "disk-full",
        "a full disk",
        "a clear error, the store readable, the next run resumes",
        store_trials.disk_full,
    ),
    Trial(
        "corrupt",
        "200 damaged files",
        "0 silent wrong values where items state a checksum; an error or a mark for each",
        season_trials.corrupt,
    ),
    Trial(
        "state-machine",
        "plans, kills, reruns, reprocessing, compaction, deletion and second writers in any order",
        "2,000 examples of 30 steps, 0 failures",
        suite("tests/observations/store/test_machine.py", CBMCUBE_LONG="1"),
        "CBMCUBE_LONG=1 pytest tests/observations/store/test_machine.py",
    ),
    Trial(
        "hostile",
        "hostile items, parcel files and archives",
        "150 items and 60 files refused before anything else is read; under 2 GiB",
        suite("tests/catalog/test_hostile.py", "tests/parcels/test_hostile.py"),
        "pytest tests/catalog/test_hostile.py tests/parcels/test_hostile.py",
    ),
    Trial(
        "gateway",
        "a real Dask Gateway server: start, run, kill a worker, resume, shut down",
        "bits equal, no cluster left behind",
        suite("-m", "services", "tests/services/test_gateway.py"),
        "pytest -m services tests/services/test_gateway.py",
    ),
)


def main() -> None:
    """Run the trials that the command line asks for."""
    given = _arguments()
    scale = LONG if given.long else SHORT
    chosen = [trial for trial in TRIALS if not given.only or trial.name in given.only]
    begin, rows = time.monotonic(), []
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for trial in chosen:
            since = time.monotonic()
            rows.append(trial.row(scale, Path(folder)))
            _tell(trial, rows[-1], time.monotonic() - since)
    minutes = (time.monotonic() - begin) / 60
    if given.page:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), rows), "utf-8")
    needed = bool(os.environ.get("CBMCUBE_REQUIRE_SERVICES"))
    missed = [row.figure for row in rows if row.kept is False or (needed and row.kept is None)]
    print(f"{len(rows)} rows in {minutes:.1f} minutes, missed: {', '.join(missed) or 'none'}")
    sys.exit(1 if missed else 0)


def page(old: str, rows: Iterable[Row]) -> str:
    """Return a page with these rows in its table, in the order of the trials."""
    before, _, rest = old.partition(_BEGIN)
    there, _, after = rest.partition(_END)
    head, line, *new = table(rows)
    known = {text.split(" | ")[0]: text for text in [*there.splitlines(), *new]}
    kept = [known[f"| {trial.figure}"] for trial in TRIALS if f"| {trial.figure}" in known]
    return "\n".join([before + _BEGIN, "", head, line, *kept, "", _END + after])


def table(rows: Iterable[Row]) -> list[str]:
    """Return the rows as Markdown."""
    lines = ["| figure | must | result | kept | command |", "| --- | --- | --- | --- | --- |"]
    words = {True: "yes", False: "**no**", None: "not run"}
    for row in rows:
        cells: Sequence[str] = (
            row.figure,
            row.must,
            row.result.replace("|", "/"),
            words[row.kept],
            f"`{row.command}`",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _tell(trial: Trial, row: Row, seconds: float) -> None:
    word = {True: "kept", False: "MISSED", None: "not run"}[row.kept]
    print(f"{trial.name}: {word}, {seconds:.0f} s\n    {row.result}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument("--short", action="store_true", help="the default: under 5 minutes")
    scale.add_argument("--long", action="store_true", help="100 kills, a million records, suites")
    names = [trial.name for trial in TRIALS]
    parser.add_argument("--only", action="append", choices=names, help="this trial; repeatable")
    parser.add_argument("--folder", help="where scratch folders are made")
    parser.add_argument("--page", action="store_true", help="write the table to docs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
