"""Records of an OpenSearch catalogue (RESTO, as CREODIAS serves it) as STAC items."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pystac
import shapely
import shapely.geometry

from cbmcube.catalog.filters import Json, as_geojson, compact, rfc3339, to_time
from cbmcube.catalog.items import UNFILLED
from cbmcube.exceptions import CatalogError

CORRECTED = "cbmcube:corrected"
"""Property that lists what a record says and its product name contradicts."""

_PAIR = re.compile(
    r"S1(?P<unit>[A-D])_(?P<one>\d{8}T\d{6})__S?1[A-D]_+(?P<other>\d{8}T\d{6})_\d{8}T\d{6}_CARD-COH"
)
_SAR = re.compile(
    r"S1(?P<unit>[A-D])_\w{2}_\w{4}_\w{4}_(?P<start>\d{8}T\d{6})_(?P<end>\d{8}T\d{6})_"
)
_OPTICAL = re.compile(
    r"S2(?P<unit>[A-D])_MSIL\w{2}_(?P<start>\d{8}T\d{6})_N(?P<baseline>\d{4})_R\d{3}"
    r"_T(?P<tile>\w{5})_(?P<made>\d{8}T\d{6})"
)
_PLATFORM = re.compile(r"S(?P<mission>[12])(?P<unit>[A-D])", flags=re.IGNORECASE)
_ROUNDING = timedelta(seconds=2)
"""Product names give whole seconds, and records fractions."""

_GRID = ("proj:code", "proj:transform", "proj:shape")


def is_record(feature: object) -> bool:
    """Tell whether a GeoJSON feature is a record of an OpenSearch catalogue."""
    facts = feature.get("properties") if isinstance(feature, Mapping) else None
    return isinstance(facts, Mapping) and {"productType", "startDate"} <= facts.keys()


def from_opensearch(
    records: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    *,
    assets: Mapping[str, str] | None = None,
) -> pystac.ItemCollection:
    """Turn records of an OpenSearch catalogue into STAC items.

    Products such as CARD-BS and CARD-COH6 are listed there and in no STAC API. A record names a
    folder and says nothing of files and grids, so its item lists in ``cbmcube:unfilled`` what it
    lacks, and `report` counts that. Where product name and record contradict each other, the
    name is right, and ``cbmcube:corrected`` keeps what the record said.

    Parameters
    ----------
    records
        An answer of the catalogue (a GeoJSON feature collection), or its features.
    assets
        How the files of a product are called: asset key to address, in which ``{path}`` stands
        for the product's folder and ``{title}`` for its name. Without it, each item has the
        folder as its only asset, ``product``.

    Returns
    -------
    pystac.ItemCollection
        One item for each record, in order. The collection is the record's product type, so that
        ``search(items, CARD_COH6)`` finds what it should. A coherence item has the later date as
        ``datetime`` and the earlier as ``insar:reference_datetime``.

    Raises
    ------
    CatalogError
        If something is not such a record.

    Examples
    --------
    >>> from cbmcube.catalog import from_opensearch
    >>> record = {
    ...     "type": "Feature",
    ...     "id": "06f0a6e0",
    ...     "geometry": {"type": "Point", "coordinates": [47.4, 45.6]},
    ...     "properties": {
    ...         "title": "S1A_20141023T025837__1A__20141011T025837_20141011T025905_CARD-COH12",
    ...         "productType": "CARD-COH12",
    ...         "startDate": "2014-10-23T02:58:37.706Z",
    ...         "productIdentifier": "/eodata/coherence",
    ...     },
    ... }
    >>> [item] = from_opensearch([record], assets={"VV": "{path}/VV.tif"})
    >>> item.datetime.isoformat(), item.properties["insar:reference_datetime"]
    ('2014-10-23T02:58:37.706000+00:00', '2014-10-11T02:58:37Z')
    >>> item.assets["VV"].href
    '/eodata/coherence/VV.tif'
    """
    found = records.get("features") if isinstance(records, Mapping) else records
    if not isinstance(found, Iterable):
        raise _not_a_record(records)
    return pystac.ItemCollection([pystac.Item.from_dict(read_record(r, assets)) for r in found])


def read_record(record: Any, assets: Mapping[str, str] | None = None) -> Json:
    """Return the STAC JSON of one record."""
    if not is_record(record):
        raise _not_a_record(record)
    facts = record["properties"]
    title = str(facts.get("title") or record.get("id") or "").removesuffix(".SAFE")
    geometry, box = _footprint(record.get("geometry"))
    properties, said = _properties(title, facts)
    links = [
        {**link, "rel": "self" if link.get("rel") == "self" else "related"}
        for link in facts.get("links") or ()
        if isinstance(link, Mapping) and link.get("href")
    ]
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": title,
        "collection": facts["productType"],
        "geometry": geometry,
        **({"bbox": box} if box else {}),
        "links": links,
        "properties": properties,
        "assets": _assets(facts.get("productIdentifier"), title, assets),
    }
    missing = [key for key, value in properties.items() if value is None and key != "datetime"]
    for key in missing:
        del properties[key]
    properties[UNFILLED] = [*missing, *([] if geometry else ["geometry"]), *_GRID]
    if not assets:
        properties[UNFILLED].append("assets of bands")
    if said:
        properties[CORRECTED] = said
    return item


def _properties(title: str, facts: Mapping[str, Any]) -> tuple[Json, Json]:
    """Return the properties of an item, and what the record says otherwise."""
    said: Json = {}
    pair, name = _PAIR.match(title), _SAR.match(title) or _OPTICAL.match(title)
    start, end = _times(facts, pair, name, said)
    found: Json = {
        "datetime": start,
        "start_datetime": start,
        "end_datetime": end,
        **_satellite(facts, pair or name, said),
        "sat:relative_orbit": facts.get("relativeOrbitNumber"),
        "sat:absolute_orbit": facts.get("orbitNumber"),
        "sat:orbit_state": _lower(facts.get("orbitDirection")),
        "created": facts.get("published"),
        "updated": facts.get("updated"),
        "product:type": facts["productType"],
    }
    cover = facts.get("cloudCover")
    if name is not None and "tile" in name.groupdict():
        found |= {
            "grid:code": f"MGRS-{name['tile']}",
            "s2:product_uri": f"{title}.SAFE",
            "processing:datetime": rfc3339(compact(name["made"])),
            "eo:cloud_cover": cover if isinstance(cover, (int, float)) and cover >= 0 else None,
        }
    if pair is not None:
        earlier, later = sorted(compact(pair[name]) for name in ("one", "other"))
        found |= {
            "insar:reference_datetime": rfc3339(earlier),
            "insar:secondary_datetime": start,
            "insar:temporal_baseline": (later.date() - earlier.date()).days,
        }
    return found, said


def _times(facts: Mapping[str, Any], pair: Any, name: Any, said: Json) -> tuple[str, str]:
    start, end = to_time(facts["startDate"]), to_time(facts.get("completionDate"))
    if start is None:
        raise _not_a_record(facts)
    named: datetime | None = None
    if pair is not None:
        named = max(compact(pair["one"]), compact(pair["other"]))
    elif name is not None:
        named = compact(name["start"])
    end = end or start
    if named is not None and abs(named - start) > _ROUNDING:
        said |= {"startDate": facts["startDate"], "completionDate": facts.get("completionDate")}
        start, end = named, named + (end - start)
    return rfc3339(start), rfc3339(end)


def _satellite(facts: Mapping[str, Any], name: Any, said: Json) -> Json:
    """Return constellation and platform; a record may name the wrong unit, or none."""
    text = str(facts.get("platform") or "")
    known = _PLATFORM.fullmatch(text)
    mission = re.search(r"[12]", text)
    if name is not None:
        mission = re.search(r"[12]", name[0])
        if known and known["unit"].upper() != name["unit"]:
            said["platform"] = text
    unit = name["unit"] if name is not None else known and known["unit"]
    constellation = f"sentinel-{mission[0]}" if mission else None
    return {
        "constellation": constellation,
        "platform": f"{constellation}{unit.lower()}" if constellation and unit else None,
    }


def _assets(path: object, title: str, names: Mapping[str, str] | None) -> Json:
    folder = path if isinstance(path, str) else ""
    if not names:
        return {"product": {"href": folder, "roles": ["data"]}} if folder else {}
    hrefs = {k: t.replace("{path}", folder).replace("{title}", title) for k, t in names.items()}
    return {key: {"href": href, "roles": ["data"]} for key, href in hrefs.items()}


def _footprint(geometry: Any) -> tuple[Json | None, list[float] | None]:
    try:
        shape = shapely.make_valid(shapely.geometry.shape(geometry)) if geometry else None
    except (AttributeError, KeyError, TypeError, ValueError, shapely.errors.ShapelyError):
        return None, None
    if shape is None or shape.is_empty:
        return None, None
    return as_geojson(shape), [float(side) for side in shape.bounds]


def _lower(value: object) -> str | None:
    return value.lower() if isinstance(value, str) else None


def _not_a_record(given: object) -> CatalogError:
    return CatalogError(
        "this is not a record of an OpenSearch catalogue",
        given=f"{type(given).__name__}: {str(given)[:200]}",
        allowed="GeoJSON features whose properties have productType and startDate",
        hint="pass the answer of the catalogue as it came",
    )
