"""One parcel out of a vector cube: a small table for each band, computed once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd
import xarray as xr

from cbmcube.exceptions import UnknownParcelError
from cbmcube.series import band_names, select_bands, select_statistics, statistic_names, valid_share

_SPREAD = (("p25", "p75"), ("mean", "std"))


@dataclass(frozen=True, slots=True, eq=False)
class ParcelSeries:
    """The series of one parcel out of one vector cube."""

    product: str
    """Name of the product, or an empty text."""
    tables: dict[str, pd.DataFrame]
    """One table for each band, a row for each acquisition in order of time. Columns: `mean`,
    `low` and `high` (the spread inside the parcel), `share` (valid pixels, 0 to 1), `observed`,
    `relative_orbit`, `orbit_state`, `reference_time`."""
    spread: str
    """What `low` and `high` are: ``"p25 to p75"``, ``"mean ± std"`` or an empty text."""
    about: dict[str, object]
    """Scalar coordinates of the parcel, such as `crop` and `area_m2`."""


def parcel_series(
    stats: xr.Dataset, parcel: object, bands: Iterable[str] | str | None
) -> ParcelSeries:
    """Select one parcel and compute what a profile of it shows, in one go.

    Raises
    ------
    UnknownParcelError
        If the cube does not hold the parcel.
    UnknownBandError
        If the cube does not hold a band.
    UnknownStatisticError
        If the cube has no mean.
    """
    names = select_bands(stats, bands) if bands is not None else _default_bands(stats)
    select_statistics(stats, "mean")
    check_parcel(stats, parcel)
    wanted = [*names, *(name for name in ("observed", "n_valid", "n_total") if name in stats)]
    one = stats.sel(parcel=parcel)[wanted].compute().sortby("time")
    lower, upper = next((pair for pair in _SPREAD if {*pair} <= {*statistic_names(one)}), ("", ""))
    return ParcelSeries(
        product=str(stats.attrs.get("product", "")),
        tables={name: _table(one, name, lower, upper) for name in names},
        spread={"p25": "p25 to p75", "mean": "mean ± std", "": ""}[lower],
        about={str(k): v.item() for k, v in one.coords.items() if v.ndim == 0},
    )


def _default_bands(stats: xr.Dataset) -> list[str]:
    known = band_names(stats)
    return ["NDVI"] if "NDVI" in known else known


def check_parcel(stats: xr.Dataset, parcel: object) -> None:
    """Raise if the cube does not hold the parcel, and say which id is meant perhaps."""
    index = stats.indexes["parcel"]
    if parcel in index:
        return
    ids = [str(value) for value in index]
    if str(parcel) in ids:
        meant = index.tolist()[ids.index(str(parcel))]
        hint = f"ids of this cube are of type {type(meant).__name__}: pass {meant!r}"
    else:
        near = get_close_matches(str(parcel), ids[:20_000], n=3)  # a country would take minutes
        hint = f"did you mean {', '.join(near)}?" if near else "see stats.parcel for all ids"
    raise UnknownParcelError(
        "this parcel is not in the vector cube",
        given=repr(parcel),
        allowed=_few(ids),
        hint=hint,
    )


def _few(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:5])
    return shown if len(ids) <= 5 else f"{shown}, … ({len(ids)} parcels)"


def _table(one: xr.Dataset, name: str, lower: str, upper: str) -> pd.DataFrame:
    band = one[name]
    mean = band.sel(statistic="mean").to_numpy().astype("float64")
    low = high = np.full(mean.shape, np.nan)
    if lower:
        first = band.sel(statistic=lower).to_numpy().astype("float64")
        second = band.sel(statistic=upper).to_numpy().astype("float64")
        low, high = (first, second) if lower != "mean" else (mean - second, mean + second)
    table = pd.DataFrame(
        {"mean": mean, "low": low, "high": high, "share": valid_share(one, name).to_numpy()},
        index=pd.DatetimeIndex(one["time"].to_numpy(), name="time"),
    )
    table["observed"] = one["observed"].to_numpy() if "observed" in one else 1.0
    for coord, missing in (("relative_orbit", -1), ("orbit_state", ""), ("reference_time", pd.NaT)):
        table[coord] = one[coord].to_numpy() if coord in one.coords else missing
    return table
