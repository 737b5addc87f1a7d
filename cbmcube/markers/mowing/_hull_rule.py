"""What counts as mowing by the distance to the hull: the rule, and its presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cbmcube.markers._rules import Rule, require


@dataclass(frozen=True, slots=True)
class HullRule(Rule):
    """What the hull marker looks for; days of the year count from 1 January = 1.

    Defaults are the source's, apart from `least_drop`: a starting value, not validated on field
    data.

    Examples
    --------
    >>> from cbmcube.markers import HullRule
    >>> HullRule(spread=0.0).share
    0.4
    """

    variable: str = "NDVI"
    """Index from 0 to 1; values outside, and 0 and 1 themselves, are left out."""
    statistic: str = "mean"
    """Statistic of the index."""
    first_doy: int = 73
    """First day of the year that is looked at."""
    last_doy: int = 365
    """Last day of the year that is looked at."""
    peak_from_doy: int = 120
    """The highest peak lies on this day or later …"""
    peak_before_doy: int = 240
    """… and before this day."""
    last_event_doy: int = 305
    """Later events do not count."""
    apart_days: float = 15.0
    """Peaks, and events, lie further apart than this."""
    spread: float = 0.02
    """Standard deviation of the random threshold that the closed form stands for."""
    share: float = 0.40
    """Share of random thresholds that a loss must pass."""
    least_drop: float = 0.10
    """Smaller losses are no event. Ours: the standard deviation of a meadow that is not mown is
    small, so that without it noise passes for mowing. 0.02 in the preset ``force``, against
    rounding in flat series."""
    cloud_days: float = 6.0
    """A loss is a cloud if the next observation comes within these days …"""
    cloud_rise: float = 0.15
    """… and is higher by more than this."""
    min_obs: int = 5
    """Parcels with fewer valid observations are not judged."""
    min_share: float = 0.5
    """Observations with a smaller share of valid pixels are left out."""
    max_gap_days: float = 30.0
    """Without an event, a longer time unobserved means that one may have been missed."""

    def __post_init__(self) -> None:
        days = (self.first_doy, self.peak_from_doy, self.peak_before_doy, self.last_doy)
        require(days == tuple(sorted(days)), "days of the year must be in order", days)
        require(0 < self.share < 1, "a share of thresholds lies between 0 and 1", self.share)
        require(self.spread >= 0, "a spread cannot be negative", self.spread)

    @property
    def shift(self) -> float:
        """How far the threshold lies above the standard deviation."""
        from scipy.special import ndtri  # noqa: PLC0415 - large, and few need it

        return float(self.spread * ndtri(1.0 - self.share))


HULL_PRESETS: Mapping[str, HullRule] = MappingProxyType(
    {"careful": HullRule(), "force": HullRule(least_drop=0.02)}
)
"""Rules of the hull marker by name: ``careful`` is the default, ``force`` its source."""
