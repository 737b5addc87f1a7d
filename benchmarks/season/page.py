"""From measurements to a page: the figures with their limits, then the season they stand for."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cbmcube.cluster import versions

Facts = dict[str, Any]

SEASON = 270_000_000
"""Records of the published season."""
_PACKAGES = ("python", "cbmcube", "GDAL", "numpy", "numba", "dask", "distributed", "pyarrow")


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured number and the limit it must keep."""

    name: str
    must: str
    text: str
    kept: bool

    def row(self) -> list[str]:
        """Return the cells of its row."""
        return [self.name, self.must, self.text, "yes" if self.kept else "**no**"]


def figures(found: dict[str, Facts]) -> list[Figure]:
    """Return the figures of the steps that were done."""
    made = []
    if "plan_season" in found:
        made += _of_plan(found)
    if "dry_run" in found:
        made += _of_dry_run(found)
    if "tile 6" in found:
        made += _of_slice(found)
    return made


def _of_plan(found: dict[str, Facts]) -> list[Figure]:
    per_record = found["plan_season"]["units"] / found["plan_season"]["seen"]
    made = [_at_most("tasks per record", per_record, 1e-4, "{:.1e}")]
    if "resume" in found:
        took = found["resume"]["seconds"]
        made.append(_at_most("resume planning, everything committed", took, 10.0, "{:.1f} s"))
    if "read" in found:
        read = found["read"]
        made += [
            _at_most("one parcel's season, compacted, median", read["parcel"], 0.2, "{:.2f} s"),
            _at_most("one date, all bands and parcels", read["date_all_bands"], 2.0, "{:.2f} s"),
        ]
    return made


def _of_dry_run(found: dict[str, Facts]) -> list[Figure]:
    dry, plan = found["dry_run"], found["plan_season"]
    share = plan["records"] / dry["records"]
    hours = dry["seconds"] * share / 3600
    packed = (dry["seconds"] + found["pack"]["seconds"]) * share / 3600
    size = results(found) / 1e9
    growth = abs(dry["client_last"] / dry["client_first"] - 1.0) * 100
    return [
        _at_most("full season, dry run on 2 cores, extrapolated", hours, 3.0, "{:.2f} h"),
        _at_most("the same and compacted", packed, 3.0, "{:.2f} h"),
        _at_most("change of the client's memory over a run", growth, 10.0, "{:.1f} %"),
        _at_most("rows of the full season in the store, extrapolated", size, 8.0, "{:.1f} GB"),
    ]


def results(found: dict[str, Facts]) -> float:
    """Return the bytes of the parts and commits of the full season.

    By the rows of parcels that an image sees: the others are a tenth of the rows of a part, and a
    hundredth of its bytes.
    """
    dry, plan = found["dry_run"], found["plan_season"]
    commits = dry["commit_bytes"] * plan["units"] / dry["units"]
    return float(dry["bytes"] * plan["seen"] / dry["seen"] + commits)


def _of_slice(found: dict[str, Facts]) -> list[Figure]:
    six, twelve = found["tile 6"], found["tile 12"]
    ratio = six["cpu"] / found["decode"]["cpu"]
    made = [
        _at_most("slice: CPU over bare decode of the same blocks", ratio, 2.2, "{:.2f}"),
        _at_most("slice: peak of a worker, 6 dates", six["peak"] / 1073.7, 1.5, "{:.2f} GiB"),
        _at_most("slice: peak of a worker, 12 dates", twelve["peak"] / 1073.7, 1.5, "{:.2f} GiB"),
    ]
    if "tile 6, two workers" in found:
        gain = six["seconds"] / found["tile 6, two workers"]["seconds"]
        made.append(
            Figure("slice: two workers over one", "at least 1.8", f"{gain:.2f}", gain >= 1.8)
        )
    return made


def _at_most(name: str, value: float, limit: float, form: str) -> Figure:
    return Figure(name, "at most " + form.format(limit), form.format(value), value <= limit)


