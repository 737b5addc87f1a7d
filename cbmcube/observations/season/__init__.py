"""A season planned in units of work, and run to its end whatever happens."""

from cbmcube.observations.season._begin import open_plan, plan
from cbmcube.observations.season._estimate import Estimate, Prices
from cbmcube.observations.season._journal import read_log, read_searches
from cbmcube.observations.season._plan import Plan
from cbmcube.observations.season._progress import Progress
from cbmcube.observations.season._recipe import ENGINE
from cbmcube.observations.season._report import RunReport, SeasonStatus
from cbmcube.observations.season._status import status
from cbmcube.observations.season._work import Outcome, Unit, run_unit

__all__ = [
    "ENGINE",
    "Estimate",
    "Outcome",
    "Plan",
    "Prices",
    "Progress",
    "RunReport",
    "SeasonStatus",
    "Unit",
    "open_plan",
    "plan",
    "read_log",
    "read_searches",
    "run_unit",
    "status",
]
