"""What a marker sees: the valid observations of some parcels, in order of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.series import (
    Moment,
    is_radar,
    orbit_table,
    refuse_mixed_orbits,
    select_bands,
    select_statistics,
    up_to,
    valid_share,
)

_ORBIT = ("relative_orbit", "orbit_state", "baseline_days")
DAY = np.timedelta64(1, "D")

_Floats = NDArray[np.float64]
_Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Look:
    """Which numbers of a vector cube a marker looks at, and which of them count."""

    variable: str
    """Band or index."""
    statistic: str = "mean"
    min_share: float = 0.5
    """Observations with a smaller share of valid pixels are left out."""
    min_pixels: int = 0
    """Observations with fewer valid pixels are left out, where the cube counts them."""
    classes: str = "class_10m"
    """Coordinate of `parcel` with the monitorability of `prepare_parcels`, where there is one."""
    coords: tuple[str, ...] = ()
    """Further coordinates of `parcel` that the detector needs."""
    mixed_orbits: bool = False
    """Whether the detector keeps the orbits of radar apart itself."""

    def select(self, stats: xr.Dataset, times: NDArray[np.intp]) -> xr.Dataset:
        """Return what is needed of some acquisitions, with few coordinates; still lazy."""
        counts = [name for name in ("n_valid", "n_total", "observed") if name in stats]
        chosen = stats[[self.variable, *counts]].isel(time=times)
        if "band" in chosen.dims:
            chosen = chosen.sel(band=[b for b in chosen["band"].to_numpy() if b == self.variable])
        chosen[self.variable] = chosen[self.variable].sel(statistic=self.statistic, drop=True)
        kept = {"time", "parcel", "reference_time", "band", self.classes, *self.coords, *_ORBIT}
        return chosen.drop_vars([name for name in chosen.coords if name not in kept])

    def signal(self, part: xr.Dataset, begin: np.datetime64, end: np.datetime64) -> Signal:
        """Take the valid observations out of a part that has been computed."""
        value = _array(part[self.variable])
        good: _Flags = np.ones(value.shape, bool)
        if {"n_valid", "n_total"} <= {*part.data_vars} and part.sizes["band"]:
            good = _array(valid_share(part, self.variable)) >= self.min_share
        if self.min_pixels and "n_valid" in part and part.sizes["band"]:
            good = good & (_array(part["n_valid"].isel(band=0, drop=True)) >= self.min_pixels)
        seen: _Flags = np.ones(value.shape[1], bool)
        if "observed" in part:
            seen = np.any(_array(part["observed"]) > 0, axis=0)
        grade = np.full(value.shape[1], "", dtype="<U7")
        if self.classes in part.coords:
            grade = part[self.classes].to_numpy().astype(str)
        pairs = "reference_time" in part.coords
        return Signal(
            day=(part["time"].to_numpy() - begin) / DAY,
            value=np.where(good, value, np.nan),
            end=float((end - begin) / DAY),
            begin=begin,
            seen=seen,
            grade=grade,
            reference=(part["reference_time"].to_numpy() - begin) / DAY if pairs else None,
            orbit=_orbit_numbers(part),
            coords={name: part[name].to_numpy() for name in self.coords},
        )


@dataclass(frozen=True, slots=True)
class View:
    """A vector cube, and what a marker looks at in it."""

    stats: xr.Dataset
    look: Look

    def check(self) -> None:
        """Refuse a cube without the band or statistic, and mixed orbits of radar."""
        select_bands(self.stats, self.look.variable)
        select_statistics(self.stats, self.look.statistic)
        if not self.look.mixed_orbits:
            refuse_mixed_orbits(self.stats)

    @property
    def source(self) -> str:
        """Name of the sensor, and of the orbit for radar, as event tables give it."""
        if is_radar(self.stats):
            orbits = orbit_table(self.stats)
            known = orbits.get("relative_orbit", pd.Series(dtype="int64")).unique()
            return f"S1:{known[0]}" if len(known) == 1 else "S1"
        product = self.stats.attrs.get("product", "")
        return "S2" if product == "CARD-2A" else str(product)

    def part(self, as_of: Moment | None, begin: np.datetime64, end: np.datetime64) -> xr.Dataset:
        """Return what is needed of what was known, in the window and in order of time; lazy."""
        known = up_to(self.stats, as_of)
        times = known["time"].to_numpy()
        order = np.argsort(times, kind="stable")
        inside = (times[order] >= begin) & (times[order] <= end)
        return self.look.select(known, order[inside])


def _array(array: xr.DataArray) -> NDArray[Any]:
    values = array.transpose("time", "parcel").to_numpy()
    return values.astype("float64") if values.dtype.kind == "f" else values


@dataclass(frozen=True, slots=True)
class Signal:
    """The valid observations of some parcels from day 0 to `end` of a window."""

    day: _Floats
    """(time): when, in days after the begin of the window, rising."""
    value: _Floats
    """(time, parcel): the signal, NaN where there is no valid observation."""
    end: float
    """Length of the window in days."""
    begin: np.datetime64
    """Begin of the window: day 0."""
    seen: _Flags
    """(parcel): whether any acquisition had source data over it, masked or not."""
    grade: NDArray[np.str_]
    """(parcel): monitorability such as ``GOOD``, empty where it is not known."""
    reference: _Floats | None = None
    """(time): for pairs of images, the day of the earlier one."""
    orbit: NDArray[np.int64] | None = None
    """(time): number of the orbit (and baseline) in this series; ``None`` if nothing is stated."""
    coords: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """(parcel): the further coordinates that the look asked for."""

    @property
    def parcels(self) -> int:
        """Number of parcels."""
        return self.value.shape[1]

    @property
    def valid(self) -> _Flags:
        """(time, parcel): whether there is a valid observation."""
        return np.isfinite(self.value)

    def number(self) -> NDArray[np.int64]:
        """Count the valid observations of each parcel."""
        return self.valid.sum(axis=0)


def _orbit_numbers(part: xr.Dataset) -> NDArray[np.int64] | None:
    table = orbit_table(part)
    if not len(table.columns):
        return None
    return np.asarray(table.groupby([*table.columns], dropna=False).ngroup(), np.int64)


def by_orbit(stats: xr.Dataset) -> list[xr.Dataset]:
    """Part radar data into series of one orbit, in order of orbit; other data stay one."""
    table = orbit_table(stats)
    if not is_radar(stats) or not len(table.columns):
        return [stats]
    groups = table.groupby([*table.columns], sort=True, dropna=False).indices
    return [stats.isel(time=np.sort(positions)) for positions in groups.values()]
