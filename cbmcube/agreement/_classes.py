"""Classes of parcels, by area or as the user has them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.agreement._source import Source
from cbmcube.exceptions import OptionError

UNKNOWN = "not stated"
"""Class of the parcels of which nothing is stated."""

_HECTARE = 10_000.0  # square metres

_Ints = NDArray[np.int64]
_Classes = tuple[_Ints, tuple[str, ...]]


def parcel_classes(
    a: Source,
    b: Source,
    places: tuple[_Ints, _Ints],
    given: pd.Series | None,
    areas: Sequence[float],
) -> _Classes:
    """Return the class of each common parcel, from 0, and the names of the classes in order.

    Parameters
    ----------
    a, b
        Both sources; the area of the first that states one counts.
    places
        Positions of the common parcels in them.
    given
        A class for each parcel id instead.
    areas
        Ends of the classes of area, hectares.
    """
    if given is not None:
        return _given(given, a.cube.indexes["parcel"][places[0]])
    for source, where in zip((a, b), places, strict=True):
        if "area_m2" in source.cube.coords:
            return _by_area(source.cube["area_m2"].to_numpy()[where] / _HECTARE, areas)
    return np.zeros(len(places[0]), dtype="int64"), (UNKNOWN,)


def _given(given: pd.Series, ids: pd.Index) -> _Classes:
    other = not isinstance(given, pd.Series)
    if other or not given.index.is_unique:
        raise OptionError(
            "`parcel_class` gives one class for each parcel",
            given=type(given).__name__,
            allowed="a pandas.Series whose index holds each parcel id once",
            hint="parcels['class_10m'] of a GeoDataFrame with the ids as index",
        )
    labels: Any = given.reindex(ids)
    categories = (
        labels.cat.categories if hasattr(labels, "cat") else sorted(labels.dropna().unique())
    )
    names = [str(name) for name in categories]
    codes = pd.Index(categories).get_indexer(labels)
    return _named(codes, names)


def _by_area(hectares: NDArray[np.float64], areas: Sequence[float]) -> _Classes:
    ends = [f"{end:g}" for end in areas]
    inner = [f"{low} to {high} ha" for low, high in pairwise(ends)]
    names = [f"< {ends[0]} ha", *inner, f">= {ends[-1]} ha"] if ends else ["any area"]
    codes = np.searchsorted(np.asarray(areas), hectares, side="right")
    return _named(np.where(np.isnan(hectares), -1, codes), names)


def _named(codes: _Ints, names: Sequence[str]) -> _Classes:
    """Add a class for what is not stated, where there is such a parcel."""
    if (codes < 0).any():
        return np.where(codes < 0, len(names), codes).astype("int64"), (*names, UNKNOWN)
    return codes.astype("int64"), (*names,)
