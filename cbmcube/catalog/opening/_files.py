"""Frozen catalogues in files: GeoJSON item collections and stac-geoparquet."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import stac_geoparquet.arrow

from cbmcube.catalog.opening._opensearch import is_record, read_record
from cbmcube.exceptions import CatalogError

Json = dict[str, Any]

EXACT = "cbmcube:json"
"""Column that keeps each item letter by letter: Arrow types lose absent keys and spellings."""

_FACTS = b"cbmcube:extra_fields"
_SUFFIXES = (".json", ".geojson", ".parquet")


@dataclass(frozen=True, slots=True)
class Frozen:
    """The content of a frozen catalogue."""

    items: Sequence[Json]
    """Items, as JSON."""
    extra_fields: Mapping[str, Any] = field(default_factory=dict)
    """Other members of the item collection."""


def check_suffix(path: Path) -> None:
    """Refuse a file that is no kind of frozen catalogue."""
    if path.suffix.lower() not in _SUFFIXES:
        raise CatalogError(
            "the kind of a frozen catalogue is told by its suffix",
            given=path,
            allowed=" ".join(_SUFFIXES),
            hint="rename the file, or give the address of a STAC API",
        )


def read_frozen(path: Path) -> Frozen:
    """Read the items of a frozen catalogue."""
    if not path.is_file():
        raise CatalogError(
            "no catalogue is there",
            given=path,
            allowed="the address of a STAC API, or a .json, .geojson or .parquet file",
            hint="check the path",
        )
    check_suffix(path)
    try:
        frozen = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_json(path)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, pa.ArrowException) as error:
        raise CatalogError(
            "the catalogue cannot be read",
            given=f"{path}: {type(error).__name__}: {str(error)[:300]}",
            allowed="a GeoJSON item collection, or stac-geoparquet",
            hint="write it anew with freeze(items, path)",
        ) from error
    for number, item in enumerate(frozen.items):
        _check_item(path, number, item)
    return frozen


def write_frozen(path: Path, frozen: Frozen) -> None:
    """Write a frozen catalogue whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        if path.suffix.lower() == ".parquet":
            _write_parquet(part, frozen)
        else:
            content = {"type": "FeatureCollection", "features": list(frozen.items)}
            text = json.dumps({**frozen.extra_fields, **content}, indent=1, ensure_ascii=False)
            part.write_text(text, encoding="utf-8")
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _read_json(path: Path) -> Frozen:
    content = json.loads(path.read_text(encoding="utf-8"))
    kind = content.get("type") if isinstance(content, dict) else type(content).__name__
    if kind == "Feature":
        return Frozen([content])
    if kind != "FeatureCollection" or not isinstance(content.get("features"), list):
        message = f"its type is {kind!r}, not 'FeatureCollection'"
        raise ValueError(message)
    if content["features"] and all(map(is_record, content["features"])):
        return Frozen([read_record(record) for record in content["features"]])
    extra = {key: value for key, value in content.items() if key not in ("type", "features")}
    return Frozen(content["features"], extra)


def _read_parquet(path: Path) -> Frozen:
    table = pq.read_table(path)
    if EXACT in table.column_names:
        metadata = table.schema.field(EXACT).metadata or {}
        extra = json.loads(metadata.get(_FACTS, b"{}"))
        return Frozen([json.loads(text) for text in table.column(EXACT).to_pylist()], extra)
    items = stac_geoparquet.arrow.stac_table_to_items(table)
    return Frozen([_without_nulls(item) for item in items])


def _without_nulls(item: Json) -> Json:
    """Remove the nulls that a table has wherever another row has a value."""
    clean: Json = _strip(item)
    clean.setdefault("geometry", None)
    if "properties" in clean:
        clean["properties"].setdefault("datetime", None)
    return clean


def _strip(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _strip(value) for key, value in node.items() if value is not None}
    return [_strip(value) for value in node] if isinstance(node, list) else node


def _without_empty(node: Any) -> Any:
    """Remove empty objects, for which Parquet has no type."""
    if isinstance(node, dict):
        clean = {key: _without_empty(value) for key, value in node.items()}
        return {key: value for key, value in clean.items() if value != {}}
    if isinstance(node, list):
        return [value for value in map(_without_empty, node) if value != {}]
    return node


def _write_parquet(path: Path, frozen: Frozen) -> None:
    # the writer sets the metadata of the file anew, and keeps that of its columns
    facts = {_FACTS: json.dumps(dict(frozen.extra_fields)).encode()}
    column = pa.field(EXACT, pa.large_string(), metadata=facts)
    exact = pa.array([json.dumps(item) for item in frozen.items], pa.large_string())
    try:
        typed = [_without_empty(item) for item in frozen.items]
        table = stac_geoparquet.arrow.parse_stac_items_to_arrow(typed).read_all()
        stac_geoparquet.arrow.to_parquet(table.append_column(column, exact), path)
    except (pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise CatalogError(
            "these items do not fit into one table",
            given=f"{len(frozen.items)} items: {str(error)[:300]}",
            hint="freeze them to a .json file",
        ) from error


def _check_item(path: Path, number: int, item: object) -> None:
    problem = None
    if not isinstance(item, dict):
        problem = "is not an object"
    elif not isinstance(item.get("id"), str) or not item["id"]:
        problem = "has no id"
    elif "stac_version" not in item:
        problem = "has no stac_version"
    elif not isinstance(item.get("properties"), dict) or not isinstance(item.get("assets"), dict):
        problem = "has no properties or no assets"
    elif not all(isinstance(asset, dict) for asset in item["assets"].values()):
        problem = "has an asset that is not an object"
    if problem:
        raise CatalogError(
            f"item number {number + 1} of the catalogue {problem}",
            given=path,
            allowed="STAC items",
            hint="write the catalogue anew with freeze(items, path)",
        )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
