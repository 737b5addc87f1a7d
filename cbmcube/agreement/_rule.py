"""When two acquisitions count as one, and how large a difference is no matter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from cbmcube.exceptions import OptionError

KINDS = ("reflectance", "index", "backscatter", "coherence")
"""Kinds of numbers, each with a tolerance of its own."""

_POLARISATIONS = ("VV", "VH", "HH", "HV")
_KEYS = ("platform", "relative_orbit", "baseline_days")


@dataclass(frozen=True, slots=True)
class AgreementRule:
    """How acquisitions are paired, and what counts as close and as extreme.

    The tolerances are starting values, not validated on field data.

    Examples
    --------
    >>> from cbmcube.agreement import AgreementRule
    >>> AgreementRule(tolerance="12h").coherence
    0.03
    """

    tolerance: str = "10min"
    """Longest time between two passes that count as the same one. Providers state the begin of a
    whole data take or that of a slice or tile; where these lie further apart, ``"12h"`` still
    tells passes of one orbit apart, for the next of them comes after days."""
    same: tuple[str, ...] = _KEYS
    """What must be equal as well, of `platform`, `relative_orbit` and `baseline_days` (days between
    the images of a coherence); what one source does not know excludes nothing. ``()`` matches by
    time alone, as between two satellites."""
    parts: str = "10min"
    """Acquisitions of one source, platform and orbit that follow each other within this time are
    parts of one pass: slices or tiles, of which each parcel takes the one that saw most of it."""
    reflectance: float = 0.01
    """Tolerance for reflectance, a fraction."""
    index: float = 0.02
    """Tolerance for NDVI and whatever is of no other kind."""
    backscatter: float = 0.5
    """Tolerance for backscatter, dB."""
    coherence: float = 0.03
    """Tolerance for coherence."""
    pixels: float = 1.0
    """Tolerance for the statistic `count`. That of `std` is that of its band, and as for an index
    if it is of backscatter, for it stays linear."""
    extreme: float = 10.0
    """A difference is extreme if it lies further from the median difference than so many median
    absolute deviations (MAD); if the MAD is 0, further than the tolerance."""
    listed: int = 200
    """Most extremes listed at each end of the differences of a band."""
    pairs: int = 100_000
    """Pairs of each band that are kept as they are, for figures and for the median; about so many
    are drawn if there are more."""
    draws: int = 1000
    """Draws of days behind each interval."""
    seed: int = 0
    """Seed of the random numbers."""
    areas: tuple[float, ...] = (0.3, 1.0, 3.0)
    """Ends of the area classes, hectares."""

    def __post_init__(self) -> None:
        for name in ("tolerance", "parts"):
            _length(name, getattr(self, name))
        if unknown := [key for key in self.same if key not in _KEYS]:
            raise OptionError(
                "acquisitions cannot be matched by this", given=unknown, allowed=", ".join(_KEYS)
            )
        limits = [getattr(self, name) for name in (*KINDS, "pixels", "extreme")]
        if not all(np.isfinite(limit) and limit > 0 for limit in limits):
            raise OptionError("tolerances and the limit of extremes are positive", given=self)
        if min(self.listed, self.pairs, self.draws) < 1 or list(self.areas) != sorted(self.areas):
            raise OptionError("numbers are at least 1, and areas in order", given=self)

    @property
    def params_id(self) -> str:
        """A hash of all fields: equal rules have equal ids, on every machine."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def limit(self, kind: str, statistic: str) -> float:
        """Return the tolerance for a statistic of a kind of number."""
        if statistic == "count":
            return self.pixels
        if statistic == "std" and kind == "backscatter":
            return self.index
        return float(getattr(self, kind))


def _length(name: str, text: str) -> None:
    try:
        length = pd.Timedelta(text)
    except ValueError:
        length = None
    if not isinstance(length, pd.Timedelta) or length < pd.Timedelta(0):
        raise OptionError(
            f"`{name}` must be a length of time",
            given=repr(text),
            allowed="'10min', '12h' or '1D'",
            hint="12h tells passes of one orbit apart from those of the next",
        )


def kind_of(band: str, product: str | None, *, paired: bool, kinds: Mapping[str, str]) -> str:
    """Return the kind of a band's numbers, from its name and product.

    Parameters
    ----------
    paired
        Whether acquisitions are pairs of images, so that VV and VH are coherence.
    kinds
        What the user says of bands; it goes first.
    """
    if band in kinds:
        if kinds[band] not in KINDS:
            raise OptionError(
                f"the kind of {band} is not known",
                given=repr(kinds[band]),
                allowed=", ".join(KINDS),
                hint="the kind gives the tolerance, and backscatter is compared in dB",
            )
        return kinds[band]
    if band in _POLARISATIONS:
        return "coherence" if paired or product == "CARD-COH6" else "backscatter"
    # B04, B8A: indices computed before the reduction have names of their own.
    return "reflectance" if band[:1] == "B" and band[1:2].isdigit() else "index"
