"""The conditions of a search: periods and CQL2 filters, checked, and their truth for one item."""

from cbmcube.catalog.filters._cql2 import (
    Json,
    as_geojson,
    bare,
    both,
    conjuncts,
    parse_filter,
    property_names,
)
from cbmcube.catalog.filters._evaluate import Truth, compile_condition
from cbmcube.catalog.filters._expression import Condition, Property, prop
from cbmcube.catalog.filters._feature import TIMES, Feature
from cbmcube.catalog.filters._period import Period, parse_period
from cbmcube.catalog.filters._times import compact, item_span, parse_time, rfc3339, to_time

__all__ = [
    "TIMES",
    "Condition",
    "Feature",
    "Json",
    "Period",
    "Property",
    "Truth",
    "as_geojson",
    "bare",
    "both",
    "compact",
    "compile_condition",
    "conjuncts",
    "item_span",
    "parse_filter",
    "parse_period",
    "parse_time",
    "prop",
    "property_names",
    "rfc3339",
    "to_time",
]
