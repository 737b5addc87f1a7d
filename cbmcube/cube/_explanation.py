"""What a cube would read and compute, as a record that prints itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cbmcube._html import html_panel, html_table
from cbmcube._text import byte_size


@dataclass(frozen=True, slots=True)
class GridExplanation:
    """What a computation on one grid would do."""

    name: str
    """Name of the grid."""
    crs: str
    """CRS, as an authority code or the name of the CRS."""
    pixel: tuple[float, float]
    """Width and height of a pixel, units of the CRS; a positive height is south-up."""
    shape: tuple[int, int]
    """Rows and columns."""
    bands: tuple[str, ...]
    """Bands."""
    dates: int
    """Time steps."""
    period: tuple[str, str]
    """First and last day, UTC."""
    items: int
    """Items that are read."""
    block: tuple[int, int, int]
    """Dates, rows and columns of the largest block."""
    blocks: int
    """Blocks of one band."""
    tasks: int
    """Tasks of all bands in the graph, before Dask merges any."""
    block_bytes: int
    """Memory of one block of all bands together."""
    read_bytes: int | None
    """At most so many bytes are read: every pixel of every source once (with parcels, only of
    blocks that hold any), uncompressed; ``None`` where the sources' sizes are not known."""
    radiometry: Mapping[str, int]
    """What was decided, and for how many time steps."""
    resampling: str = ""
    """How bands came onto the grid; empty for a native grid."""
    mask: str = ""
    """Rule of the mask."""
    on_error: str = "raise"
    """What a file that cannot be read does."""
    parcels: int | None = None
    """Parcels whose bounds meet the sources; one that meets grids of two CRS counts in both,
    and is read on one of them."""
    parcel_blocks: int | None = None
    """Places (blocks of one date) that such parcels meet: only these are read."""

    def rows(self) -> list[tuple[str, str]]:
        """Return what there is to say, label by label."""
        dates, rows, columns = self.block
        said = [
            (
                "grid",
                f"{self.crs}, pixels {_size(self.pixel)}, {self.shape[0]:,} x {self.shape[1]:,}",
            ),
            ("bands", ", ".join(self.bands)),
            (
                "dates",
                f"{self.dates} from {self.period[0]} to {self.period[1]}, {self.items} items",
            ),
            ("blocks", f"{self.blocks:,} per band, {dates} x {rows} x {columns} (time, y, x)"),
            ("tasks", f"{self.tasks:,}, {self.tasks / max(len(self.bands), 1):,.0f} per band"),
            ("memory", f"{_bytes(self.block_bytes)} for one block of all bands"),
            ("to read", _bytes(self.read_bytes) + " at most, uncompressed"),
            *(("values", f"{text}: {count} dates") for text, count in self.radiometry.items()),
            ("resampled", self.resampling or "no: native grid"),
        ]
        if self.mask:
            said.append(("mask", self.mask))
        if self.on_error != "raise":
            said.append(("on error", self.on_error))
        if self.parcels is not None:
            said.append(("parcels", f"{self.parcels:,} in {self.parcel_blocks:,} blocks of a date"))
        return said


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """What a computation would do, grid by grid; printing it shows all of it."""

    product: str
    """Name of the product."""
    grids: tuple[GridExplanation, ...]
    """One entry for each grid."""

    @property
    def tasks(self) -> int:
        """Tasks of all grids."""
        return sum(grid.tasks for grid in self.grids)

    @property
    def read_bytes(self) -> int | None:
        """Upper bound of the bytes that are read, ``None`` where it is not known."""
        sizes = [grid.read_bytes for grid in self.grids]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    def __repr__(self) -> str:
        total = f"{self.tasks:,} tasks, {_bytes(self.read_bytes)} to read at most"
        lines = [f"<{self.product or 'cube'}: {len(self.grids)} grids, {total}>"]
        for grid in self.grids:
            lines.append(grid.name)
            lines += [f"  {label:10}{text}" for label, text in grid.rows()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        tables = [html_table(grid.name, grid.rows()) for grid in self.grids]
        return html_panel(repr(self).splitlines()[0].strip("<>"), *tables)


def _size(pixel: tuple[float, float]) -> str:
    width, height = pixel
    return f"{abs(width):g} x {abs(height):g}" + (" (south-up)" if height > 0 else "")


def _bytes(count: int | None) -> str:
    return "an unknown number of bytes" if count is None else byte_size(count)
