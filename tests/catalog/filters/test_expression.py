"""Filters as expressions: what they mean, what they print, and what Python cannot say."""

# ruff: noqa: PD003, PLW0177, SIM300  # the ways of writing are what is tested

from __future__ import annotations

import copy
import operator
import pickle
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pystac
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.catalog import Condition, Property, prop, report, search
from cbmcube.catalog.filters._cql2 import parse_filter
from cbmcube.catalog.filters._evaluate import compile_condition
from cbmcube.catalog.filters._feature import Feature
from cbmcube.exceptions import FilterError

A, B = prop("eo:cloud_cover"), prop("grid:code")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (A < 60, "eo:cloud_cover < 60"),
        (A <= 60.5, "eo:cloud_cover <= 60.5"),
        (60 <= A, "eo:cloud_cover >= 60"),
        (A == "x", "eo:cloud_cover = 'x'"),
        (A != "it's", "eo:cloud_cover <> 'it''s'"),
        (A == True, "eo:cloud_cover = true"),  # noqa: E712  # that is how a flag is asked for
        (A < B, "eo:cloud_cover < grid:code"),
        (A.isin([1, 2]), "eo:cloud_cover IN (1, 2)"),
        (A.isin(np.array(["a"])), "eo:cloud_cover IN ('a')"),
        (A.between(1, 2.5), "eo:cloud_cover BETWEEN 1 AND 2.5"),
        (B.like("MGRS-33%"), "grid:code LIKE 'MGRS-33%'"),
        (A.isnull(), "eo:cloud_cover IS NULL"),
        (~A.isnull(), "eo:cloud_cover IS NOT NULL"),
        (prop("odd name") == 1, '"odd name" = 1'),
        ((A < 1) & (B == "b") & (A > 0), "eo:cloud_cover < 1 AND grid:code = 'b' AND x > 0"),
        ((A < 1) | (B == "b") & ~(A > 0), "eo:cloud_cover < 1 OR grid:code = 'b' AND NOT x > 0"),
        (
            ((A < 1) | (B == "b")) & ~(A > 0),
            "(eo:cloud_cover < 1 OR grid:code = 'b') AND NOT x > 0",
        ),
        (
            (A < 1) & {"op": "isNull", "args": [{"property": "q"}]},
            "eo:cloud_cover < 1 AND q IS NULL",
        ),
        (
            {"op": "isNull", "args": [{"property": "q"}]} | (A < 1),
            "q IS NULL OR eo:cloud_cover < 1",
        ),
    ],
)
def test_expressions_are_the_cql2_they_look_like(expression, text):
    """The oracle is the parser of another library, on text written by hand."""
    assert expression == parse_filter(text.replace("x > 0", "eo:cloud_cover > 0"))
    assert parse_filter(repr(expression)) == dict(expression)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2024, 3, 5, 10, tzinfo=UTC),
        datetime(2024, 3, 5, 12, tzinfo=timezone(timedelta(hours=2))),
        datetime(2024, 3, 5, 10),  # noqa: DTZ001  # a time without a zone is UTC
        pd.Timestamp("2024-03-05T11:00", tz="Europe/Vienna"),
        np.datetime64("2024-03-05T10:00:00", "s"),
    ],
)
def test_times_are_instants_of_utc(moment):
    expected = {"timestamp": "2024-03-05T10:00:00Z"}
    assert (prop("datetime") >= moment) == parse_filter(
        {"op": ">=", "args": [{"property": "datetime"}, expected]}
    )


def test_dates_and_numbers_of_numpy():
    assert (prop("datetime") < date(2024, 3, 5)) == parse_filter("datetime < DATE('2024-03-05')")
    assert (A < np.float32(0.5)) == (A < 0.5)
    assert (np.int64(5) > A) == (A < 5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: 10 < A < 60, "between"),
        (lambda: (A < 1) and (B == "b"), "& | ~"),
        (lambda: not (A < 1), "& | ~"),
        (lambda: A in [1, 2], "isin"),
        (lambda: A < 1 & B, "brackets"),
        (lambda: A & (B == "b"), "not a condition"),
        (lambda: ~A, "not a condition"),
        (lambda: bool(A), "not a condition"),
        (lambda: (A < 1) & True, "brackets"),
        (lambda: 5 | (A < 1), "brackets"),
        (lambda: A == None, "isnull"),  # noqa: E711  # the mistake that is tested
        (lambda: A == pd.NaT, "cannot be compared"),
        (lambda: A == float("nan"), "cannot be compared"),
        (lambda: A == [1], "cannot be compared"),
        (lambda: A == (B == "b"), "isnull"),
        (lambda: A.isin("abc"), "== value"),
        (lambda: A.isin(5), "list of values"),
        (lambda: A.isin([]), "list of values"),
        (lambda: A.like(5), "text pattern"),
        (lambda: prop(" "), "named by text"),
        (lambda: prop(None), "named by text"),
    ],
)
def test_what_python_cannot_say_is_told(build, message):
    with pytest.raises(FilterError, match=message.replace("|", r"\|")):
        build()


def test_properties_are_no_keys_and_conditions_are_values():
    """A dict or set of properties would ask for == and take its answer for a truth."""
    with pytest.raises(TypeError, match="unhashable"):
        {A: 1}  # noqa: B018
    with pytest.raises(TypeError, match="unhashable"):
        {A < 1}  # noqa: B018
    assert ((A < 1) == (prop("eo:cloud_cover") < 1)) is True
    assert ((A < 1) == (A < 2)) is False
    assert ((A < 1) != (A < 2)) is True
    assert [A < 1, A < 2].index(A < 2) == 1


def test_a_condition_cannot_be_changed_and_can_be_stored():
    condition = (A < 1) & (B == "b")
    before = copy.deepcopy(dict(condition))
    condition["args"].clear()
    assert dict(condition) == before
    assert pickle.loads(pickle.dumps(condition)) == condition  # noqa: S301  # our own bytes
    assert isinstance(copy.copy(condition), Condition)
    assert isinstance(A, Property)


OPERATORS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
numbers = st.integers(-3, 3)


def truths(values):
    """Expressions over `values` with the truth that Python gives them."""
    leaves = st.tuples(st.sampled_from(OPERATORS), st.sampled_from(sorted(values)), numbers).map(
        lambda leaf: (leaf[0](prop(leaf[1]), leaf[2]), leaf[0](values[leaf[1]], leaf[2]))
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda p: (p[0][0] & p[1][0], p[0][1] and p[1][1])),
            st.tuples(inner, inner).map(lambda p: (p[0][0] | p[1][0], p[0][1] or p[1][1])),
            inner.map(lambda p: (~p[0], not p[1])),
        ),
        max_leaves=6,
    )


@given(st.data(), numbers, numbers)
def test_any_expression_holds_where_python_says_so(data, a, b):
    expression, expected = data.draw(truths({"a": a, "b:c": b}))
    feature = Feature({"id": "x", "properties": {"a": a, "b:c": b}})
    assert compile_condition(dict(expression))(feature) is expected
    assert parse_filter(repr(expression)) == dict(expression)


def test_a_search_takes_it(season):
    items = pystac.ItemCollection([pystac.Item.from_dict(item) for item in season])
    found = search(items, filter=A.between(20, 60))
    expected = [i["id"] for i in season if 20 <= i["properties"]["eo:cloud_cover"] <= 60]
    assert [item.id for item in found] == expected
    assert 0 < len(expected) < len(season)
    assert "filter eo:cloud_cover BETWEEN 20 AND 60" in repr(report(found))
