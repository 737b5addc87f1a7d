"""One parcel out of a vector cube: a small table for each band, computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np
import pandas as pd
import xarray as xr
from dask.base import compute

from cbmcube.exceptions import UnknownParcelError
from cbmcube.plotting._peers import (
    composite_series,
    composite_table,
    crop_peers,
    crop_series,
    peer_table,
)
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
    others: int | None = None
    """Number of other parcels of its crop, or ``None`` if they were not asked for."""
    crop: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """For each band the mean over these parcels and, as `low` and `high`, ± std; rows and
    orbits as in `tables`."""
    period: str = ""
    """The period of the composite, or an empty text."""
    pooled: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """For each band the composite, as `composite_table` returns it."""


def parcel_series(
    stats: xr.Dataset,
    parcel: object,
    bands: Iterable[str] | str | None,
    *,
    crop_mean: bool = False,
    period: str | None = None,
) -> ParcelSeries:
    """Select one parcel and compute what a profile of it shows, in one go.

    With `crop_mean` this computes the mean of the other parcels of its crop too, and with
    `period` its composite.

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
    peers = crop_peers(stats, parcel) if crop_mean else np.empty(0, dtype=int)
    lazy = {
        "one": stats.sel(parcel=parcel)[wanted],
        "crop": crop_series(stats, peers, names) if len(peers) else None,
        "pooled": composite_series(stats, parcel, names, period) if period else None,
    }
    (ready,) = compute(lazy)
    one, crop, pooled = ready["one"].sortby("time"), ready["crop"], ready["pooled"]
    lower, upper = next((pair for pair in _SPREAD if {*pair} <= {*statistic_names(one)}), ("", ""))
    tables = {name: _table(one, name, lower, upper) for name in names}
    return ParcelSeries(
        product=str(stats.attrs.get("product", "")),
        tables=tables,
        spread={"p25": "p25 to p75", "mean": "mean ± std", "": ""}[lower],
        about={str(k): v.item() for k, v in one.coords.items() if v.ndim == 0},
        others=len(peers) if crop_mean else None,
        crop={}
        if crop is None
        else {name: _crop_table(crop, tables[name], name) for name in names},
        period=period or "",
        pooled={}
        if pooled is None
        else {name: composite_table(pooled, name, _pixels(one, name)) for name in names},
    )


def _pixels(one: xr.Dataset, name: str) -> float:
    return float(one["n_total"].sel(band=name)) if "n_total" in one else 0.0


def _crop_table(crop: xr.Dataset, table: pd.DataFrame, name: str) -> pd.DataFrame:
    peers = peer_table(crop.sortby("time"), name)
    return peers.assign(**{key: table[key].to_numpy() for key in ("relative_orbit", "orbit_state")})


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
