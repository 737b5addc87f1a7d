"""Catalogues: a STAC API, or a frozen list of items in a file or in memory."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pystac
import pystac_client
from pystac_client.errors import ClientTypeError
from pystac_client.exceptions import APIError
from pystac_client.warnings import PystacClientWarning

from cbmcube.catalog._access import AccessPolicy, Gate, show
from cbmcube.catalog._feature import Feature
from cbmcube.catalog._files import Frozen, read_frozen
from cbmcube.catalog._report import REPORT_KEY
from cbmcube.exceptions import CatalogError

_LISTED = 50
_UNREADABLE = (
    APIError,
    ClientTypeError,
    pystac.STACError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
)
"""What pystac_client raises when something answers that is no STAC API."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ApiCatalog:
    """A STAC API."""

    client: pystac_client.Client
    """Client of the API, with its own headers and timeouts."""
    access: AccessPolicy | None = None
    """Where its items may point at; ``None`` for the default."""
    page_size: int = 100
    """Items asked for at once."""

    @property
    def href(self) -> str | None:
        """Address of the API."""
        return self.client.get_self_href()

    @property
    def gate(self) -> Gate:
        """The access policy in force."""
        return Gate(self.access or AccessPolicy(), self.href)

    @property
    def filters(self) -> bool:
        """Whether the API says that it can filter with CQL2-JSON."""
        classes = self.client.get_conforms_to()
        return any("item-search" in one and one.endswith("filter") for one in classes) and any(
            "cql2-json" in one for one in classes
        )

    @property
    def holds(self) -> str:
        """What the API says it holds, in words; sends a request."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PystacClientWarning)
            try:
                found = itertools.islice(self.client.get_collections(), _LISTED)
                names = sorted(collection.id for collection in found)
            except _UNREADABLE as error:
                return f"collections that it does not list ({type(error).__name__})"
        return f"collections {' '.join(names) or 'none'}"

    def __repr__(self) -> str:
        name = self.client.title or self.client.id
        says = "CQL2 filters" if self.filters else "no CQL2 filters advertised"
        return f"<ApiCatalog {show(self.href or '')}: {name}; {says}>"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class FrozenCatalog:
    """A fixed list of items."""

    features: tuple[Feature, ...]
    """The items, as they were stored."""
    href: str | None = None
    """Absolute path of the file, or ``None`` for items in memory."""
    access: AccessPolicy | None = None
    """Where its items may point at; ``None`` for the default."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the search that made the list knew, as its report keeps it."""

    @property
    def gate(self) -> Gate:
        """The access policy in force; items in memory are the caller's own."""
        return Gate(self.access or AccessPolicy(), self.href, any_file=self.href is None)

    @property
    def collections(self) -> tuple[str, ...]:
        """Collections that occur, sorted."""
        return tuple(sorted({str(one.json.get("collection")) for one in self.features}))

    @property
    def holds(self) -> str:
        """What the catalogue holds, in words."""
        spans = [one.span for one in self.features if one.span]
        if not spans:
            return f"{len(self.features)} items"
        first, last = min(span[0] for span in spans), max(span[1] for span in spans)
        names = " ".join(self.collections)
        return f"{len(self.features)} items, {names}, {first:%Y-%m-%d} to {last:%Y-%m-%d}"

    def __repr__(self) -> str:
        name = Path(self.href).name if self.href else "in memory"
        return f"<FrozenCatalog {name}: {self.holds}>"


Catalog = ApiCatalog | FrozenCatalog


def open_catalog(href: str | Path, *, access: AccessPolicy | None = None) -> Catalog:
    """Open a STAC API, or a frozen catalogue in a local file.

    Parameters
    ----------
    href
        Address of a STAC API (``https://…``), or path of an item collection (``.json``,
        ``.geojson``) or of stac-geoparquet (``.parquet``), such as `freeze` writes.
    access
        Where the items may point at. By default the items of an API may name web addresses and
        buckets, and those of a local file also files below its folder.

    Returns
    -------
    ApiCatalog or FrozenCatalog
        For `search`.

    Raises
    ------
    CatalogError
        If nothing is there, or what is there is not STAC.

    Examples
    --------
    >>> open_catalog("no-such-file.json")
    Traceback (most recent call last):
    cbmcube.exceptions.CatalogError: no catalogue is there
      given:   no-such-file.json
      allowed: the address of a STAC API, or a .json, .geojson or .parquet file
      next:    check the path
    """
    if isinstance(href, str) and href.lower().startswith(("http://", "https://")):
        return _open_api(href, access)
    frozen = read_frozen(Path(href))
    return _frozen(frozen, str(Path(href).absolute()), access)


def as_catalog(
    catalog: Catalog | pystac_client.Client | pystac.ItemCollection,
) -> Catalog:
    """Return a catalogue for anything that `search` accepts."""
    if isinstance(catalog, (ApiCatalog, FrozenCatalog)):
        return catalog
    if isinstance(catalog, pystac_client.Client):
        return ApiCatalog(catalog)
    if isinstance(catalog, pystac.ItemCollection):
        items = [item.to_dict(transform_hrefs=False) for item in catalog.items]
        return _frozen(Frozen(items, catalog.extra_fields), None, None)
    raise CatalogError(
        "this is not a catalogue",
        given=type(catalog).__name__,
        allowed="what open_catalog returns, a pystac_client.Client, a pystac.ItemCollection",
        hint="open it with open_catalog(href)",
    )


def _frozen(frozen: Frozen, href: str | None, access: AccessPolicy | None) -> FrozenCatalog:
    facts = frozen.extra_fields.get(REPORT_KEY)
    return FrozenCatalog(
        features=tuple(map(Feature, frozen.items)),
        href=href,
        access=access,
        facts=facts if isinstance(facts, Mapping) else {},
    )


def _open_api(href: str, access: AccessPolicy | None) -> ApiCatalog:
    if href.lower().split("?")[0].endswith((".json", ".geojson", ".parquet")):
        raise CatalogError(
            "a frozen catalogue is opened from a local file",
            given=show(href),
            hint="download the file first, or pass the address of a STAC API",
        )
    try:
        client = _connect(href)
    except _UNREADABLE as error:
        raise CatalogError(
            "no STAC API answers there",
            given=f"{show(href)}: {type(error).__name__}: {str(error)[:300]}",
            allowed="the landing page of a STAC API",
            hint="check the address and the network connection",
        ) from error
    if client.get_single_link("search") is None:
        raise CatalogError(
            "the catalogue there offers no item search",
            given=show(href),
            allowed="a STAC API with a link rel=search",
            hint="a static catalogue can be searched once its items are saved as a file",
        )
    return ApiCatalog(client, access)


def _connect(href: str) -> pystac_client.Client:
    with warnings.catch_warnings():
        # what the API does not advertise is said by search()
        warnings.simplefilter("ignore", PystacClientWarning)
        return pystac_client.Client.open(href)
