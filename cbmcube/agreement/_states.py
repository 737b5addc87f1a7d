"""What a source says of each parcel on each pass: a value, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

STATES = ("OK", "PARTIAL", "MASKED", "NO_DATA", "READ_FAILED", "NO_VALUE", "MISSING")
"""States of an observation table, and two more.

``NO_VALUE``: seen, and the statistic is not a number, or not positive where it has to be in dB.
``MISSING``: the source has no such pass, or the table no such row.
"""

OK, PARTIAL, MASKED, NO_DATA, READ_FAILED, NO_VALUE, MISSING = range(len(STATES))

FULLY_OBSERVED = 0.95
"""Share of a parcel with source data below which it is ``PARTIAL``, as in observation tables."""

_Any = NDArray[Any]
_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]


def look(raw: Mapping[str, _Any], *, in_db: bool) -> dict[str, _Any]:
    """Return value and state of acquisitions, with what ranks parts of one pass.

    Parameters
    ----------
    raw
        Arrays (step, parcel) as in `Layers`.
    in_db
        Whether values become 10 log10 of what they are.

    Returns
    -------
    dict
        `value` (float64, NaN unless the state is OK or PARTIAL), `state`, `n_valid` and
        `observed`.
    """
    value = raw["value"].astype("float64")
    if in_db:
        value = 10 * np.log10(np.where(value > 0, value, np.nan))
    finite = np.isfinite(value)
    # Where nobody counted pixels, a value is all that is known.
    n_valid = raw.get("n_valid", np.full(value.shape, -1))
    n_valid = np.where(n_valid < 0, finite, n_valid)
    observed = raw.get("observed", np.full(value.shape, np.nan))
    observed = np.where(np.isnan(observed), 1.0, observed)
    state = _state(raw, finite, n_valid, observed)
    value = np.where(state <= PARTIAL, value, np.nan)
    observed = np.where(state == MISSING, -1.0, observed)  # below NO_DATA
    return {"value": value, "state": state, "n_valid": n_valid, "observed": observed}


def _state(raw: Mapping[str, _Any], finite: _Any, n_valid: _Any, observed: _Any) -> _Any:
    counted = raw["n_valid"] >= 0 if "n_valid" in raw else np.zeros(finite.shape, dtype=bool)
    choices = {
        READ_FAILED: np.broadcast_to(raw.get("n_failed", 0), finite.shape) > 0,
        NO_DATA: observed <= 0,
        MASKED: (n_valid == 0) & counted,
        PARTIAL: observed < FULLY_OBSERVED,
    }
    state = np.select([*choices.values()], [*choices], default=OK)
    if "state" in raw:
        state = np.where(raw["state"] >= 0, raw["state"], state)
    return np.where((state <= PARTIAL) & ~finite, NO_VALUE, state)


def join(looks: Mapping[str, _Any], parts: Sequence[_Ints]) -> tuple[_Floats, _Any, _Ints]:
    """Return value, state and chosen step of each pass and parcel, (pass, parcel).

    Of several parts the one with most valid pixels counts, then that with the larger `observed`,
    then one that could not be read, then the smallest item id; values are never averaged, for
    neighbouring tiles repeat the same pixels.

    Parameters
    ----------
    looks
        What `look` returned.
    parts
        Rows of each pass in order of their item ids; none if the source lacks it.
    """
    parcels = looks["value"].shape[1]
    missing = np.array([len(rows) == 0 for rows in parts], dtype=bool)
    first = np.array([rows[0] if len(rows) else -1 for rows in parts], dtype="int64")
    step = np.repeat(first[:, None], parcels, axis=1)
    for number, rows in enumerate(parts):
        for row in rows[1:]:
            best = step[number]
            step[number] = np.where(_better(looks, row, best), row, best)
    if not looks["value"].shape[0]:
        return np.full(step.shape, np.nan), np.full(step.shape, MISSING), step
    columns = np.arange(parcels)[None, :]
    value, state = looks["value"][step, columns], looks["state"][step, columns]
    value[missing], state[missing] = np.nan, MISSING
    return value, state, step


def _better(looks: Mapping[str, _Any], row: int, best: _Ints) -> NDArray[np.bool_]:
    """Tell where a part is to be preferred to the best so far, whose item id is smaller."""
    columns = np.arange(len(best))
    better = np.zeros(len(best), dtype=bool)
    equal = ~better
    ranks = (looks["n_valid"], looks["observed"], looks["state"] == READ_FAILED)
    for rank in ranks:
        mine, theirs = rank[row], rank[best, columns]
        better |= equal & (mine > theirs)
        equal &= mine == theirs
    return better
