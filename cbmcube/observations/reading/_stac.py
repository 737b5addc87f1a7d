"""A store as a STAC Collection, so that results are found the way inputs are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import pandas as pd
import shapely.geometry

from cbmcube._version import __version__
from cbmcube.observations.reading._columns import described_columns
from cbmcube.observations.reading._observations import Observations
from cbmcube.observations.reading._open import open_observations
from cbmcube.observations.reading._source import Source
from cbmcube.observations.store import Store, canonical_json

COLLECTION, ITEMS = "collection.json", "items.json"
"""Names beside ``store.json``."""

MOST_LINKS = 20_000
"""Source items that are linked one by one; more are linked by acquisition."""

_TABLE = "https://stac-extensions.github.io/table/v1.2.0/schema.json"
_SAT = "https://stac-extensions.github.io/sat/v1.0.0/schema.json"
_PARQUET = "application/vnd.apache.parquet"
_ORBITS = {"relative_orbit": "sat:relative_orbit", "orbit_state": "sat:orbit_state"}


def stac_collection(
    store: str | os.PathLike[str] | Store | Observations, *, snapshot: int | None = None
) -> dict[str, Any]:
    """Describe a store as a STAC Collection; it is derived from a snapshot, and never truth.

    Parameters
    ----------
    store
        The store, or what `open_observations` returned.
    snapshot
        Number of a snapshot; the latest by default.

    Returns
    -------
    dict
        JSON of the Collection. Columns and their meaning by the table extension; a
        ``derived_from`` link to every source item (its own address without keys; without one,
        the copy in the store); recipe and versions; assets for the index of units, the plan and
        the parcels, with addresses relative to the store.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.observations.reading import stac_collection
    >>> from cbmcube.observations.season import plan
    >>> store = getfixture("tmp_path") / "season"
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id").head(3)
    >>> catalog = cbm.open_catalog(country.catalogue)
    >>> season = plan(catalog, cbm.CARD_BS, parcels, period="2024-03-01/2024-03-08", store=store)
    >>> report = season.run(progress=False)
    >>> collection = stac_collection(store)
    >>> collection["table:row_count"], collection["summaries"]["platform"]
    (12, ['sentinel-1a', 'sentinel-1b'])
    """
    source = _source(store, snapshot)
    recipe, found = source.store.recipe, source.snapshot
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "stac_extensions": [_TABLE, _SAT],
        "id": stac_id(source),
        "title": f"Statistics of {recipe.get('product', 'bands')} by parcel and acquisition",
        "description": _description(source),
        "keywords": ["parcels", "time series", "zonal statistics", *recipe.get("bands", ())],
        "license": "other",
        "extent": _extent(source),
        "summaries": _summaries(source),
        "table:columns": described_columns(source.schema),
        "table:row_count": len(Observations(source)),
        "table:tables": [
            {"name": "observations", "description": "one row for parcel, acquisition and band"},
            {"name": "parcels", "description": "one row for each parcel, with its geometry"},
        ],
        "cbmcube:recipe": recipe,
        "cbmcube:recipe_hash": source.store.recipe_hash,
        "cbmcube:snapshot": found.number,
        "cbmcube:root": found.root,
        "cbmcube:versions": _versions(source),
        "created": found.created,
        "links": [
            {"rel": "root", "href": f"./{COLLECTION}", "type": "application/json"},
            {"rel": "items", "href": f"./{ITEMS}", "type": "application/geo+json"},
            *_sources(source),
        ],
        "assets": _assets(source),
    }


def write_stac(
    store: str | os.PathLike[str] | Store | Observations, *, snapshot: int | None = None
) -> str:
    """Write a store's STAC Collection beside ``store.json``, replacing an earlier one.

    Beside it stands ``items.json``, an item collection with one item for each acquisition, which
    `open_catalog` opens and `search` searches.

    Returns
    -------
    str
        Where the Collection is.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.observations.reading import write_stac
    >>> from cbmcube.observations.season import plan
    >>> store = getfixture("tmp_path") / "season"
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id").head(3)
    >>> catalog = cbm.open_catalog(country.catalogue)
    >>> season = plan(catalog, cbm.CARD_BS, parcels, period="2024-03-01/2024-03-08", store=store)
    >>> report = season.run(progress=False)
    >>> place = write_stac(store)
    >>> found = cbm.search(cbm.open_catalog(store / "items.json"), period="2024-03-03")
    >>> found[0].properties["table:row_count"]
    6
    """
    source = _source(store, snapshot)
    _write(source.store, ITEMS, canonical_json(stac_items(source)))
    _write(source.store, COLLECTION, canonical_json(stac_collection(Observations(source))))
    return f"{source.store.url.rstrip('/')}/{COLLECTION}"


def stac_items(source: Source) -> dict[str, Any]:
    """Return an item collection with one item for each acquisition of a snapshot."""
    known = Observations(source).acquisitions()
    collection = stac_id(source)
    features = []
    for one in known[known["done"] > 0].to_dict("records"):
        told = {name: one[name] for name in ("platform", *_ORBITS) if not pd.isna(one[name])}
        properties = {_ORBITS.get(name, name): value for name, value in told.items()}
        features.append(
            {
                "type": "Feature",
                "stac_version": "1.1.0",
                "stac_extensions": [_TABLE, _SAT],
                "id": one["acquisition"],
                "collection": collection,
                "bbox": list(one["geometry"].bounds),
                "geometry": shapely.geometry.mapping(one["geometry"]),
                "properties": {
                    "datetime": one["time"].isoformat().replace("+00:00", "Z"),
                    **properties,
                    "table:row_count": int(one["rows"]),
                    "cbmcube:units": int(one["units"]),
                    "cbmcube:failed": int(one["failed"]),
                },
                "links": [{"rel": "collection", "href": f"./{COLLECTION}"}],
                "assets": {"index": _index_asset(source)},
            }
        )
    return {"type": "FeatureCollection", "features": features}


def stac_id(source: Source) -> str:
    """Return the id of a store's Collection."""
    product = source.store.recipe.get("product", "observations")
    return f"{product}-{source.store.recipe_hash[:12]}".lower()


