"""The store of observations: written whole or not at all, by any number of workers."""

from cbmcube.observations.store._commits import STATUSES, Commit
from cbmcube.observations.store._compact import compact
from cbmcube.observations.store._diff import diff
from cbmcube.observations.store._failpoints import FAILPOINTS
from cbmcube.observations.store._gc import GcReport, gc
from cbmcube.observations.store._names import canonical_json, sha256
from cbmcube.observations.store._open import create_store, open_store
from cbmcube.observations.store._parts import ROW_GROUP, decode, decode_parcels
from cbmcube.observations.store._repair import repair, withdraw
from cbmcube.observations.store._rows import read_rows
from cbmcube.observations.store._snapshots import INDEX_SCHEMA, Snapshot
from cbmcube.observations.store._store import Store
from cbmcube.observations.store._verify import Problem, VerifyReport, verify

__all__ = [
    "FAILPOINTS",
    "INDEX_SCHEMA",
    "ROW_GROUP",
    "STATUSES",
    "Commit",
    "GcReport",
    "Problem",
    "Snapshot",
    "Store",
    "VerifyReport",
    "canonical_json",
    "compact",
    "create_store",
    "decode",
    "decode_parcels",
    "diff",
    "gc",
    "open_store",
    "read_rows",
    "repair",
    "sha256",
    "verify",
    "withdraw",
]