def render(found: dict[str, Facts], minutes: float, load: float) -> str:
    """Return the page as Markdown."""
    lines = [
        "# A national season",
        "",
        *_text(
            "Written by `python -m benchmarks.season`, which makes a country and a season of the",
            "size of Denmark's 2018, plans all of it, runs a part of it without images and one",
            f"tile of it with, and replaces this page. This run: {minutes:.0f} minutes; load",
            f"average {load:.1f} before it.",
        ),
        "",
        "## Figures",
        "",
        *_table(["figure", "must", "measured", "kept"], [one.row() for one in figures(found)]),
        "",
        "## The season",
        "",
        *_country(),
    ]
    lines += _planned(found) if "plan_season" in found else []
    lines += _dry(found) if "dry_run" in found else []
    lines += _slice(found) if "tile 6" in found else []
    lines += ["", "## Machine", "", *_machine()]
    return "\n".join(lines) + "\n"


def _country() -> list[str]:
    return [
        *_point(
            "The country has the outline of Denmark, cut crudely. Its parcels are shrunken Voronoi",
            "cells of clustered points: 4.7 ha in the mean, 2.9 ha in the middle, 4 to 32",
            "vertices.",
        ),
        *_point(
            "The passes are those of Sentinel-1A and 1B: twelve tracks, each every 6 days, swaths",
            "of 245 km. A parcel is seen 241 times a year. Items are tiles of 10,980 x 10,980",
            "pixels of 10 m in two UTM zones, where a pass meets a tile.",
        ),
        *_point(
            "Every item points at a file of real size; only those of the slice hold an image, the",
            "others one value. The dry run opens none of them.",
        ),
    ]


def _planned(found: dict[str, Facts]) -> list[str]:
    plan = found["plan_season"]
    took = f"CPU {plan['cpu']:.1f} s, peak {plan['peak']:,.0f} MB"
    rows = [
        ["parcels", f"{plan['parcels']:,}", ""],
        ["items, acquisitions", f"{plan['items']:,}, {plan['acquisitions']:,}", ""],
        ["groups, units", f"{plan['groups']:,}, {plan['units']:,}", ""],
        ["rows", f"{plan['records']:,}", f"{plan['seen']:,} of parcels that the swath sees"],
        ["pixels to decode", f"{plan['decoded_bytes'] / 4e9:,.0f} billion", ""],
        ["read the parcels", f"{plan['read']:.1f} s", ""],
        ["plan", f"{plan['seconds']:.1f} s", took],
        ["inputs in the store", f"{plan['stored'] / 1e6:,.0f} MB", "items, parcels, tables"],
    ]
    if "prepare" in found:
        one = found["prepare"]
        rows.append(["prepare_parcels", f"{one['seconds']:.1f} s", f"CPU {one['cpu']:.1f} s"])
    if "resume" in found:
        one = found["resume"]
        rows.append(["plan again, all committed", f"{one['seconds']:.1f} s", f"{one['left']} left"])
    for name in ("read, not compacted", "read"):
        if name in found:
            rows += _read_rows(found[name], "" if "," in name else ", compacted")
    return ["", "## Planned and read in full", "", *_table(["what", "measured", "remark"], rows)]


def _read_rows(read: Facts, how: str) -> list[list[str]]:
    parcel = f"{read['first_parcel']:.2f}, {read['parcel']:.2f} s"
    whole = f"{read['date_all_bands']:.2f} s"
    return [
        [f"open_observations{how}", f"{read['open']:.2f} s", ""],
        [f"a parcel{how}: the first, others", parcel, f"{read['parcel_rows']:,} rows"],
        [f"a date{how}, one band", f"{read['date']:.2f} s", f"{read['date_rows']:,} rows"],
        [f"a date{how}, all bands", whole, f"{read['date_all_rows']:,} rows"],
        [
            f"the same{how}, without the lists of items",
            f"{read['date_plain']:.2f} s",
            "the lists are {:.0f} MB".format(read["items_bytes"] / 1e6),
        ],
    ]


