"""The truth of a CQL2 condition for one item, with SQL's third value for "not known".

The rules are those of pgstac, the database behind most STAC APIs: a property that is absent makes
a comparison unknown, an item is kept only if its condition is true, a comparison with a number
compares numbers and any other compares text, and ``datetime`` of an item with ``start_datetime``
and ``end_datetime`` is its start.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import shapely
import shapely.geometry

from cbmcube.catalog.filters._cql2 import COMPARISONS, LOGICAL, SPATIAL, Json, property_names
from cbmcube.catalog.filters._feature import TIMES, Feature, Span
from cbmcube.catalog.filters._times import parse_time, to_time

Truth = bool | None

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TEMPORAL: dict[str, Callable[[Span, Span], bool]] = {
    "t_intersects": lambda a, b: a[0] <= b[1] and a[1] >= b[0],
    "anyinteracts": lambda a, b: a[0] <= b[1] and a[1] >= b[0],
    "t_disjoint": lambda a, b: not (a[0] <= b[1] and a[1] >= b[0]),
    "t_before": lambda a, b: a[1] < b[0],
    "t_after": lambda a, b: a[0] > b[1],
    "t_during": lambda a, b: a[0] > b[0] and a[1] < b[1],
    "t_equals": lambda a, b: a == b,
}


def compile_condition(condition: Json) -> Callable[[Feature], Truth]:
    """Return a function that tells whether a feature satisfies a checked condition."""
    op, args = condition["op"], condition["args"]
    if op in LOGICAL:
        return _logical(op, [compile_condition(arg) for arg in args])
    if op in SPATIAL:
        return _spatial(op, args[1])
    if op in COMPARISONS:
        return _comparison(op, args)
    left, right, holds = _time_reader(args[0]), _time_reader(args[1]), _TEMPORAL[op]

    def temporal(feature: Feature) -> Truth:
        a, b = left(feature), right(feature)
        return None if a is None or b is None else holds(a, b)

    return temporal


def _logical(op: str, parts: Sequence[Callable[[Feature], Truth]]) -> Callable[[Feature], Truth]:
    if op == "not":
        [part] = parts

        def negation(feature: Feature) -> Truth:
            truth = part(feature)
            return None if truth is None else not truth

        return negation
    decisive = op == "or"

    def junction(feature: Feature) -> Truth:
        unknown = False
        for part in parts:
            truth = part(feature)
            if truth is decisive:
                return decisive
            unknown = unknown or truth is None
        return None if unknown else not decisive

    return junction


def _spatial(op: str, literal: Json) -> Callable[[Feature], Truth]:
    shape = shapely.geometry.shape(literal)
    shapely.prepare(shape)
    relation: Callable[[Any, Any], Any] = {
        "s_intersects": shapely.intersects,
        "s_disjoint": shapely.disjoint,
        "s_within": shapely.contains,
        "s_contains": shapely.within,
    }[op]

    def spatial(feature: Feature) -> Truth:
        geometry = feature.geometry
        return None if geometry is None else bool(relation(shape, geometry))

    return spatial


def _comparison(op: str, args: Sequence[Any]) -> Callable[[Feature], Truth]:
    flat = [*args[:1], *args[1]] if op == "in" else list(args)
    if op == "isNull":
        raw = _value_reader(args[0])
        return lambda feature: raw(feature) is None
    cast = _as_text if op == "like" else _common_type(flat)
    readers = [_operand(arg, cast) for arg in flat]
    decide = _DECISIONS[op]

    def comparison(feature: Feature) -> Truth:
        return decide([read(feature) for read in readers])

    return comparison


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Sequence[Any]], Truth]:
    def decide(values: Sequence[Any]) -> Truth:
        a, b = values
        return None if a is None or b is None else compare(a, b)

    return decide


def _between(values: Sequence[Any]) -> Truth:
    value, low, high = values
    if value is None:
        return None
    above = None if low is None else value >= low
    below = None if high is None else value <= high
    if above is False or below is False:
        return False
    return None if above is None or below is None else True


def _in(values: Sequence[Any]) -> Truth:
    value, *choices = values
    if value is None:
        return None
    if value in choices:
        return True
    return None if None in choices else False


def _like(values: Sequence[Any]) -> Truth:
    text, pattern = values
    if text is None or pattern is None:
        return None
    return _like_pattern(pattern).fullmatch(text) is not None


_DECISIONS: dict[str, Callable[[Sequence[Any]], Truth]] = {
    **{name: _ordered(compare) for name, compare in _ORDER.items()},
    "between": _between,
    "in": _in,
    "like": _like,
}


def _like_pattern(pattern: str) -> re.Pattern[str]:
    r"""Turn ``%``, ``_`` and the escape ``\`` of SQL into a regular expression."""
    parts = re.findall(r"\\(.)|([%_])|([^%_\\]+)", pattern, flags=re.DOTALL)
    wild = {"%": ".*", "_": "."}
    expression = "".join(
        wild[special] if special else re.escape(escaped or plain)
        for escaped, special, plain in parts
    )
    return re.compile(expression, flags=re.DOTALL)


def _common_type(args: Sequence[Any]) -> Callable[[Any], Any]:
    """Choose what all operands are read as: times, numbers or text."""
    if any(isinstance(arg, Mapping) and "timestamp" in arg for arg in args) or any(
        name in TIMES for name in property_names(list(args))
    ):
        return to_time
    if any(isinstance(arg, (int, float)) and not isinstance(arg, bool) for arg in args):
        return _as_number
    if all(isinstance(arg, Mapping) and "property" in arg for arg in args):
        return _as_number_or_text
    return _as_text


def _operand(node: Any, cast: Callable[[Any], Any]) -> Callable[[Feature], Any]:
    if isinstance(node, Mapping) and node.get("op") == "casei":
        inner = _operand(node["args"][0], _as_text)
        return lambda feature: None if (text := inner(feature)) is None else text.upper()
    if isinstance(node, Mapping) and "property" in node:
        raw = _value_reader(node)
        return lambda feature: None if (value := raw(feature)) is None else cast(value)
    literal = cast(node["timestamp"] if isinstance(node, Mapping) else node)
    return lambda _: literal


def _value_reader(node: Any) -> Callable[[Feature], Any]:
    name = node["property"]
    if name == "geometry":
        return lambda feature: feature.json.get("geometry")
    return lambda feature: feature.value(name)


def _time_reader(node: Json) -> Callable[[Feature], Span | None]:
    if "interval" in node:
        low, high = node["interval"]
        span = (
            EARLIEST if low == ".." else parse_time(low),
            LATEST if high == ".." else parse_time(high),
        )
        return lambda _: span
    if "timestamp" in node:
        at = parse_time(node["timestamp"])
        return lambda _: (at, at)
    name = node["property"]

    def instant(feature: Feature) -> Span | None:
        at = to_time(feature.value(name))
        return None if at is None else (at, at)

    return instant


def _as_number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, (int, float, str)) else None
    except (ValueError, OverflowError):
        return None


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return json.dumps(value)


def _as_number_or_text(value: Any) -> Any:
    number = None if isinstance(value, str) else _as_number(value)
    return _as_text(value) if number is None else number
