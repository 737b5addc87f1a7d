"""Catalogues: a STAC API, or a frozen list of items in a file or in memory."""

from __future__ import annotations

import itertools
import logging
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pystac
import pystac_client
from pystac_client.errors import ClientTypeError
from pystac_client.exceptions import APIError
from pystac_client.warnings import PystacClientWarning

from cbmcube.catalog.access import AccessPolicy, Door, Gate, check_home, mend, same_host, show
from cbmcube.catalog.filters import Feature
from cbmcube.catalog.items import REPORT_KEY
from cbmcube.catalog.opening._files import Frozen, read_frozen
from cbmcube.exceptions import CatalogError

_log = logging.getLogger(__name__)

_LISTED = 2000
"""An API that lists more names than this is taken for one that does not list them."""

_SHOWN = 50
_QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
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
    """A STAC API.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> catalog = cbm.open_catalog("https://stac.eodc.eu/api/v1")  # doctest: +SKIP
    >>> catalog.filters  # doctest: +SKIP
    True
    """

    client: pystac_client.Client
    """Client of the API, with its own headers and timeouts."""
    access: AccessPolicy | None = None
    """Where its items may point at; ``None`` for the default."""
    page_size: int = 100
    """Items asked for at once."""
    known: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    """What was asked for once and does not change: collections, queryable properties."""
    door: Door | None = None
    """What sends the requests, unless the client is the user's own."""

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
    def collections(self) -> tuple[str, ...] | None:
        """Collections that the API lists, sorted; ``None`` if it does not list them all.

        The first use sends a request.
        """
        return self._once("collections", self._list_collections)

    @property
    def queryables(self) -> tuple[str, ...] | None:
        """Properties that the API says a filter can read; ``None`` if it does not say.

        The first use sends a request.
        """
        return self._once("queryables", self._list_queryables)

    @property
    def holds(self) -> str:
        """What the API says it holds, in words; may send a request."""
        names = self.collections
        if names is None:
            return "collections that it does not list"
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"collections {' '.join(names[:_SHOWN]) or 'none'}{more}"

    def _once(self, what: str, ask: Callable[[], Iterable[str]]) -> tuple[str, ...] | None:
        if what not in self.known:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PystacClientWarning)
                try:
                    names = sorted(itertools.islice(ask(), _LISTED + 1))
                except _UNREADABLE as error:
                    _log.info("%s lists no %s: %s", show(self.href or ""), what, type(error))
                    names = []
            self.known[what] = tuple(names) if 0 < len(names) <= _LISTED else None
        return self.known[what]

    def _list_collections(self) -> Iterable[str]:
        return (collection.id for collection in self.client.get_collections())

    def _list_queryables(self) -> Iterable[str]:
        link = self.client.get_single_link(_QUERYABLES)
        if link is None or not same_host(
            mend(link.absolute_href, self.href or ""), self.href or ""
        ):
            return ()
        return self.client.get_queryables_from(link.absolute_href)["properties"]

    def __repr__(self) -> str:
        name = self.client.title or self.client.id
        says = "CQL2 filters" if self.filters else "no CQL2 filters advertised"
        return f"<ApiCatalog {show(self.href or '')}: {name}; {says}>"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class FrozenCatalog:
    """A fixed list of items.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> cbm.open_catalog(country.catalogue).collections
    ('CARD-2A', 'CARD-BS', 'CARD-COH6')
    """

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


def open_catalog(
    href: str | Path,
    *,
    access: AccessPolicy | None = None,
    headers: Mapping[str, str] | None = None,
) -> Catalog:
    """Open a STAC API, or a frozen catalogue in a local file.

    Parameters
    ----------
    href
        Address of a STAC API (``https://…``), or path of an item collection (``.json``,
        ``.geojson``) or of stac-geoparquet (``.parquet``), such as `freeze` writes. A ``.json``
        file may also hold the records of an OpenSearch catalogue, see
        `cbmcube.catalog.from_opensearch`.
    access
        Where the items may point at. By default the items of an API may name web addresses and
        buckets, and those of a local file also files below its folder.
    headers
        What every request to the API carries, such as ``{"Authorization": "Bearer …"}``. They go
        to its own host only, and appear in no message. Files are read without them.

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
        return _open_api(href, access, headers)
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


def _open_api(
    href: str, access: AccessPolicy | None, headers: Mapping[str, str] | None
) -> ApiCatalog:
    if href.lower().split("?")[0].endswith((".json", ".geojson", ".parquet")):
        raise CatalogError(
            "a frozen catalogue is opened from a local file",
            given=show(href),
            hint="download the file first, or pass the address of a STAC API",
        )
    try:
        door = Door(href, headers)
        client = _connect(href, door)
    except _UNREADABLE as error:
        raise CatalogError(
            "no STAC API answers there",
            given=f"{show(href)}: {type(error).__name__}: {str(error)[:300]}",
            allowed="the landing page of a STAC API",
            hint="check the address and the network connection",
        ) from error
    search = client.get_single_link("search")
    if search is None:
        raise CatalogError(
            "the catalogue there offers no item search",
            given=show(href),
            allowed="a STAC API with a link rel=search",
            hint="a static catalogue can be searched once its items are saved as a file",
        )
    check_home(search.absolute_href, href, mended=True)
    return ApiCatalog(client, access, door=door)


def _connect(href: str, door: Door) -> pystac_client.Client:
    with warnings.catch_warnings():
        # what the API does not advertise is said by search()
        warnings.simplefilter("ignore", PystacClientWarning)
        return pystac_client.Client.open(href, stac_io=door)
