"""What counts as mowing in pairs of observations: the rule, and its published presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from cbmcube.markers._rules import Rule, require


@dataclass(frozen=True, slots=True)
class MowingRule(Rule):
    """What counts as mowing of grassland in pairs of Sentinel-2 observations.

    Defaults are those of Sen4CAP, without its published source for their accuracy, apart from
    `growth` and `back`, which are ours: starting values, not validated on field data.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from cbmcube.markers import MOWING_PRESETS
    >>> replace(MOWING_PRESETS["lithuania"], min_pair_days=5.0).rebound
    0.06
    """

    variable: str = "NDVI"
    """Band or index."""
    statistic: str = "mean"
    """Statistic of the band."""
    drop: float = 0.12
    """The loss from one observation to the next must be larger."""
    low: float = 0.50
    """The observation before must be higher: the grass was tall."""
    high: float = 0.75
    """The observation after must be lower."""
    rebound: float = 0.05
    """Rise a day to the next observation from which on the low one was a cloud."""
    min_value: float = 0.1
    """Smaller values are left out first: they are not of grassland."""
    min_pair_days: float = 0.0
    """Compare with the last observation at least so long before, instead of the previous one.

    A loss that is spread over two observations is not found otherwise. For dense or daily series
    take 5 days."""
    max_days: float = 30.0
    """The event starts so long before its low observation at most."""
    apart_days: float = 45.0
    """Events must reach from start to the other's end over so many days at least."""
    max_events: int = 4
    """Events of a parcel, the most confident."""
    growth: float = 0.02
    """Rise a day that grass does not reach. If the index rises faster than this, though slower
    than `rebound`, the next observation must be low as well, or the event is ``UNCONFIRMED``: a
    cloud of 0.35 that is followed by an observation ten days later comes back by but 0.035 a day.
    Infinite in Sen4CAP, where there is no such doubt."""
    back: float = 0.8
    """Share of the loss that a next observation may have made up for, to be low as well."""
    min_obs: int = 3
    """Parcels with fewer valid observations are not judged."""
    min_share: float = 0.5
    """Observations with a smaller share of valid pixels are left out."""
    max_gap_days: float = 30.0
    """Without an event, a longer time unobserved means that one may have been missed."""

    def __post_init__(self) -> None:
        require(self.drop > 0, "the drop of mowing must be positive", self.drop)
        require(self.max_days > 0, "an event has some days at least", self.max_days)
        require(self.max_events >= 1, "a parcel has some events at most", self.max_events)
        require(self.min_pair_days >= 0, "pairs cannot go back in time", self.min_pair_days)
        require(self.min_value >= 0, "relative losses need values above 0", self.min_value)


_SEN4CAP = MowingRule(growth=float("inf"))
_CENTRAL = replace(_SEN4CAP, low=0.40, high=0.72)
_SOUTH = replace(_SEN4CAP, drop=0.15, rebound=0.90)

MOWING_PRESETS: Mapping[str, MowingRule] = MappingProxyType(
    {
        "guarded": MowingRule(),
        "sen4cap": _SEN4CAP,
        "sen4cap_older": replace(_SEN4CAP, max_days=60.0, apart_days=28.0),
        "czechia": _CENTRAL,
        "france": _CENTRAL,
        "lithuania": replace(_SEN4CAP, rebound=0.06),
        "netherlands": replace(_SEN4CAP, rebound=0.90),
        "spain": _SOUTH,
        "romania": _SOUTH,
    }
)
"""Rules of mowing by name. ``guarded`` is the default; the others are Sen4CAP's as they are."""
