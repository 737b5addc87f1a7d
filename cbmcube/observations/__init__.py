"""Observation tables, vector cubes and tables as files, and seasons in a store."""

from cbmcube._states import FULLY_OBSERVED, STATES, state_codes
from cbmcube.observations._failures import read_failures, report
from cbmcube.observations._files import (
    open_vector_cube,
    read_observations,
    write_observations,
    write_vector_cube,
    write_whole,
)
from cbmcube.observations._table import to_geodataframe, to_observations
from cbmcube.observations.export import to_parquet, to_postgis, to_zarr
from cbmcube.observations.reading import (
    Observations,
    open_observations,
    stac_collection,
    write_stac,
)
from cbmcube.observations.season import (
    Estimate,
    Plan,
    Prices,
    Progress,
    RunReport,
    SeasonStatus,
    open_plan,
    plan,
    status,
)
from cbmcube.observations.store import (
    Snapshot,
    Store,
    compact,
    create_store,
    diff,
    gc,
    open_store,
    repair,
    verify,
)

__all__ = [
    "FULLY_OBSERVED",
    "STATES",
    "Estimate",
    "Observations",
    "Plan",
    "Prices",
    "Progress",
    "RunReport",
    "SeasonStatus",
    "Snapshot",
    "Store",
    "compact",
    "create_store",
    "diff",
    "gc",
    "open_observations",
    "open_plan",
    "open_store",
    "open_vector_cube",
    "plan",
    "read_failures",
    "read_observations",
    "repair",
    "report",
    "stac_collection",
    "state_codes",
    "status",
    "to_geodataframe",
    "to_observations",
    "to_parquet",
    "to_postgis",
    "to_zarr",
    "verify",
    "write_observations",
    "write_stac",
    "write_vector_cube",
    "write_whole",
]
