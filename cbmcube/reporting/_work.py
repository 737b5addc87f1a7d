"""How the work went: slow units, failed ones, from the logs of runs and the snapshot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cbmcube._text import without_secrets
from cbmcube.observations import Observations
from cbmcube.observations.season import read_log
from cbmcube.observations.store import decode

_SLOW = ["time", "acquisition", "group", "seconds", "rows", "tries", "status"]


@dataclass(frozen=True)
class Work:
    """What the logs of all runs tell of the units of a snapshot's plan."""

    runs: int
    """Runs that worked at the plan's units."""
    units: int
    """Units whose time is known."""
    seconds: float
    """Time of all of them, the last run of each."""
    median: float
    """Time of the one in the middle; NaN without any."""
    retried: int
    """Units that were tried more than once."""
    slowest: pd.DataFrame
    """``time, acquisition, group, seconds, rows, tries, status``, the slowest first."""
    failed: pd.DataFrame
    """Units without numbers, as `Observations.missing` lists them, with the logs' reasons."""


def find_work(obs: Observations, *, most: int) -> Work:
    """Look up the last outcome of each unit; of the slowest, `most` are listed."""
    plan = json.loads(obs.store.get_blob("plans", obs.snapshot.plan))
    units = decode(obs.store.get_blob("index", plan["units"]))
    place = {key: number for number, key in enumerate(units["key"].to_pylist())}
    last: dict[int, dict[str, Any]] = {}
    runs, here = 0, False
    for line in read_log(obs.store):
        if "workers" in line:  # the first line of a run
            runs, here = runs + here, False
        number = place.get(str(line.get("key")))
        if number is not None:
            last[number], here = line, True
    seconds = np.array([float(one["seconds"]) for one in last.values()])
    known = np.array(list(last), dtype=np.int64)
    where = (units["acquisition"].to_numpy(), units["group"].to_numpy())
    slow = known[np.argsort(-seconds, kind="stable")[:most]]
    rows = [(*_pass(plan, where, int(n)), *_told(last[int(n)])) for n in slow]
    return Work(
        runs=runs + here,
        units=len(last),
        seconds=float(seconds.sum()),
        median=float(np.median(seconds)) if len(seconds) else float("nan"),
        retried=sum(int(one["tries"]) > 1 for one in last.values()),
        slowest=pd.DataFrame(rows, columns=_SLOW),
        failed=_failed(obs, plan, where, last),
    )


def _pass(plan: dict[str, Any], where: tuple[Any, Any], number: int) -> tuple[Any, str, int]:
    """Return time, acquisition and group of a unit of the plan."""
    facts = plan["acquisitions"][int(where[0][number])]
    return pd.Timestamp(facts["time"]), str(facts["acquisition"]), int(where[1][number])


def _told(line: dict[str, Any]) -> tuple[float, int, int, str]:
    return float(line["seconds"]), int(line["rows"]), int(line["tries"]), str(line["status"])


def _failed(
    obs: Observations, plan: dict[str, Any], where: tuple[Any, Any], last: dict[int, dict[str, Any]]
) -> pd.DataFrame:
    """Return units that lack something; what is pending has a reason if a run failed at it."""
    found = pd.DataFrame(obs.missing()).astype({"reason": object, "status": object})
    tried = {
        _pass(plan, where, number)[1:]: str(line["reason"])
        for number, line in last.items()
        if line["status"] == "failed"
    }
    reasons: list[Any] = []
    statuses: list[Any] = []
    lacking: Any = found.itertuples()
    for one in lacking:
        later = tried.get((str(one.acquisition), int(one.group)))
        again = one.status == "pending" and later is not None
        statuses.append("failed" if again else str(one.status))
        told = later if again else (None if pd.isna(one.reason) else str(one.reason))
        reasons.append(None if told is None else without_secrets(told))
    return found.assign(status=statuses, reason=reasons)
