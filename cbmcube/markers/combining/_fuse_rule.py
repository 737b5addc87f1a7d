"""How events that two markers saw become one: the rule, and its presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from cbmcube.markers._rules import Rule, require


@dataclass(frozen=True, slots=True)
class FuseRule(Rule):
    """How events of two tables become one. Ours are starting values, not validated in the field.

    Examples
    --------
    >>> from cbmcube.markers import FUSE_PRESETS, FuseRule
    >>> FuseRule() == FUSE_PRESETS["careful"]
    True
    """

    interval: Literal["intersection", "confident"] = "intersection"
    """Of a pair: what both intervals have in common, where the event must be if both are right,
    with its middle as main date; or the interval and main date of the more confident one."""
    apart_days: float = 45.0
    """Events must reach from start to the other's end over so many days at least; a pair reaches
    over both its intervals."""
    max_events: int = 4
    """Events of a parcel, the most confident."""
    p_value_share: float = 0.5
    """A confidence of kind ``p_value`` counts this much of itself: that noise is unlikely does not
    make an event likely. Sen4CAP's confidences of radar, too, are 0 to 0.5."""
    radar_most: float = 0.5
    """What radar alone, be it of two orbits, can reach."""
    alone: float = 0.999
    """Events of one orbit of radar without partner and with a smaller confidence of kind
    ``p_value`` are ``UNCONFIRMED``: of 35 pairs of images, one parcel in three has a false alarm
    at 0.99."""
    seen_days: float = 20.0
    """Events of radar without partner are ``UNCONFIRMED`` where another sensor saw none though it
    never looked away for longer than this. 0: never."""
    trust_silence: bool = False
    """Whether radar that saw nothing settles that there was nothing, where the other sensor could
    not look: a sound test of coherence misses most cuts (see the page on markers)."""

    def __post_init__(self) -> None:
        known = ("intersection", "confident")
        require(self.interval in known, "an interval is 'intersection' or 'confident'", self)
        require(self.max_events >= 1, "a parcel has some events at most", self.max_events)
        shares = (self.p_value_share, self.radar_most, self.alone)
        require(all(0 <= share <= 1 for share in shares), "shares lie between 0 and 1", shares)


FUSE_PRESETS: Mapping[str, FuseRule] = MappingProxyType(
    {
        "careful": FuseRule(),
        "sen4cap": FuseRule(interval="confident", alone=0.0, seen_days=0.0, trust_silence=True),
    }
)
"""Rules of fusion by name; ``careful`` is the default."""
