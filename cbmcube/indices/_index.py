"""An index: a formula over bands, with its name, range and source."""

from __future__ import annotations

import keyword
from dataclasses import dataclass, replace
from typing import Literal

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.indices._formula import (
    formula_names,
    is_normalised_difference,
    parse_formula,
    substitute,
)

Computed = Literal["pixels", "means"]
"""What an index is computed from: pixels before the reduction, or parcel means after it."""

BAD = "_bad"
"""What the name of a flag variable ends in."""
_TAKEN = {"observed", "time", "y", "x", "parcel", "statistic", "band", "geometry", "spatial_ref"}


@dataclass(frozen=True, slots=True)
class Index:
    """An index over bands, as data.

    Examples
    --------
    >>> from cbmcube.indices import Index
    >>> water = Index("NDWI_McFeeters", "(B03 - B08) / (B03 + B08)", "open water")
    >>> water.bands
    ('B03', 'B08')
    >>> water.limits  # a normalised difference, as its formula shows
    (-1.0, 1.0)
    """

    name: str
    """Name of the variable: a Python identifier."""
    formula: str
    """Arithmetic over names of bands: numbers, brackets and ``+ - * / **``. It is taken apart
    and computed step by step; no code is run."""
    long_name: str = ""
    """A short description, for plots and attributes."""
    bounds: tuple[float, float] | None = None
    """Lowest and highest value that can be true; what lies outside is bad. ``None`` is -1 to 1
    for a formula ``(p - q) / (p + q)``, and no bounds for others."""
    source: str = ""
    """Where the formula comes from."""
    computed: Computed = "pixels"
    """``"pixels"`` before the reduction, or parcel ``"means"`` after it (radar)."""
    decibels: bool = False
    """Whether the value of the formula is given as 10 log10, in dB; only for ``"means"``."""

    def __post_init__(self) -> None:
        if (
            not self.name.isidentifier()
            or keyword.iskeyword(self.name)
            or self.name in _TAKEN
            or self.name.endswith((BAD, "_fraction"))
        ):
            raise OptionError(
                "an index cannot have this name",
                given=repr(self.name),
                allowed="letters, digits and _; no name with a meaning of its own in a cube",
                hint="choose one such as 'NDVI'",
            )
        if self.name in self.bands:
            raise OptionError(
                f"the formula of {self.name} names itself",
                given=self.formula,
                hint="give the index a name that no band has",
            )
        if self.computed not in ("pixels", "means") or (self.decibels and not self.of_means):
            raise OptionError(
                f"{self.name} cannot be computed this way",
                given=f"computed={self.computed!r}, decibels={self.decibels}",
                allowed="'pixels', or 'means' with or without decibels",
                hint="a mean of decibels is not a mean of power: decibels are taken of means",
            )
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise OptionError(
                f"the bounds of {self.name} leave no value",
                given=self.bounds,
                allowed="(lowest, highest)",
                hint="pass bounds=(-1, 1), or leave them out",
            )

    @property
    def of_means(self) -> bool:
        """Whether it is computed from parcel means, after the reduction."""
        return self.computed == "means"

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands of the formula, in the order in which it names them."""
        return formula_names(parse_formula(self.formula))

    @property
    def limits(self) -> tuple[float, float] | None:
        """The bounds that hold: those given, or those of a normalised difference."""
        if self.bounds is not None:
            return self.bounds
        return (-1.0, 1.0) if is_normalised_difference(parse_formula(self.formula)) else None

    @property
    def units(self) -> str:
        """Units of the value."""
        return "dB" if self.decibels else "1"

    def with_bands(self, **bands: str) -> Index:
        """Return the same index over other bands.

        Parameters
        ----------
        **bands
            For a band of the formula, the one to take instead.

        Raises
        ------
        UnknownBandError
            If the formula does not name a band.

        Examples
        --------
        >>> from cbmcube.indices import INDICES
        >>> INDICES["NDMI"].with_bands(B08="B8A").formula  # all at 20 m
        '(B8A - B11) / (B8A + B11)'
        """
        unknown = [name for name in bands if name not in self.bands]
        if unknown:
            raise UnknownBandError(
                f"the formula of {self.name} does not name these bands",
                given=", ".join(unknown),
                allowed=", ".join(self.bands),
                hint=f"the formula is {self.formula}",
            )
        return replace(self, formula=substitute(self.formula, bands))

    def attributes(self) -> dict[str, str]:
        """Return what a variable that holds the index says of it."""
        return {
            "long_name": self.long_name or self.name,
            "units": self.units,
            "kind": "index",
            "formula": f"10 log10({self.formula})" if self.decibels else self.formula,
            "source": self.source or "formula of the user",
        }
