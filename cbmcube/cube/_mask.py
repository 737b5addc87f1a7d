"""Masking by a product's own class band, without resampling anything else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import dask.array as da
import numpy as np
import odc.geo.xr  # noqa: F401  # registers the .odc accessor
import xarray as xr
from numpy.typing import NDArray

from cbmcube.cube.grids import nested_blocks, repeat_pixels
from cbmcube.cube.reading import COULD_NOT_BE_READ, FAILED, failed_code
from cbmcube.exceptions import GridMismatchError, OptionError
from cbmcube.products import MaskRule, Product

Cube = TypeVar("Cube", xr.Dataset, xr.DataTree)


def mask(cube: Cube, product: Product, *, classes: Iterable[int] | None = None) -> Cube:
    """Set pixels that the product calls unusable to NaN; the class band stays.

    A class pixel of a coarser grid covers whole pixels of the finer one (each 20 m
    scene class its 2 x 2 pixels of 10 m), by position on the ground. In a cube that was
    loaded with ``on_error="record"``, pixels that could not be read stay -inf, and so
    become those whose class could not be read.

    Parameters
    ----------
    cube
        A cube of `load`, or a tree of `load_native`, dims ``(time, y, x)``.
    product
        What the cube holds. A product without a mask rule returns the cube as it is.
    classes
        Codes to mask instead of those of the product's rule.

    Returns
    -------
    xarray.Dataset or xarray.DataTree
        A lazy copy. Each masked Dataset gains the variable ``observed`` (bool, dims
        ``(time, y, x)``): where source data were present before masking, so that
        "seen but cloudy" and "not seen" stay apart in every later result. The rule
        is recorded in the attribute ``mask``.

    Raises
    ------
    GridMismatchError
        If the class band is missing, or does not nest in the grid of a masked band.
    OptionError
        If `classes` holds codes the class band does not have.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_2A)
    >>> cubes = cbm.load_native(items, cbm.CARD_2A, bands=["B04", "SCL"])
    >>> masked = cbm.mask(cubes, cbm.CARD_2A)
    >>> list(masked["EPSG32632_10m"].data_vars)
    ['B04', 'observed']
    """
    rule = product.mask_rule
    if rule is None:
        return cube.copy()
    codes = _codes(product, rule, classes)
    if isinstance(cube, xr.Dataset):
        return _mask_dataset(cube, _class_band([cube], cube, rule), rule, codes)
    nodes = {node.path: node.to_dataset() for node in cube.subtree}
    masked = {
        path: _mask_dataset(node, _class_band(nodes.values(), node, rule), rule, codes)
        if _maskable(node)
        else node
        for path, node in nodes.items()
    }
    return xr.DataTree.from_dict(masked, name=cube.name)


def _codes(product: Product, rule: MaskRule, classes: Iterable[int] | None) -> frozenset[int]:
    if classes is None:
        return rule.masked
    codes, known = frozenset(classes), product.band(rule.band).classes
    if not codes <= set(known):
        raise OptionError(
            f"{rule.band} has no such class",
            given=sorted(codes - set(known)),
            allowed="; ".join(f"{code} {meaning}" for code, meaning in known.items()),
            hint="choose codes from this list",
        )
    return codes


def _maskable(node: xr.Dataset) -> list[str]:
    """Return the names of the variables that the rule applies to."""
    return [
        str(name)
        for name, variable in node.data_vars.items()
        if {"time", "y", "x"} <= set(variable.dims) and variable.dtype.kind == "f"
    ]


def _class_band(nodes: Iterable[xr.Dataset], node: xr.Dataset, rule: MaskRule) -> xr.DataArray:
    """Return the class band that lies in the CRS of `node`."""
    for candidate in nodes:
        if rule.band in candidate and candidate.odc.crs == node.odc.crs:
            return candidate[rule.band]
    raise GridMismatchError(
        f"the cube holds no {rule.band} band in the CRS of the bands to mask",
        given=", ".join(map(str, node.data_vars)),
        allowed=f"a cube that includes {rule.band}",
        hint=f"load {rule.band} too: load_native(..., bands=[..., {rule.band!r}])",
    )


def _mask_dataset(
    node: xr.Dataset, scene_classes: xr.DataArray, rule: MaskRule, codes: frozenset[int]
) -> xr.Dataset:
    names = _maskable(node)
    masked = node.copy()
    if not names:
        return masked
    first = node[names[0]]
    classes, factors = nested_blocks(scene_classes, first)
    state = _lookup(codes, scene_classes)
    for name in names:
        data = da.blockwise(
            _mask_block, "tyx", _lazy(node[name]), "tyx", classes, "tyx",
            factors=factors, state=state, align_arrays=False,
            dtype=node[name].dtype, meta=np.empty((0, 0, 0), node[name].dtype),
        )  # fmt: skip
        masked[name] = node[name].copy(data=data)
    if "observed" not in node:
        masked["observed"] = first.copy(data=_observed([_lazy(node[name]) for name in names]))
        masked["observed"].attrs = {"long_name": "source data present before masking"}
    text = ", ".join(str(code) for code in sorted(codes))
    masked.attrs["mask"] = f"{rule.band} in {{{text}}} ({rule.source})"
    return masked


def _lazy(variable: xr.DataArray) -> da.Array:
    return variable.data if variable.chunks else variable.chunk({"time": 1}).data


_USABLE, _MASKED, _UNREAD = 0, 1, 2


def _lookup(codes: frozenset[int], scene_classes: xr.DataArray) -> NDArray[np.uint8]:
    """Return what each code does to a pixel; a lookup is faster than ``isin`` for each."""
    dtype = scene_classes.dtype
    if dtype.kind != "u" or dtype.itemsize > 2:
        raise GridMismatchError(
            "the class band does not hold class codes",
            given=str(dtype),
            allowed="uint8 or uint16, as loaded",
            hint="mask before you change the class band",
        )
    state = np.full(np.iinfo(dtype).max + 1, _USABLE, dtype="uint8")
    state[list(codes)] = _MASKED
    if COULD_NOT_BE_READ in str(scene_classes.attrs.get("flag_meanings", "")).split():
        state[failed_code(dtype)] = _UNREAD
    return state


def _mask_block(
    values: NDArray[Any],
    classes: NDArray[Any],
    *,
    factors: tuple[int, int],
    state: NDArray[np.uint8],
) -> NDArray[Any]:
    found = repeat_pixels(state[classes], factors)
    masked = np.where(found == _USABLE, values, values.dtype.type(np.nan))
    if _UNREAD in state:
        # Nobody knows whether the mask would have spared these pixels.
        masked[(found == _UNREAD) | (values == FAILED)] = FAILED
    return masked


def _observed(bands: list[da.Array]) -> da.Array:
    pairs = [part for band in bands for part in (band, "tyx")]
    return da.blockwise(
        _any_finite, "tyx", *pairs, dtype=bool, meta=np.empty((0, 0, 0), bool), align_arrays=True
    )


def _any_finite(*blocks: NDArray[Any]) -> NDArray[np.bool_]:
    seen = np.isfinite(blocks[0])
    for block in blocks[1:]:
        seen |= np.isfinite(block)
    return seen
