"""Grids that nest: a coarse raster seen on a finer grid, or a finer one on a coarse grid."""

from __future__ import annotations

import dask.array as da
import numpy as np
import odc.geo.xr  # noqa: F401  # registers the .odc accessor
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from cbmcube.exceptions import GridMismatchError


def nested_blocks(coarse: xr.DataArray, fine: xr.DataArray) -> tuple[da.Array, tuple[int, int]]:
    """Return `coarse` in blocks that cover those of `fine`, and fine pixels per coarse pixel.

    Each coarse pixel covers a whole number of fine pixels (rows, columns); the match is by
    position on the ground, never by array index. Both have dims ``(time, y, x)`` and the
    same acquisitions. What works on a block repeats the coarse pixels there
    (`repeat_pixels`): as arrays of their own they would be one more task for each block.

    Raises
    ------
    GridMismatchError
        If the grids do not nest, the coarse one does not cover the fine one, a chunk
        of `fine` cuts a coarse pixel, or the times differ.
    """
    _require_same_times(coarse, fine)
    factors, starts = _nesting(coarse, fine)
    chunks = fine.chunks or tuple((size,) for size in fine.shape)
    windows, sizes = [], []
    for factor, start, parts in zip(factors, starts, chunks[1:], strict=True):
        if any(part % factor for part in parts):
            raise _mismatch(coarse, fine, f"chunks of {parts} pixels cut pixels of {factor}")
        windows.append(slice(start, start + sum(parts) // factor))
        sizes.append(tuple(part // factor for part in parts))
    data = coarse.data if coarse.chunks else da.from_array(coarse.data, chunks=-1)
    return data[:, windows[0], windows[1]].rechunk((chunks[0], *sizes)), factors


def repeat_pixels(block: NDArray[np.integer], factors: tuple[int, int]) -> NDArray[np.integer]:
    """Return each pixel of a block (time, y, x) as the finer pixels it covers."""
    for axis, factor in enumerate(factors, start=1):
        block = block if factor == 1 else block.repeat(factor, axis=axis)
    return block


def covering_blocks(fine: xr.DataArray, coarse: xr.DataArray) -> tuple[da.Array, tuple[int, int]]:
    """Return `fine` in blocks that cover those of `coarse`, and fine pixels per coarse pixel.

    The counterpart of `nested_blocks`: a block of ``(time, y, x)`` holds, for each pixel of
    the block of `coarse`, the whole finer pixels that it covers.

    Raises
    ------
    GridMismatchError
        If the grids do not nest, the finer one does not cover the coarse one, or the times
        differ.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.cube import covering_blocks
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_2A)
    >>> cubes = cbm.load_native(items, cbm.CARD_2A, bands=["B04", "SCL"])
    >>> blocks, factors = covering_blocks(cubes["EPSG32632_10m"].B04, cubes["EPSG32632_20m"].SCL)
    >>> factors
    (2, 2)
    """
    _require_same_times(coarse, fine)
    factors, shift = _ratios(coarse, fine)
    starts = tuple(-moved * factor for moved, factor in zip(shift, factors, strict=True))
    firsts = tuple(map(round, starts))
    if not np.allclose(starts, firsts, atol=1e-3):
        raise _mismatch(coarse, fine, f"shift {shift} pixels")
    chunks = coarse.chunks or tuple((size,) for size in coarse.shape)
    windows, sizes = [], []
    for factor, first, parts, size in zip(factors, firsts, chunks[1:], fine.shape[1:], strict=True):
        last = first + sum(parts) * factor
        if first < 0 or last > size:
            raise _mismatch(coarse, fine, "the finer grid does not cover the coarser one")
        windows.append(slice(first, last))
        sizes.append(tuple(part * factor for part in parts))
    data = fine.data if fine.chunks else da.from_array(fine.data, chunks=-1)
    return data[:, windows[0], windows[1]].rechunk((chunks[0], *sizes)), factors


def _require_same_times(coarse: xr.DataArray, fine: xr.DataArray) -> None:
    if not np.array_equal(coarse.time.values, fine.time.values):
        raise GridMismatchError(
            f"{coarse.name} and {fine.name} hold different acquisitions",
            given=f"{coarse.sizes['time']} and {fine.sizes['time']} time steps",
            allowed="the same time steps",
            hint="select the same times in every node of the tree",
        )


def _ratios(
    coarse: xr.DataArray, fine: xr.DataArray
) -> tuple[tuple[int, int], tuple[float, float]]:
    """Return, for y and x, fine pixels per coarse pixel and where the fine grid starts."""
    outer, inner = _geobox(coarse), _geobox(fine)
    if outer.crs != inner.crs:
        raise _mismatch(coarse, fine, f"CRS {outer.crs} and {inner.crs}")
    ratio = (outer.affine.e / inner.affine.e, outer.affine.a / inner.affine.a)
    shift = (
        (inner.affine.f - outer.affine.f) / outer.affine.e,
        (inner.affine.c - outer.affine.c) / outer.affine.a,
    )
    factors = (round(ratio[0]), round(ratio[1]))
    if min(factors) < 1 or not np.allclose(ratio, factors, atol=1e-6):
        raise _mismatch(coarse, fine, f"pixel ratio {ratio}, shift {shift} pixels")
    return factors, shift


def _nesting(coarse: xr.DataArray, fine: xr.DataArray) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return, for y and x, fine pixels per coarse pixel and the first coarse pixel."""
    factors, shift = _ratios(coarse, fine)
    starts = (round(shift[0]), round(shift[1]))
    if not np.allclose(shift, starts, atol=1e-3):
        raise _mismatch(coarse, fine, f"shift {shift} pixels")
    ends = [
        start + -(-size // factor)
        for start, size, factor in zip(starts, _geobox(fine).shape, factors, strict=True)
    ]
    within = all(e <= s for e, s in zip(ends, _geobox(coarse).shape, strict=True))
    if min(starts) < 0 or not within:
        raise _mismatch(coarse, fine, "the coarser grid does not cover the finer one")
    return factors, starts


def _geobox(array: xr.DataArray) -> GeoBox:
    geobox = array.odc.geobox
    if not isinstance(geobox, GeoBox):
        raise GridMismatchError(
            f"{array.name} carries no regular grid with a CRS",
            given=f"dims {array.dims}",
            allowed="a cube with x, y and spatial_ref, as load returns",
            hint="keep spatial_ref, or write it with .odc.assign_crs(...)",
        )
    return geobox


def _mismatch(coarse: xr.DataArray, fine: xr.DataArray, found: str) -> GridMismatchError:
    return GridMismatchError(
        f"the pixels of {coarse.name} do not nest in those of {fine.name}",
        given=found,
        allowed="one CRS, a whole number of pixels, chunks along the edges of coarse pixels",
        hint="mask before slicing or rechunking, or cut both at edges of the coarser pixels",
    )
