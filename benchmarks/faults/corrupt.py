"""200 damaged GeoTIFFs made from good ones, named by what was done to them."""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine

from benchmarks.faults import tiff
from benchmarks.faults.tiff import Tiff

SIDE, BLOCK = 512, 128
STEP = Affine(10, 0, 500_000, 0, -10, 5_400_000)
CRS = "EPSG:32632"
CODECS = {
    "deflate": {"compress": "deflate", "predictor": 2},
    "zstd": {"compress": "zstd"},
    "lzw": {"compress": "lzw", "predictor": 2},
    "none": {},
}
PACKED = ("deflate", "zstd", "lzw")
Damage = Callable[[Tiff, random.Random], bytes | bytearray]


@dataclass(frozen=True, slots=True)
class Case:
    """One damaged file."""

    kind: str
    """What was done to it, for the table."""
    codec: str
    """The good file that it was made from."""
    number: int
    """Its number; seed of the damage, too."""
    damage: Damage
    """Makes its bytes."""

    @property
    def name(self) -> str:
        """A name for the file."""
        return f"{self.number:03d}-{self.kind.replace(' ', '-')}-{self.codec}.tif"


def good_values(*, changed: bool = False) -> NDArray[np.uint16]:
    """Return the pixels of the good files: fields with noise, and a corner without data."""
    noise = np.random.default_rng(1 if changed else 0).integers(0, 500, (SIDE, SIDE))
    rows, columns = np.indices((SIDE, SIDE)) // 64
    values = (1000 + 137 * rows + 411 * columns + noise).astype("uint16")
    values[:40, :60] = 0
    return values


