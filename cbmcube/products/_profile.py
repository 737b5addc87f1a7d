"""How a provider spells a product: collections, asset keys, stored numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from cbmcube.exceptions import OptionError

Form = Literal["linear", "decibel", "amplitude"]


@dataclass(frozen=True, slots=True)
class Stored:
    """How a provider stores a band, as far as the product's `Band` does not say it.

    With ``n`` a stored number and ``v = n * scale + offset``, the value is

    - ``v`` in the form ``"linear"``,
    - ``10 ** (v / 10)`` in the form ``"decibel"``: linear power,
    - ``v ** 2`` in the form ``"amplitude"``: linear power.

    Examples
    --------
    Backscatter as whole numbers with ``dB = 20 log10(n) - 83``:

    >>> from cbmcube.products import Stored
    >>> stored = Stored(dtype="uint16", nodata=0, form="amplitude", scale=10 ** (-83 / 20))
    >>> f"{(5000 * stored.scale) ** 2:.4f}"
    '0.1253'
    """

    form: Form | None = None
    """How ``v`` becomes a value; backscatter is refused where neither this nor the item says."""
    scale: float | None = None
    """Factor, where the item does not state one."""
    offset: float | None = None
    """Term, where the item does not state one; the only term of bands but reflectance."""
    nodata: float | None = None
    """Stored number that means "no data", where the item does not state one."""
    dtype: str | None = None
    """NumPy data type of the stored numbers, where the item does not state one."""
    scale_divides: bool = False
    """Whether items state the number to divide by instead of the factor STAC asks for."""

    def __post_init__(self) -> None:
        if self.form is not None and self.form not in get_args(Form):
            raise OptionError(
                "stored numbers have no such form",
                given=repr(self.form),
                allowed=", ".join(map(repr, get_args(Form))),
                hint='choose "linear" for numbers that are proportional to the value',
            )
        for name, number in (("scale", self.scale), ("offset", self.offset)):
            if number is not None and not (np.isfinite(number) and (number or name == "offset")):
                raise OptionError(
                    f"{name} of stored numbers must be a usable number",
                    given=number,
                    allowed="a finite number, for a scale other than 0",
                )


@dataclass(frozen=True, slots=True)
class Profile:
    """How one provider spells a product.

    An item has this spelling if `properties` hold for it and either its collection is one of
    `collections` and it has any of the asset keys, or, in a collection of another name, it
    has all of them. Fewer bands than the product's are allowed.

    Examples
    --------
    A mirror that keeps red and near infrared as ``r`` and ``n``, and its use:

    >>> from cbmcube.products import CARD_2A, Profile
    >>> mirror = Profile(name="mirror", collections=("s2",), assets={"B04": "r", "B08": "n"})
    >>> product = CARD_2A.with_profile(mirror)
    >>> product.profile_for("s2", ["r", "n"]).name
    'mirror'
    """

    name: str
    """Short name of the provider or convention."""
    collections: tuple[str, ...]
    """Collection ids under which items are found."""
    assets: Mapping[str, str]
    """Exact asset key of each band."""
    stored: Mapping[str, Stored] = field(default_factory=dict)
    """How numbers are stored, by band; bands that are left out are as the product says."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Item properties that must hold: a value, or ``None`` for any value."""
    keys_suffice: bool = True
    """Whether asset keys tell the spelling in a collection of another name.

    False where the same keys carry other numbers elsewhere, as with backscatter.
    """
    processed_further: bool = False
    """Whether numbers were changed after ESA's processing, so that its baseline says nothing."""
    reconstructed: bool = False
    """Whether parts were pieced together from public code and documents, not read from items."""
    note: str = ""
    """What users must know of this spelling; told with its radiometry."""

    def __post_init__(self) -> None:
        if not self.assets:
            raise OptionError(
                f"profile {self.name!r} spells no band",
                given="assets={}",
                allowed="an asset key for each band that the provider has",
                hint='pass assets={"B04": "red"}',
            )
        unspelt = [name for name in self.stored if name not in self.assets]
        if unspelt:
            raise OptionError(
                f"profile {self.name!r} says how bands are stored that it does not spell",
                given=", ".join(unspelt),
                allowed=", ".join(self.assets),
                hint="give each of these bands an asset key too",
            )

    def evidence(
        self, collection: str | None, assets: Collection[str], properties: Mapping[str, Any]
    ) -> tuple[bool, int] | None:
        """Return whether the collection matches and how many facts do; ``None`` for no fit."""
        keys = sum(key in assets for key in self.assets.values())
        named = collection in self.collections
        if not keys or not (named or (self.keys_suffice and keys == len(self.assets))):
            return None
        if not all(_holds(properties, name, value) for name, value in self.properties.items()):
            return None
        return named, keys + len(self.properties)


def _holds(properties: Mapping[str, Any], name: str, value: Any) -> bool:
    return name in properties and (value is None or properties[name] == value)


def best_profile(
    profiles: Iterable[Profile],
    collection: str | None,
    assets: Collection[str],
    properties: Mapping[str, Any],
) -> Profile | None:
    """Return the profile with the strongest evidence, the first among equals."""
    found = [(profile.evidence(collection, assets, properties), profile) for profile in profiles]
    fitting = [(evidence, profile) for evidence, profile in found if evidence is not None]
    return max(fitting, key=lambda pair: pair[0], default=(None, None))[1]
