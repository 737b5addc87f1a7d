"""Formulas are arithmetic and nothing else, and have the bits of NumPy's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError
from cbmcube.indices._formula import (
    evaluate,
    formula_names,
    is_normalised_difference,
    parse_formula,
    substitute,
)


def values(**numbers):
    return {name: np.array([value], "float32") for name, value in numbers.items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A + B * C", 2 + 3 * 5),
        ("(A + B) * C", (2 + 3) * 5),
        ("A - B - C", 2 - 3 - 5),
        ("C / B / A", 5 / 3 / 2),
        ("A ** B ** A", 2 ** (3**2)),
        ("-A ** 2", -(2**2)),
        ("+A - -B", 2 + 3),
        ("2.5 * A / (2 * 3 - 1)", 2.5 * 2 / 5),
        ("1e-2 * A", 0.02),
        ("  A  ", 2),
    ],
)
def test_formulas_mean_what_they_mean_in_python(text, expected):
    found, _ = evaluate(parse_formula(text), values(A=2, B=3, C=5))
    np.testing.assert_allclose(found, [expected], rtol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "A.real",
        "A[0]",
        "log(A)",
        "lambda: A",
        "A if B else C",
        "A and B",
        "A < B",
        "A @ B",
        "A // B",
        "A % B",
        "[A]",
        "'A'",
        "A + True",
        "A + None",
        "A + 1j",
        "f'{A}'",
        "(A := B)",
        "A; B",
        "A = B",
        "",
        "A +",
        "\0A",
    ],
)
def test_whatever_is_not_arithmetic_is_refused(text):
    with pytest.raises(OptionError, match="no formula of an index"):
        parse_formula(text)


@pytest.mark.parametrize(
    "text",
    [
        "9 ** 9 ** 9 ** 9 * A",
        "A + 1" + "0" * 500,
        "A / 0",
        "A / (1 - 1)",
        "A + 0 ** -1",
        "A + (-1) ** 0.5",
        "(" * 80 + "A" + ")" * 80 + "+" + "-" * 60 + "A",
        "A + " * 400 + "A",
        "-" * 900 + "A",
        "1 + 2",
    ],
)
def test_what_would_never_end_or_has_no_value_is_refused(text):
    with pytest.raises(OptionError):
        parse_formula(text)


def test_names_come_in_the_order_in_which_they_are_written():
    tree = parse_formula("(B11 + B04 - (B08 + B02)) / (B11 + B04)")
    assert formula_names(tree) == ("B11", "B04", "B08", "B02")


@given(st.lists(st.floats(-0.125, 1.5, width=32), min_size=4, max_size=4))
def test_float32_bands_give_the_bits_of_the_arithmetic_on_arrays(numbers):
    a, b, c, d = (np.array([number], "float32") for number in numbers)
    found, _ = evaluate(
        parse_formula("2.5 * (A - B) / (A + 6 * B - 7.5 * C + D)"), {"A": a, "B": b, "C": c, "D": d}
    )
    assert found.dtype == np.float32
    with np.errstate(all="ignore"):
        expected = 2.5 * (a - b) / (a + 6 * b - 7.5 * c + d)
    np.testing.assert_array_equal(found, expected)


def test_denominators_near_zero_are_pointed_out_each_of_them():
    tree = parse_formula("A / B + A / (B - C)")
    bands = {
        "A": np.ones(4, "float32"),
        "B": np.array([1e-7, 0.5, -9e-7, 0.5], "float32"),
        "C": np.array([0.2, 0.5, 0.3, 0.1], "float32"),
    }
    _, unsafe = evaluate(tree, bands)
    assert unsafe.tolist() == [True, True, True, False]
    assert evaluate(parse_formula("A * B / 2"), bands)[1] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(A - B) / (A + B)", True),
        ("(A - B) / (B + A)", True),
        ("((C + D) - (A + B)) / ((C + D) + (A + B))", True),
        ("(A - B) / (A + C)", False),
        ("(A + B) / (A - B)", False),
        ("2 * (A - B) / (A + B)", False),
        ("A / B", False),
        ("A", False),
    ],
)
def test_normalised_differences_are_told_by_their_form(text, expected):
    assert is_normalised_difference(parse_formula(text)) is expected


def test_names_are_replaced_by_names_and_numbers():
    assert substitute("(N - R) / (N + R + L)", {"N": "B8A", "L": 0.5}) == (
        "(B8A - R) / (B8A + R + 0.5)"
    )
