"""Chips of one parcel: the pixels around it on every date, read once and on one grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely
import xarray as xr
from dask.base import compute

from cbmcube.exceptions import OptionError
from cbmcube.plotting.pictures._classes import CLOUD_CLASSES
from cbmcube.plotting.pictures._ground import pixel_size

_TIME_COORDS = ("platform", "relative_orbit", "orbit_state")


@dataclass(frozen=True, slots=True, eq=False)
class Chips:
    """Pixels of a square window on every acquisition, in order of time."""

    values: Mapping[str, np.ndarray]
    """float64 (time, y, x) of each band, north up, NaN where there is no data."""
    bounds: tuple[float, float, float, float]
    """Outer edges of the window: left, bottom, right, top, in units of the CRS."""
    dates: pd.DataFrame
    """One row for each acquisition: `time`, `platform`, `relative_orbit`, `orbit_state`, and
    `cloud` and `seen`, shares of the parcel, 0 to 1 (NaN where nothing tells)."""


def layers_of(grids: Sequence[xr.Dataset]) -> dict[str, xr.DataArray]:
    """Return each band from the finest grid that holds it, with the dims (time, y, x)."""
    layers: dict[str, xr.DataArray] = {}
    for grid in grids:
        for name, band in grid.data_vars.items():
            if {"y", "x"} <= {*band.dims} and str(name) not in layers:
                layers[str(name)] = _with_time(str(name), band)
    return layers


def _with_time(name: str, band: xr.DataArray) -> xr.DataArray:
    if "time" in band.coords and "time" not in band.dims:
        band = band.expand_dims("time")
    if {*band.dims} != {"time", "y", "x"}:
        raise OptionError(
            "a band of the cube has no time",
            given=f"{name} {band.dims}",
            allowed="time, y, x",
            hint="select dates with lists or slices, so that the dimension stays",
        )
    return band.transpose("time", "y", "x")


def read_chips(
    layers: Mapping[str, xr.DataArray],
    bands: Sequence[str],
    shape: Any,
    *,
    margin: float | None,
    metres: float,
) -> Chips:
    """Read the window around a parcel, in one go.

    Parameters
    ----------
    layers
        Bands on grids of one CRS. ``SCL`` is read too where there is one.
    shape
        The parcel in that CRS.
    margin
        Metres around it; by default a third of its longer side, at least 30.
    metres
        Metres in a unit of the CRS.
    """
    finest = min((layers[name] for name in bands), key=pixel_size_of)
    wanted = [*dict.fromkeys([*bands, *(["SCL"] if "SCL" in layers else [])])]
    size = pixel_size_of(finest)
    x, y = _window(finest, shape, margin, metres)
    (read,) = compute({name: _cut(layers[name], x, y) for name in wanted})
    times = _times([read[name] for name in dict.fromkeys(bands)])
    on_grid = {name: _onto(read[name], x, y, times) for name in wanted}
    values = {name: on_grid[name] for name in dict.fromkeys(bands)}
    dates = _about(read, times)
    inside = _inside(shape, x, y)
    dates["cloud"] = _cloud_share(on_grid.get("SCL"), inside)
    known = np.logical_and.reduce([np.isfinite(array) for array in values.values()])
    dates["seen"] = known[:, inside].mean(axis=1)
    half = size / 2
    return Chips(values, (x[0] - half, y[-1] - half, x[-1] + half, y[0] + half), dates)


def pixel_size_of(band: xr.DataArray) -> float:
    """Return the side of a band's pixels in units of its CRS."""
    return pixel_size(band.to_dataset(name="band"))


