"""Colours of the parcels of an interactive map, from a statistic, a column or given values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube._html import html_text
from cbmcube._style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, YELLOW
from cbmcube.exceptions import OptionError
from cbmcube.series import band_names, select_bands, select_statistics

_LATEST = 10  # acquisitions among which the one with most values is looked for
_CLASSES = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW)
_MISSING = (160, 160, 160, 120)
_ALPHA = 210


@dataclass(frozen=True, slots=True, eq=False)
class Colouring:
    """What colours a map."""

    title: str
    """What is shown, with its units; empty if nothing is."""
    rgba: NDArray[np.uint8]
    """(parcel, 4), in the order of the map."""
    entries: tuple[tuple[str, str], ...]
    """Colours (``#rrggbb``) and labels of the legend."""
    gradient: bool
    """Whether the entries are steps of a scale."""
    without: int = 0
    """Parcels that have no value on this scale."""

    def legend_html(self) -> str:
        """Return the legend as HTML."""
        boxes = [
            f"<span style='display:inline-block;width:1.2em;height:.8em;background:{colour};"
            f"{'' if self.gradient else 'margin-left:.8em'}'></span>"
            for colour, _ in self.entries
        ]
        labels = [html_text(label) for _, label in self.entries]
        if self.gradient:
            scale = f"{labels[0]} {''.join(boxes)} {labels[-1]}" if labels else ""
            return f"<div>{scale}{self._missing_html()}</div>"
        pairs = zip(boxes, labels, strict=True)
        return f"<div>{''.join(f'{box} {label}' for box, label in pairs)}</div>"

    def _missing_html(self) -> str:
        if not self.without:
            return ""
        box = "<span style='display:inline-block;width:1.2em;height:.8em;background:#a0a0a0;"
        return f"{box}margin-left:.8em'></span> no value ({self.without:,})"


def colouring_of(
    parcels: gpd.GeoDataFrame, stats: Any, *, by: Any, statistic: str, time: object
) -> Colouring:
    """Return the colours of parcels; computes one date of one statistic at most."""
    first = None if stats is None else _first(stats)
    if isinstance(by, pd.Series):
        return _coloured(by.reindex(parcels.index), "values" if by.name is None else str(by.name))
    if first is not None and (by is None or by in first):
        return _of_band(parcels, first, by, statistic, time)
    if by is None:
        flat = np.tile(np.array([0, 114, 178, 150], dtype="uint8"), (len(parcels), 1))
        return Colouring("", flat, (), gradient=False)
    if by in parcels and by != parcels.geometry.name:
        return _coloured(parcels[by], str(by))
    bands = [] if first is None else band_names(first)
    columns = [str(name) for name in parcels if name != parcels.geometry.name]
    raise OptionError(
        "nothing of this name can colour the map",
        given=repr(by),
        allowed=", ".join([*bands, *columns]) or "values by parcel id",
    )


def _first(stats: Any) -> xr.Dataset:
    if isinstance(stats, xr.Dataset):
        return stats
    cubes = [*(stats.values() if isinstance(stats, Mapping) else stats)]
    if not cubes:
        raise OptionError("there is no vector cube", hint="leave stats=None for a map alone")
    return cubes[0]


def _of_band(
    parcels: gpd.GeoDataFrame, cube: xr.Dataset, by: str | None, statistic: str, time: object
) -> Colouring:
    names = band_names(cube)
    band = by or ("NDVI" if "NDVI" in names else names[0])
    select_bands(cube, band)
    select_statistics(cube, statistic)
    known = cube.indexes["parcel"].isin(parcels.index)
    if not known.any():
        raise OptionError(
            "no parcel of the map is in the vector cube",
            given=f"ids such as {parcels.index[0]!r} and {cube.indexes['parcel'][0]!r}",
            hint="the index of parcels has the ids: parcels.set_index(…)",
        )
    chosen = cube[band].sel(statistic=statistic).isel(parcel=np.flatnonzero(known))
    table = _one_date(chosen.sortby("time"), time)
    values = pd.Series(table.to_numpy(), index=table.indexes["parcel"])
    units = cube[band].attrs.get("units", "1")
    unit = "" if units in ("1", "") else f" ({units})"
    when = pd.Timestamp(table["time"].item()) if table["time"].ndim == 0 else None
    return _coloured(values.reindex(parcels.index), f"{band} {statistic}{unit}, {when:%Y-%m-%d}")


def _one_date(table: xr.DataArray, time: object) -> xr.DataArray:
    if not table.sizes["time"]:
        raise OptionError("there is no acquisition to show", hint="widen the period of the search")
    if time is not None:
        moment = pd.Timestamp(str(time))
        nearest = np.abs(table.indexes["time"] - moment).argmin()
        return table.isel(time=int(nearest)).compute()
    latest = table.isel(time=slice(-_LATEST, None)).transpose("time", "parcel").compute()
    counts = np.isfinite(latest.to_numpy()).sum(axis=1)
    best = len(counts) - 1 - int(counts[::-1].argmax())  # the later one of equals
    return latest.isel(time=best)


def _coloured(values: pd.Series[Any], title: str) -> Colouring:
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return _by_number(values.to_numpy(dtype="float64", na_value=np.nan), title)
    return _by_class(values, title)


def _by_number(values: NDArray[np.float64], title: str) -> Colouring:
    import matplotlib as mpl  # noqa: PLC0415 - lonboard brings it along

    finite = values[np.isfinite(values)]
    # A few odd parcels must not take all colours from the others.
    low, high = np.percentile(finite, [2, 98]) if finite.size else (0.0, 1.0)
    scaled = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    scale = mpl.colormaps["viridis"]
    rgba = scale(np.nan_to_num(scaled), bytes=True, alpha=_ALPHA / 255)
    rgba[~np.isfinite(values)] = _MISSING
    without = len(values) - finite.size
    if not finite.size:  # a scale of nothing would look as if there were values
        return Colouring(title, rgba, (), gradient=True, without=without)
    steps = [mpl.colors.to_hex(one) for one in scale(np.linspace(0, 1, 12))]
    labels = [f"{one:.3g}" for one in np.linspace(low, high, 12)]
    entries = tuple(zip(steps, labels, strict=True))
    return Colouring(title, rgba, entries, gradient=True, without=without)


def _by_class(values: pd.Series[Any], title: str) -> Colouring:
    """Give the most frequent classes a colour each, and all others grey."""
    text = values.astype("string")
    names = [*text.value_counts().index[: len(_CLASSES)]]
    codes = pd.Index(names, dtype="string").get_indexer(text)
    table = [[*bytes.fromhex(colour[1:]), _ALPHA] for colour in _CLASSES[: len(names)]]
    rgba = np.array([*table, _MISSING], dtype="uint8")[codes]  # code -1 is the last row
    entries = [*zip(_CLASSES, map(str, names), strict=False)]
    if (codes < 0).any():
        entries.append(("#a0a0a0", "other or none"))
    return Colouring(title, rgba, tuple(entries), gradient=False)
