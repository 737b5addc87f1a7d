"""Filters written as Python expressions instead of CQL2 text."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, NoReturn

import cql2
import numpy as np

from cbmcube.catalog.filters._cql2 import Json, parse_filter
from cbmcube.catalog.filters._times import rfc3339
from cbmcube.exceptions import FilterError

_BRACKETS = "put every comparison in brackets: (a < 1) & (b > 2)"


def prop(name: str) -> Property:
    """Name a property of items, to be compared in a filter.

    Parameters
    ----------
    name
        Name as items carry it, such as ``"eo:cloud_cover"``; ``"datetime"``, ``"id"`` and
        ``"collection"`` are names too.

    Returns
    -------
    Property
        Compare it with ``<``, ``<=``, ``==``, ``!=``, ``>=``, ``>`` or its methods, and join what
        comes out with ``&``, ``|`` and ``~``.

    Raises
    ------
    FilterError
        If the name is empty.

    Notes
    -----
    An item without the property satisfies neither a comparison nor its negation, as in SQL.

    Examples
    --------
    >>> from cbmcube.catalog import prop
    >>> clear = prop("eo:cloud_cover") < 60
    >>> clear & (prop("grid:code").like("MGRS-33%") | ~prop("platform").isin(["sentinel-2c"]))
    eo:cloud_cover < 60 AND (grid:code LIKE 'MGRS-33%' OR NOT platform IN ('sentinel-2c'))
    """
    return Property(name)


class Property:
    """A property of items in a filter; made by `prop`.

    Examples
    --------
    >>> from cbmcube.catalog import prop
    >>> prop("eo:cloud_cover").between(10, 60)
    eo:cloud_cover BETWEEN 10 AND 60
    """

    __slots__ = ("name",)
    __hash__ = None  # type: ignore[assignment]  # == builds a condition, so none can be a key
    __array_ufunc__ = None  # a number of NumPy on the left leaves the comparison to this class

    def __init__(self, name: str) -> None:
        if not (isinstance(name, str) and name.strip()):  # type: ignore[redundant-expr]
            raise FilterError(
                "a property is named by text", given=repr(name), allowed='prop("eo:cloud_cover")'
            )
        self.name = name

    def __lt__(self, other: Any) -> Condition:
        return self._compare("<", other)

    def __le__(self, other: Any) -> Condition:
        return self._compare("<=", other)

    def __gt__(self, other: Any) -> Condition:
        return self._compare(">", other)

    def __ge__(self, other: Any) -> Condition:
        return self._compare(">=", other)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compare("=", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compare("<>", other)

    def isin(self, values: Iterable[Any]) -> Condition:
        """Return the condition that the property is one of `values`."""
        if isinstance(values, (str, Mapping)) or not isinstance(values, Iterable):
            raise FilterError(
                "isin takes a list of values",
                given=repr(values),
                hint="for one value write prop(…) == value",
            )
        return _build("in", self._json, [_value(value) for value in values])

    def between(self, low: Any, high: Any) -> Condition:
        """Return the condition that the property is not below `low` and not above `high`."""
        return _build("between", self._json, _value(low), _value(high))

    def like(self, pattern: str) -> Condition:
        """Return the condition that the text matches; ``%`` is any text, ``_`` any character."""
        if not isinstance(pattern, str):
            raise FilterError(
                "like takes a text pattern", given=repr(pattern), allowed='"MGRS-33%"'
            )
        return _build("like", self._json, pattern)

    def isnull(self) -> Condition:
        """Return the condition that the item lacks the property, or holds null in it."""
        return _build("isNull", self._json)

    @property
    def _json(self) -> Json:
        return {"property": self.name}

    def _compare(self, op: str, other: object) -> Condition:
        return _build(op, self._json, _value(other))

    def _alone(self, *_: object) -> NoReturn:
        raise FilterError(
            "a property alone is not a condition",
            given=repr(self),
            hint=f"{_BRACKETS}; for a flag write prop(…) == True",
        )

    # `prop("a") < 5 & prop("b")` and `~prop("a")` would otherwise fail without a word of help
    __and__ = __rand__ = __or__ = __ror__ = __invert__ = __bool__ = _alone

    def __repr__(self) -> str:
        return f"prop({self.name!r})"


class Condition(Mapping[str, Any]):
    """A condition on items: a mapping of CQL2-JSON that prints as CQL2 text.

    Two conditions are equal if their CQL2-JSON is.

    Examples
    --------
    >>> from cbmcube.catalog import Condition, prop
    >>> clear = prop("eo:cloud_cover") < 60
    >>> isinstance(clear, Condition)
    True
    >>> clear & (prop("platform") == "sentinel-2a")
    eo:cloud_cover < 60 AND platform = 'sentinel-2a'
    """

    __slots__ = ("_json",)

    def __init__(self, json: Json) -> None:
        self._json = json

    def __and__(self, other: Mapping[str, Any]) -> Condition:
        return _join("and", self, other)

    def __rand__(self, other: Mapping[str, Any]) -> Condition:
        return _join("and", other, self)

    def __or__(self, other: Mapping[str, Any]) -> Condition:
        return _join("or", self, other)

    def __ror__(self, other: Mapping[str, Any]) -> Condition:
        return _join("or", other, self)

    def __invert__(self) -> Condition:
        return _build("not", self._json)

    def __bool__(self) -> bool:
        raise FilterError(
            "a condition on items has no truth of its own",
            given=repr(self),
            hint="join conditions with & | ~ instead of and, or, not; write 10 < x < 60 as "
            "x.between(10, 60), and x in […] as x.isin([…])",
        )

    def __getitem__(self, key: str) -> Any:
        return copy.deepcopy(self._json[key])  # nobody changes a condition from outside

    def __iter__(self) -> Iterator[str]:
        return iter(self._json)

    def __len__(self) -> int:
        return len(self._json)

    def __repr__(self) -> str:
        return str(cql2.Expr(self._json).to_text())


def _build(op: str, *args: Any) -> Condition:
    """Check a condition as any other filter is checked."""
    return Condition(parse_filter({"op": op, "args": list(args)}))


def _join(op: str, *parts: object) -> Condition:
    flat: list[Json] = []
    for part in parts:
        if not isinstance(part, Mapping):
            raise FilterError(
                f"only conditions can be joined with {'&' if op == 'and' else '|'}",
                given=repr(part),
                hint=_BRACKETS,
            )
        checked = parse_filter(part)
        flat += checked["args"] if checked["op"] == op else [checked]
    return Condition({"op": op, "args": flat})


def _value(value: Any) -> Any:
    """Write a Python value as CQL2-JSON."""
    if isinstance(value, Property):
        return {"property": value.name}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, datetime) and value == value:  # noqa: PLR0124  # NaT is not itself
        return {"timestamp": rfc3339(value)}
    if isinstance(value, date) and value == value:  # noqa: PLR0124
        return {"date": value.isoformat()}
    if value is None or isinstance(value, Mapping):
        raise FilterError(
            "a property is compared with a value",
            given=repr(value),
            allowed="text, number, True or False, date, datetime, another prop(…)",
            hint="to ask for items that lack the property write prop(…).isnull()",
        )
    return value
