"""The one door to raster files: reads and calibrates each source, or says why it cannot."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np
import rasterio
import rasterio.errors
import rasterio.windows
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.overlap import compute_reproject_roi
from odc.geo.roi import roi_is_empty, roi_shape
from odc.geo.warp import resampling_s2rio
from odc.loader import RasterLoadParams, RasterSource, reader_driver
from rasterio._err import CPLE_BaseError
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT

from cbmcube.cluster import carried_options, read_options, signed
from cbmcube.cube.radiometry import calibrate
from cbmcube.cube.reading._checksum import Promise, require_promised_bytes
from cbmcube.cube.reading._failure import could_not_read, may_pass, protect_logs
from cbmcube.cube.reading._order import ReadOrder
from cbmcube.cube.reading._route import require_safe_route
from cbmcube.cube.reading._safety import check_promise, is_remote, open_raster, transformer
from cbmcube.exceptions import Error, ReadError

RETRY_DELAY = 1.0
"""Seconds before the second and last try; GDAL itself has tried several times by then."""

_LOG = logging.getLogger(__name__)
protect_logs()

_REMEMBERED = 4096
_logged: set[tuple[str, str]] = set()
"""Items and assets whose failure this process has logged."""

Block = tuple[tuple[slice, slice], NDArray[Any]]


class CardReader:
    """Reads the part of one file that meets a block, in physical units."""

    def __init__(self, source: RasterSource) -> None:
        href, self._order = ReadOrder.detach(source.uri)
        self._source = replace(source, uri=href)

    def read(
        self,
        cfg: RasterLoadParams,
        dst_geobox: GeoBox,
        *,
        dst: NDArray[Any] | None = None,
        selection: Any = None,  # noqa: ARG002  # of further dimensions, which items here have not
    ) -> Block:
        """Return where in `dst_geobox` the source lies, and its values there.

        Raises
        ------
        ReadError
            If the file cannot be read, unless the order says to mark its pixels.
        """
        failure: ReadError | None = None
        try:
            roi, values = self._persist(cfg, dst_geobox, dst)
        except (rasterio.errors.RasterioError, CPLE_BaseError, Error, OSError) as error:
            failure = could_not_read(error, self._order, self._source.uri)
        # Raised here and not above, where the cause with all its addresses would stay attached.
        if failure is not None:
            if self._order.on_error == "raise":
                raise failure
            _log_once(self._order, failure)
            roi, values = self._marked(cfg, dst_geobox)
        if dst is None:
            return roi, values
        if not np.may_share_memory(values, dst):
            dst[roi] = values
        return roi, dst[roi]

    def _persist(
        self, cfg: RasterLoadParams, dst_geobox: GeoBox, dst: NDArray[Any] | None
    ) -> Block:
        """Read; where a server is asked, try once more with nothing that GDAL remembers of it."""
        try:
            return self._read(cfg, dst_geobox, dst)
        except (rasterio.errors.RasterioError, CPLE_BaseError) as error:
            if not is_remote(self._source.uri):
                raise
            if may_pass(error):
                time.sleep(RETRY_DELAY)
        return self._read(cfg, dst_geobox, dst, fresh=True)

    def _read(
        self,
        cfg: RasterLoadParams,
        dst_geobox: GeoBox,
        dst: NDArray[Any] | None,
        *,
        fresh: bool = False,
    ) -> Block:
        href, grid = signed(self._source.uri), cast("GeoBox | None", self._source.geobox)
        require_safe_route(href)
        self._require_promised_bytes(href)
        with open_raster(href, fresh=fresh) as dataset:
            grid = check_promise(dataset, dtype=self._order.dtype, grid=grid)
            return read_values(dataset, self._order, cfg, grid, dst_geobox, dst)

    def _require_promised_bytes(self, href: str) -> None:
        order = self._order
        if order.verify != "none":
            promise = Promise(order.size, order.checksum)
            require_promised_bytes(href, promise, verify=order.verify, known_as=self._source.uri)

    def _marked(self, cfg: RasterLoadParams, dst_geobox: GeoBox) -> Block:
        """Return the pixels that the item says the file covers, all marked as not read."""
        roi: Any = np.s_[: dst_geobox.shape[0], : dst_geobox.shape[1]]
        if self._source.geobox is not None:
            roi = compute_reproject_roi(self._source.geobox, dst_geobox).roi_dst
        dtype = np.dtype(cfg.dtype or self._order.dtype)
        return roi, np.full(roi_shape(roi), not_read(dtype), dtype)


def not_read(dtype: Any) -> float:
    """Return what marks a pixel that could not be read: -inf, or the largest code."""
    dtype = np.dtype(dtype)
    return -np.inf if dtype.kind == "f" else int(np.iinfo(dtype).max)


# odc-loader 0.5 keeps the class to itself and hands out an instance.
_RasterioDriver: Any = type(reader_driver("rio"))


class CardDriver(_RasterioDriver):  # type: ignore[misc]  # a class found at run time
    """odc-loader's rasterio driver with `CardReader` as its reader."""

    def capture_env(self) -> dict[str, Any]:
        """Return the options of the user that travel in the graph; secrets may not."""
        return carried_options(super().capture_env())

    @contextmanager
    def restore_env(self, env: dict[str, Any], load_state: Any) -> Iterator[Any]:
        """Read with the options of the user, and with all defaults they leave open."""
        with super().restore_env(read_options(env), load_state) as context:
            yield context

    def open(self, src: RasterSource, ctx: Any) -> CardReader:  # noqa: ARG002  # holds nothing
        """Return a reader of `src`; opens nothing.

        Its address is one that `ReadOrder.attach` made. Its geobox is the grid that the item
        states, against which the file is held; without one, nothing is.
        """
        return CardReader(src)


