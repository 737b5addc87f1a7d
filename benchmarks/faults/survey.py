"""What the library says of 200 damaged files: an error, the right values, or silence.

``python -m benchmarks.faults.survey`` prints one row for each kind of damage. Values that differ
from the good file's without an error are *silent*. Where the item states ``file:checksum`` and
files are verified, there may be none.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pystac
from numpy.typing import NDArray

import cbmcube as cbm
from benchmarks.faults.corrupt import CRS, SIDE, STEP, Case, cases, checksum, make, write_good
from cbmcube.cube.reading._checksum import Promise, Verify, require_promised_bytes
from cbmcube.exceptions import Error

ROOT = Path(__file__).parents[2]
MEMORY = 2 * 2**30
"""Bytes that the process that reads may hold."""
SILENT, SAME, SAID = "silent", "same", "said"


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one damaged file."""

    kind: str
    """What was done to it."""
    codec: str
    """How the good file is packed."""
    outcome: str
    """``"said"``: an error; ``"same"``: the values of the good file; ``"silent"``: others."""
    message: str
    """The error, in one line."""
    recorded: bool
    """Whether ``on_error="record"`` marked its pixels exactly where an error was raised."""


def item(path: Path, good: Path) -> pystac.Item:
    """Return the item of a good file, whose address leads to a damaged one."""
    data = good.read_bytes()
    asset = {
        "href": str(path),
        "roles": ["data"],
        "type": "image/tiff",
        "data_type": "uint16",
        "nodata": 0,
        "proj:code": CRS,
        "proj:shape": [SIDE, SIDE],
        "proj:transform": list(STEP)[:6],
        "file:size": len(data),
        "file:checksum": checksum(data),
    }
    place = [9.035, 48.729]
    return pystac.Item.from_dict(
        {
            "type": "Feature",
            "stac_version": "1.1.0",
            "stac_extensions": [],
            "id": path.stem,
            "collection": "CARD-2A",
            "geometry": {"type": "Point", "coordinates": place},
            "bbox": place * 2,
            "properties": {"datetime": "2024-03-05T10:10:21Z", "s2:processing_baseline": "03.01"},
            "links": [],
            "assets": {"B04": asset},
        }
    )


def values(found: pystac.Item, folder: Path, on_error: str = "raise") -> NDArray[np.float32]:
    """Return the pixels that the library reads for an item."""
    access = cbm.AccessPolicy(roots=(folder,))
    cube = cbm.load_native([found], cbm.CARD_2A, bands="B04", access=access, on_error=on_error)
    node = cube.compute(scheduler="synchronous")["EPSG32632_10m"]
    read: NDArray[np.float32] = node.B04.values
    return read


def look(case: Case, folder: Path, verify: Verify, seed: int = 0) -> Finding:
    """Make one damaged file, read it, and compare it with the good one."""
    path = make(folder, case, seed)
    good = folder / f"good-{case.codec}.tif"
    found = item(path, good)
    expected = values(item(good, good), folder)
    message, read = "", None
    try:
        require_promised_bytes(
            str(path), Promise.of(found.assets["B04"].extra_fields), verify=verify
        )
        read = values(found, folder)
    except Error as error:
        message = " ".join(str(error).split())
    marked = values(found, folder, "record")
    path.unlink()
    if read is None:
        return Finding(case.kind, case.codec, SAID, message, bool(np.isneginf(marked).all()))
    same = np.array_equal(read, expected, equal_nan=True)
    return Finding(case.kind, case.codec, SAME if same else SILENT, "", not np.isinf(marked).any())


def survey(folder: Path, verify: Verify, seed: int = 0) -> tuple[list[Finding], int]:
    """Look at all cases in a process of its own; return the findings and its peak memory."""
    command = [sys.executable, "-m", "benchmarks.faults.survey", "--child", verify, str(seed)]
    done = subprocess.run(  # noqa: S603  # this module
        [*command, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    *lines, peak = done.stdout.splitlines()
    return [Finding(**json.loads(line)) for line in lines], int(peak)


def rows(today: Iterable[Finding], verified: Iterable[Finding]) -> Iterator[list[str]]:
    """Return one row for each kind: files, errors, same, silent, silent when verified, words."""
    by_kind: dict[str, list[tuple[Finding, Finding]]] = {}
    for pair in zip(today, verified, strict=True):
        by_kind.setdefault(pair[0].kind, []).append(pair)
    for kind, pairs in by_kind.items():
        counts = [sum(one.outcome == what for one, _ in pairs) for what in (SAID, SAME, SILENT)]
        still = sum(two.outcome == SILENT for _, two in pairs)
        says = next((one.message for one, _ in pairs if one.message), "")
        says = says.partition(".tif: ")[2] or says
        yield [kind, str(len(pairs)), *map(str, counts), str(still), says[:90].replace("|", "/")]


def _child(verify: Verify, seed: int, folder: Path) -> None:
    soft = MEMORY + 6 * 2**30  # of addresses, which libraries take far more of than they use
    resource.setrlimit(resource.RLIMIT_AS, (soft, soft))
    for codec in sorted({case.codec for case in cases()}):
        write_good(folder / f"good-{codec}.tif", codec)
    for case in cases():
        print(json.dumps(asdict(look(case, folder, verify, seed))))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main() -> None:
    """Print the table, or be the process that reads."""
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))  # type: ignore[arg-type]
        return
    with tempfile.TemporaryDirectory() as folder:
        today, peak = survey(Path(folder), "none")
        verified, _ = survey(Path(folder), "checksum")
    for row in rows(today, verified):
        print(" | ".join(row))
    for name, found in (("not verified", today), ("verified", verified)):
        silent = sum(one.outcome == SILENT for one in found)
        said = sum(one.outcome == SAID for one in found)
        print(f"{name}: {len(found)} files, {said} errors, {silent} silent")
    print(f"peak {peak / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
