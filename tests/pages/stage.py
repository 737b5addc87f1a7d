"""A place where the Python of a page runs as it stands, on real parts at other addresses.

Texts such as ``"https://stac.example.org/v1"`` are exchanged in the code's tree before it is
compiled; all else is as the page says. The values of lines that only show something are kept, so
that a test can look at what the reader sees.
"""

from __future__ import annotations

import ast
import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.pages.fences import Block

_SHOW = "__show__"


@dataclass
class Played:
    """What a page has defined and shown so far."""

    names: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    """Values of the lines that are expressions, by their code, in order."""
    exchanged: set[str] = field(default_factory=set)
    """The texts that were exchanged."""


def play(
    blocks: Iterable[Block],
    *,
    instead: Mapping[str, str] | None = None,
    played: Played | None = None,
) -> Played:
    """Run blocks one after the other with the same names.

    `instead` gives texts by what stands in their place; one that ends in ``/`` is exchanged
    where a text begins with it.
    """
    played = played or Played()
    played.names["__name__"] = "page"
    played.names[_SHOW] = lambda code, value: played.shown[code].append(value)
    for block in blocks:
        tree = ast.parse(block.text, filename=block.place)
        stage = _Stage(instead or {}, played.exchanged)
        tree = ast.fix_missing_locations(stage.visit(tree))
        ast.increment_lineno(tree, block.line - 1)
        exec(compile(tree, str(block.page), "exec"), played.names)  # noqa: S102  # it is our own text
    return played


class _Stage(ast.NodeTransformer):
    def __init__(self, instead: Mapping[str, str], exchanged: set[str]) -> None:
        self.instead, self.exchanged = instead, exchanged

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str):
            return node
        for text, other in self.instead.items():
            if node.value == text or (text.endswith("/") and node.value.startswith(text)):
                self.exchanged.add(text)
                return ast.copy_location(ast.Constant(node.value.replace(text, other, 1)), node)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant):
            return node  # a docstring, or an ellipsis
        code = ast.Constant(ast.unparse(node.value))
        self.generic_visit(node)
        show = ast.Name(_SHOW, ast.Load())
        return ast.copy_location(ast.Expr(ast.Call(show, [code, node.value], [])), node)


def with_cells_that_are_needed(blocks: list[Block]) -> list[Block]:
    """Return the plain Python of a page, and those cells before it that define what it uses.

    All cells run when the docs are built; here the long ones need not run again for nothing.
    """
    kept: list[Block] = []
    wanted: set[str] = set()
    for block in reversed([one for one in blocks if one.is_python]):
        used, bound = _names(block)
        if block.language == "python" or wanted & bound:
            kept.insert(0, block)
            wanted = (wanted - bound) | used
    return kept


def _names(block: Block) -> tuple[set[str], set[str]]:
    used, bound = set(), set()
    for node in ast.walk(ast.parse(block.text, filename=block.place)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
    return used, bound


def checked(function: Callable[..., Any], answer: Callable[..., Any]) -> Callable[..., Any]:
    """Return `answer` as a part that takes only what `function` takes."""
    signature = inspect.signature(function)

    def called(*args: Any, **options: Any) -> Any:
        signature.bind(*args, **options)
        return answer(*args, **options)

    return called
