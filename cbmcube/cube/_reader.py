"""The one door to raster files: GDAL through odc-loader, with errors that name the file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import rasterio.errors
from odc.loader import RasterLoadParams, RasterSource, reader_driver

from cbmcube.exceptions import ReadError

_OWNER = "#cbmcube="
"""What parts the address of a file from the name of the item and asset it belongs to.

odc-loader hands nothing else of an item to a reader, in none of its releases up to 0.6.
"""


def owned(href: str, item: str, asset: str) -> str:
    """Return `href` with the names of its item and asset, for `NamingDriver` alone."""
    return f"{href}{_OWNER}{quote(item, safe='')}/{quote(asset)}"


class NamingReader:
    """A reader of odc-loader whose failures say which item, asset and file, and why."""

    def __init__(self, reader: Any, href: str, owner: str) -> None:
        self._reader = reader
        self._href = href
        self._owner = owner

    def read(self, cfg: RasterLoadParams, dst_geobox: Any, **options: Any) -> Any:
        """Read the part of the source that meets `dst_geobox`."""
        try:
            return self._reader.read(cfg, dst_geobox, **options)
        except rasterio.errors.RasterioError as error:
            item, _, asset = map(unquote, self._owner.partition("/"))
            href = without_secrets(self._href)
            raise ReadError(
                f"item {item!r}, asset {asset!r} could not be read",
                given=f"{href}: {str(error).replace(self._href, href)}",
                hint="check that the file exists and that the workers may read it",
                # GDAL's own message may repeat a signature: it stays out of the traceback then.
            ) from (error if href == self._href else None)


# odc-loader 0.5 keeps the class to itself and hands out an instance.
_RasterioDriver: Any = type(reader_driver("rio"))


class NamingDriver(_RasterioDriver):  # type: ignore[misc]  # a class found at run time
    """odc-loader's rasterio driver, wrapped in `NamingReader`."""

    def open(self, src: RasterSource, ctx: Any) -> Any:
        """Return a reader of `src`, whose address `owned` made."""
        href, _, owner = src.uri.rpartition(_OWNER)
        return NamingReader(super().open(replace(src, uri=href), ctx), href, owner)


def without_secrets(uri: str) -> str:
    """Return `uri` without user information and query, where signatures travel."""
    parts = urlsplit(uri)
    if not parts.scheme:
        return uri
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
