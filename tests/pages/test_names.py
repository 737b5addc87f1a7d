"""Python that the pages show compiles, uses names that exist, and passes arguments there are."""

from __future__ import annotations

import ast
import importlib
import inspect

import pytest

from tests.pages.fences import find_blocks, find_pages

WITH_CODE = [page for page in find_pages() if any(one.is_python for one in find_blocks(page))]


class Names(ast.NodeVisitor):
    """What a page imports of cbmcube, and what it does with it.

    A name that the page binds to anything else is left alone from there on.
    """

    def __init__(self, known):
        self.known = dict(known)
        self.wrong = []

    def visit_Import(self, node):
        for one in node.names:
            if one.name.split(".")[0] == "cbmcube":
                module = importlib.import_module(one.name)
                top = module if one.asname else importlib.import_module("cbmcube")
                self.known[one.asname or "cbmcube"] = top
            else:
                self.known.pop(one.asname or one.name.split(".")[0], None)

    def visit_ImportFrom(self, node):
        ours = (node.module or "").split(".")[0] == "cbmcube"
        for one in node.names:
            self.known.pop(one.asname or one.name, None)
            if ours:
                self.known[one.asname or one.name] = self.member(
                    importlib.import_module(node.module), one.name
                )

    def member(self, owner, name):
        try:
            return getattr(owner, name)
        except AttributeError:
            self.wrong.append(f"{getattr(owner, '__name__', owner)} has no {name}")
            return None

    def resolve(self, node):
        """Return the object behind a dotted name, or None if it is not one of cbmcube's."""
        if isinstance(node, ast.Name):
            return self.known.get(node.id)
        if not isinstance(node, ast.Attribute):
            return None
        owner = self.resolve(node.value)
        if inspect.ismodule(owner) or inspect.isclass(owner):
            return self.member(owner, node.attr)
        return None

    def visit_Attribute(self, node):
        if self.resolve(node) is None:
            self.generic_visit(node)

    def visit_Call(self, node):
        self.generic_visit(node)
        called = self.resolve(node.func)
        if not callable(called):
            return
        names = [one.arg for one in node.keywords]
        starred = None in names or any(isinstance(one, ast.Starred) for one in node.args)
        try:
            signature = inspect.signature(called)
            bind = signature.bind_partial if starred else signature.bind
            bind(*(node.args if not starred else []), **dict.fromkeys(filter(None, names)))
        except TypeError as error:
            self.wrong.append(f"{ast.unparse(node)[:60]}: {error}")

    def visit_Assign(self, node):
        self.generic_visit(node)
        for target in node.targets:
            for one in ast.walk(target):
                if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
                    self.known.pop(one.id, None)


def wrong_names(page):
    """Return what is wrong with the Python of a page."""
    known = {"cbm": importlib.import_module("cbmcube")}
    wrong = []
    for block in find_blocks(page):
        if not block.is_python:
            continue
        found = Names(known)
        found.visit(ast.parse(block.text, filename=block.place))
        known, wrong = found.known, wrong + found.wrong
    return [*dict.fromkeys(wrong)]


@pytest.fixture
def wrong(tmp_path):
    def look(text):
        page = tmp_path / "page.md"
        page.write_text(text)
        return wrong_names(page)

    return look


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_a_page_uses_names_and_arguments_that_exist(page):
    assert wrong_names(page) == []


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("cbm.reduce_parcel(cubes, parcels)", "cbmcube has no reduce_parcel"),
        ("cbm.markers.mow(stats)", "cbmcube.markers has no mow"),
        ("from cbmcube.cluster import list_cluster", "cbmcube.cluster has no list_cluster"),
        ("cbm.mask(cubes)", "missing a required argument"),
        ("cbm.mask(cubes, cbm.CARD_2A, nothing=[3])", "unexpected keyword argument"),
        ("import cbmcube.zonal\ncbmcube.zonal.nothing", "cbmcube.zonal has no nothing"),
    ],
)
def test_the_check_sees_what_is_wrong(wrong, code, word):
    [found] = wrong(f"text\n\n```python\n{code}\n```\n")
    assert word in found


def test_a_cell_without_its_options_is_python(wrong):
    cell = "```{code-cell} python3\n:tags: [remove-stderr]\nx = cbm.no_name\n```\n"
    assert wrong(cell) == ["cbmcube has no no_name"]


def test_names_that_a_page_takes_for_itself_are_its_own(wrong):
    assert wrong("```python\nfrom other import cbm\ncbm.anything()\n```\n") == []
    assert wrong("```python\ncbm = make()\ncbm.anything()\n```\n") == []