def _dry(found: dict[str, Facts]) -> list[str]:
    dry, plan = found["dry_run"], found["plan_season"]
    rate = dry["records"] / dry["seconds"]
    memory = [dry[name] for name in ("client_first", "client_last", "client_peak")]
    rows = [
        ["records, units", f"{dry['records']:,}, {dry['units']:,}"],
        ["time on two workers", f"{dry['seconds']:.1f} s, {rate:,.0f} records a second"],
        ["CPU of the workers", f"{dry['worker_cpu']:.1f} s"],
        ["CPU of client and scheduler", f"{dry['client_cpu']:.1f} s"],
        ["memory of client and scheduler at 10 %, at the end", "{:.0f}, {:.0f} MB".format(*memory)],
        ["their highest", f"{memory[-1]:.0f} MB"],
        ["memory of a worker", f"{dry['worker_peak']:.0f} MB"],
        [
            "bytes of a record in parts; of one with data",
            f"{dry['bytes'] / dry['records']:.1f}; {dry['bytes'] / dry['seen']:.1f}",
        ],
        ["compaction", f"{found['pack']['seconds']:.1f} s, {found['pack']['files']:,} files"],
    ]
    lines = ["", "## Dry run", "", *_table(["what", "measured"], rows), ""]
    if dry["units"] == plan["units"]:
        return [*lines, "The whole season was run; nothing is extrapolated."]
    return [
        *lines,
        *_text(
            "Rows are drawn from the key of each unit; the plan, the blobs that a worker reads,",
            "parts, commits and the snapshot are real. Extrapolated: time and parts by records,",
            f"commits by units, to the {plan['records']:,} rows of the plan; bytes by the rows",
            f"with data, {dry['seen']:,} of the run and {plan['seen']:,} of the plan. The units",
            "are those of a few whole dates and of whole groups; those left out are committed",
            "without rows before the season is opened again and read, so that lists, plan and",
            "index have",
            "their full length.",
        ),
    ]


def _slice(found: dict[str, Facts]) -> list[str]:
    six, twelve, tile = (found[name] for name in ("tile 6", "tile 12", "make_tile"))
    rows = [_run_row("6 dates, one worker", six), _run_row("12 dates, one worker", twelve)]
    if "tile 6, two workers" in found:
        rows.append(_run_row("6 dates, two workers", found["tile 6, two workers"]))
    return [
        "",
        "## Real slice",
        "",
        *_text(
            f"One tile of 10,980 x 10,980 pixels with its {tile['parcels']:,} parcels, VV and VH,",
            f"float32, deflate with predictor, blocks of 512, {tile['compression']:.2f} raw over",
            "stored bytes; four distinct layers, which further dates repeat under names of their",
            "own. Files come out of the system's page cache. The pixel index is there from a run",
            "of one date before.",
        ),
        "",
        *_table(["run", "wall s", "CPU s of workers", "records", "records/s", "peak MB"], rows),
        "",
        *_slice_remarks(six, found["decode"]),
    ]


def _slice_remarks(six: Facts, decode: Facts) -> list[str]:
    rate = six["records"] / six["cpu"]
    index = six["index_cpu"] - six["cpu"] / 6
    ratio = six["cpu"] / decode["cpu"] * decode["pixels"] / six["decoded"]
    return [
        *_point(
            f"Bare decode: {decode['cpu']:.1f} s of CPU for {decode['pixels'] / 1e6:,.0f} million",
            "pixels, each block of 512 with a parcel once. The windows of the units hold",
            f"{six['pixels'] / 1e6:,.0f} million: they overlap, and blocks on their edges are",
            f"decoded by each of them, {six['decoded'] / 1e6:,.0f} million in all. Against bare",
            f"decode of as many pixels the ratio is {ratio:.2f}.",
        ),
        *_point(f"Building the index of all parcels takes {index:.0f} s of CPU, once a season."),
        *_point(f"{six['bytes'] / six['records']:.1f} bytes of a record in parts."),
        *_point(
            f"Extrapolated by CPU: {rate:,.0f} records a second and core, so",
            f"{SEASON / rate / 3600:.1f} core-hours for {SEASON:,} records from files of this kind",
            "that are at hand; what it takes to fetch them is not in it.",
        ),
    ]


def _run_row(name: str, run: Facts) -> list[str]:
    numbers = (f"{run['seconds']:.1f}", f"{run['cpu']:.1f}", f"{run['records']:,}")
    rate = f"{run['records'] / run['seconds']:,.0f}"
    return [name, *numbers, rate, f"{run['peak']:.0f}"]


def _machine() -> list[str]:
    known = versions()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"- {os.cpu_count()} cores, {memory:.0f} GiB of memory, one disk",
        *_point(", ".join(f"{name} {known[name]}" for name in _PACKAGES if name in known)),
    ]


def _text(*parts: str) -> list[str]:
    return textwrap.wrap(" ".join(parts), 95, break_long_words=False, break_on_hyphens=False)


def _point(*parts: str) -> list[str]:
    first, *more = _text(*parts)
    return [f"- {first}", *(f"  {line}" for line in more)]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    marks = ["---", *(["---:"] * (len(head) - 1))]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)]
