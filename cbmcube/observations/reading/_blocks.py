"""Some time steps of a vector cube, read from parts: rows put in their cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cbmcube.observations.reading._assemble import read_rows
from cbmcube.observations.reading._selection import Selection
from cbmcube.observations.reading._source import Source

_COUNTS = ("n_valid", "n_failed")


@dataclass(frozen=True)
class Axes:
    """The axes of a vector cube, and its variables."""

    ranks: NDArray[np.int64]
    """Chosen parcels, by their places in the user's order, ascending."""
    steps: NDArray[np.int64]
    """Time steps, by their numbers among the units, ascending."""
    bands: tuple[str, ...]
    statistics: tuple[str, ...]
    classes: Mapping[str, Mapping[int, str]]
    """For each class band the column of each code."""
    failures: bool
    """Whether pixels that could not be read are counted."""

    @cached_property
    def codes(self) -> tuple[int, ...]:
        """Codes of all class bands, ascending."""
        return tuple(sorted({code for columns in self.classes.values() for code in columns}))

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Length of each axis."""
        return {
            "time": len(self.steps),
            "parcel": len(self.ranks),
            "statistic": len(self.statistics),
            "band": len(self.bands),
            "class": len(self.codes),
        }

    @property
    def counts(self) -> tuple[str, ...]:
        """Variables with a number of pixels for each time step."""
        return _COUNTS if self.failures else _COUNTS[:1]

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of all variables, in the order in which `reduce_parcels` gives them."""
        shares = (f"{name}_fraction" for name in self.classes)
        return (*self.bands, "observed", *self.counts, "n_total", *shares)

    def dims(self, name: str) -> tuple[str, ...]:
        """Return the dims of a variable."""
        if name in self.bands:
            return ("time", "parcel", "statistic")
        if name == "observed":
            return ("time", "parcel")
        if name == "n_total":
            return ("band", "parcel")
        return ("band", "time", "parcel") if name in _COUNTS else ("time", "parcel", "class")

    def dtype(self, name: str) -> str:
        """Return the type of a variable."""
        return "int32" if name in (*_COUNTS, "n_total") else "float32"


def read_block(
    source: Source, selection: Selection, axes: Axes, span: slice
) -> dict[str, NDArray[Any]]:
    """Return the variables, but ``n_total``, of some time steps.

    What has no unit was not seen; what has one that is not committed is marked as failed.
    """
    steps = axes.steps[span]
    shares = {c: (b, k) for b, columns in axes.classes.items() for k, c in columns.items()}
    columns = [*axes.statistics, "n_valid", "observed", *shares]
    if axes.failures:
        columns += ["state", "n_total"]
    table, places = read_rows(source, selection, list(dict.fromkeys(columns)))
    t = np.searchsorted(steps, source.units.step[places.unit])
    p = np.searchsorted(axes.ranks, places.rank)
    out = _blank(axes, len(steps))
    if axes.failures:
        _mark_pending(source, selection, axes, steps, out)
    values = {name: _numbers(table[name]) for name in table.column_names if name != "state"}
    for number, band in enumerate(axes.bands):
        mine = np.flatnonzero(places.band == number)
        for s, name in enumerate(axes.statistics):
            out[band][t[mine], p[mine], s] = values[name][mine]
        if number == 0:
            for column, (class_band, code) in shares.items():
                cells = out[f"{class_band}_fraction"][..., axes.codes.index(code)]
                cells[t[mine], p[mine]] = values[column][mine]
            out["observed"][t[mine], p[mine]] = values["observed"][mine]
    out["n_valid"][places.band, t, p] = values["n_valid"]
    if axes.failures:
        # A table says that pixels are missing, not how many: at most all that are not valid.
        most = np.maximum(values["n_total"] - values["n_valid"], 1)
        unread = np.asarray(table["state"].to_numpy() == "READ_FAILED")
        out["n_failed"][places.band, t, p] = np.where(unread, most, 0)
    return out


def _blank(axes: Axes, steps: int) -> dict[str, NDArray[Any]]:
    """Return the cells of parcels that were not seen, as `reduce_parcels` fills them."""
    out: dict[str, NDArray[Any]] = {}
    sizes = {**axes.sizes, "time": steps}
    for name in axes.variables:
        if name != "n_total":
            shape = tuple(sizes[dim] for dim in axes.dims(name))
            out[name] = np.zeros(shape, dtype=axes.dtype(name))
    for band in axes.bands:
        out[band][:] = np.nan
        if "count" in axes.statistics:
            out[band][..., axes.statistics.index("count")] = 0
    return out


def _mark_pending(
    source: Source,
    selection: Selection,
    axes: Axes,
    steps: NDArray[np.int64],
    out: dict[str, NDArray[Any]],
) -> None:
    """Mark the cells of units that are planned and not committed."""
    by_step = source.pending_groups()
    for place, step in enumerate(steps):
        for group in by_step.get(int(step), ()):
            if group in selection.members:
                here = np.searchsorted(axes.ranks, selection.members[group].rank)
                out["n_failed"][:, place, here] = 1


def read_totals(source: Source, selection: Selection, axes: Axes) -> NDArray[np.int32]:
    """Return ``n_total``: 0 for parcels outside every grid, -1 where nothing tells it."""
    out = np.zeros((len(axes.bands), len(axes.ranks)), dtype="int32")
    for group, members in selection.members.items():
        rows = source.rows_of(members, axes.bands)
        total = source.totals(group)[rows].reshape(-1, len(axes.bands))
        out[:, np.searchsorted(axes.ranks, members.rank)] = total.T
    return out


def _numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return numbers as a cube marks them: NaN, or -1 of whole numbers, for null."""
    if pa.types.is_integer(column.type):
        return np.asarray(column.fill_null(-1).to_numpy())
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float32)
