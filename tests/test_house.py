"""The house is as its plan says: layers, sizes, one line for each module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import cbmcube as cbm

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "cbmcube").rglob("*.py"))
LARGEST = 400


def first_sentence(path):
    doc = ast.get_docstring(ast.parse(path.read_text()))
    assert doc, f"{path} begins with no sentence that says what it is for"
    return " ".join(doc.split("\n\n")[0].split())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_module_is_small_and_says_what_it_is_for(path):
    assert len(path.read_text().splitlines()) <= LARGEST
    assert first_sentence(path).endswith(".")


def test_the_architecture_lists_every_module_with_its_sentence():
    plan = (ROOT / "ARCHITECTURE.md").read_text()
    for path in MODULES:
        if path.name != "__init__.py":
            assert f"| `{path.name}` | {first_sentence(path)} |" in plan


def test_public_names_are_sorted_and_documented():
    names = [name for name in cbm.__all__ if name != "__version__"]
    assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert all(getattr(cbm, name).__doc__ for name in names)


def marked_traps():
    """Return (trap, test) of every mark in the suite."""
    found = set()
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        name = path.relative_to(ROOT / "tests").as_posix()
        for node, inside in functions(ast.parse(path.read_text()).body):
            for mark in node.decorator_list:
                if ast.unparse(mark).startswith("pytest.mark.trap("):
                    found |= {(trap.value, f"{name}::{inside}{node.name}") for trap in mark.args}
    return found


def functions(body, inside=""):
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from functions(node.body, f"{node.name}::")
        elif isinstance(node, ast.FunctionDef):
            yield node, inside


def test_the_table_of_traps_is_that_of_the_tests():
    """Every trap has a test, every test a row; a test that goes takes its row along."""
    listed = set()
    for line in (ROOT / "docs" / "stac-traps.md").read_text().splitlines():
        if line.startswith("| T"):
            trap, *_, tests = (cell.strip() for cell in line.strip("|").split("|"))
            listed |= {(trap, test.strip("`")) for test in tests.split("<br>")}
    assert listed == marked_traps()
    assert {trap for trap, _ in listed} == {f"T{number}" for number in range(1, 47)}
