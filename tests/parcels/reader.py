"""Reads files of parcels for a test, in a process whose memory is limited and that may die."""

from __future__ import annotations

import json
import resource
import select
import subprocess
import sys
from dataclasses import dataclass

MEMORY = 2 * 2**30
SECONDS = 60


@dataclass
class Outcome:
    """What became of one file."""

    error: str
    """Class of the error, empty if the file was read."""
    ours: bool
    """Whether it is one of cbmcube's."""
    text: str
    """The whole error, or all that was read."""
    rows: int
    peak: int
    """Bytes that the process held at most so far."""


class Reader:
    """The process; it is started again when it has died."""

    def __init__(self):
        self._process = None

    def read(self, path, **options):
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        self._process.stdin.write(json.dumps({"path": str(path), **options}) + "\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], SECONDS)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self.end()
            raise AssertionError("the process died" if ready else "the process hangs")
        return Outcome(**json.loads(line))

    def end(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()


def answer(path, options):
    import warnings

    from cbmcube.exceptions import Error
    from cbmcube.parcels import ReadLimits, parcels_report, read_parcels

    limits = options.pop("limits", {})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            read = read_parcels(path, limits=ReadLimits(**limits), **{"id": "row", **options})
            text = (
                read.drop(columns="geometry").head(20).to_csv()
                + f"{read.crs} {dict(parcels_report(read).read)}"
            )
            outcome = Outcome("", True, text, len(read), 0)
        except BaseException as error:  # noqa: BLE001  # the test tells which are ours
            chain, link = [], error
            while link is not None:
                chain.append(f"{type(link).__name__}: {link}")
                link = link.__cause__
            found = "\n".join(chain)
            outcome = Outcome(type(error).__name__, isinstance(error, Error), found, 0, 0)
    outcome.text += "".join(f"\n{one.message}" for one in caught)
    outcome.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return outcome


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(vars(answer(wanted.pop("path"), wanted))), flush=True)  # noqa: T201
