"""Whether client, scheduler and workers of a cluster fit together."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from distributed import Client

from cbmcube.cluster._probe import ABSENT, ask_all, surveyor
from cbmcube.cluster._versions import PACKAGES
from cbmcube.exceptions import ClusterMismatchError
from cbmcube.warnings import ClusterMismatchWarning

# Objects of these travel in a task graph, or decide how it is read.
_TRAVELLING = frozenset(
    {
        "python", "cbmcube", "cloudpickle", "dask", "distributed", "msgpack", "numpy", "pandas",
        "pystac", "odc-geo", "odc-loader", "rasterio", "shapely", "xarray",
    }
)  # fmt: skip
_COMPARED = ("cbmcube", "cloudpickle", "msgpack", *PACKAGES)
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Difference:
    """One line in which a part of the cluster differs from the client."""

    name: str
    """Package, or ``python`` or ``GDAL``."""
    client: str
    """Version at the client."""
    found: Mapping[str, tuple[str, ...]]
    """Version elsewhere -> the scheduler and the workers that have it."""

    @property
    def missing(self) -> bool:
        """Whether some part of the cluster lacks the package."""
        return ABSENT in self.found

    @property
    def fatal(self) -> bool:
        """Whether work would fail, or could fail in ways that are hard to see."""
        return self.missing or self.name in _TRAVELLING

    def __str__(self) -> str:
        there = "; ".join(f"{version} on {_places(who)}" for version, who in self.found.items())
        return f"{self.name}: {self.client} on the client, {there}"

    def fix(self) -> str:
        """Return the next step."""
        version = next(iter(self.found))
        if self.missing:
            return f"install {self.name} {self.client} on the workers: install_on_workers(client)"
        if self.name in ("python", "GDAL"):
            return f"use an environment with {self.name} {version} for the client"
        return f"pip install '{self.name}=={version}' for the client"


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """What was compared, and what differs; shown as lines of text."""

    workers: int
    """Number of workers that answered."""
    differences: tuple[Difference, ...]
    """Lines that differ, the fatal ones first."""

    @property
    def ok(self) -> bool:
        """Whether nothing fatal differs."""
        return not any(one.fatal for one in self.differences)

    @property
    def missing(self) -> tuple[str, ...]:
        """What a part of the cluster lacks."""
        return tuple(one.name for one in self.differences if one.missing)

    def __str__(self) -> str:
        head = f"{self.workers} workers and their scheduler compared with the client"
        if not self.differences:
            return f"{head}: nothing differs"
        lines = [f"  {'differs' if one.fatal else 'note'}: {one}" for one in self.differences]
        return "\n".join([head, *lines])


def check_cluster(client: Client, *, strict: bool = True) -> ClusterReport:
    """Compare client, scheduler and workers, before any work is sent. Runs on the cluster.

    Objects travel between the three, so the packages that make them must be of one version.
    An hour into a season is a late moment to learn that a worker cannot import a kernel.

    Parameters
    ----------
    client
        Connected to the cluster, with at least one worker.
    strict
        Raise when something fatal differs; otherwise warn.

    Returns
    -------
    ClusterReport
        All lines that differ. A different version of a package whose objects do not travel,
        such as zarr, is a note.

    Raises
    ------
    ClusterMismatchError
        `strict`, and a package is missing or has another version; names each line and its fix.
        Also when there is no worker to ask.

    Examples
    --------
    >>> from cbmcube.cluster import check_cluster, local_cluster
    >>> with local_cluster(workers=1, dashboard=False) as client:
    ...     print(check_cluster(client))
    1 workers and their scheduler compared with the client: nothing differs
    """
    report = survey_cluster(client)
    if not report.ok:
        error = _mismatch(report)
        if strict:
            raise error
        warnings.warn(str(error), ClusterMismatchWarning, stacklevel=2)
    return report


def survey_cluster(client: Client) -> ClusterReport:
    """Compare, and judge nothing. Runs on the cluster."""
    survey = surveyor(_COMPARED)
    scheduler, workers = ask_all(client, survey)
    if not workers:
        raise ClusterMismatchError(
            "the cluster has no worker to compare with",
            hint="wait for one: client.wait_for_workers(1, timeout=300)",
        )
    return ClusterReport(len(workers), compare(survey(), {"scheduler": scheduler, **workers}))


def compare(
    client: Mapping[str, str], others: Mapping[str, Mapping[str, str]]
) -> tuple[Difference, ...]:
    """Return the lines in which any of the others differs from the client.

    What the client lacks is not asked of the others. Of Python, the micro version is free.
    """
    found = []
    for name, own in client.items():
        there: dict[str, list[str]] = {}
        for place, versions in others.items():
            version = versions.get(name, ABSENT)
            if _significant(name, version) != _significant(name, own):
                there.setdefault(version, []).append(place)
        if there and own != ABSENT:
            elsewhere = {version: tuple(places) for version, places in there.items()}
            found.append(Difference(name, own, elsewhere))
    return tuple(sorted(found, key=lambda one: not one.fatal))


def _significant(name: str, version: str) -> str:
    return ".".join(version.split(".")[:2]) if name == "python" else version


def _mismatch(report: ClusterReport) -> ClusterMismatchError:
    fatal = [one for one in report.differences if one.fatal]
    return ClusterMismatchError(
        "the cluster does not fit the client",
        given="\n           ".join(map(str, fatal)),
        allowed="the same version of each on client, scheduler and workers",
        hint="\n           ".join(dict.fromkeys(one.fix() for one in fatal)),
    )


def _places(names: tuple[str, ...]) -> str:
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"
