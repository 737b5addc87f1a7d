"""The observation table: its columns, their Arrow types, and what a state means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

STATES = ("OK", "PARTIAL", "MASKED", "NO_DATA", "READ_FAILED")
"""What a row can say.

``OK``: the parcel was seen, at least one pixel is valid. ``PARTIAL``: the same, but less
than `FULLY_OBSERVED` of the parcel had source data. ``MASKED``: seen, but no pixel is
valid. ``NO_DATA``: not seen. ``READ_FAILED``: the source could not be read.
"""

FULLY_OBSERVED = 0.95
"""Share of a parcel with source data below which a row is ``PARTIAL``."""


def state_codes(
    n_valid: NDArray[Any], observed: NDArray[Any], n_failed: NDArray[Any]
) -> NDArray[np.uint8]:
    """Return the position in :data:`STATES` of what each observation says.

    Parameters
    ----------
    n_valid, n_failed
        Pixels with a valid value, and pixels that could not be read.
    observed
        Share of the parcel with source data, 0 to 1; of the same shape, as is the result.
    """
    choices = [n_failed > 0, observed <= 0, n_valid == 0, observed < FULLY_OBSERVED]
    names = ("READ_FAILED", "NO_DATA", "MASKED", "PARTIAL")
    codes = [np.uint8(STATES.index(name)) for name in names]
    return np.select(choices, codes, default=np.uint8(STATES.index("OK")))


_TIME = pa.timestamp("us", tz="UTC")
_LEADING: Mapping[str, pa.DataType] = {
    "time": _TIME,
    "acquisition": pa.string(),
    "platform": pa.string(),
    "relative_orbit": pa.int32(),
    "orbit_state": pa.string(),
    "reference_time": _TIME,
    "band": pa.string(),
    "state": pa.string(),
}
_NUMBERS: Mapping[str, pa.DataType] = {
    "count": pa.float32(),
    "n_valid": pa.int32(),
    "n_total": pa.int32(),
    "observed": pa.float32(),
}


def observation_schema(
    parcel: pa.DataType, *, statistics: Iterable[str], classes: Iterable[str], coherence: bool
) -> pa.Schema:
    """Return the schema of a table, in its fixed order of columns.

    Parameters
    ----------
    parcel
        Type of the parcel ids: string or int64.
    statistics
        Statistics besides ``count``; float32 columns, in this order.
    classes
        Class columns such as ``SCL_4``; float32 shares.
    coherence
        Whether rows are image pairs and carry ``reference_time``.
    """
    fields: dict[str, pa.DataType] = {"parcel": parcel}
    fields |= {name: t for name, t in _LEADING.items() if coherence or name != "reference_time"}
    fields |= _NUMBERS
    fields |= {name: pa.float32() for name in statistics if name != "count"}
    fields["items"] = pa.string()
    fields |= {name: pa.float32() for name in classes}
    return pa.schema(list(fields.items()))