def read_values(
    dataset: DatasetReader,
    order: ReadOrder,
    cfg: RasterLoadParams,
    grid: GeoBox,
    dst_geobox: GeoBox,
    dst: NDArray[Any] | None = None,
) -> Block:
    """Read the part of an open file that meets a grid, at full resolution, and calibrate it.

    Overviews are never read: how a provider made them must not change a number.

    Parameters
    ----------
    dataset
        The open file; its first band is read.
    order
        Stored no-data number and radiometry.
    cfg
        Type of the result, and resampling where the grids differ.
    grid
        Grid of the file.
    dst_geobox
        Grid of the result.
    dst
        An array on that grid; what can be read straight into it is.
    """
    overlap = compute_reproject_roi(grid, dst_geobox)
    roi: Any = overlap.roi_dst
    dtype = np.dtype(cfg.dtype or order.dtype)
    if roi_is_empty(roi) or roi_is_empty(overlap.roi_src):
        # Beyond the file there is no data, which is what the block is filled with.
        return np.s_[0:0, 0:0], np.empty((0, 0), dtype)
    nodata = order.nodata
    if overlap.paste_ok and overlap.read_shrink == 1:
        numbers = _read_window(dataset, overlap.roi_src, order, None if dst is None else dst[roi])
    else:
        numbers, nodata = _warp(dataset, order, cfg, grid, dst_geobox[roi])
    if order.radiometry is None:
        return roi, numbers.astype(dtype, copy=False)
    return roi, calibrate(numbers, order.radiometry, nodata)


def _read_window(
    dataset: Any, window: Any, order: ReadOrder, room: NDArray[Any] | None
) -> NDArray[Any]:
    dtype = np.dtype(_working_type(order))
    if room is not None and room.dtype != dtype:
        room = None
    place = rasterio.windows.Window.from_slices(*window)
    numbers: NDArray[Any] = dataset.read(1, window=place, out=room, out_dtype=dtype)
    own = dataset.nodatavals[0]
    if own is not None and own != order.nodata and not np.isnan(own):
        numbers[numbers == own] = order.nodata
    return numbers


def _working_type(order: ReadOrder) -> str:
    """Return the type of stored numbers; whole numbers have no NaN."""
    whole = np.dtype(order.dtype).kind in "iu"
    return "float32" if whole and np.isnan(order.nodata) else order.dtype


def _warp(
    dataset: Any, order: ReadOrder, cfg: RasterLoadParams, grid: GeoBox, target: GeoBox
) -> tuple[NDArray[Any], float]:
    """Resample stored numbers; return them and the number that means "no data" among them."""
    own = dataset.nodatavals[0]
    keep = cfg.nearest or order.radiometry is None
    # An average of whole numbers is no whole number.
    dtype, nodata = (_working_type(order), order.nodata) if keep else ("float32", np.nan)
    with WarpedVRT(
        dataset,
        src_crs=str(grid.crs),
        src_transform=grid.affine,
        src_nodata=order.nodata if own is None else own,
        crs=str(target.crs),
        transform=target.affine,
        width=target.shape[1],
        height=target.shape[0],
        nodata=nodata,
        dtype=dtype,
        resampling=resampling_s2rio(cfg.resampling),
        # Exact places: an approximation depends on the window, and so on the block.
        tolerance=1e-6,
        **_kernel_scale(grid, target),
    ) as warped:
        numbers = warped.read(1)
    return numbers, nodata


def _kernel_scale(grid: GeoBox, target: GeoBox) -> dict[str, float]:
    """Return new pixels per source pixel, by which GDAL widens kernels that interpolate.

    Taken from the middle of the file. GDAL would take them from the window it works on, and
    so from the block.
    """
    middle = np.array(grid.affine * (grid.shape[1] / 2, grid.shape[0] / 2))
    points = middle + np.array([[0, 0], [grid.affine.a, 0], [0, grid.affine.e]])
    if grid.crs != target.crs:
        project = transformer(str(grid.crs), str(target.crs))
        points = np.column_stack(project.transform(*points.T))
    wide, high = np.hypot(*(points[1:] - points[0]).T)
    return {"XSCALE": wide / abs(target.affine.a), "YSCALE": high / abs(target.affine.e)}


def _log_once(order: ReadOrder, failure: ReadError) -> None:
    """Log in one line, for all blocks of a file, that it could not be read."""
    key = (order.item, order.asset)
    if key not in _logged:
        if len(_logged) >= _REMEMBERED:
            _logged.clear()
        _logged.add(key)
        _LOG.warning("%s", "; ".join(line.strip() for line in str(failure).splitlines()))
