"""What may be asked and opened: hosts, folders, addresses of assets, and the door to an API."""

from cbmcube.catalog.access._access import AccessPolicy, Gate, show
from cbmcube.catalog.access._alternates import final_asset, raster_problem
from cbmcube.catalog.access._door import Door, check_home, mend, same_host
from cbmcube.catalog.access._hosts import is_inside, leads_inside

__all__ = [
    "AccessPolicy",
    "Door",
    "Gate",
    "check_home",
    "final_asset",
    "is_inside",
    "leads_inside",
    "mend",
    "raster_problem",
    "same_host",
    "show",
]
