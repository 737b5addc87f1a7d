"""How a marker runs over vector cubes: signals of some parcels, and what was found in them."""

from cbmcube.markers.detecting._detect import Marker, Signals, each_block, find_events
from cbmcube.markers.detecting._outcome import Found, judge, reason_code
from cbmcube.markers.detecting._runs import Observed, find_runs
from cbmcube.markers.detecting._same_day import dates_of, one_a_day
from cbmcube.markers.detecting._signal import DAY, Look, Signal, View, by_orbit

__all__ = [
    "DAY",
    "Found",
    "Look",
    "Marker",
    "Observed",
    "Signal",
    "Signals",
    "View",
    "by_orbit",
    "dates_of",
    "each_block",
    "find_events",
    "find_runs",
    "judge",
    "one_a_day",
    "reason_code",
]
