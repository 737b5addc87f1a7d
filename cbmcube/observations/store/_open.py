"""Make a store, or open one that exists."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from cbmcube.exceptions import (
    OptionError,
    StoreCorruptError,
    StoreExistsError,
    StoreFormatError,
    StoreNotFoundError,
)
from cbmcube.observations.store._address import Address, parse_address
from cbmcube.observations.store._backend import open_backend
from cbmcube.observations.store._names import FOLDERS, STORE, canonical_json, sha256
from cbmcube.observations.store._store import Store

FORMAT = 1
"""Version of the layout; raised when an older library could not read it."""


def create_store(
    url: str | os.PathLike[str],
    recipe: Mapping[str, Any],
    *,
    endpoint: str | None = None,
    region: str | None = None,
) -> Store:
    """Make a store, or open the one there if it has the same recipe.

    Parameters
    ----------
    url
        A folder, ``file:///folder`` or ``s3://bucket/prefix``. Keys never stand in it; they
        come from the environment (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, or a
        profile).
    recipe
        What decides, beside the inputs, the numbers: JSON values.
    endpoint
        Address of an object store other than Amazon's, with its scheme; by default what
        ``AWS_ENDPOINT_URL`` or ``AWS_S3_ENDPOINT`` says.
    region
        Region of the bucket; by default what the environment says.

    Raises
    ------
    StoreExistsError
        If a store of another recipe, or something that is no store, is there.

    Examples
    --------
    >>> from cbmcube.observations.store import create_store
    >>> store = create_store(getfixture("tmp_path") / "season", {"product": "CARD-BS"})
    >>> store.committed()
    set()
    """
    address = parse_address(url, endpoint=endpoint, region=region)
    store = Store(address, _checked(recipe))
    backend = store.objects.backend
    if backend.entry(STORE) is None:
        _refuse_strangers(address, backend.top())
        document = {"format": FORMAT, "recipe": store.recipe, "recipe_hash": store.recipe_hash}
        if store.objects.create(STORE, canonical_json(document), "store"):
            return store
    found = open_store(url, endpoint=endpoint, region=region)
    if found.recipe_hash != store.recipe_hash:
        raise StoreExistsError(
            f"{found.url} holds results of another recipe",
            given=_difference(store.recipe, found.recipe),
            allowed="the recipe that the store was made with",
            hint="choose another place for this recipe",
        )
    return found


def open_store(
    url: str | os.PathLike[str], *, endpoint: str | None = None, region: str | None = None
) -> Store:
    """Open a store; nothing is written.

    Parameters
    ----------
    url, endpoint, region
        As for `create_store`.

    Raises
    ------
    StoreNotFoundError
        If there is none; the message says what is there.
    StoreFormatError
        If it was written by a newer version.
    StoreCorruptError
        If its description is damaged.

    Examples
    --------
    >>> from cbmcube.observations.store import create_store, open_store
    >>> folder = getfixture("tmp_path") / "season"
    >>> made = create_store(folder, {"product": "CARD-BS"})
    >>> open_store(folder).recipe
    {'product': 'CARD-BS'}
    """
    address = parse_address(url, endpoint=endpoint, region=region)
    backend = open_backend(address)
    try:
        data = backend.read(STORE)
    except FileNotFoundError:
        top = sorted(backend.top())
        raise StoreNotFoundError(
            "there is no store of observations",
            given=address.url,
            allowed=f"a place with {STORE}; here is {_some(top)}",
            hint="check the address, or make a store with create_store or plan(..., store=...)",
        ) from None
    return Store(address, _read_recipe(data, address))


def _checked(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        canonical_json(dict(recipe))
    except (TypeError, ValueError) as error:
        raise OptionError("a recipe holds JSON values", given=str(error)) from error
    return recipe


def _read_recipe(data: bytes, address: Address) -> dict[str, Any]:
    try:
        document = json.loads(data)
        written = document["format"]
        if type(written) is int and written > FORMAT:
            raise StoreFormatError(
                f"{address.url} was written by a newer version of cbmcube",
                given=f"format {written}",
                allowed=f"format {FORMAT}",
                hint="update cbmcube",
            )
        recipe = document["recipe"]
        sound = written == FORMAT and document["recipe_hash"] == sha256(canonical_json(recipe))
    except (ValueError, TypeError, KeyError, RecursionError):
        sound = False
    if not sound or not isinstance(recipe, dict):
        raise StoreCorruptError(
            f"{STORE} of {address.url} is damaged or not that of a store",
            hint="restore this one file from a copy, or plan into a new store",
        )
    return recipe


def _refuse_strangers(address: Address, top: set[str]) -> None:
    # Another writer may have made the store since it was looked for.
    strangers = sorted(top - {*FOLDERS, STORE})
    if strangers:
        raise StoreExistsError(
            "a store needs a place of its own",
            given=f"{address.url} with {_some(strangers)}",
            allowed="a new or empty folder or prefix",
        )


def _some(names: list[str]) -> str:
    if not names:
        return "nothing"
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    names = sorted(n for n in {*ours, *theirs} if ours.get(n) != theirs.get(n))
    return "; ".join(f"{n}: {ours.get(n)!r}, there {theirs.get(n)!r}" for n in names)[:500]
