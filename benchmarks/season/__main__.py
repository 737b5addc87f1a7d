"""The scale bench: plan a national season in full, run part of it dry and one tile for real.

Run as ``python -m benchmarks.season --folder FOLDER``; prints a page, and writes it to
docs/season-benchmark.md if everything was measured.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import ROOT
from benchmarks.season import country, page, steps

RECORDS = 12_000_000
DATES = (6, 12)


def main(arguments: list[str] | None = None) -> None:
    """Run the bench as the command line says."""
    options = _options(arguments)
    load, begin = os.getloadavg()[0], time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.folder or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        found: dict[str, steps.Facts] = {}
        steps.run("make_data", folder, parcels=options.parcels)
        if not options.slice_only:
            found |= season(folder, options)
        if not options.dry_only:
            found |= tile(folder, options.parcels)
    text = page.render(found, (time.monotonic() - begin) / 60, load)
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    missed = [one.name for one in page.figures(found) if not one.kept]
    if missed:
        print(f"missed: {'; '.join(missed)}", file=sys.stderr)


def season(folder: Path, options: argparse.Namespace) -> dict[str, steps.Facts]:
    """Plan the season, run part of it dry, finish it, and read it before and after compaction."""
    parcels = options.parcels
    return {
        "prepare": steps.run("prepare", folder, parcels=parcels),
        "plan_season": steps.run("plan_season", folder, parcels=parcels),
        "dry_run": steps.run("dry_run", folder, records=0 if options.whole else options.records),
        "fill": steps.run("fill", folder),
        "resume": steps.run("resume", folder),
        "read, not compacted": steps.run("read", folder, parcels=parcels),
        "pack": steps.run("pack", folder),
        "read": steps.run("read", folder, parcels=parcels),
    }


def tile(folder: Path, parcels: int) -> dict[str, steps.Facts]:
    """Run one tile for real: some dates, twice as many, and some on two workers."""
    few, many = DATES
    return {
        "make_tile": steps.run("make_tile", folder, parcels=parcels, dates=many),
        "decode": steps.run("decode", folder, parcels=parcels, dates=few),
        "tile 6": steps.run("run_tile", folder, parcels=parcels, dates=few, workers=1),
        "tile 12": steps.run("run_tile", folder, parcels=parcels, dates=many, workers=1),
        "tile 6, two workers": steps.run("run_tile", folder, parcels=parcels, dates=few, workers=2),
    }


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.season", description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep the data here and find them again")
    parser.add_argument(
        "--records", type=int, default=RECORDS, help="of the dry run; default %(default)s"
    )
    parser.add_argument("--whole", action="store_true", help="run the whole season dry")
    parser.add_argument("--parcels", type=int, default=country.PARCELS)
    parser.add_argument("--slice-only", action="store_true", help="only the tile with images")
    parser.add_argument("--dry-only", action="store_true", help="all but the tile with images")
    parser.add_argument(
        "--output",
        type=Path,
        help="file of the page; docs/season-benchmark.md for everything at full size, else none",
    )
    options = parser.parse_args(arguments)
    partial = options.slice_only or options.dry_only or options.parcels != country.PARCELS
    if options.output is None and not partial:
        options.output = ROOT / "docs" / "season-benchmark.md"
    return options


if __name__ == "__main__":
    main()
