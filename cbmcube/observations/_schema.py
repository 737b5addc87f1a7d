"""The observation table: its columns and their Arrow types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

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
