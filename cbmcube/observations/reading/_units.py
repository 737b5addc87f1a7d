"""The units of a snapshot as arrays: when, which parcels, in which file, and with what rows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

FAILURES = ("corrupt", "refused")
"""Statuses of units of which something could not be read."""

_UNSEEN = ("empty", "nodata")


@dataclass(frozen=True)
class Units:
    """Committed units, sorted by time, acquisition and group."""

    index: pa.Table
    """Rows of the snapshot's index, in this order."""
    time: NDArray[np.datetime64]
    """Start of the acquisition, UTC, microseconds."""
    acquisition: NDArray[np.object_]
    group: NDArray[np.int64]
    status: NDArray[np.object_]
    file: list[str | None] = field(repr=False)
    """Where the rows lie; ``None`` for a unit without rows."""
    first_row: NDArray[np.int64] = field(repr=False)
    rows: NDArray[np.int64] = field(repr=False)
    step: NDArray[np.int64] = field(repr=False)
    """Number of the time step (time and acquisition), ascending from 0."""
    _infos: dict[int, dict[str, Any]] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, index: pa.Table) -> Units:
        """Arrange the index of a snapshot."""
        order = [(name, "ascending") for name in ("time", "acquisition", "group", "key")]
        index = index.sort_by(order).combine_chunks()
        time = index["time"].cast(pa.timestamp("us")).to_numpy()
        acquisition = index["acquisition"].to_numpy()
        new = np.ones(len(index), dtype=bool)
        new[1:] = (time[1:] != time[:-1]) | (acquisition[1:] != acquisition[:-1])
        return cls(
            index=index,
            time=time,
            acquisition=acquisition,
            group=index["group"].to_numpy().astype(np.int64),
            status=index["status"].to_numpy(),
            file=index["file"].to_pylist(),
            first_row=index["first_row"].fill_null(0).to_numpy().astype(np.int64),
            rows=index["rows"].fill_null(0).to_numpy().astype(np.int64),
            step=np.cumsum(new) - 1,
        )

    def __len__(self) -> int:
        return len(self.group)

    def info(self, unit: int) -> dict[str, Any]:
        """Return what the commit of a unit tells; read when it is first asked for."""
        if unit not in self._infos:
            text = self.index["info"][unit].as_py()
            self._infos[unit] = json.loads(text) if text else {}
        return self._infos[unit]

    @property
    def has_rows(self) -> NDArray[np.bool_]:
        """Whether a unit has rows in a file."""
        return np.array([name is not None for name in self.file], dtype=bool)

    def state(self, unit: int) -> str:
        """Return what the rows of a unit without a file say."""
        return "NO_DATA" if self.status[unit] in _UNSEEN else "READ_FAILED"
