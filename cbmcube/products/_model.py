"""The vocabulary of a product: its bands, mask rule and spellings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from cbmcube.exceptions import OptionError, UnknownBandError

BandKind = Literal["reflectance", "backscatter", "coherence", "index", "classes"]


@dataclass(frozen=True, slots=True)
class Band:
    """One layer of a product.

    A class band (``kind="classes"``) holds codes: it is never scaled, averaged or
    interpolated, and reduces to the share of each class.
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
    """NumPy data type of the stored numbers."""
    nodata: float
    """Stored number that means "no data" where an item does not say."""
    scale: float = 1.0
    """Factor from stored numbers to ``units``, where an item does not say."""
    classes: Mapping[int, str] = field(default_factory=dict)
    """Meaning of each code of a class band."""

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
    """Which codes of a class band make a pixel unusable."""

    band: str
    """Name of the class band."""
    masked: frozenset[int]
    """Codes that are masked."""
    source: str
    """Where the choice of codes comes from."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How one provider spells a product."""

    name: str
    """Short name of the provider or convention."""
    collections: tuple[str, ...]
    """Collection ids under which items are found."""
    assets: Mapping[str, str]
    """Exact asset key of each band."""


@dataclass(frozen=True, slots=True)
class Product:
    """A Copernicus analysis-ready (CARD) product.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> cbm.CARD_BS.band("VV").units
    '1'
    >>> [band.name for band in cbm.CARD_2A.bands if band.kind == "classes"]
    ['SCL']
    """

    name: str
    """Name of the product, such as ``"CARD-2A"``."""
    title: str
    """What it is, in a few words."""
    bands: tuple[Band, ...]
    """All bands a user can name, in the product's order."""
    profiles: tuple[Profile, ...]
    """Known spellings, the preferred first."""
    repeat_days: int
    """Days after which one satellite of the constellation repeats its orbit."""
    mask_rule: MaskRule | None = None
    """The product's own rule for unusable pixels, if it has one."""

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of all bands, in order."""
        return tuple(band.name for band in self.bands)

    def band(self, name: str) -> Band:
        """Return the band called `name`.

        Raises
        ------
        UnknownBandError
            If the product has no such band.
        """
        for band in self.bands:
            if band.name == name:
                return band
        raise UnknownBandError(
            f"{self.name} has no band {name!r}",
            given=repr(name),
            allowed=", ".join(self.band_names),
            hint="choose bands from this list; an index such as NDVI is computed from loaded bands",
        )

    def select_bands(self, names: Iterable[str] | str | None) -> tuple[Band, ...]:
        """Return the bands called `names`, or all of them for ``None``."""
        if names is None:
            return self.bands
        wanted = [names] if isinstance(names, str) else list(names)
        if not wanted:
            raise UnknownBandError(
                f"no band of {self.name} was asked for",
                given="an empty list",
                allowed=", ".join(self.band_names),
                hint="name at least one band, or pass bands=None for all",
            )
        return tuple(self.band(name) for name in dict.fromkeys(wanted))

    def profile_for(self, collection: str | None, assets: Collection[str]) -> Profile | None:
        """Return the profile that spells `assets`, the one of `collection` preferred."""
        fitting = [p for p in self.profiles if any(key in assets for key in p.assets.values())]
        for profile in fitting:
            if collection in profile.collections:
                return profile
        return fitting[0] if fitting else None

    @property
    def collections(self) -> tuple[str, ...]:
        """Collection ids of every profile, without repetition."""
        return tuple(dict.fromkeys(c for profile in self.profiles for c in profile.collections))

    def __repr__(self) -> str:
        bands = " ".join(self.band_names)
        return f"<Product {self.name}: {self.title}; bands {bands}>"
