"""What counts as a jump of coherence after mowing, and the published settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from cbmcube.markers._rules import Rule, require


@dataclass(frozen=True, slots=True)
class CoherenceRule(Rule):
    """How a jump of coherence is told from noise.

    `min_jump` and `max_predicted` are starting values, not validated on field data; what `alpha`
    promises was checked by simulation.

    Examples
    --------
    >>> from cbmcube.markers import CoherenceRule
    >>> CoherenceRule(variable="VV").alpha
    0.001
    """

    variable: str = "VH"
    """Band; VH changes more with grass than VV."""
    statistic: str = "mean"
    """Statistic of the band."""
    method: Literal["prediction", "sen4cap"] = "prediction"
    """``"sen4cap"`` is that project's test, whose `alpha` is no rate of false alarms."""
    n_ref: int = 6
    """Earlier pairs that a line is put through, at most."""
    n_ref_min: int = 5
    """The same, at least: with fewer a pair is not tested."""
    max_span_days: float = 72.0
    """Pairs further back are no reference."""
    alpha: float = 1e-3
    """Share of false alarms among tested pairs of a parcel where nothing happens."""
    min_jump: float = 0.05
    """Coherence above the predicted one, at least."""
    max_predicted: float = 0.6
    """Above this predicted coherence a field is bare or cut already."""
    min_distance_days: float = 28.0
    """Events whose ends are nearer to each other are one; the smallest p-value stays."""
    fisher: bool = False
    """Whether lines are put through atanh of coherence, which is less skewed near 1."""
    leave_out_previous: bool = False
    """Whether the pair right before the tested one is no reference: if mowing fell into it, it is
    too low. Gains power only where such dips are deep."""
    leave_out_detected: bool = True
    """Whether detected pairs are no reference for later ones."""
    pooled: bool = False
    """Whether the noise of a parcel is estimated together with that of similar parcels."""
    nu0: float = 10.0
    """Weight of the similar parcels: degrees of freedom that their noise counts for."""
    min_peers: int = 30
    """Similar parcels at least, for `pooled` and `peers`."""
    size_ratio: float = 1.5
    """Parcels are similar whose numbers of pixels lie in one class; each class ends at this many
    times its begin."""
    peers: bool = False
    """Whether the median of parcels of the same crop is taken off each date, against weather."""
    min_share: float = 0.5
    """Pairs with a smaller share of valid pixels are left out."""
    max_gap_days: float = 30.0
    """Without an event, a longer time unobserved means that one may have been missed."""

    def __post_init__(self) -> None:
        known = self.method in ("prediction", "sen4cap")
        require(known, "the method is 'prediction' or 'sen4cap'", repr(self.method))
        few = f"{self.n_ref_min} to {self.n_ref}"
        require(3 <= self.n_ref_min <= self.n_ref, "a line needs three pairs or more", few)
        require(0 < self.alpha < 0.5, "alpha lies between 0 and 0.5", self.alpha)
        numbers = (self.max_span_days, self.min_distance_days, self.nu0)
        require(min(numbers) > 0, "days and degrees of freedom are positive", numbers)
        require(not np.isnan(self.min_jump), "the smallest jump must be a number", self.min_jump)
        require(self.size_ratio > 1, "classes of size grow", self.size_ratio)
        require(self.min_peers >= 2, "peers are two or more", self.min_peers)
        alone = not (self.pooled or self.peers or self.fisher or self.leave_out_previous)
        plain = self.method == "prediction" or alone
        require(plain, "the test of Sen4CAP knows no peers, pooling or transform", self)


_SEN4CAP = CoherenceRule(
    method="sen4cap",
    n_ref=5,
    max_span_days=np.inf,
    alpha=3e-8,
    min_jump=-np.inf,
    max_predicted=np.inf,
    leave_out_detected=False,
)

COHERENCE_PRESETS: Mapping[str, CoherenceRule] = MappingProxyType(
    {
        "default": CoherenceRule(),
        "pooled": CoherenceRule(pooled=True),
        "sensitive": CoherenceRule(pooled=True, peers=True, alpha=1e-2),
        "sen4cap": _SEN4CAP,
    }
)
"""``"pooled"`` finds more events where there are 30 similar parcels; ``"sensitive"`` most, for one
false alarm in a hundred pairs and with the weather of similar parcels taken off: to be confirmed by
another sensor. Where there are fewer than `min_peers` of a crop it judges none (``NO_REFERENCE``).
``"sen4cap"`` is the test of Sen4CAP (``src_s1/S1_gmd.py``), for comparison only: nominal
rate 3e-8, real rate some 2 %."""
