"""The parameters of an FOI assessment, and the words in which its outcome is told."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from cbmcube.exceptions import OptionError

STATUS = ("OK", "NOT_VALID", "NOT_EXECUTED")
"""Whether a parcel could be judged; as in event tables."""

REASONS = (
    "NO_GEOMETRY",
    "OUTSIDE",
    "NO_INPUT",
    "TOO_SMALL",
    "PARTLY_SEEN",
    "TOO_FEW_PIXELS",
    "EMPTIED",
    "TOO_NARROW",
)
"""Why it could not, the first that applies.

The first three are ``NOT_EXECUTED``: the parcel has no geometry, lies outside the raster, or has
no pixel with data. The others are ``NOT_VALID``: the parcel has too few pixels (``TOO_SMALL``), too
small a share of them was seen, or too few are of the classes. ``EMPTIED`` and ``TOO_NARROW``
concern cardinality alone: inside the buffer there is no pixel, or no room for two large clusters.
"""


@dataclass(frozen=True, slots=True)
class FoiRule:
    """When a parcel is heterogeneous, and when it is not cardinal.

    The defaults are those of the Joint Research Centre's FOI assessment for rasters of 10 m,
    but for `min_observed`, a starting value that was not validated on field data.

    Examples
    --------
    >>> from cbmcube.foi import FoiRule
    >>> FoiRule().params_id == FoiRule(low_share=0.3).params_id
    True
    """

    low_share: float = 0.30
    """Smallest share of a class (0 to 1) that makes a parcel heterogeneous; it counts itself."""
    high_share: float = 0.70
    """Largest such share; it counts itself."""
    cluster_px: int = 20
    """A cluster is large if it has more pixels than this; 20 pixels of 10 m are 2000 m2."""
    neighbours: Literal[4, 8] = 8
    """Pixels that touch each other: with 8, also those that share no more than a corner."""
    buffer_m: float = -10.0
    """Metres by which parcels are narrowed (0 or negative) before clusters are looked for."""
    shares_buffer_m: float = 0.0
    """Metres by which they are narrowed (0 or negative) before shares are taken."""
    min_px: int = 40
    """Parcels with fewer pixels of the classes are not judged."""
    min_observed: float = 0.5
    """Nor are those of which a smaller share of the pixels has data."""

    def __post_init__(self) -> None:
        if not 0 <= self.low_share <= self.high_share <= 1:
            raise OptionError(
                "the shares of a heterogeneous parcel are no interval within 0 and 1",
                given=f"low_share={self.low_share!r}, high_share={self.high_share!r}",
                allowed="0 <= low_share <= high_share <= 1",
                hint="give shares, not percentages: 0.3 and 0.7",
            )
        if self.neighbours not in (4, 8):
            raise OptionError(
                "the neighbourhood of a pixel is not known",
                given=repr(self.neighbours),
                allowed="4 or 8",
                hint="8 joins pixels that share a corner, 4 does not",
            )
        distances = (self.buffer_m, self.shares_buffer_m)
        if not all(np.isfinite(distance) and distance <= 0 for distance in distances):
            raise OptionError(
                "an FOI is narrowed, never widened: what lies around it is not its own",
                given=f"buffer_m={self.buffer_m!r}, shares_buffer_m={self.shares_buffer_m!r}",
                allowed="metres, 0 or negative",
                hint="-10 keeps one pixel of 10 m away from the border",
            )
        if min(self.cluster_px, self.min_px) < 0 or not 0 <= self.min_observed <= 1:
            raise OptionError(
                "numbers of pixels are not negative, and a share lies between 0 and 1",
                given=f"cluster_px={self.cluster_px!r}, min_px={self.min_px!r},"
                f" min_observed={self.min_observed!r}",
                hint="0 switches a limit off",
            )

    @property
    def params_id(self) -> str:
        """A hash of all fields: equal rules have equal ids, on every machine."""
        # As floats, so that -10 and -10.0 are one number.
        fields = {name: float(value) for name, value in asdict(self).items()}
        text = json.dumps(fields, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
