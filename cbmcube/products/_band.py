"""What a layer of a product holds, and which of its codes make a pixel unusable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from cbmcube.exceptions import OptionError

BandKind = Literal["reflectance", "backscatter", "coherence", "index", "classes"]


@dataclass(frozen=True, slots=True)
class Band:
    """One layer of a product.

    A class band (``kind="classes"``) holds codes: it is never scaled, averaged or
    interpolated, and reduces to the share of each class.

    Examples
    --------
    >>> from cbmcube.products import Band
    >>> Band("NDVI", "index", "vegetation index", "1", dtype="uint8", nodata=255).scale
    1.0
    """

    name: str
    """The name users give, such as ``"B04"``."""
    kind: BandKind
    """What the numbers are; decides scaling, masking and reduction."""
    long_name: str
    """A short description, for plots and attributes."""
    units: str
    """Units after scaling, in the spelling of UDUNITS; ``"1"`` for a share."""
    dtype: str
    """NumPy data type of the stored numbers, where neither item nor profile says."""
    nodata: float
    """Stored number that means "no data", where neither item nor profile says."""
    scale: float = 1.0
    """Factor from stored numbers to ``units``, where neither item nor profile says."""
    classes: Mapping[int, str] = field(default_factory=dict)
    """Meaning of each code of a class band."""
    resolution: float | None = None
    """Pixel size as the producer makes it, metres; ``None`` where providers differ."""

    def __post_init__(self) -> None:
        if (self.kind == "classes") != bool(self.classes):
            raise OptionError(
                f"band {self.name!r} must list its classes exactly if it is a class band",
                given=f"kind={self.kind!r}, {len(self.classes)} classes",
                hint='pass classes={code: "meaning"} with kind="classes"',
            )
        if np.dtype(self.dtype).kind in "iu" and not float(self.nodata).is_integer():
            raise OptionError(
                f"band {self.name!r} holds whole numbers, so its nodata must be one",
                given=f"dtype={self.dtype!r}, nodata={self.nodata!r}",
                hint="name a number that the band never holds otherwise",
            )


@dataclass(frozen=True, slots=True)
class MaskRule:
    """Which codes of a class band make a pixel unusable.

    Examples
    --------
    >>> from cbmcube.products import MaskRule
    >>> rule = MaskRule(band="CLOUD", masked=frozenset({1, 2}), source="our own processing")
    >>> sorted(rule.masked)
    [1, 2]
    """

    band: str
    """Name of the class band."""
    masked: frozenset[int]
    """Codes that are masked."""
    source: str
    """Where the choice of codes comes from."""
