"""The steps of the scale bench, each in a process of its own.

Run as ``python -m benchmarks.season.steps REQUEST``, with the name and the options of a step as
JSON; prints one line of JSON. `run` starts such a process and reads the line.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import MARK, ONE_THREAD, ROOT
from benchmarks.season import country, dry, passes, reading, tile
from benchmarks.season.probe import Clock, folder_size, status
from cbmcube.catalog import open_catalog
from cbmcube.observations.season import open_plan
from cbmcube.observations.season import plan as make_plan
from cbmcube.parcels import prepare_parcels, read_parcels
from cbmcube.products import CARD_BS

Facts = dict[str, Any]


def run(step: str, folder: Path, **options: Any) -> Facts:
    """Do a step in a new process; its messages go to the standard error."""
    request = json.dumps({"step": step, "folder": str(folder), **options})
    environment = {**os.environ, **ONE_THREAD, "CBMCUBE_CACHE": str(folder / "index")}
    command = [sys.executable, "-m", "benchmarks.season.steps", request]
    done = subprocess.run(  # noqa: S603  # this module, with arguments made here
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    found: Facts = json.loads(lines[-1].removeprefix(MARK))
    print(f"{step:<10} {json.dumps(found)[:300]}", file=sys.stderr, flush=True)
    return found


# --- data -------------------------------------------------------------------------------------


def make_data(folder: Path, parcels: int) -> Facts:
    """Make the country and its season, or find them."""
    with Clock() as clock:
        country.stored_parcels(folder, parcels)
        passes.stored_catalogue(folder)
    return {"seconds": clock.wall}


def make_tile(folder: Path, parcels: int, dates: int) -> Facts:
    """Make the files of the real slice, or find them."""
    return tile.make(folder, country.stored_parcels(folder, parcels), dates)


# --- planning ---------------------------------------------------------------------------------


def plan_season(folder: Path, parcels: int) -> Facts:
    """Plan the whole season into a new store."""
    store = folder / "season"
    shutil.rmtree(store, ignore_errors=True)
    with Clock() as reading_clock:
        fields = read_parcels(country.stored_parcels(folder, parcels))
    with Clock() as clock:
        season = make_plan(
            open_catalog(passes.stored_catalogue(folder)),
            CARD_BS,
            fields,
            period=str(passes.YEAR),
            store=store,
        )
        units = len(season.units)
    facts = season.to_dict()
    return {
        "read": reading_clock.wall,
        "seconds": clock.wall,
        "cpu": clock.cpu,
        "peak": status("VmHWM"),
        "units": units,
        "stored": folder_size(store)["bytes"],
        "seen": dry.seen(season),
        **{name: facts[name] for name in ("items", "acquisitions", "groups", "parcels", "outside")},
        **{name: facts[name] for name in ("records", "decoded_bytes", "worker_bytes")},
    }


def prepare(folder: Path, parcels: int) -> Facts:
    """Repair, measure and classify the parcels."""
    fields = read_parcels(country.stored_parcels(folder, parcels))
    prepare_parcels(fields.head(100))
    with Clock() as clock:
        prepare_parcels(fields)
    return {"seconds": clock.wall, "cpu": clock.cpu}


def dry_run(folder: Path, records: int) -> Facts:
    """Run part of the planned season, or all of it, with rows that are made up."""
    return dry.run(folder / "season", records)


def fill(folder: Path) -> Facts:
    """Commit what the dry run left as images that show nothing, and publish: a finished season."""
    return dry.fill(folder / "season")


def pack(folder: Path) -> Facts:
    """Write the parts of the season into fewer files."""
    return dry.pack(folder / "season")


def resume(folder: Path) -> Facts:
    """Open the plan of a finished season and find that nothing is left."""
    with Clock() as clock:
        season = open_plan(folder / "season")
        left = len(season.tasks(season.left()))
    return {"seconds": clock.wall, "cpu": clock.cpu, "left": left, "units": len(season.units)}


def read(folder: Path, parcels: int) -> Facts:
    """Read one parcel and one date out of the finished season."""
    return reading.measure(folder / "season", country.stored_parcels(folder, parcels))


# --- the real slice ---------------------------------------------------------------------------


def decode(folder: Path, parcels: int, dates: int) -> Facts:
    """Decode the blocks of the slice that hold parcels, each once, and nothing else."""
    return tile.decode(folder, country.stored_parcels(folder, parcels), dates)


def run_tile(folder: Path, parcels: int, dates: int, workers: int) -> Facts:
    """Run the slice with worker processes of one thread."""
    return tile.run(folder, country.stored_parcels(folder, parcels), dates, workers)


STEPS: dict[str, Callable[..., Facts]] = {
    step.__name__: step
    for step in (
        make_data, make_tile, plan_season, prepare, dry_run, fill, pack, resume, read, decode,
        run_tile,
    )
}  # fmt: skip


def main() -> None:
    """Do the step that the command line names."""
    request = json.loads(sys.argv[1])
    step, folder = request.pop("step"), Path(request.pop("folder"))
    print(MARK + json.dumps(STEPS[step](folder, **request)), flush=True)


if __name__ == "__main__":
    main()
