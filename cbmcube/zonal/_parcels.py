"""The parcels of one block: geometries in memory, few bytes in a task graph.

A graph that goes to a cluster holds the geometries of all parcels. They are packed when
they leave the process and only then: each coordinate as its distance, counted in
neighbouring float64 numbers, from the one before. No bit is lost.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

Pressed = tuple[bytes, str, int]
"""Compressed numbers, their NumPy type and how many there are."""

_POLYGON = shapely.GeometryType.POLYGON


class BlockParcels:
    """The parcels that may have pixels in one block.

    Parameters
    ----------
    geometries
        Polygons in the CRS of the grid, none of them missing or empty.
    parcel
        Number of each parcel in the result.
    straddles
        Whether a parcel may have pixels in another block.
    buffer
        Distance to widen (or narrow, if negative) each geometry, in units of the CRS.

    Attributes
    ----------
    digest : str
        A hash of everything but the numbers of the parcels.
    """

    __slots__ = ("_geometries", "_packed", "buffer", "digest", "parcel", "straddles")

    def __init__(
        self,
        geometries: NDArray[Any],
        parcel: NDArray[np.int64],
        straddles: NDArray[np.bool_],
        buffer: NDArray[np.float64],
    ) -> None:
        self._geometries: NDArray[Any] | None = geometries
        self._packed: tuple[Any, ...] = ()
        self.parcel = parcel
        self.straddles = straddles
        self.buffer = buffer
        self.digest = _digest(geometries, straddles, buffer)

    @property
    def geometries(self) -> NDArray[Any]:
        """The geometries, in the CRS of the grid."""
        if self._geometries is not None:
            return self._geometries
        return unpack(self._packed)

    def __getstate__(self) -> tuple[Any, ...]:
        # What came packed goes on packed: a scheduler only passes it on.
        packed = self._packed or pack(self.geometries)
        numbers = (_press(self.parcel), _press(self.straddles), _press(self.buffer))
        return packed, numbers, self.digest

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._packed, numbers, self.digest = state
        self._geometries = None
        self.parcel, self.straddles, self.buffer = map(_release, numbers)

    def __dask_tokenize__(self) -> tuple[str, bytes]:
        return self.digest, self.parcel.tobytes()


def _digest(
    geometries: NDArray[Any], straddles: NDArray[np.bool_], buffer: NDArray[np.float64]
) -> str:
    """Hash what decides an index; in memory order, which is much faster than as WKB."""
    found = hashlib.sha256()
    for part in (
        shapely.get_num_coordinates(geometries),
        shapely.get_coordinates(geometries),
        straddles,
        buffer,
    ):
        found.update(part.tobytes())
    # Vertices alone do not say where a hole or the next part begins.
    one_ring = shapely.get_type_id(geometries) == _POLYGON
    one_ring &= shapely.get_num_interior_rings(geometries) == 0
    several = np.flatnonzero(~one_ring)
    found.update(several.tobytes())
    for wkb in shapely.to_wkb(geometries[several], output_dimension=2):  # says where it ends
        found.update(wkb)
    return found.hexdigest()


def pack(geometries: NDArray[Any]) -> tuple[Any, ...]:
    """Return polygons and multipolygons as compressed numbers."""
    polygon = shapely.get_type_id(geometries) == _POLYGON
    kind, vertices, offsets = shapely.to_ragged_array(geometries, include_z=False)
    open_vertices = np.delete(vertices, _closing(offsets[0]), axis=0)
    axes = [_press(_steps(open_vertices[:, axis])) for axis in range(2)]
    ends = [_press(_steps(np.asarray(offset, dtype=np.int64))) for offset in offsets]
    return int(kind), axes, ends, _press(polygon)


def unpack(packed: tuple[Any, ...]) -> NDArray[Any]:
    """Return the geometries that `pack` packed, with all their bits."""
    kind, axes, ends, polygon = packed
    offsets = tuple(_sum(_release(end), np.int64) for end in ends)
    rings, closing = offsets[0], _closing(offsets[0])
    vertices = np.empty((rings[-1], 2))
    is_open = np.ones(rings[-1], dtype=bool)
    is_open[closing] = False
    for axis in range(2):
        vertices[is_open, axis] = _sum(_release(axes[axis]), np.float64)
    vertices[closing] = vertices[rings[:-1][np.diff(rings) > 0]]
    geometries = shapely.from_ragged_array(shapely.GeometryType(kind), vertices, offsets)
    if kind != _POLYGON:  # polygons among multipolygons became multipolygons of one part
        alone = _release(polygon)
        geometries[alone] = shapely.get_geometry(geometries[alone], 0)
    return np.asarray(geometries)


def _closing(rings: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Return the last vertex of each ring, which repeats its first."""
    return np.asarray(rings[1:][np.diff(rings) > 0] - 1)


def _steps(numbers: NDArray[Any]) -> NDArray[np.uint64]:
    """Return the steps from number to number, in units of the last bit, small ones as small.

    Neighbouring float64 numbers of one sign are neighbouring integers. Sums of integers wrap
    around, so any number comes back.
    """
    bits = np.ascontiguousarray(numbers).view(np.int64)
    steps = np.diff(bits, prepend=np.int64(0))
    return ((steps << 1) ^ (steps >> 63)).view(np.uint64)


def _sum(steps: NDArray[np.uint64], dtype: Any) -> NDArray[Any]:
    """Undo `_steps`."""
    signed = (steps >> np.uint64(1)).view(np.int64) ^ -(steps & np.uint64(1)).view(np.int64)
    return np.asarray(np.cumsum(signed).view(dtype))


def _press(numbers: NDArray[Any]) -> Pressed:
    """Compress numbers, all first bytes together, then all second bytes, and so on."""
    octets = np.ascontiguousarray(numbers).view(np.uint8).reshape(numbers.size, -1)
    planes = np.ascontiguousarray(octets.T)
    return pa.compress(planes, codec="zstd", asbytes=True), numbers.dtype.str, numbers.size


def _release(pressed: Pressed) -> NDArray[Any]:
    data, dtype, size = pressed
    width = np.dtype(dtype).itemsize
    raw = pa.decompress(data, decompressed_size=size * width, codec="zstd", asbytes=True)
    planes = np.frombuffer(raw, np.uint8).reshape(width, size)
    return np.ascontiguousarray(planes.T).view(dtype).reshape(size)
