"""A season on one page: what was seen, what was not, and how the numbers were made."""

from cbmcube.reporting._report import season_report

__all__ = ["season_report"]
