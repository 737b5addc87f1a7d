"""Cube x parcels -> vector cube: the public reduction."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray

from cbmcube._version import __version__
from cbmcube.exceptions import NoOverlapError, OptionError, ParcelsError
from cbmcube.parcels import check_parcels
from cbmcube.warnings import OutsideParcelsWarning
from cbmcube.zonal._assign import Assignment, block_parcels
from cbmcube.zonal._cache import has_index
from cbmcube.zonal._coverage import PIXEL_RULES, PixelRule
from cbmcube.zonal._graph import GridWork, build_arrays
from cbmcube.zonal._node import ClassBand, Node, read_nodes, time_axis
from cbmcube.zonal._numbers import Recipe
from cbmcube.zonal._statistics import DEFAULT_STATISTICS, Statistic, plan_statistics
from cbmcube.zonal._tasks import Layout
from cbmcube.zonal._vector_cube import vector_cube

Percentiles = Literal["weighted", "exactextract"]
PERCENTILES: dict[Percentiles, str] = {
    "weighted": "weighted type 7, Kish effective size",
    "exactextract": "as exactextract 0.3, equal values merged first",
}


def reduce_parcels(
    cube: xr.Dataset | xr.DataTree,
    parcels: gpd.GeoDataFrame,
    *,
    statistics: Iterable[Statistic] | Statistic = DEFAULT_STATISTICS,
    pixels: PixelRule = "exact",
    buffer: float | None = None,
    percentiles: Percentiles = "weighted",
) -> xr.Dataset:
    """Reduce the pixels of each parcel to statistics, lazily, on the native grids.

    Parcels are projected to the grid, never pixels to parcels. Where grids of several
    CRS cover a parcel it is read on one of them only, the one that covers most of it
    and, between equals, the one made for its longitude; so no pixel counts twice.
    Overlapping parcels each keep all their pixels.

    Parameters
    ----------
    cube
        A cube with dims ``(time, y, x)`` and a CRS, or a tree with one such cube for
        each grid. Variables with the attribute ``flag_values`` are class bands.
    parcels
        Polygons with a CRS; the index (unique) names them.
    statistics
        Any of ``count`` (sum of pixel weights), ``mean``, ``std`` (population),
        ``min``, ``max``, ``median``, percentiles such as ``p25`` or ``p2.5``, and functions
        of your own: ``def name(values, weights): ...`` gets the valid pixels of one parcel
        on one date (float64, at least one) and returns a number. Functions run once for
        each parcel, date and band: far slower than the rest.
    pixels
        Which pixels belong to a parcel: ``exact`` weights each by the covered share of
        its area; ``centre``, ``all_touched`` and ``inside`` take whole pixels.
    buffer
        Distance in metres by which parcels are widened, or narrowed if negative, in
        the CRS of the grid, before pixels are selected. By default the column
        ``buffer_m`` that `prepare_parcels` writes, else 0.
    percentiles
        ``weighted``: our definition (see Notes). ``exactextract``: that library's, which
        merges equal values first; for comparisons. (On integer rasters that library
        also cuts off decimals, which is not done here.)

    Returns
    -------
    xarray.Dataset
        The vector cube, made of Dask arrays whose chunks hold all parcels of some dates:

        - one float32 variable for each band, dims ``(time, parcel, statistic)``; NaN
          (count 0) where a parcel has no valid pixel;
        - ``observed`` ``(time, parcel)``: share of the parcel with source data before
          masking; on the finest grid that sees the parcel;
        - ``n_valid`` ``(band, time, parcel)`` and ``n_total`` ``(band, parcel)``:
          valid pixels, and all pixels that the rule selects;
        - ``n_failed`` ``(band, time, parcel)``, only if the cube was opened with
          ``on_error="record"``: pixels that could not be read;
        - ``<class band>_fraction`` ``(time, parcel, class)``: share of each class in
          the parcel; what lies outside the grid belongs to no class.

        ``parcel`` keeps the user's ids and order; ``geometry`` holds the parcels as
        given, with their CRS.

    Raises
    ------
    MissingCRSError
        If parcels or cube have no CRS.
    DuplicateIdError, ParcelsError
        If parcels share an id, or geometries are invalid.
    NoOverlapError
        If no parcel touches the cube. If only some are outside, a warning
        (`OutsideParcelsWarning`) counts them and they stay, unobserved.
    UnknownStatisticError, OptionError
        If a statistic or pixel rule is unknown.

    Notes
    -----
    Weighted percentiles follow Akinshin, "Weighted quantile estimators" (2023), type 7
    with Kish's effective sample size: independent of the order among equal values, and
    equal to NumPy's ``linear`` where all weights are equal. Sums are taken in float64,
    over a parcel's whole pixels and then its edge pixels, each in raster order; so
    chunks, workers and other parcels never change a result.

    A block is read by the task that reduces it. Two results of one cube that are computed
    together therefore read it twice: reduce all bands in one call, or persist the cube.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_BS)
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id").head(5)
    >>> stats = cbm.reduce_parcels(
    ...     cbm.load_native(items, cbm.CARD_BS, bands="VH"), parcels, statistics=["count", "mean"]
    ... )
    >>> stats.VH.dims
    ('time', 'parcel', 'statistic')
    """
    plan = plan_statistics(statistics)
    _require_option("pixel rule", pixels, PIXEL_RULES)
    _require_option("definition of percentiles", percentiles, PERCENTILES)
    parcels = check_parcels(parcels)
    nodes = sorted(read_nodes(cube), key=_pixel_area)
    distances = parcel_buffers(parcels, buffer)
    assignment = Assignment(parcels, nodes)
    require_overlap(parcels, assignment, nodes)
    axis, positions = time_axis(nodes)
    layout = _layout(nodes, len(parcels), plan.names)
    works = [
        GridWork(
            node=node,
            recipe=Recipe(plan, node.bands, node.classes, percentiles == "exactextract"),
            blocks=tuple(
                block_parcels(
                    node,
                    assignment.projected[node.crs],
                    assignment.members(node),
                    distances,
                )
            ),
            positions=steps,
        )
        for node, steps in zip(nodes, positions, strict=True)
    ]
    require_valid(parcels, _indexed(works, len(parcels), pixels))
    arrays = build_arrays(works, layout, times=axis.sizes["time"], rule=pixels)
    attrs = _attributes(cube, nodes, pixels, distances, percentiles)
    return vector_cube(arrays, layout, plan, axis, parcels, nodes, attrs)


def _require_option(what: str, given: str, allowed: Iterable[str]) -> None:
    if given not in allowed:
        raise OptionError(
            f"there is no {what} {given!r}",
            given=repr(given),
            allowed=", ".join(allowed),
            hint="choose one of these; the default is the first",
        )


def _indexed(works: Sequence[GridWork], parcels: int, rule: PixelRule) -> NDArray[np.bool_]:
    """Return the parcels with a pixel index in the cache: these were valid when it was built."""
    known = np.zeros(parcels, dtype=bool)
    for work in works:
        for _, _, block, members in work.blocks:
            if has_index(members, block, work.node.lattice, rule):
                known[members.parcel] = True
    return known


def require_valid(parcels: gpd.GeoDataFrame, known: NDArray[np.bool_] | None = None) -> None:
    """Refuse invalid geometries before anything is computed; those of `known` are valid."""
    geometries = np.asarray(parcels.geometry.array, dtype=object)
    invalid = ~shapely.is_missing(geometries)
    if known is not None:
        invalid &= ~known
    invalid[invalid] = ~shapely.is_valid(geometries[invalid])
    if invalid.any():
        named = ", ".join(map(str, parcels.index[invalid][:5]))
        raise ParcelsError(
            f"{int(invalid.sum())} parcels have invalid geometries, so their pixels are undefined",
            given=f"{named}{', …' if invalid.sum() > 5 else ''}",
            allowed="valid polygons",
            hint="repair and report them with prepare_parcels(parcels)",
        )


def _pixel_area(node: Node) -> tuple[float, str]:
    return abs(node.geobox.affine.a * node.geobox.affine.e), node.name


def parcel_buffers(parcels: gpd.GeoDataFrame, buffer: float | None) -> NDArray[np.float64]:
    """Return for each parcel the distance in metres by which it is widened."""
    if buffer is None and "buffer_m" in parcels:
        return np.asarray(parcels["buffer_m"].fillna(0.0), dtype=np.float64)
    return np.full(len(parcels), 0.0 if buffer is None else float(buffer))


def require_overlap(
    parcels: gpd.GeoDataFrame, assignment: Assignment, nodes: Sequence[Node]
) -> None:
    """Refuse parcels that all lie outside the cube, and warn of those that do."""
    empty = (parcels.geometry.is_empty | parcels.geometry.isna()).to_numpy()
    outside = assignment.outside & ~empty
    if not outside.any():
        return
    if outside.sum() == (~empty).sum():
        raise NoOverlapError(
            "no parcel touches the cube",
            given=f"{len(parcels)} parcels in {parcels.crs.name}, {_degrees(parcels)}",
            allowed="; ".join(
                f"{n.name}: {_numbers(n.geobox.geographic_extent.boundingbox.bbox)}" for n in nodes
            ),
            hint="search with aoi=parcels, and check that the parcels' CRS is the true one",
        )
    named = ", ".join(map(str, parcels.index[outside][:5]))
    warnings.warn(
        f"{int(outside.sum())} of {len(parcels)} parcels lie outside the cube and stay"
        f" unobserved: {named}{', …' if outside.sum() > 5 else ''}",
        OutsideParcelsWarning,
        stacklevel=3,
    )


def _degrees(parcels: gpd.GeoDataFrame) -> str:
    return _numbers(parcels.geometry.to_crs("EPSG:4326").total_bounds)


def _numbers(bounds: Iterable[float]) -> str:
    west, south, east, north = bounds
    return f"longitude {west:.4f} to {east:.4f}, latitude {south:.4f} to {north:.4f}"


def _layout(nodes: Sequence[Node], parcels: int, statistics: tuple[str, ...]) -> Layout:
    """Return the shape of the result; a band may lie on grids of several CRS."""
    classes: dict[str, ClassBand] = {}
    for node in nodes:
        for band in node.classes:
            codes = (*classes[band.name].codes, *band.codes) if band.name in classes else band.codes
            classes[band.name] = ClassBand(band.name, tuple(dict.fromkeys(codes)))
    return Layout(
        parcels=parcels,
        statistics=statistics,
        bands=tuple(dict.fromkeys(name for node in nodes for name in node.bands)),
        classes=tuple(classes.values()),
        codes=tuple(sorted({code for band in classes.values() for code in band.codes})),
        failures=any(node.marks_failures for node in nodes),
    )


def _attributes(
    cube: xr.Dataset | xr.DataTree,
    nodes: Sequence[Node],
    pixels: PixelRule,
    buffers: NDArray[np.float64],
    percentiles: Percentiles,
) -> dict[str, Any]:
    masks = {node.cube.attrs.get("mask") for node in nodes} - {None}
    products = [cube.attrs.get("product"), *(node.cube.attrs.get("product") for node in nodes)]
    distances = np.unique(buffers)
    attrs = {
        "product": next((name for name in products if name), None),
        "pixels": pixels,
        "buffer_m": float(distances[0]) if distances.size == 1 else "per parcel",
        "percentiles": PERCENTILES[percentiles],
        "mask": "; ".join(sorted(str(mask) for mask in masks)) or "none",
        "grids": ", ".join(node.name for node in nodes),
        "cbmcube_version": __version__,
    }
    return {name: value for name, value in attrs.items() if value is not None}
