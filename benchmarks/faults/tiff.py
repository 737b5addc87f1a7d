"""A TIFF as bytes whose tags and tiles can be changed: what GDAL would not write."""

from __future__ import annotations

import struct
from pathlib import Path

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES = 256, 257, 258, 259, 262, 277
PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, OFFSETS, COUNTS = 284, 317, 322, 323, 324, 325
SAMPLE_FORMAT, PIXEL_SCALE, TIEPOINT, GEO_KEYS, NODATA = 339, 33550, 33922, 34735, 42113
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 12: 8, 16: 8}
_CODES = {3: "H", 4: "I", 12: "d", 16: "Q"}


class Tiff:
    """The first image of a little-endian classic TIFF."""

    def __init__(self, path: Path) -> None:
        self.data = bytearray(path.read_bytes())
        if self.data[:4] != b"II*\x00":
            message = f"{path} is no little-endian classic TIFF"
            raise ValueError(message)
        self.ifd = struct.unpack_from("<I", self.data, 4)[0]
        self.entries: dict[int, int] = {}
        (count,) = struct.unpack_from("<H", self.data, self.ifd)
        for number in range(count):
            place = self.ifd + 2 + 12 * number
            self.entries[struct.unpack_from("<H", self.data, place)[0]] = place
        self.ifd_end = self.ifd + 2 + 12 * count + 4

    def _values_at(self, tag: int) -> tuple[int, int, int]:
        """Return type, count and place of the values of a tag."""
        _, kind, count, place = struct.unpack_from("<HHII", self.data, self.entries[tag])
        if _SIZES[kind] * count <= 4:
            place = self.entries[tag] + 8
        return kind, count, place

    def get(self, tag: int) -> tuple[float, ...]:
        """Return the numbers of a tag."""
        kind, count, place = self._values_at(tag)
        return struct.unpack_from(f"<{count}{_CODES[kind]}", self.data, place)

    def set(self, tag: int, *values: float) -> None:
        """Overwrite the first numbers of a tag."""
        kind, _, place = self._values_at(tag)
        struct.pack_into(f"<{len(values)}{_CODES[kind]}", self.data, place, *values)

    def set_word(self, tag: int, text: bytes) -> None:
        """Replace a text by one of four bytes, which stands in the directory itself."""
        struct.pack_into("<I4s", self.data, self.entries[tag] + 4, 4, text)

    def tiles(self) -> list[tuple[int, int]]:
        """Return where each tile begins and how many bytes it has."""
        pairs = zip(self.get(OFFSETS), self.get(COUNTS), strict=True)
        return [(int(offset), int(count)) for offset, count in pairs]

    def set_tile(self, number: int, offset: int, count: int) -> None:
        """Let a tile be read from elsewhere."""
        for tag, value in ((OFFSETS, offset), (COUNTS, count)):
            values = list(self.get(tag))
            values[number] = value
            self.set(tag, *values)
