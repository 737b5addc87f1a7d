"""Polygons in the form in which exactextract takes them fastest."""

from __future__ import annotations

from collections.abc import Iterator

import shapely
from exactextract.feature import Feature, FeatureSource

from cbmcube.parcels._shape import Geometries


class _Polygon(Feature):  # type: ignore[misc]  # exactextract has no types
    def __init__(self, wkb: bytes) -> None:
        super().__init__()
        self._wkb = wkb

    def geometry(self) -> bytes:
        return self._wkb


class PolygonSource(FeatureSource):  # type: ignore[misc]  # exactextract has no types
    """Polygons as WKB; exactextract would write a GeoDataFrame as text, which takes longer.

    Parameters
    ----------
    geometries
        Polygons, none of them missing or empty, in the coordinates of the raster.

    Examples
    --------
    >>> import shapely
    >>> from cbmcube.parcels import PolygonSource
    >>> PolygonSource(shapely.box([0, 5], 0, [3, 9], 2)).count()
    2
    """

    def __init__(self, geometries: Geometries) -> None:
        super().__init__()
        self._wkb = shapely.to_wkb(geometries)

    def count(self) -> int:
        """Return the number of polygons."""
        return int(self._wkb.size)

    def __iter__(self) -> Iterator[_Polygon]:
        return map(_Polygon, self._wkb)

    def srs_wkt(self) -> None:
        """Return no CRS: the caller has brought polygons and raster together."""
        return
