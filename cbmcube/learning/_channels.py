"""Series of a vector cube on a fixed calendar: one channel for each band and orbit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import DuplicateIdError, OptionError
from cbmcube.series import (
    Moment,
    composite,
    is_radar,
    orbit_table,
    select_bands,
    statistic_names,
    time_window,
    up_to,
)

_Floats = NDArray[np.float32]
_TASK = 2_000_000  # values that are interpolated at once
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True)
class Channel:
    """One number of each parcel in each period."""

    name: str
    """Band, or ratio of two; ``_dB`` for decibels."""
    orbit: str
    """``_R015``, and ``_6d`` for pairs of images; empty where orbits are mixed."""
    values: _Floats
    """(parcel, period); NaN where nothing was observed, if that was not interpolated."""
    seen: NDArray[np.uint16] | None
    """(parcel, period) acquisitions with a valid pixel; None where another channel has the same."""


@dataclass(frozen=True, slots=True)
class Channels:
    """Channels that share parcels and periods."""

    parcels: pd.Index
    start: NDArray[np.datetime64]
    """First day of each period."""
    each: tuple[Channel, ...]

    @property
    def days(self) -> NDArray[np.float64]:
        """Days of the periods' beginnings after the first."""
        return np.asarray((self.start - self.start[0]) / _DAY, dtype="float64")


def make_channels(
    stats: xr.Dataset,
    *,
    bands: Iterable[str] | str | None,
    period: str,
    window: tuple[Moment, Moment] | None,
    as_of: Moment | None,
    ratio: bool,
    fill: bool,
) -> Channels:
    """Composite a vector cube and bring radar to decibels; computes a lazy cube once."""
    names = select_bands(stats, bands)
    refuse_repeated(stats.indexes["parcel"])
    begin, end = time_window(stats, window, as_of)
    wanted = ["mean", *(["count"] if "count" in statistic_names(stats) else [])]
    few = stats.drop_vars([name for name in select_bands(stats, None) if name not in names])
    few = up_to(few.sel(statistic=wanted), as_of)
    inside = (few["time"].to_numpy() >= begin) & (few["time"].to_numpy() <= end)
    few = few.isel(time=np.flatnonzero(inside))
    anchor = None if period in ("10D", "7D-iso") else str(begin.astype("datetime64[D]"))
    pooled = composite(few, period, anchor=anchor, weights="count" if wanted[1:] else None)
    pooled = pooled[[*names, "n_obs"]].compute()
    start = _calendar(begin, end, period, anchor)
    each = [
        channel
        for orbit, rows in _orbits(pooled)
        for channel in _of_orbit(pooled.isel(time=rows), names, orbit, start, ratio=ratio)
    ]
    if fill:
        days = np.asarray((start - start[0]) / _DAY, dtype="float64")
        each = [Channel(c.name, c.orbit, interpolate(c.values, days), c.seen) for c in each]
    return Channels(stats.indexes["parcel"].rename("parcel"), start, tuple(each))


def refuse_repeated(parcels: pd.Index) -> None:
    """Refuse parcels that occur twice."""
    if not parcels.is_unique:
        repeated = parcels[parcels.duplicated()].unique()
        raise DuplicateIdError(
            "a parcel occurs more than once",
            given=", ".join(map(str, repeated[:5])),
            hint="give each row one id; see read_parcels(..., id=...)",
        )


def interpolate(values: _Floats, days: NDArray[np.float64]) -> _Floats:
    """Fill gaps with straight lines, and before the first and after the last with its value.

    Parameters
    ----------
    values
        (parcel, period); rows without any number stay NaN.
    days
        Where each period begins, rising.
    """
    step = max(1, _TASK // max(1, values.shape[1]))
    blocks = [_fill(values[k : k + step], days) for k in range(0, len(values), step)]
    return np.concatenate(blocks) if blocks else values.copy()


def _fill(values: _Floats, days: NDArray[np.float64]) -> _Floats:
    last = values.shape[1] - 1
    number = np.arange(last + 1)[None]
    seen = np.isfinite(values)
    before = np.maximum.accumulate(np.where(seen, number, -1), axis=1)
    after = np.minimum.accumulate(np.where(seen, number, last + 1)[:, ::-1], axis=1)[:, ::-1]
    low, high = np.where(before < 0, after, before), np.where(after > last, before, after)
    low, high = np.clip(low, 0, last), np.clip(high, 0, last)
    at_low = np.take_along_axis(values, low, axis=1).astype("float64")
    at_high = np.take_along_axis(values, high, axis=1).astype("float64")
    apart = days[high] - days[low]
    share = np.where(apart > 0, (days[None] - days[low]) / np.where(apart > 0, apart, 1.0), 0.0)
    return np.asarray(at_low + (at_high - at_low) * share, dtype="float32")


def _calendar(
    begin: np.datetime64, end: np.datetime64, period: str, anchor: str | None
) -> NDArray[np.datetime64]:
    """Return the first days of all periods of the window, which are those of `composite`."""
    ends = np.array([begin, end], dtype="datetime64[ns]")
    bare = xr.Dataset(
        {"x": (("time", "parcel", "statistic"), np.zeros((2, 1, 1), dtype="float32"))},
        coords={"time": ends, "parcel": [0], "statistic": ["mean"], "band": ["x"]},
    )
    return composite(bare, period, anchor=anchor, weights=None)["time"].to_numpy()


def _orbits(pooled: xr.Dataset) -> list[tuple[str, NDArray[np.int64]]]:
    """Return the name and the entries of each orbit of a composite, in their order."""
    table = orbit_table(pooled)
    name = pd.Series("", index=table.index)
    if "relative_orbit" in table:
        name += "_R" + table["relative_orbit"].map("{:03d}".format)
    if "baseline_days" in table:
        name += "_" + table["baseline_days"].astype(str) + "d"
    rows = [(str(one), np.flatnonzero(name == one)) for one in sorted(name.unique())]
    times = pooled["time"].to_numpy()
    mixed = [one for one, some in rows if len(np.unique(times[some])) < len(some)]
    if mixed:
        raise OptionError(
            "several series would share a name",
            given=", ".join(mixed),
            allowed="one series for each relative orbit",
            hint="select one platform or orbit_state first",
        )
    return rows


def _of_orbit(
    pooled: xr.Dataset, names: list[str], orbit: str, start: NDArray[np.datetime64], *, ratio: bool
) -> list[Channel]:
    radar = is_radar(pooled) and pooled.attrs.get("product") != "CARD-COH6"
    place = np.searchsorted(start, pooled["time"].to_numpy())
    shape = (pooled.sizes["parcel"], len(start))
    found: dict[str, Channel] = {}
    for name in names:
        values, seen = np.full(shape, np.nan, "float32"), np.zeros(shape, "uint16")
        band = pooled[name].sel(statistic="mean").transpose("parcel", "time").to_numpy()
        count = pooled["n_obs"].sel(band=name).transpose("parcel", "time").to_numpy()
        values[:, place] = _decibels(band) if radar else band
        seen[:, place] = count
        found[name] = Channel(f"{name}_dB" if radar else name, orbit, values, seen)
    if ratio and radar and {"VV", "VH"} <= {*found}:
        between = found["VH"].values - found["VV"].values
        found["ratio"] = Channel("VH_VV_dB", orbit, between, None)
    return [*found.values()]


def _decibels(power: _Floats) -> _Floats:
    """Return 10 log10 of a mean power; NaN where it is not positive, which no decibel describes."""
    positive = power > 0
    logarithm = np.log10(power, where=positive, out=np.full(power.shape, np.nan, "float32"))
    return np.asarray(10 * logarithm, dtype="float32")
