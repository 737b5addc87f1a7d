"""Observation table -> vector cube, as far as a comparison needs it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.agreement._states import MISSING, STATES
from cbmcube.exceptions import OptionError, UnknownStatisticError

_NEEDED = ("parcel", "time", "band")
_FACTS: dict[str, str | int] = {
    "platform": "",
    "relative_orbit": -1,
    "orbit_state": "",
    "acquisition": "",
}
_UNSEEN = {"n_valid": -1, "observed": np.nan, "state": MISSING}


def table_to_cube(table: pd.DataFrame, statistic: str) -> xr.Dataset:
    """Lay a long table out as (time, parcel); a row that is not there has the state MISSING.

    Parameters
    ----------
    table
        Columns `parcel`, `time` (UTC), `band` and the statistic; of the others of
        `to_observations`, those that are there are used.
    statistic
        The statistic to take.

    Returns
    -------
    xarray.Dataset
        With a variable `state` on (band, time, parcel) besides the bands. Of rows of one parcel,
        acquisition and band, the one with most valid pixels counts, then that with the larger
        `observed`, then that with the smallest items.
    """
    _require(table, statistic)
    rows = pd.DataFrame({"parcel": _labels(table["parcel"]), "time": _utc(table["time"])})
    rows["band"] = table["band"].astype(str).to_numpy()
    rows["value"] = _numbers(table, statistic, np.nan)
    for name, unknown in _FACTS.items():
        rows[name] = _column(table, name, unknown)
    rows["items"] = _column(table, "items", "")
    if "reference_time" in table:
        rows["reference_time"] = _utc(table["reference_time"])
    rows["n_valid"] = _numbers(table, "n_valid", -1)
    rows["observed"] = _numbers(table, "observed", np.nan)
    rows["state"] = _states(table)
    ranked = rows.sort_values(
        ["n_valid", "observed", "items"], ascending=[False, False, True], kind="stable"
    )
    keys = [name for name in ("time", "reference_time", *_FACTS) if name in rows]
    steps = ranked.groupby(keys, sort=True, dropna=False).ngroup().to_numpy()
    ranked = ranked.assign(step=steps).drop_duplicates(["step", "parcel", "band"])
    return _cube(ranked, keys, statistic).assign_attrs(table.attrs)


def _require(table: pd.DataFrame, statistic: str) -> None:
    missing = [name for name in _NEEDED if name not in table]
    if missing:
        raise OptionError(
            "this table is no observation table",
            given=", ".join(map(str, table.columns)),
            allowed=f"a table with {', '.join(_NEEDED)} and statistics; without {missing[0]} none",
            hint="pass what to_observations returned, or rename the columns",
        )
    if statistic not in table:
        raise UnknownStatisticError(
            "the table lacks this statistic",
            given=repr(statistic),
            allowed=", ".join(map(str, table.columns)),
            hint="name the column that holds it: statistic='mean'",
        )


def _cube(rows: pd.DataFrame, keys: list[str], statistic: str) -> xr.Dataset:
    first = rows.sort_values("items", kind="stable").drop_duplicates("step").sort_values("step")
    parcels, bands = pd.Index(rows["parcel"].unique()), pd.Index(sorted(rows["band"].unique()))
    where = (
        bands.get_indexer(rows["band"]),
        rows["step"].to_numpy(),
        parcels.sort_values().get_indexer(rows["parcel"]),
    )
    shape = (len(bands), len(first), len(parcels))
    values = np.full(shape, np.nan)
    values[where] = rows["value"]
    cube = xr.Dataset(
        {
            name: (("time", "parcel", "statistic"), values[number][..., None])
            for number, name in enumerate(bands)
        },
        coords={
            "parcel": parcels.sort_values().to_numpy(),
            "statistic": [statistic],
            "band": bands.to_numpy().astype(str),
            **{name: ("time", first[name].to_numpy()) for name in (*keys, "items")},
        },
    )
    for name, unknown in _UNSEEN.items():
        layer = np.full(shape, unknown, dtype="float32" if name == "observed" else "int32")
        layer[where] = rows[name]
        if not (name == "observed" and np.isnan(layer).all()):
            cube[name] = (("band", "time", "parcel"), layer)
    return cube


def _states(table: pd.DataFrame) -> NDArray[np.int32]:
    """Return the numbers of stated states; -1 where none is stated."""
    if "state" not in table:
        return np.full(len(table), -1, dtype="int32")
    stated = table["state"].fillna("").astype(str)
    numbers = pd.Index(STATES).get_indexer(pd.Index(stated)).astype("int32")
    unknown = (numbers < 0) & (stated != "").to_numpy()
    if unknown.any():
        raise OptionError(
            "the table has states that are not known",
            given=", ".join(sorted(stated[unknown].unique())),
            allowed=", ".join(STATES),
            hint="leave out the column `state` to have a value or none, nothing else",
        )
    return np.asarray(numbers)


def _utc(times: pd.Series) -> NDArray[np.datetime64]:
    moments = pd.to_datetime(times, utc=True).dt.tz_localize(None)
    return np.asarray(moments.to_numpy(dtype="datetime64[ns]"))


def _labels(ids: pd.Series) -> NDArray[Any]:
    """Return ids as a vector cube has them: integers where they are, else text."""
    return ids.to_numpy(dtype="int64" if pd.api.types.is_integer_dtype(ids.dtype) else str)


def _numbers(table: pd.DataFrame, name: str, unknown: float) -> NDArray[np.float64]:
    if name not in table:
        return np.full(len(table), unknown)
    values = table[name].to_numpy(dtype="float64", na_value=np.nan)
    return np.asarray(np.where(np.isnan(values), unknown, values))


def _column(table: pd.DataFrame, name: str, unknown: str | int) -> NDArray[Any]:
    if name not in table:
        return np.full(len(table), unknown)
    return table[name].fillna(unknown).to_numpy(dtype=np.array(unknown).dtype.type)
