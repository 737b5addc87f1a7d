"""The class raster: its grid, its codes, and which of them count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.foi._rule import FoiRule
from cbmcube.zonal import Node, read_nodes

MAX_CLASSES = 256
"""Most classes that get a column of shares each."""

BAND = "classes"
"""Name of the raster among the bands of its grid."""

UNLISTED, UNSEEN = -1, -2


@dataclass(frozen=True, slots=True)
class Legend:
    """Which codes are classes, and which say that there are no data."""

    classes: tuple[int, ...] | None
    """Codes that count, in the order of the result; ``None`` for all that are found."""
    unseen: tuple[int, ...]
    """Codes of pixels without data."""

    def find(self, codes: NDArray[Any]) -> NDArray[np.int64]:
        """Return the classes to look for among pixels with these codes."""
        if self.classes is not None:
            return np.array(self.classes, dtype=np.int64)
        found = np.setdiff1d(np.unique(codes).astype(np.int64), self.unseen)
        if found.size > MAX_CLASSES:
            raise OptionError(
                "the raster holds more classes than a table can show",
                given=f"{found.size} codes within the parcels",
                allowed=f"at most {MAX_CLASSES}",
                hint="name those that matter with classes=[...]; a raster of measured values"
                " must be classified first",
            )
        return found

    def place(self, codes: NDArray[Any], classes: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return for each code its position in `classes`, `UNLISTED` or `UNSEEN`."""
        known = np.concatenate([classes, np.array(self.unseen, dtype=np.int64)])
        places = np.full(known.size, UNSEEN, np.int16)
        places[: classes.size] = np.arange(classes.size)
        if codes.dtype.itemsize <= 2:  # a table is much faster than a search
            limits = np.iinfo(codes.dtype)
            table = np.full(int(limits.max) - int(limits.min) + 1, UNLISTED, np.int16)
            fits = (known >= limits.min) & (known <= limits.max)
            table[known[fits] - limits.min] = places[fits]
            return table[codes.astype(np.int32) - limits.min]
        if not known.size:
            return np.full(codes.shape, UNLISTED, np.int16)
        order = np.argsort(known)
        near = np.minimum(np.searchsorted(known[order], codes), known.size - 1)
        same = known[order][near] == codes
        return np.where(same, places[order][near], np.int16(UNLISTED))


def read_raster(raster: Any, rule: FoiRule) -> Node:
    """Check a class raster and return its grid, with the raster on it; computes nothing."""
    if not isinstance(raster, xr.DataArray) or {*raster.dims} != {"y", "x"}:
        given = getattr(raster, "dims", type(raster).__name__)
        raise OptionError(
            "a class raster is one layer on y and x",
            given=str(given),
            allowed="an xarray.DataArray with dims (y, x)",
            hint="select a variable and a date: cube.SCL.isel(time=0)",
        )
    if raster.dtype.kind not in "iu":
        raise OptionError(
            "a class raster holds integer codes",
            given=str(raster.dtype),
            allowed="int8 to int64, uint8 to uint64",
            hint='fill what is missing and convert it: raster.fillna(255).astype("uint8"),'
            " and then ignore=[255]",
        )
    # As a band, so that codes of any size are taken as they are.
    plain = raster.drop_attrs(deep=False).rename(BAND)
    plain.attrs = {k: v for k, v in raster.attrs.items() if k == "grid_mapping"}
    (node,) = read_nodes(plain.to_dataset())
    if node.crs.geographic and (rule.buffer_m or rule.shares_buffer_m):
        raise OptionError(
            "a raster in degrees has no pixels of metres to narrow parcels by",
            given=f"{node.crs}, buffer_m={rule.buffer_m:g}",
            allowed="a raster in a projected CRS",
            hint="reproject it to the UTM zone, or use FoiRule(buffer_m=0)",
        )
    return node


def read_legend(
    raster: xr.DataArray, classes: Iterable[int] | None, ignore: Iterable[int]
) -> Legend:
    """Return the codes that count, as the caller or else the raster states them."""
    unseen = {int(code) for code in ignore} | set(_nodata(raster))
    if classes is None:
        stated = raster.attrs.get("flag_values")
        if stated is None:
            return Legend(None, tuple(sorted(unseen)))
        listed = [int(code) for code in np.atleast_1d(stated) if int(code) not in unseen]
        return Legend(tuple(dict.fromkeys(listed)), tuple(sorted(unseen)))
    named = tuple(dict.fromkeys(int(code) for code in classes))
    both = sorted(unseen & {*named})
    if both or not 0 < len(named) <= MAX_CLASSES:
        raise OptionError(
            "a code cannot be a class and stand for no data" if both else "no table has so many",
            given=f"classes {both} are ignored, or are the raster's nodata"
            if both
            else f"{len(named)} classes",
            allowed=f"1 to {MAX_CLASSES} codes, none of them ignored or nodata",
            hint="leave them out of classes=, or mend the raster's attribute nodata"
            if both
            else "name the classes that matter",
        )
    return Legend(named, tuple(sorted(unseen)))


def _nodata(raster: xr.DataArray) -> tuple[int, ...]:
    """Return the code that means "no data", as odc-stac, rioxarray and CF record it."""
    for facts in (raster.attrs, raster.encoding):
        for name in ("nodata", "_FillValue"):
            value = facts.get(name)
            if value is not None and np.isfinite(value) and float(value).is_integer():
                return (int(value),)
    return ()
