"""Markers against planted seasons: precision, recall, dates, false alarms and calibration.

Run as ``python -m benchmarks.markers``; prints tables, and writes them to a page with ``--page``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.markers import page
from benchmarks.markers.measure import measure
from benchmarks.markers.tasks import tasks

PARCELS = 4000


def main(arguments: list[str] | None = None) -> None:
    """Run what the command line asks for; the status is 1 if the target was missed."""
    options = _options(arguments)
    chosen = [one for one in tasks() if _is_wanted(one.name, options.only)]
    results = [*measure(chosen, parcels=options.parcels, seed=options.seed)]
    lines = page.render(results, parcels=options.parcels, seed=options.seed)
    print("\n".join(["", *lines]))
    if options.page:
        text = options.page.read_text(encoding="utf-8")
        options.page.write_text(page.replace_between(text, "truth", lines), encoding="utf-8")
    sys.exit(1 if any("**missed**" in line for line in lines) else 0)


def _is_wanted(name: str, only: list[str] | None) -> bool:
    return not only or any(name == one or name.startswith(f"{one}:") for one in only)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.markers", description=__doc__)
    parser.add_argument("--parcels", type=int, default=PARCELS, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", type=Path, help="write the tables of all markers to this page")
    names = sorted({name for one in tasks() for name in (one.marker, one.name)})
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help="repeatable")
    options = parser.parse_args(arguments)
    if options.page and options.only:
        parser.error("a page has all markers: leave out --only")
    return options


if __name__ == "__main__":
    main()
