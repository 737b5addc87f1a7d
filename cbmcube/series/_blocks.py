"""Whole series of some parcels at a time, so that memory does not grow with the parcels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

_TASK = 2_000_000  # values at work at once, of which functions make up to some 150 bytes each


def by_parcel(
    series: xr.DataArray, work: Callable[[NDArray[np.float64]], NDArray[Any]], dtype: str
) -> xr.DataArray:
    """Apply a function of (time, parcel) that treats parcels apart; lazily where they are lazy.

    Parameters
    ----------
    series
        Dims `time` and `parcel`.
    work
        Gets float64 with whole series, and returns as many values.
    dtype
        Type of the result.
    """

    def block(values: NDArray[Any]) -> NDArray[Any]:
        return work(values.astype("float64"))

    ordered = series.transpose("time", "parcel")
    data = whole_series(block, [ordered], shape=ordered.shape[:1], dtype=dtype)
    return ordered.copy(data=data)


def whole_series(
    work: Callable[..., NDArray[Any]],
    arrays: Sequence[xr.DataArray | xr.Variable],
    *,
    shape: tuple[int, ...],
    dtype: str,
) -> Any:
    """Apply a function that treats parcels apart to several arrays; lazily if one is lazy.

    Parameters
    ----------
    work
        Gets the values of each array for some parcels, with the whole of every other axis.
    arrays
        Arrays whose second axis is that of the parcels.
    shape
        Sizes of the result's first axis and of the axes after that of the parcels.
    dtype
        Type of the result.

    Returns
    -------
    numpy.ndarray or dask.array.Array
        The first axis of `shape`, parcels, the other axes of `shape`.
    """
    row = max(1, *shape[:1], *(one.size // max(1, one.shape[1]) for one in arrays))
    most = max(1, _TASK // row)
    if any(one.chunks is not None for one in arrays):
        return _lazily(work, arrays, shape, dtype, most)
    values = [one.to_numpy() for one in arrays]
    parcels = values[0].shape[1]
    result = np.empty((shape[0], parcels, *shape[1:]), dtype)
    for first in range(0, parcels, most):
        some = slice(first, first + most)
        result[:, some] = work(*(one[:, some] for one in values))
    return result


def in_whole_series(stats: xr.Dataset) -> xr.Dataset:
    """Put all acquisitions of some parcels into one chunk, the same parcels for all variables."""
    timed = [array.variable for array in stats.data_vars.values() if "parcel" in array.dims]
    row = max((one.size // max(1, stats.sizes["parcel"]) for one in timed), default=1)
    most = max(1, _TASK // max(1, row))
    cut = {"time": -1, "parcel": most}

    def chunked(variable: xr.Variable) -> xr.Variable:
        return variable.chunk({name: cut.get(str(name), -1) for name in variable.dims})

    lazy = [name for name, array in stats.data_vars.items() if array.chunks is not None]
    return stats.assign({name: chunked(stats[name].variable) for name in lazy})


def _lazily(
    work: Callable[..., NDArray[Any]],
    arrays: Sequence[xr.DataArray | xr.Variable],
    shape: tuple[int, ...],
    dtype: str,
    most: int,
) -> da.Array:
    def block(*values: NDArray[Any]) -> NDArray[Any]:
        return work(*values).astype(dtype, copy=False)

    widest = max(max(one.chunks[1]) for one in arrays if one.chunks is not None)
    pairs: list[Any] = []
    for number, one in enumerate(arrays):
        cut = {axis: -1 for axis in range(one.ndim) if axis != 1} | (
            {1: most} if widest > most else {}
        )
        axes = [f"{number}.{axis}" for axis in range(one.ndim)]
        pairs += [da.asarray(one.data).rechunk(cut), [axes[0], "parcel", *axes[2:]]]
    names = [f"new.{axis}" for axis in range(len(shape))]
    return da.blockwise(
        block,
        [names[0], "parcel", *names[1:]],
        *pairs,
        new_axes=dict(zip(names, shape, strict=True)),
        concatenate=True,
        dtype=dtype,
        meta=np.empty((0,) * (len(shape) + 1), dtype),
    )
