"""Filters: what is read, how it is spelled on the way out, and what is refused."""

from __future__ import annotations

import cql2
import pytest
import shapely
import shapely.geometry

from cbmcube.catalog.filters._cql2 import OPERATORS, both, conjuncts, parse_filter, property_names
from cbmcube.exceptions import FilterError

CLOUD = {"property": "eo:cloud_cover"}
WHEN = {"property": "datetime"}
WHERE = {"property": "geometry"}
POINT = {"type": "Point", "coordinates": [11.5, 48.5]}


def op(name, *args):
    return {"op": name, "args": list(args)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eo:cloud_cover < 60", op("<", CLOUD, 60)),
        ("properties.eo:cloud_cover < 60", op("<", CLOUD, 60)),
        ("platform != 'sentinel-2a'", op("<>", {"property": "platform"}, "sentinel-2a")),
        ("eo:cloud_cover IS NOT NULL", op("not", op("isNull", CLOUD))),
        ("x BETWEEN 1 AND 2.5", op("between", {"property": "x"}, 1, 2.5)),
        ("x IN (1, 2)", op("in", {"property": "x"}, [1, 2])),
        (
            "casei(x) LIKE casei('a%')",
            op("like", op("casei", {"property": "x"}), op("casei", "a%")),
        ),
        ("datetime >= DATE('2024-03-01')", op(">=", WHEN, {"timestamp": "2024-03-01T00:00:00Z"})),
    ],
)
def test_text_becomes_json(text, expected):
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"timestamp": "2024-03-01"}, {"timestamp": "2024-03-01T00:00:00Z"}),
        ("2024-03-01T10:00:00+02:00", {"timestamp": "2024-03-01T08:00:00Z"}),
        (
            {"date": "2024-03-01"},
            {"interval": ["2024-03-01T00:00:00Z", "2024-03-01T23:59:59.999999Z"]},
        ),
        (
            "2024-03-01/2024-03-31",
            {"interval": ["2024-03-01T00:00:00Z", "2024-03-31T23:59:59.999999Z"]},
        ),
        (["2024-03-01", None], {"interval": ["2024-03-01T00:00:00Z", ".."]}),
        (
            {"interval": ["", {"date": "2024-03-01"}]},
            {"interval": ["..", "2024-03-01T23:59:59.999999Z"]},
        ),
        (
            {"interval": ["..", {"timestamp": "2024-03-01"}]},
            {"interval": ["..", "2024-03-01T00:00:00Z"]},
        ),
    ],
)
def test_times_go_out_as_instants(given, expected):
    assert parse_filter(op("t_intersects", WHEN, given)) == op("t_intersects", WHEN, expected)


@pytest.mark.parametrize("given", [{"bbox": [11, 48, 12, 49]}, [11, 48, 0, 12, 49, 900]])
def test_boxes_go_out_as_polygons(given):
    [_, shape] = parse_filter(op("s_within", WHERE, given))["args"]
    assert shapely.equals(shapely.geometry.shape(shape), shapely.box(11, 48, 12, 49))


@pytest.mark.parametrize(
    ("name", "swapped"),
    [("s_within", "s_contains"), ("s_contains", "s_within"), ("s_disjoint", "s_disjoint")],
)
def test_the_property_goes_first(name, swapped):
    found = parse_filter(op(name, POINT, {"property": "properties.geometry"}))
    assert found["op"] == swapped
    assert found["args"][0] == WHERE


def test_old_names_and_case_are_understood():
    assert parse_filter(op("INTERSECTS", WHERE, POINT))["op"] == "s_intersects"
    assert parse_filter(op("isnull", CLOUD))["op"] == "isNull"
    assert (
        parse_filter(op("anyinteracts", WHEN, {"interval": ["..", ".."]}))["op"] == "anyinteracts"
    )


def test_an_unknown_operator_lists_the_known():
    with pytest.raises(FilterError, match="'s_touches'") as caught:
        parse_filter(op("s_touches", WHERE, POINT))
    assert all(name in str(caught.value) for name in OPERATORS)


@pytest.mark.parametrize(
    "given",
    [
        "eo:cloud_cover <",
        "eo:cloud_cover",
        "x + 1 = 2",
        "casei(x)",
        42,
        {"op": "=", "args": []},
        {"op": "and"},
        op("not", op("=", CLOUD, 1), op("=", CLOUD, 2)),
        op("=", CLOUD),
        op("between", CLOUD, 1),
        op("in", CLOUD, 3),
        op("in", CLOUD, []),
        op("=", CLOUD, None),
        op("=", CLOUD, float("nan")),
        op("=", {"property": ""}, 1),
        op("=", {"property": "properties."}, 1),
        op("s_intersects", WHERE),
        op("s_intersects", CLOUD, POINT),
        op("s_intersects", WHERE, [1, 2, 3]),
        op("s_intersects", WHERE, {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}),
        op(
            "s_intersects",
            WHERE,
            {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]},
        ),
        op("s_intersects", WHERE, {"type": "GeometryCollection", "geometries": [POINT]}),
        op("t_before", WHEN, "yesterday"),
        op("t_during", WHEN, {"interval": ["2024-03-02", "2024-03-01"]}),
        op("t_during", WHEN, {"interval": ["2024-03-02"]}),
        op("t_during", WHEN, {"interval": "P1D/2024-03-02"}),
    ],
)
def test_what_cannot_be_checked_is_refused_before_it_is_sent(given):
    with pytest.raises(FilterError):
        parse_filter(given)


def test_the_input_is_not_changed():
    given = op("s_intersects", WHERE, {"bbox": [11, 48, 12, 49]})
    before = repr(given)
    parse_filter(given)
    assert repr(given) == before


def test_conditions_are_joined_flat():
    one, two, three = (op("=", {"property": name}, 1) for name in "abc")
    joined = both(one, None, op("and", two, op("and", three)))
    assert joined == op("and", one, two, three)
    assert conjuncts(joined) == [one, two, three]
    assert both(None, one) == one
    assert both(None, None) is None
    assert sorted(property_names(joined)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        "eo:cloud_cover < 60 AND (platform = 'a' OR NOT x IS NULL)",
        "S_INTERSECTS(geometry, BBOX(11, 48, 12, 49)) AND x IN ('a', 'b')",
        "T_DURING(datetime, INTERVAL('2024-03-01', '..'))",
    ],
)
def test_what_goes_out_is_valid_cql2(text):
    cql2.Expr(parse_filter(text)).validate()
