"""From sums to the report: numbers, intervals and tables of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.agreement._blocks import Tally, Task
from cbmcube.agreement._groups import Groups, seen
from cbmcube.agreement._listed import Labels, Spread, extreme_rows, pair_rows, spread
from cbmcube.agreement._match import Pairs, Passes, nearest
from cbmcube.agreement._metrics import intervals, numbers
from cbmcube.agreement._moments import FIELDS, merge
from cbmcube.agreement._result import BandAgreement
from cbmcube.agreement._rule import AgreementRule

_DESCRIPTION = ["acquisition", "platform", "relative_orbit", "orbit_state"]

_Ints = NDArray[np.int64]


def band_reports(
    groups: Groups, labels: Labels, tasks: Mapping[str, Task], rule: AgreementRule
) -> dict[str, Any]:
    """Return the fields of `Agreement` that are numbers of bands or rows of pairs."""
    bands, pairs, extremes = {}, [], []
    for band, tally in groups.tallies.items():
        task = tasks[band]
        at = spread(tally.pairs, extreme=rule.extreme, tolerance=task.limit)
        listed = extreme_rows(band, tally.ends, labels, at)
        bands[band] = BandAgreement(
            band=band,
            kind=task.kind,
            units=task.units,
            tolerance=task.limit,
            **_numbers(tally, groups, rule),
            median=at.median,
            mad=at.mad,
            extreme_limit=at.limit,
            extremes=len(listed),
            all_extremes=_all_listed(tally, at, rule.listed),
        )
        pairs.append(pair_rows(band, tally.pairs, labels))
        extremes.append(listed)
    return {
        "bands": bands,
        "ledger": groups.ledger(),
        "pairs": pd.concat(pairs, ignore_index=True),
        "extremes": pd.concat(extremes, ignore_index=True),
    }


def _numbers(tally: Tally, groups: Groups, rule: AgreementRule) -> dict[str, Any]:
    by_pass = tally.moments.reshape(-1, len(FIELDS))
    whole = merge(by_pass, np.zeros(len(by_pass), dtype="int64"), 1)
    found: dict[str, Any] = {name: float(values[0]) for name, values in numbers(whole).items()}
    found["limits"] = (found.pop("lower"), found.pop("upper"))
    found["n"] = n = int(found["n"])
    day = pd.factorize(groups.union.table["date"])[0].astype("int64")
    days = np.repeat(day, tally.moments.shape[1])
    counts = seen(tally.states)
    some = int(sum(counts[name].sum() for name in ("both", "only_a", "only_b")))
    return found | {
        "days": len(np.unique(days[by_pass[:, 0] > 0])),
        "availability": n / some if some else float("nan"),
        "intervals": intervals(by_pass, days, draws=rule.draws, seed=rule.seed),
        "kept": len(tally.pairs) / n if n else float("nan"),
    }


def _all_listed(tally: Tally, at: Spread, listed: int) -> bool:
    """Tell whether both ends of the differences reach into what is not extreme."""
    d = tally.ends[:, 5] - tally.ends[:, 4]
    far = at.far(d)
    low, high = (far & (d < at.median)).sum(), (far & (d > at.median)).sum()
    whole = len(d) == tally.moments[..., 0].sum()
    return bool(whole or max(low, high) < listed)


def pass_tables(a: Passes, b: Passes, pairs: Pairs, rule: AgreementRule) -> dict[str, Any]:
    """Return the fields of `Agreement` that list passes: `matched`, `only_a` and `only_b`."""
    first = a.table.iloc[pairs.a].reset_index(drop=True)
    second = b.table.iloc[pairs.b].reset_index(drop=True)
    matched = first[_DESCRIPTION].copy()
    matched.insert(0, "time_a", first["time"])
    matched.insert(1, "time_b", second["time"])
    matched["parts_a"], matched["parts_b"] = first["parts"], second["parts"]
    alone = {}
    for name, own, other, taken in (
        ("only_a", a, b, pairs.a),
        ("only_b", b, a, pairs.b),
    ):
        places: _Ints = np.setdiff1d(np.arange(len(own.table)), taken)
        rows = own.table.iloc[places].reset_index(drop=True)
        table = rows[["time", *_DESCRIPTION, "parts", "items"]].copy()
        table["nearest"] = nearest(rows, other.table, rule.same)
        alone[name] = table
    return {"matched": matched, **alone}
