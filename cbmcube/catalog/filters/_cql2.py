"""CQL2 filters: text or JSON in, one checked spelling of CQL2-JSON out.

The spelling that leaves this module is the one that servers were found to read alike: bare
property names, GeoJSON geometries instead of boxes, property before literal in spatial
conditions, and time literals written as instants or closed intervals of instants.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import cql2
import shapely
import shapely.geometry

from cbmcube.catalog.filters._times import parse_time, rfc3339
from cbmcube.exceptions import FilterError

Json = dict[str, Any]

LOGICAL = ("and", "or", "not")
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=", "between", "in", "isNull", "like")
SPATIAL = ("s_intersects", "s_within", "s_contains", "s_disjoint")
TEMPORAL = (
    "t_intersects",
    "anyinteracts",
    "t_before",
    "t_after",
    "t_during",
    "t_equals",
    "t_disjoint",
)
OPERATORS = (*LOGICAL, *COMPARISONS, *SPATIAL, *TEMPORAL, "casei")

_CANONICAL = {name.lower(): name for name in OPERATORS} | {"!=": "<>", "intersects": "s_intersects"}
_SWAPPED = {"s_within": "s_contains", "s_contains": "s_within"}
_GEOMETRIES = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"}
)
_LAST_MOMENT = timedelta(days=1) - timedelta(microseconds=1)
_OPEN = ("..", "", None)
_ARGUMENTS = {"not": 1, "isNull": 1, "casei": 1, "between": 3}


def parse_filter(given: str | Mapping[str, Any]) -> Json:
    """Read a filter written as CQL2 text or CQL2-JSON.

    Raises
    ------
    FilterError
        If it cannot be parsed, or uses an operator or literal that cannot be checked.
    """
    if isinstance(given, str):
        try:
            given = cql2.parse_text(given).to_json()
        except (cql2.ParseError, cql2.ValidationError) as error:
            raise FilterError(
                "the filter is not CQL2 text",
                given=f"{given!r}\n{error}",
                allowed="for example: eo:cloud_cover < 60 AND platform = 'sentinel-2a'",
                hint="mend the filter, or pass CQL2-JSON as a dict",
            ) from error
    if not isinstance(given, Mapping):
        raise FilterError(
            "a filter is CQL2 text or a CQL2-JSON dict",
            given=type(given).__name__,
            hint="pass a str such as 'eo:cloud_cover < 60'",
        )
    return _condition(given)


def both(*parts: Json | None) -> Json | None:
    """Join conditions with ``and``; ``None`` stands for no condition."""
    flat = [one for part in parts if part is not None for one in conjuncts(part)]
    if not flat:
        return None
    return flat[0] if len(flat) == 1 else {"op": "and", "args": flat}


def conjuncts(condition: Json) -> list[Json]:
    """Return the conditions that must all hold, nested ``and`` flattened."""
    if condition["op"] != "and":
        return [condition]
    return [one for part in condition["args"] for one in conjuncts(part)]


def property_names(expression: Any) -> Iterator[str]:
    """Yield the name of every property that an expression reads."""
    if isinstance(expression, Mapping):
        if "property" in expression:
            yield expression["property"]
        for part in expression.values():
            yield from property_names(part)
    elif isinstance(expression, (list, tuple)):
        for part in expression:
            yield from property_names(part)


def bare(name: str) -> str:
    """Return a property name without the prefix that only some servers understand."""
    return name.removeprefix("properties.")


def as_geojson(geometry: shapely.Geometry) -> Json:
    """Write a geometry as the plain JSON that a filter carries."""
    flat: Any = shapely.force_2d(geometry)
    return dict(shapely.geometry.mapping(flat))


def _condition(node: object) -> Json:
    if not isinstance(node, Mapping) or "op" not in node:
        raise FilterError(
            "a condition was expected in the filter",
            given=node,
            allowed='{"op": …, "args": […]}',
            hint="compare a property with a value; for a flag write flag = true",
        )
    op = _operator(node["op"])
    args = node.get("args")
    if not isinstance(args, (list, tuple)) or not args:
        raise FilterError(f"operator {op!r} has no list of arguments", given=dict(node))
    if op in LOGICAL:
        checked: list[Any] = [_condition(arg) for arg in args]
    elif op in SPATIAL:
        op, checked = _spatial(op, args)
    elif op in TEMPORAL:
        checked = [_temporal(arg) for arg in args]
    elif op == "casei":
        raise FilterError("casei(…) is a value, not a condition", given=dict(node))
    else:
        checked = _operands(op, args)
    _check_count(op, checked, node)
    return {"op": op, "args": checked}


def _operator(name: object) -> str:
    op = _CANONICAL.get(str(name).lower())
    if op is None:
        raise FilterError(
            f"the filter uses operator {name!r}, which cannot be checked on the items",
            given=name,
            allowed=" ".join(OPERATORS),
            hint="rewrite the filter with these operators, or select items after the search",
        )
    return op


def _check_count(op: str, args: Sequence[object], node: Mapping[str, Any]) -> None:
    wanted = _ARGUMENTS.get(op, 2)
    enough = len(args) >= 1 if op in ("and", "or") else len(args) == wanted
    if not enough:
        raise FilterError(
            f"operator {op!r} has the wrong number of arguments",
            given=f"{len(args)} in {dict(node)}",
            allowed=wanted,
        )


def _operands(op: str, args: Sequence[object]) -> list[Any]:
    if op != "in":
        return [_scalar(arg) for arg in args]
    if len(args) != 2 or not isinstance(args[1], (list, tuple)) or not args[1]:
        raise FilterError(
            "operator 'in' takes a property and a list of values",
            given=list(args),
            allowed='{"op": "in", "args": [{"property": "platform"}, ["sentinel-2a"]]}',
        )
    return [_scalar(args[0]), [_scalar(value) for value in args[1]]]


def _scalar(node: object) -> Any:
    if isinstance(node, (str, bool, int)):
        return node
    if isinstance(node, float) and math.isfinite(node):
        return int(node) if node.is_integer() else node
    if isinstance(node, Mapping):
        if "property" in node:
            return _property(node)
        if "op" in node and _operator(node["op"]) == "casei":
            return {"op": "casei", "args": [_scalar(arg) for arg in node.get("args", ())][:1]}
        if "timestamp" in node or "date" in node:
            return {"timestamp": rfc3339(_moment(node))}
    raise FilterError(
        "a value in the filter cannot be compared",
        given=node,
        allowed='text, number, true or false, {"property": …}, {"timestamp": …}, {"date": …}, '
        "casei(…)",
    )


def _property(node: Mapping[str, Any]) -> Json:
    name = node["property"]
    if not isinstance(name, str) or not bare(name).strip():
        raise FilterError("a property in the filter has no name", given=dict(node))
    return {"property": bare(name)}


def _spatial(op: str, args: Sequence[object]) -> tuple[str, list[Any]]:
    if len(args) != 2:
        raise FilterError(f"operator {op!r} takes the geometry and one shape", given=list(args))
    first, second = args
    if _is_property(second) and not _is_property(first):
        first, second, op = second, first, _SWAPPED.get(op, op)
    if not isinstance(first, Mapping) or bare(str(first.get("property"))) != "geometry":
        raise FilterError(
            f"operator {op!r} compares the items' geometry",
            given=first,
            allowed='{"property": "geometry"}',
        )
    return op, [{"property": "geometry"}, _shape(second)]


def _is_property(node: object) -> bool:
    return isinstance(node, Mapping) and "property" in node


def _shape(node: object) -> Json:
    if isinstance(node, Mapping) and "bbox" in node:
        node = node["bbox"]
    try:
        if isinstance(node, (list, tuple)):
            west, south, *_, east, north = (
                node if len(node) == 4 else (*node[:2], *node[3:5])  # drop heights
            )
            return as_geojson(shapely.box(west, south, east, north))
        if isinstance(node, Mapping) and node.get("type") in _GEOMETRIES:
            geometry = shapely.geometry.shape(dict(node))
            if not geometry.is_empty and shapely.is_valid(geometry):
                return as_geojson(geometry)
    except (TypeError, ValueError, shapely.errors.ShapelyError) as error:
        problem = f"{node}: {error}"
    else:
        problem = str(node)
    raise FilterError(
        "a shape in the filter is not a valid geometry",
        given=problem[:300],
        allowed=f"valid GeoJSON in longitude and latitude ({', '.join(sorted(_GEOMETRIES))}), "
        "or a box of 4 numbers",
        hint="repair it with shapely.make_valid, or pass the area as aoi=",
    )


def _temporal(node: object) -> Json:
    if isinstance(node, Mapping) and "property" in node:
        return _property(node)
    if isinstance(node, Mapping) and "interval" in node:
        return _interval(node["interval"])
    if isinstance(node, (list, tuple)):
        return _interval(node)
    if isinstance(node, str) and "/" in node:
        return _interval(node.split("/"))
    start, end = _moment(node), _moment(node, end=True)
    if start == end:
        return {"timestamp": rfc3339(start)}
    return {"interval": [rfc3339(start), rfc3339(end)]}


def _interval(ends: object) -> Json:
    if not isinstance(ends, (list, tuple)) or len(ends) != 2:
        raise FilterError("an interval has two ends", given=ends, allowed='["2024-03-01", ".."]')
    low, high = (None if _is_open(end) else end for end in ends)
    first = None if low is None else _moment(low)
    last = None if high is None else _moment(high, end=True)
    if first is not None and last is not None and first > last:
        raise FilterError("an interval ends before it starts", given=ends)
    return {"interval": [".." if end is None else rfc3339(end) for end in (first, last)]}


def _is_open(end: object) -> bool:
    return end is None or (isinstance(end, str) and end in _OPEN)


def _moment(node: object, *, end: bool = False) -> Any:
    """Read an instant; a bare date is its whole day, so its end is the day's last moment."""
    text, whole_day = node, True
    if isinstance(node, Mapping):
        whole_day = "timestamp" not in node
        text = node.get("timestamp", node.get("date"))
    try:
        start = parse_time(str(text))
    except ValueError as error:
        raise FilterError(
            "a time in the filter cannot be read",
            given=node,
            allowed="2024-03-01, 2024-03-01T10:00:00Z, or .. for an open end",
        ) from error
    return start + _LAST_MOMENT if end and whole_day and len(str(text)) == 10 else start
