"""Formulas over band names: plain arithmetic, taken apart and never run as code."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError

MIN_DENOMINATOR = 1e-6
"""A quotient whose denominator is nearer to 0 than this has no value."""
_LONGEST, _DEEPEST, _LARGEST = 1000, 50, 1e300

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: np.positive,
    ast.USub: np.negative,
}


@lru_cache(maxsize=512)
def parse_formula(text: str) -> ast.expr:
    """Return the tree of a formula, its constant parts computed.

    Only names, numbers, brackets and ``+ - * / **`` are let in, so a formula from a stranger
    can do nothing but arithmetic.

    Raises
    ------
    OptionError
        If anything else is in it, or it names no band.
    """
    if len(text) > _LONGEST:
        raise _refusal(text, f"more than {_LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _refusal(text, "no formula that can be read") from error
    folded = _fold(tree.body, text, _DEEPEST)
    if not formula_names(folded):
        raise _refusal(text, "no band")
    return folded


def formula_names(tree: ast.expr) -> tuple[str, ...]:
    """Return the names in a formula, each once, in the order in which they are written."""
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    names.sort(key=lambda node: (node.lineno, node.col_offset))
    return tuple(dict.fromkeys(node.id for node in names))


def evaluate(
    tree: ast.expr, values: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return the values of a formula, and where a denominator is too near to 0.

    Float32 bands are combined in float32, in the order in which the formula is written, so
    the result has the bits of the same arithmetic on the arrays. The second part is ``None``
    for a formula that divides by no band.
    """
    found: list[NDArray[np.bool_]] = []
    with np.errstate(all="ignore"):
        value = _value(tree, values, found)
    unsafe = np.logical_or.reduce(found) if found else None
    return value, unsafe


def is_normalised_difference(tree: ast.expr) -> bool:
    """Tell whether a formula has the form ``(p - q) / (p + q)``."""
    if not isinstance(tree, ast.BinOp) or not isinstance(tree.op, ast.Div):
        return False
    upper, lower = tree.left, tree.right
    if not isinstance(upper, ast.BinOp) or not isinstance(upper.op, ast.Sub):
        return False
    if not isinstance(lower, ast.BinOp) or not isinstance(lower.op, ast.Add):
        return False
    parts = {ast.dump(upper.left), ast.dump(upper.right)}
    return parts == {ast.dump(lower.left), ast.dump(lower.right)}


def substitute(text: str, values: Mapping[str, str | float]) -> str:
    """Return a formula with names replaced by other names, or by numbers."""
    tree = _Replacing(values).visit(ast.parse(text.strip(), mode="eval"))
    return ast.unparse(tree)


class _Replacing(ast.NodeTransformer):
    def __init__(self, values: Mapping[str, str | float]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self.values.get(node.id, node.id)
        return ast.Name(value, ast.Load()) if isinstance(value, str) else ast.Constant(value)


def _fold(node: ast.expr, text: str, depth: int) -> ast.expr:
    """Return a checked copy of a part of a formula, a number where it is constant."""
    if depth == 0:
        raise _refusal(text, f"brackets or signs more than {_DEEPEST} deep")
    if isinstance(node, ast.Name):
        return node
    number = _number(node)
    if number is not None:
        return _constant(node, number, text)
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        inner = _fold(node.operand, text, depth - 1)
        number = _number(inner)
        if number is not None:
            return _constant(node, float(_UNARY[type(node.op)](number)), text)
        return ast.copy_location(ast.UnaryOp(node.op, inner), node)
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        left, right = (_fold(part, text, depth - 1) for part in (node.left, node.right))
        return _fold_two(ast.copy_location(ast.BinOp(left, node.op, right), node), text)
    raise _refusal(text, ast.unparse(node))


def _fold_two(node: ast.BinOp, text: str) -> ast.expr:
    left, right = _number(node.left), _number(node.right)
    if isinstance(node.op, ast.Div) and right == 0:
        raise _refusal(text, "a division by 0")
    if left is None or right is None:
        return node
    with np.errstate(all="ignore"):
        found = _BINARY[type(node.op)](np.float64(left), np.float64(right))
    return _constant(node, float(found), text)


def _number(node: ast.expr) -> float | None:
    """Return the number that a part of a formula is, if it is one."""
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return None
    if not isinstance(node.value, int | float):
        return None
    return float(node.value) if abs(node.value) < _LARGEST else math.inf


def _constant(node: ast.expr, value: float, text: str) -> ast.expr:
    if not math.isfinite(value):
        raise _refusal(text, f"{ast.unparse(node)[:40]}, which is no number that can be held")
    return ast.copy_location(ast.Constant(value), node)


def _value(
    node: ast.expr, values: Mapping[str, NDArray[Any]], unsafe: list[NDArray[np.bool_]]
) -> Any:
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.UnaryOp):
        return _UNARY[type(node.op)](_value(node.operand, values, unsafe))
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, values, unsafe), _value(node.right, values, unsafe)
        if isinstance(node.op, ast.Div) and not isinstance(right, float):
            unsafe.append(np.abs(right) < MIN_DENOMINATOR)
        return _BINARY[type(node.op)](left, right)
    return node.value if isinstance(node, ast.Constant) else None


def _refusal(text: str, found: str) -> OptionError:
    return OptionError(
        f"this is no formula of an index: {text[:80]}",
        given=found,
        allowed="names of bands, numbers, brackets and + - * / **",
        hint='write it such as "(B08 - B04) / (B08 + B04)"',
    )
