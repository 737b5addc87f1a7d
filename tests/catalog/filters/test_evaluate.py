"""The truth of conditions, against brute force over plain values."""

from __future__ import annotations

import json
import operator
from datetime import UTC, datetime, timedelta

import pytest
import shapely
import shapely.geometry
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.catalog.filters._cql2 import parse_filter
from cbmcube.catalog.filters._evaluate import compile_condition
from cbmcube.catalog.filters._feature import Feature

COMPARE = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def op(name, *args):
    return {"op": name, "args": list(args)}


def truth(condition, item):
    return compile_condition(parse_filter(condition))(Feature(item))


def holder(**facts):
    return {"id": "i", "collection": "c", "geometry": None, "properties": facts, "assets": {}}


numbers = st.integers(-2, 2)
leaves = st.one_of(
    st.tuples(st.sampled_from(sorted(COMPARE)), st.sampled_from("xyz"), numbers),
    st.tuples(st.just("isNull"), st.sampled_from("xyz")),
    st.tuples(st.just("in"), st.sampled_from("xyz"), st.lists(numbers, min_size=1, max_size=3)),
    st.tuples(st.just("between"), st.sampled_from("xyz"), numbers, numbers),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=8,
)
facts = st.dictionaries(st.sampled_from("xyz"), st.one_of(st.none(), numbers))


def as_cql2(tree):
    name, *rest = tree
    if name in ("and", "or"):
        return op(name, *map(as_cql2, rest[0]))
    if name == "not":
        return op(name, as_cql2(rest[0]))
    return op(name, {"property": rest[0]}, *rest[1:])


def kleene(tree, values):
    """Truth as 1, 1/2 (unknown) and 0: ``and`` is the minimum, ``or`` the maximum."""
    name, *rest = tree
    if name == "and":
        return min(kleene(one, values) for one in rest[0])
    if name == "or":
        return max(kleene(one, values) for one in rest[0])
    if name == "not":
        return 1 - kleene(rest[0], values)
    return kleene_leaf(name, values.get(rest[0]), rest)


def kleene_leaf(name, value, rest):
    if name == "isNull":
        return int(value is None)
    if value is None:
        return 0.5
    if name == "in":
        return int(value in rest[1])
    if name == "between":
        return int(rest[1] <= value <= rest[2])
    return int(COMPARE[name](value, rest[1]))


@given(trees, facts)
def test_three_valued_logic_equals_brute_force(tree, values):
    expected = {1: True, 0.5: None, 0: False}[kleene(tree, values)]
    assert truth(as_cql2(tree), holder(**values)) is expected


@given(trees, trees, facts)
def test_de_morgan_holds_with_unknowns(one, two, values):
    a, b, item = as_cql2(one), as_cql2(two), holder(**values)
    assert truth(op("not", op("and", a, b)), item) is truth(
        op("or", op("not", a), op("not", b)), item
    )
    assert truth(op("not", op("or", a, b)), item) is truth(
        op("and", op("not", a), op("not", b)), item
    )


# The second column was read from pgstac 0.10, whose rules these are.
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (op("=", {"property": "text"}, 22), True),  # a number makes a comparison numeric
        (op("=", {"property": "number"}, "22"), True),  # text makes it textual
        (op("=", {"property": "float"}, "22"), False),
        (op("=", {"property": "float"}, "22.0"), True),
        (op("=", {"property": "flag"}, True), True),
        (op("=", {"property": "flag"}, "true"), True),
        (op("=", {"property": "list"}, "m"), False),
        (op("isNull", {"property": "list"}), False),
        (op("isNull", {"property": "null"}), True),
        (op("<>", {"property": "absent"}, 1), None),
        (op("<", {"property": "word"}, 3), None),
        (op("<", {"property": "word"}, "b"), True),
        (op("<", 5, {"property": "number"}), True),
        (op("=", {"property": "nested.inner"}, 7), True),
        (op("=", {"property": "dotted.name"}, 8), True),
        (op("=", {"property": "id"}, "i"), True),
        (op("in", {"property": "collection"}, ["b", "c"]), True),
        (op("like", {"property": "number"}, "2%"), True),
        (op("like", {"property": "absent"}, "%"), None),
        (op("like", {"property": "percent"}, "100\\%\\_%"), True),
        (op("like", {"property": "word"}, "A%"), False),
        (op("like", {"property": "word"}, "_lpha"), True),
        (op("like", {"property": "word"}, "lpha"), False),
        (op("like", {"property": "word"}, "a.*"), False),
        (op("like", {"property": "lines"}, "a%b"), True),
        (op("=", op("casei", {"property": "word"}), op("casei", "ALPHA")), True),
        (op("in", op("casei", {"property": "word"}), [op("casei", "Alpha")]), True),
        (op("=", op("casei", {"property": "absent"}), op("casei", "x")), None),
        (op("between", {"property": "word"}, "a", "b"), True),
        (op("=", {"property": "number"}, {"property": "float"}), True),
        (op("=", {"property": "tiny"}, "0.00001"), True),
    ],
)
def test_comparisons_follow_the_database(condition, expected):
    item = holder(
        text="22",
        number=22,
        float=22.0,
        flag=True,
        list=["m", "n"],
        null=None,
        word="alpha",
        nested={"inner": 7},
        percent="100%_done",
        lines="a\nb",
        tiny=1e-5,
        **{"dotted.name": 8},
    )
    assert truth(condition, item) is expected


