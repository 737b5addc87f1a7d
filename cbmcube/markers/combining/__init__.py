"""What several event tables say together: pairs, fusion, windows, and changes between runs."""

from cbmcube.markers.combining._changes import CHANGES, changes, keep_settled
from cbmcube.markers.combining._combine import aggregate, confirm, merge
from cbmcube.markers.combining._evidence import EVIDENCE, window_evidence
from cbmcube.markers.combining._fuse import fuse
from cbmcube.markers.combining._fuse_rule import FUSE_PRESETS, FuseRule

__all__ = [
    "CHANGES",
    "EVIDENCE",
    "FUSE_PRESETS",
    "FuseRule",
    "aggregate",
    "changes",
    "confirm",
    "fuse",
    "keep_settled",
    "merge",
    "window_evidence",
]
