"""The grid of a file, from its header, where the item does not say it."""

from __future__ import annotations

import pystac
import rasterio.errors
from odc.geo.geobox import GeoBox

from cbmcube.cluster import signed
from cbmcube.cube.grids import require_size
from cbmcube.cube.radiometry import nodata_number, stored_dtype
from cbmcube.cube.reading._failure import could_not_read
from cbmcube.cube.reading._order import ReadOrder
from cbmcube.cube.reading._safety import check_promise, open_raster
from cbmcube.exceptions import NoGridError, ReadError
from cbmcube.products import Band, Profile


def header_geobox(item: pystac.Item, key: str, band: Band, profile: Profile) -> GeoBox:
    """Read the grid of an asset from its file, which is opened once, here and now.

    Raises
    ------
    ReadError
        If the file cannot be opened, or holds numbers of another type than its item says.
    NoGridError
        If the file has no CRS, or its pixels are rotated.
    """
    order = ReadOrder(
        item=item.id,
        asset=key,
        dtype=stored_dtype(band, profile, item, key),
        nodata=nodata_number(band, profile, item, key),
    )
    return read_geobox(item.assets[key].href, order)


def read_geobox(href: str, order: ReadOrder) -> GeoBox:
    """Return the grid of a file, by the same door through which its pixels are read.

    Parameters
    ----------
    href
        Address of the file.
    order
        What is known of it.

    Raises
    ------
    ReadError, NoGridError
        As in `header_geobox`.
    """
    failure: ReadError | None = None
    try:
        with open_raster(signed(href)) as dataset:
            geobox = check_promise(dataset, dtype=order.dtype, grid=None)
    except (rasterio.errors.RasterioError, ReadError, OSError) as error:
        failure = could_not_read(error, order, href)
    # Raised here and not above, where the cause with all its addresses would stay attached.
    if failure is not None:
        raise failure
    affine = geobox.affine
    if affine.b or affine.d or not (affine.a and affine.e):
        raise NoGridError(
            f"item {order.item!r}, asset {order.asset!r}: the file's pixels are rotated",
            given=list(affine[:6]),
            allowed="pixels along the axes of the CRS",
            hint="warp the file first, or leave the item out",
        )
    require_size(f"of item {order.item!r}", *geobox.shape)
    return geobox
