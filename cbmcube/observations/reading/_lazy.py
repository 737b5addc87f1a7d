"""The observations as a Dask table, one partition for each piece that is read at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cbmcube.observations.reading._assemble import pieces, read_table
from cbmcube.observations.reading._selection import Selection
from cbmcube.observations.reading._source import Source

if TYPE_CHECKING:
    import dask.dataframe as dd


def dask_frame(
    source: Source, selection: Selection, columns: Sequence[str], rows: int
) -> dd.DataFrame:
    """Return a table that is read when it is computed."""
    try:
        import dask.dataframe as dd  # noqa: PLC0415  # an optional package
    except ImportError as error:
        raise ImportError(
            "a Dask table needs one more package: pip install 'dask[dataframe]'"
        ) from error
    names = list(columns)
    meta = source.schema.empty_table().select(names).to_pandas(types_mapper=pd.ArrowDtype)
    parts = list(pieces(source, selection, rows)) or [selection.of(np.zeros(0, dtype=np.int64))]
    return dd.from_map(_read, parts, source=source, columns=names, meta=meta)


def _read(selection: Selection, *, source: Source, columns: list[str]) -> pd.DataFrame:
    return read_table(source, selection, columns).to_pandas(types_mapper=pd.ArrowDtype)