def _source(store: Any, snapshot: int | None) -> Source:
    if isinstance(store, Observations) and snapshot is None:
        return store._source  # noqa: SLF001  # of one folder
    if isinstance(store, Observations):
        store = store.store
    return open_observations(store, snapshot=snapshot)._source  # noqa: SLF001


def _description(source: Source) -> str:
    failed = int((Observations(source).missing()["status"] != "pending").sum())
    lacking = f" Units that could not be read: {failed}." if failed else ""
    pending = (
        f" Planned units that are not done yet: {len(source.pending)}."
        if len(source.pending)
        else ""
    )
    return (
        f"Statistics of the pixels of {source.plan.n_parcels:,} agricultural parcels, computed on "
        "the native grids of the images by cbmcube. The asset `index` is a table with one row for "
        "each unit (acquisition and group of parcels): its rows are those of `file` from "
        f"`first_row` on, `rows` of them.{lacking}{pending}"
    )


def _extent(source: Source) -> dict[str, Any]:
    boxes = np.array([group["bounds"] for group in source.plan.groups], dtype=float)
    whole = [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()]
    interval: list[str | None] = [None, None]
    if len(source.units):
        ends = source.units.time[[0, -1]].astype("datetime64[s]")
        interval = [f"{moment}Z" for moment in ends]
    return {"spatial": {"bbox": [whole]}, "temporal": {"interval": [interval]}}


def _summaries(source: Source) -> dict[str, Any]:
    known = Observations(source).acquisitions()
    found: dict[str, Any] = {
        "cbmcube:bands": list(source.bands),
        "cbmcube:statistics": list(source.statistics),
    }
    for name in ("platform", *_ORBITS):
        values = known[name].dropna().unique().tolist()
        if values:
            found[_ORBITS.get(name, name)] = sorted(values)
    return found


def _versions(source: Source) -> dict[str, Any]:
    told = source.units.info(0).get("versions", {}) if len(source.units) else {}
    return {"cbmcube": __version__, **told}


def _assets(source: Source) -> dict[str, Any]:
    assets = {
        "index": _index_asset(source),
        "plan": {
            "href": f"./blobs/plans/{source.snapshot.plan}",
            "type": "application/json",
            "title": "Groups of parcels, acquisitions, units of work",
            "roles": ["metadata"],
        },
    }
    everything = source.plan.document.get("all_parcels")
    if everything:
        assets["parcels"] = {
            "href": f"./blobs/parcels/{everything}",
            "type": _PARQUET,
            "title": "Parcels as they were given",
            "roles": ["data"],
            "table:primary_geometry": "geometry",
            "table:row_count": len(source.plan.placed[0]),
            "table:columns": [
                {"name": "parcel", "type": str(source.schema.field("parcel").type)},
                {"name": "geometry", "type": "binary"},
            ],
        }
    return assets


def _index_asset(source: Source) -> dict[str, Any]:
    return {
        "href": f"./blobs/index/{source.snapshot.index}",
        "type": _PARQUET,
        "title": "One row for each unit: which rows of which file are its own",
        "roles": ["data", "index"],
        "table:row_count": len(source.units),
    }


def _sources(source: Source) -> Iterator[dict[str, str]]:
    """Link every source item, or the items of each acquisition where there are very many."""
    names = list(dict.fromkeys(one["items"] for one in source.plan.acquisitions))
    total = int(source.plan.document.get("items", 0))
    if total <= MOST_LINKS:
        with ThreadPoolExecutor(8) as pool:
            read = pool.map(lambda name: (name, _features(source, name)), names)
            links = [_link(name, one) for name, features in read for one in features]
        if len(links) <= MOST_LINKS:
            yield from links
            return
    for name in names:
        yield {
            "rel": "derived_from",
            "href": f"./blobs/items/{name}",
            "type": "application/geo+json",
        }


def _features(source: Source, name: str) -> list[dict[str, Any]]:
    return list(json.loads(source.store.get_blob("items", name))["features"])


def _link(name: str, item: dict[str, Any]) -> dict[str, str]:
    own = [link["href"] for link in item.get("links", ()) if link.get("rel") == "self"]
    href = without_keys(str(own[0])) if own else f"./blobs/items/{name}"
    kind = "application/geo+json"
    return {"rel": "derived_from", "href": href, "type": kind, "title": str(item["id"])}


def without_keys(href: str) -> str:
    """Return an address without user, password, query and fragment.

    Examples
    --------
    >>> without_keys("https://me:secret@stac.example.org/items/a?token=secret")
    'https://stac.example.org/items/a'
    """
    parts = urlsplit(href)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _write(store: Store, name: str, data: bytes) -> None:
    """Write an object whole or not at all."""
    filesystem = store.filesystem
    if store.url.startswith("s3:"):  # an object appears when its last byte is there
        with filesystem.open_output_stream(name) as stream:
            stream.write(data)
        return
    temporary = f"tmp/{name}-{os.getpid()}"
    filesystem.create_dir("tmp")
    with filesystem.open_output_stream(temporary) as stream:
        stream.write(data)
    filesystem.move(temporary, name)
