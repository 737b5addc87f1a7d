"""Observation tables, and vector cubes and tables as files."""

from cbmcube.observations._failures import read_failures, report
from cbmcube.observations._files import (
    open_vector_cube,
    read_observations,
    write_observations,
    write_vector_cube,
)
from cbmcube.observations._table import to_geodataframe, to_observations

__all__ = [
    "open_vector_cube",
    "read_failures",
    "read_observations",
    "report",
    "to_geodataframe",
    "to_observations",
    "write_observations",
    "write_vector_cube",
]