BASE = datetime(2024, 3, 1, tzinfo=UTC)
hours = st.integers(0, 6)
TEMPORAL = {
    "t_intersects": lambda at, low, high: low <= at <= high,
    "anyinteracts": lambda at, low, high: low <= at <= high,
    "t_disjoint": lambda at, low, high: not low <= at <= high,
    "t_before": lambda at, low, _: at < low,
    "t_after": lambda at, _, high: at > high,
    "t_during": lambda at, low, high: low < at < high,
    "t_equals": lambda at, low, high: low == at == high,
}


@pytest.mark.parametrize("name", sorted(TEMPORAL))
@given(at=hours, ends=st.tuples(hours, hours).map(sorted))
def test_temporal_operators(name, at, ends):
    texts = [(BASE + timedelta(hours=end)).isoformat() for end in ends]
    item = holder(datetime=(BASE + timedelta(hours=at)).isoformat())
    condition = op(name, {"property": "datetime"}, {"interval": texts})
    assert truth(condition, item) is TEMPORAL[name](at, *ends)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [(["..", "2024-03-05"], True), (["2024-03-06", ".."], False), (["..", ".."], True)],
)
def test_open_ends(ends, expected):
    item = holder(datetime="2024-03-05T23:59:59.5Z")
    assert truth(op("t_intersects", {"property": "datetime"}, {"interval": ends}), item) is expected


def test_datetime_of_an_interval_is_its_start():
    item = holder(datetime=None, start_datetime="2024-03-01T00:00:00Z", end_datetime="2024-03-31")
    at = {"timestamp": "2024-03-01T00:00:00Z"}
    assert truth(op("t_equals", {"property": "datetime"}, at), item) is True
    assert truth(op(">", {"property": "end_datetime"}, "2024-03-30"), item) is True
    assert Feature(item).span == (BASE, BASE + timedelta(days=30))


@pytest.mark.parametrize("moment", [None, "soon", 20240305])
def test_an_unreadable_time_is_unknown(moment):
    condition = op("t_after", {"property": "datetime"}, "2024-03-01")
    assert truth(condition, holder(datetime=moment)) is None


corners = st.tuples(st.integers(0, 3), st.integers(0, 3))
boxes = st.builds(
    lambda corner, size: (*corner, corner[0] + 1 + size[0], corner[1] + 1 + size[1]),
    corners,
    corners,
)


@given(boxes, boxes)
def test_spatial_operators_against_box_arithmetic(one, two):
    (w, s, e, n), (a, b, c, d) = one, two
    apart = w > c or a > e or s > d or b > n
    inside = a <= w and e <= c and b <= s and n <= d
    around = w <= a and c <= e and s <= b and d <= n
    item = holder() | {"geometry": shapely.geometry.mapping(shapely.box(*one))}
    expected = {
        "s_intersects": not apart,
        "s_disjoint": apart,
        "s_within": inside,
        "s_contains": around,
    }
    for name, wanted in expected.items():
        assert truth(op(name, {"property": "geometry"}, {"bbox": list(two)}), item) is wanted


@pytest.mark.parametrize("geometry", [None, {}, {"type": "Point"}, {"type": "Blob"}, "POINT (1 2)"])
def test_an_unreadable_geometry_is_unknown(geometry):
    item = holder() | {"geometry": geometry}
    assert truth(op("s_intersects", {"property": "geometry"}, [0, 0, 1, 1]), item) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(json_values, st.sampled_from(["= 5", "= 'a'", "LIKE 'a%'", "BETWEEN 1 AND 2", "IN (1, 2)"]))
def test_no_value_of_a_property_breaks_the_evaluation(value, condition):
    item = json.loads(json.dumps(holder(x=value)))
    assert truth(f"x {condition}", item) in (True, False, None)