def _window(
    band: xr.DataArray, shape: Any, margin: float | None, metres: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return centres of the pixels of a square around a parcel, on the lattice of a band.

    Pixels beyond the cube belong to it too, so that all chips are squares.
    """
    left, bottom, right, top = shape.bounds
    longer = max(right - left, top - bottom)
    air = max(30.0 / metres, longer / 3) if margin is None else margin / metres
    size = pixel_size_of(band)
    number = max(1, int(np.ceil((longer + 2 * air) / size)))
    column = np.round(((left + right) / 2 - float(band["x"][0])) / size - (number - 1) / 2)
    row = np.round((float(band["y"][0]) - (bottom + top) / 2) / size - (number - 1) / 2)
    x = float(band["x"][0]) + size * (column + np.arange(number))
    y = float(band["y"][0]) - size * (row + np.arange(number))
    return x, y


def _cut(band: xr.DataArray, x: np.ndarray, y: np.ndarray) -> xr.DataArray:
    """Select the pixels of a band, of any size, that the window needs."""
    size = pixel_size_of(band)
    columns = np.flatnonzero((band["x"] > x[0] - size) & (band["x"] < x[-1] + size))
    rows = np.flatnonzero((band["y"] > y[-1] - size) & (band["y"] < y[0] + size))
    if not len(columns) or not len(rows):
        return band.isel(x=slice(0), y=slice(0))
    return band.isel(
        x=slice(columns[0], columns[-1] + 1),
        y=slice(rows[0], rows[-1] + 1),
    )


def _onto(band: xr.DataArray, x: np.ndarray, y: np.ndarray, times: pd.DatetimeIndex) -> np.ndarray:
    """Bring pixels onto the window: each takes the value of the pixel that it lies in."""
    shape = len(times), len(y), len(x)
    result = np.full(shape, np.nan)
    if band.size == 0:
        return result
    half = pixel_size_of(band) / 2 * 1.001 if min(band.shape[1:]) > 1 else np.inf
    rows, columns = (
        pd.Index(band[axis].to_numpy()).get_indexer(want, method="nearest", tolerance=half)
        for axis, want in (("y", y), ("x", x))
    )
    when = times.get_indexer(pd.DatetimeIndex(band["time"].to_numpy()))
    here = when >= 0
    values = band.to_numpy().astype("float64")
    if band.dtype.kind in "iu" and "nodata" in band.attrs:
        values[values == band.attrs["nodata"]] = np.nan
    r, c = np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0)
    part = values[here][:, rows[r]][:, :, columns[c]]
    result[np.ix_(when[here], r, c)] = part
    return np.where(np.isfinite(result), result, np.nan)


def _times(bands: Sequence[xr.DataArray]) -> pd.DatetimeIndex:
    every = pd.DatetimeIndex(np.concatenate([band["time"].to_numpy() for band in bands])).unique()
    if every.empty:
        raise OptionError("there is no acquisition to draw", hint="widen the period of the search")
    return every.sort_values()


def _about(read: Mapping[str, xr.DataArray], times: pd.DatetimeIndex) -> pd.DataFrame:
    table = pd.DataFrame({"platform": "", "relative_orbit": -1, "orbit_state": ""}, index=times)
    for band in read.values():
        when = pd.DatetimeIndex(band["time"].to_numpy())
        for name in _TIME_COORDS:
            if name in band.coords and band[name].dims == ("time",):
                known = when.isin(times)
                table.loc[when[known], name] = band[name].to_numpy()[known]
    return table.rename_axis("time").reset_index()


def _inside(shape: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which pixels have their centre in the parcel; the nearest one for slivers."""
    grid_x, grid_y = np.meshgrid(x, y)
    inside = np.asarray(shapely.contains_xy(shape, grid_x, grid_y))
    if not inside.any():
        at = shape.representative_point()
        nearest = np.argmin((grid_x - at.x) ** 2 + (grid_y - at.y) ** 2)
        inside.flat[nearest] = True
    return inside


def _cloud_share(classes: np.ndarray | None, inside: np.ndarray) -> np.ndarray | float:
    if classes is None:
        return np.nan
    mine = classes[:, inside]
    known = np.isfinite(mine).sum(axis=1)
    cloudy = np.isin(mine, CLOUD_CLASSES).sum(axis=1)
    return np.divide(cloudy, known, out=np.full(len(mine), np.nan), where=known > 0)
