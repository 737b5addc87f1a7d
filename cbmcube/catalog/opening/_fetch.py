"""Items from a STAC API, page by page, with guards against servers that lose their way."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pystac
from pystac_client import ItemSearch
from pystac_client.exceptions import APIError
from pystac_client.warnings import PystacClientWarning

from cbmcube.catalog.access import check_home, show
from cbmcube.catalog.filters import Json
from cbmcube.catalog.opening._catalog import ApiCatalog
from cbmcube.exceptions import CatalogError
from cbmcube.warnings import PossiblyTruncatedWarning

MAX_PAGES = 10_000
"""Pages after which a search is taken for endless: a million items of 100 a page."""


@dataclass(slots=True)
class Pages:
    """One search of an API; iterating it sends the requests."""

    catalog: ApiCatalog
    """The API."""
    condition: Json | None
    """What is asked for."""
    repeated: int = 0
    """Items that came again on a later page."""
    _seen: set[tuple[object, object]] = field(default_factory=set)

    def __iter__(self) -> Iterator[Json]:
        """Yield every item once, in the server's order; start again once after a reset."""
        try:
            yield from self._once()
        except APIError as error:
            if not _was_reset(error):
                raise _failed(self.catalog, error) from error
            before = set(self._seen)
            try:
                yield from self._once(before)
            except APIError as again:
                raise _failed(self.catalog, again) from again

    def _once(self, before: set[tuple[object, object]] | None = None) -> Iterator[Json]:
        known = before or set()
        for number, page in enumerate(self._pages(), start=1):
            fresh = 0
            features = _features(page, self.catalog)
            for item in features:
                key = (item.get("collection"), item["id"])
                if key in known:
                    fresh += 1
                    known.discard(key)
                elif key in self._seen:
                    self.repeated += 1
                else:
                    fresh += 1
                    self._seen.add(key)
                    yield item
            if self._is_last(page, number, len(features), fresh):
                return

    def _pages(self) -> Iterator[Json]:
        search = _search(self.catalog, self.condition)
        self._check_home(search.url)
        try:
            yield from search.pages_as_dicts()
        except (ValueError, KeyError, AttributeError, TypeError, pystac.STACError) as error:
            raise CatalogError(
                "the STAC API sent an answer that is not STAC",
                given=f"{show(self.catalog.href or '')}: {type(error).__name__}: {error}"[:300],
                hint="try again later, or tell the people who run it",
            ) from error

    def _is_last(self, page: Json, number: int, size: int, fresh: int) -> bool:
        following = [link for link in page.get("links") or [] if link.get("rel") == "next"]
        if not following:
            self._check_end(page, number, size)
            return True
        self._check_home(following[0].get("href"))
        if fresh and number < MAX_PAGES:
            return False
        reason = "held only items that had come before" if not fresh else "is the last that is read"
        _warn_truncated(f"page {number} {reason}")
        return True

    def _check_end(self, page: Json, number: int, size: int) -> None:
        matched = page.get("numberMatched")
        got = len(self._seen) + self.repeated
        if isinstance(matched, int) and matched > got:
            _warn_truncated(f"{got} of {matched} items were sent")
        elif matched is None and number == 1 and size == self.catalog.page_size:
            _warn_truncated(f"exactly one full page of {size} items was sent, and no next link")

    def _check_home(self, href: object) -> None:
        mended = self.catalog.door is not None
        check_home(str(href), self.catalog.href or "", mended=mended)


def _search(catalog: ApiCatalog, condition: Json | None) -> ItemSearch:
    with warnings.catch_warnings():
        # search() has told the user already what the API does not advertise
        warnings.simplefilter("ignore", PystacClientWarning)
        try:
            return catalog.client.search(
                method="POST",
                limit=catalog.page_size,
                filter=condition,
                filter_lang=None if condition is None else "cql2-json",
            )
        except (APIError, NotImplementedError) as error:
            raise _failed(catalog, error) from error


def _features(page: Json, catalog: ApiCatalog) -> list[Json]:
    features = page.get("features")
    good = isinstance(features, list) and all(
        isinstance(item, dict)
        and isinstance(item.get("id"), str)
        and isinstance(item.get("properties"), dict)
        and isinstance(item.get("assets"), dict)
        and all(isinstance(asset, dict) for asset in item["assets"].values())
        for item in features
    )
    if not good or not isinstance(features, list):
        raise CatalogError(
            "the STAC API sent a page whose items are not STAC",
            given=show(catalog.href or ""),
            hint="tell the people who run it",
        )
    return features


def _was_reset(error: APIError) -> bool:
    text = str(error)
    return getattr(error, "status_code", None) is None and (
        "Connection reset" in text or "Connection aborted" in text
    )


def _failed(catalog: ApiCatalog, error: Exception) -> CatalogError:
    status: Any = getattr(error, "status_code", None)
    return CatalogError(
        "the STAC API did not answer the search",
        given=f"{show(catalog.href or '')}: {f'HTTP {status}: ' if status else ''}{error}"[:500],
        hint="simplify the filter: a server that answers 4xx or 500 often dislikes one operator; "
        "otherwise try again later",
    )


def _warn_truncated(reason: str) -> None:
    warnings.warn(
        f"the server may have ended its answer early: {reason}",
        PossiblyTruncatedWarning,
        stacklevel=2,
    )
