"""One side of a comparison: what a vector cube or an observation table holds of each band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from dask.base import compute
from numpy.typing import NDArray

from cbmcube.agreement._match import UNKNOWN
from cbmcube.agreement._table import table_to_cube
from cbmcube.exceptions import DuplicateIdError, UnknownBandError
from cbmcube.series import band_names, orbit_table, select_bands, select_statistics

Layers = Mapping[str, Any]
"""Arrays of one band on (time, parcel), NumPy or Dask: `value`, and as far as they are known
`n_valid`, `observed`, `n_failed` and `state`."""

_LAYERS = ("n_valid", "observed", "n_failed", "state")
_TEXT = ("acquisition", "orbit_state", "items")


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One side of a comparison."""

    cube: xr.Dataset
    """A vector cube; one made of a table may lack what the table lacks."""
    steps: pd.DataFrame
    """A row for each acquisition: `time`, `acquisition`, `platform`, `relative_orbit`,
    `orbit_state`, `baseline_days`, `items`; as in `UNKNOWN`, or empty, where not stated."""

    @property
    def product(self) -> str | None:
        """The product, where it is stated."""
        return self.cube.attrs.get("product")

    @property
    def parcels(self) -> pd.Index:
        """Ids of the parcels."""
        return self.cube.indexes["parcel"]

    @property
    def items(self) -> NDArray[np.str_]:
        """Ids of the items of each acquisition, separated by spaces; empty where not stated."""
        return self.steps["items"].to_numpy(dtype=str)

    def units(self, band: str) -> str:
        """Return the units of a band."""
        return str(self.cube[band].attrs.get("units", "1"))

    @property
    def paired(self) -> bool:
        """Whether acquisitions are pairs of images."""
        return bool((self.steps["baseline_days"] >= 0).any())

    def layers(self, band: str, statistic: str) -> Layers:
        """Return the arrays of one band; computes nothing."""
        value = self.cube[band].sel(statistic=statistic).transpose("time", "parcel")
        found = {"value": value.data}
        for name in _LAYERS:
            if name not in self.cube:
                continue
            layer = self.cube[name]
            if "band" in layer.dims:
                if band not in layer["band"].to_numpy():
                    continue
                layer = layer.sel(band=band)
            found[name] = layer.transpose("time", "parcel").data
        return found


def open_source(data: xr.Dataset | pd.DataFrame, statistic: str) -> Source:
    """Take a vector cube, or an observation table, as one side of a comparison."""
    cube = table_to_cube(data, statistic) if isinstance(data, pd.DataFrame) else data
    band_names(cube)  # refuses what is no vector cube
    select_statistics(cube, statistic)
    parcels = cube.indexes["parcel"]
    if not parcels.is_unique:
        raise DuplicateIdError(
            "several parcels of one source carry one id",
            given=", ".join(map(repr, parcels[parcels.duplicated()].unique()[:3])),
            hint="give each parcel its own id before the reduction",
        )
    # Coordinates are small, and everything that is decided first is decided by them.
    lazy = {name: coord for name, coord in cube.coords.items() if coord.chunks is not None}
    cube = cube.assign_coords(dict(zip(lazy, compute(*lazy.values()), strict=True)))
    return Source(cube, _steps(cube))


def common_bands(a: Source, b: Source, variable: str | Sequence[str] | None) -> list[str]:
    """Return the asked bands, or all that both sources hold."""
    if variable is not None:
        select_bands(a.cube, variable)
        return select_bands(b.cube, variable)
    theirs = band_names(b.cube)
    common = [name for name in band_names(a.cube) if name in theirs]
    if not common:
        raise UnknownBandError(
            "the two sources have no band in common",
            given=", ".join(band_names(a.cube)),
            allowed=", ".join(theirs),
            hint="rename one: b.rename({'NDVI': 'ndvi'})",
        )
    return common


def _steps(cube: xr.Dataset) -> pd.DataFrame:
    steps = pd.DataFrame({"time": cube["time"].to_numpy().astype("datetime64[ns]")})
    orbits = orbit_table(cube)
    for name, unknown in UNKNOWN.items():
        if name in orbits:
            steps[name] = orbits[name].to_numpy().astype("int64")
        elif name in cube.coords and cube[name].dims == ("time",):
            steps[name] = cube[name].to_numpy().astype(str)
        else:
            steps[name] = unknown
    for name in _TEXT:
        stated = name in cube.coords and cube[name].dims == ("time",)
        steps[name] = cube[name].to_numpy().astype(str) if stated else ""
    return steps
