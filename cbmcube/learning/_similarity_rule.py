"""What similarity compares a parcel with, and how: the numbers, their sources, their hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Literal

from cbmcube.exceptions import OptionError

_FEWEST = 3  # below it a trimmed mean and an interquartile range say nothing


@dataclass(frozen=True, slots=True)
class SimilarityRule:
    """How similarity chooses peers and compares with them.

    Values marked "starting value" are not validated on field data.

    Examples
    --------
    >>> from cbmcube.learning import SimilarityRule
    >>> SimilarityRule(peers=20).params_id == SimilarityRule().params_id
    False
    """

    peers: int = 30
    """Peers of a parcel: the nearest ones. With fewer than 20, the spread among them is known
    so badly that harmless parcels stand out (see `similarity`)."""
    min_peers: int = 10
    """Fewer peers are not enough: neither around a parcel, nor with a value in a period."""
    radii_m: tuple[float, ...] = (5_000.0, 10_000.0, 20_000.0)
    """Distances between edges, in metres: the next one is tried where the last one holds fewer
    than `min_peers`. Starting values."""
    min_area_m2: float = 3_000.0
    """Smaller parcels are nobody's peers, though they are judged: 0.3 ha, as in the peers that
    the JRC's service of parcel data returns."""
    peer_classes: tuple[str, ...] = ("GOOD",)
    """Peers are of these classes, where the cube has the coordinate ``class_10m``."""
    poor_classes: tuple[str, ...] = ("POOR", "NONE")
    """Parcels of these classes are not judged, where the cube has ``class_10m``."""
    min_periods: int = 6
    """Periods with a value of the parcel and of enough peers. Starting value."""
    trim: float = 0.1
    """Share of the peers' values that the mean leaves out, at each end."""
    floor: float = 0.02
    """Smallest spread among peers that is believed, in units of the signal. Starting value, for
    NDVI; other indices, reflectance and coherence need one of their own."""
    floor_db: float = 0.3
    """The same for backscatter, in dB. Starting value."""
    decibel: bool | None = None
    """Whether values are compared in dB, 10 log10 of linear power; by default backscatter is."""
    p_share: float = 0.25
    """Share of the periods that must be unusual together for a small p-value, so that one
    undetected cloud is not enough. Starting value."""
    best_by: Literal["D", "likelihood"] = "D"
    """What the best other crop is best in: the smallest D, or the likelihood, which charges a crop
    for a wide spread of its fields. A D among very different fields is small for anything."""
    others_from: float = 0.0
    """Other crops are tried for parcels with at least this D, and for those without one. All
    crops for all parcels of a country take long; 1.5 leaves a tenth of them."""
    crs: str = "EPSG:3035"
    """Coordinate system in which distances are measured, in metres; the default is Europe's."""

    def __post_init__(self) -> None:
        radii = (*self.radii_m,)
        wrong = (
            (self.min_peers < _FEWEST, f"min_peers is at least {_FEWEST}", self.min_peers),
            (self.peers < self.min_peers, "peers are at least min_peers", self.peers),
            (not radii or radii[0] <= 0 or sorted({*radii}) != [*radii],
             "radii are positive and ascend", radii),
            (self.min_periods < 1, "min_periods is at least 1", self.min_periods),
            (not 0 <= self.trim < 0.5, "trim is at least 0 and below 0.5", self.trim),
            (min(self.floor, self.floor_db) <= 0, "floors are positive", self.floor),
            (self.best_by not in ("D", "likelihood"),
             "best_by is 'D' or 'likelihood'", self.best_by),
            (not 0 < self.p_share <= 1, "p_share is above 0 and at most 1", self.p_share),
        )  # fmt: skip
        for broken, what, given in wrong:
            if broken:
                raise OptionError(f"this is no rule of similarity: {what}", given=repr(given))

    @property
    def params_id(self) -> str:
        """A hash of all fields: equal rules have equal ids, on every machine."""
        text = json.dumps([type(self).__name__, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


SIMILARITY_RULES: Mapping[str, SimilarityRule] = MappingProxyType(
    {
        "default": SimilarityRule(),
        # The service returns up to 10 peers of the same crop above 0.3 ha within 1 km by
        # distance, and compares nothing; it states no minimum, 5 is ours.
        "jrc-peers": SimilarityRule(peers=10, min_peers=5, radii_m=(1_000.0,)),
    }
)
"""Rules by name: the default, and peers as the JRC's service of parcel data returns them."""


def choose_rule(rule: SimilarityRule | str | None) -> SimilarityRule:
    """Return a rule: as given, by its name, or the default for ``None``."""
    chosen = SIMILARITY_RULES.get(rule or "default") if isinstance(rule, str | None) else rule
    if not isinstance(chosen, SimilarityRule):
        raise OptionError(
            "there is no such rule of similarity",
            given=repr(rule),
            allowed=f"{', '.join(map(repr, SIMILARITY_RULES))}, or a SimilarityRule",
            hint="change single values with SimilarityRule(peers=20)",
        )
    return chosen
