"""The one door to raster files: GDAL through odc-loader, with errors that name the file."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import rasterio.errors
from odc.loader import RasterLoadParams, RasterSource, reader_driver

from cbmcube.exceptions import ReadError


class NamingReader:
    """A reader of odc-loader whose failures say which file and why."""

    def __init__(self, reader: Any, source: RasterSource) -> None:
        self._reader = reader
        self._source = source

    def read(self, cfg: RasterLoadParams, dst_geobox: Any, **options: Any) -> Any:
        """Read the part of the source that meets `dst_geobox`."""
        try:
            return self._reader.read(cfg, dst_geobox, **options)
        except rasterio.errors.RasterioError as error:
            raise ReadError(
                f"a raster could not be read: {error}",
                given=without_secrets(self._source.uri),
                hint="check that the file exists and that the workers may read it",
            ) from error


# odc-loader 0.5 keeps the class to itself and hands out an instance.
_RasterioDriver: Any = type(reader_driver("rio"))


class NamingDriver(_RasterioDriver):  # type: ignore[misc]  # a class found at run time
    """odc-loader's rasterio driver, wrapped in `NamingReader`."""

    def open(self, src: RasterSource, ctx: Any) -> Any:
        """Return a reader of `src`."""
        return NamingReader(super().open(src, ctx), src)


def without_secrets(uri: str) -> str:
    """Return `uri` without user information and query, where signatures travel."""
    parts = urlsplit(uri)
    if not parts.scheme:
        return uri
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
