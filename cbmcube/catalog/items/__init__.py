"""What items show, whoever provides them: identity, acquisitions, twins and gaps."""

from cbmcube.catalog.items._acquisitions import Acquisition, group_acquisitions
from cbmcube.catalog.items._facts import REPORT_KEY, UNFILLED, Dropped, Facts
from cbmcube.catalog.items._fingerprint import fingerprint, item_changes
from cbmcube.catalog.items._gaps import Gap, find_gaps
from cbmcube.catalog.items._identity import Identity, identify, item_time
from cbmcube.catalog.items._twins import drop_twins

__all__ = [
    "REPORT_KEY",
    "UNFILLED",
    "Acquisition",
    "Dropped",
    "Facts",
    "Gap",
    "Identity",
    "drop_twins",
    "find_gaps",
    "fingerprint",
    "group_acquisitions",
    "identify",
    "item_changes",
    "item_time",
]