def write_good(path: Path, codec: str, *, changed: bool = False) -> Path:
    """Write a good file."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=SIDE,
        width=SIDE,
        count=1,
        dtype="uint16",
        crs=CRS,
        transform=STEP,
        nodata=0,
        tiled=True,
        blockxsize=BLOCK,
        blockysize=BLOCK,
        **CODECS[codec],
    ) as file:
        file.write(good_values(changed=changed), 1)
    return path


def checksum(data: bytes) -> str:
    """Return the multihash that an item would state."""
    return "1220" + hashlib.sha256(data).hexdigest()


def cases() -> list[Case]:
    """Return the 200 cases, always the same."""
    found = []
    for kind, codecs, each, damage in (*_CUT, *_FLIPPED, *_MOVED, *_TAGS, *_OTHER):
        for codec in codecs:
            for _ in range(each):
                found.append(Case(kind, codec, len(found), damage))
    return found


def make(folder: Path, case: Case, seed: int = 0) -> Path:
    """Write one damaged file; equal seeds give equal bytes."""
    good = folder / f"good-{case.codec}.tif"
    if not good.exists():
        write_good(good, case.codec)
    path = folder / case.name
    dice = random.Random(f"{seed} {case.number}")  # noqa: S311  # nothing is secret here
    path.write_bytes(case.damage(Tiff(good), dice))
    return path


def _cut_header(image: Tiff, dice: random.Random) -> bytearray:
    return image.data[: dice.randrange(1, 8)]


def _cut_ifd(image: Tiff, dice: random.Random) -> bytearray:
    return image.data[: dice.randrange(image.ifd, image.ifd_end)]


def _cut_tiles(image: Tiff, dice: random.Random) -> bytearray:
    first = min(offset for offset, _ in image.tiles())
    return image.data[: dice.randrange(first, len(image.data) - 1)]


def _flip(image: Tiff, dice: random.Random) -> bytearray:
    """Flip one bit in a tile that holds data everywhere."""
    offset, count = dice.choice(image.tiles()[1:])
    image.data[offset + dice.randrange(count)] ^= 1 << dice.randrange(8)
    return image.data


def _flip_ifd(image: Tiff, dice: random.Random) -> bytearray:
    image.data[dice.randrange(image.ifd, image.ifd_end)] ^= 1 << dice.randrange(8)
    return image.data


def _zero(image: Tiff, dice: random.Random) -> bytearray:
    offset, count = dice.choice(image.tiles()[1:])
    image.data[offset : offset + count] = bytes(count)
    return image.data


def _swap(image: Tiff, dice: random.Random) -> bytearray:
    one, other = dice.sample(range(1, len(image.tiles())), 2)
    places = image.tiles()
    image.set_tile(one, *places[other])
    image.set_tile(other, *places[one])
    return image.data


def _sparse(image: Tiff, dice: random.Random) -> bytearray:
    image.set_tile(dice.randrange(1, len(image.tiles())), 0, 0)
    return image.data


def _beyond(image: Tiff, dice: random.Random) -> bytearray:
    number = dice.randrange(1, len(image.tiles()))
    image.set_tile(number, len(image.data) + dice.randrange(2**20), image.tiles()[number][1])
    return image.data


def _wrong_length(image: Tiff, dice: random.Random) -> bytearray:
    number = dice.randrange(1, len(image.tiles()))
    offset, count = image.tiles()[number]
    image.set_tile(number, offset, dice.choice([count // 2, 65_535]))
    return image.data


def _tag(tag: int, *values: float) -> Damage:
    def damage(image: Tiff, _: random.Random) -> bytearray:
        image.set(tag, *values)
        return image.data

    return damage


def _bomb(image: Tiff, _: random.Random) -> bytearray:
    for tag, value in (
        (tiff.WIDTH, 16384),
        (tiff.HEIGHT, 16384),
        (tiff.TILE_WIDTH, 16384),
        (tiff.TILE_HEIGHT, 16384),
    ):
        image.set(tag, value)
    return image.data


def _nodata(image: Tiff, dice: random.Random) -> bytearray:
    """Name a number that many pixels have."""
    image.set_word(tiff.NODATA, b"%d" % dice.randrange(1100, 1400))
    return image.data


def _bits(image: Tiff, _: random.Random) -> bytearray:
    image.set(tiff.BITS, 8)
    return image.data


def _changed(image: Tiff, _: random.Random) -> bytes:
    """Return the same scene processed anew: other numbers under the same name."""
    codec = {1: "none", 5: "lzw", 8: "deflate"}.get(int(image.get(tiff.COMPRESSION)[0]), "zstd")
    with tempfile.TemporaryDirectory() as folder:
        return write_good(Path(folder, "a.tif"), codec, changed=True).read_bytes()


def _appended(image: Tiff, dice: random.Random) -> bytes:
    return bytes(image.data) + dice.randbytes(1000)


def _text(*texts: bytes) -> Damage:
    return lambda _image, dice: dice.choice(texts)


def _other_driver(_: Tiff, dice: random.Random) -> bytes:
    driver, suffix = dice.choice([("PNG", "png"), ("GIF", "gif"), ("ENVI", "img"), ("HFA", "img")])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a.{suffix}")
        dtype = "uint8" if driver == "GIF" else "uint16"
        shape = {"height": SIDE, "width": SIDE, "count": 1, "dtype": dtype}
        georeference = {} if driver in ("PNG", "GIF") else {"crs": CRS, "transform": STEP}
        with rasterio.open(path, "w", driver=driver, **shape, **georeference) as file:
            file.write((good_values() % 256).astype(dtype), 1)
        return path.read_bytes()


def _vrt(_image: Tiff, _dice: random.Random) -> bytes:
    return (
        f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>{CRS}</SRS>'
        "<GeoTransform>500000,10,0,5400000,0,-10</GeoTransform>"
        '<VRTRasterBand dataType="UInt16" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">good-none.tif</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    ).encode()


_ALL = tuple(CODECS)
_SHIFTED = (0, 0, 0, 500_020, 5_400_000, 0)
_HTML = b"<!DOCTYPE html><html><body>503 Service Unavailable</body></html>"
_XML = b'<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>'

# What was done, to which good files, how often each, and how.
_CUT = (
    ("cut in the header", _ALL, 1, _cut_header),
    ("cut in the directory", _ALL, 2, _cut_ifd),
    ("cut in the tiles", _ALL, 8, _cut_tiles),
)
_FLIPPED = (
    ("one bit flipped in packed tiles", PACKED, 10, _flip),
    ("one bit flipped in plain tiles", ("none",), 16, _flip),
    ("one bit flipped in the directory", _ALL, 4, _flip_ifd),
)
_MOVED = (
    ("a tile of zeros", _ALL, 3, _zero),
    ("two tiles exchanged", _ALL, 2, _swap),
    ("a tile without a place", _ALL, 2, _sparse),
    ("a tile beyond the end", _ALL, 1, _beyond),
    ("a tile of another length", _ALL, 1, _wrong_length),
)
_TAGS = (
    ("another width", ("deflate", "none"), 1, _tag(tiff.WIDTH, 511)),
    ("another height", ("deflate", "none"), 1, _tag(tiff.HEIGHT, 1024)),
    ("a width of 65,535", ("deflate", "none"), 1, _tag(tiff.WIDTH, 65_535)),
    ("another type", ("deflate", "none"), 1, _tag(tiff.SAMPLE_FORMAT, 2)),
    ("fewer bits", ("deflate", "none"), 1, _bits),
    ("another block size", ("deflate", "none"), 1, _tag(tiff.TILE_WIDTH, 256)),
    ("a block of 512 MiB", _ALL, 1, _bomb),
    ("another codec", ("deflate", "zstd", "lzw", "none"), 1, _tag(tiff.COMPRESSION, 32773)),
    ("another predictor", ("deflate", "lzw"), 2, _tag(tiff.PREDICTOR, 1)),
    ("no known photometry", ("deflate", "none"), 1, _tag(tiff.PHOTOMETRIC, 99)),
    ("another place", ("deflate", "none"), 1, _tag(tiff.TIEPOINT, *_SHIFTED)),
    ("another pixel size", ("deflate", "none"), 1, _tag(tiff.PIXEL_SCALE, 20, 20)),
    ("another no-data number", ("deflate", "none"), 2, _nodata),
)
_OTHER = (
    ("an empty file", ("none",), 2, _text(b"")),
    ("a web page or a server's error", ("none",), 4, _text(_HTML, _XML)),
    ("a virtual file named .tif", ("none",), 2, _vrt),
    ("another format named .tif", ("none",), 4, _other_driver),
    ("the scene processed anew", _ALL, 2, _changed),
    ("bytes after the end", _ALL, 1, _appended),
)
