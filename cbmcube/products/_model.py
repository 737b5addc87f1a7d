"""A product: its bands, mask rule and spellings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cbmcube.exceptions import UnknownBandError
from cbmcube.products._band import Band, MaskRule
from cbmcube.products._profile import Profile, best_profile


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

    def profile_for(
        self,
        collection: str | None,
        assets: Collection[str],
        properties: Mapping[str, Any] | None = None,
    ) -> Profile | None:
        """Return the profile that spells an item, or ``None`` if no provider is known to.

        A profile that names the collection comes before one that does not, then the one
        with most asset keys and properties found.

        Parameters
        ----------
        collection
            Collection id of the item.
        assets
            Its asset keys.
        properties
            Its properties.
        """
        return best_profile(self.profiles, collection, assets, properties or {})

    def with_profile(self, profile: Profile) -> Product:
        """Return a product that knows `profile` too, and prefers it.

        Parameters
        ----------
        profile
            A spelling; takes the place of one of the same name.

        Raises
        ------
        UnknownBandError
            If `profile` spells a band that the product does not have.
        """
        for name in profile.assets:
            self.band(name)
        others = tuple(known for known in self.profiles if known.name != profile.name)
        return replace(self, profiles=(profile, *others))

    @property
    def collections(self) -> tuple[str, ...]:
        """Collection ids of every profile, without repetition."""
        return tuple(dict.fromkeys(c for profile in self.profiles for c in profile.collections))

    def __repr__(self) -> str:
        bands = " ".join(self.band_names)
        return f"<Product {self.name}: {self.title}; bands {bands}>"
