"""No block of code stands on a page that nothing runs."""

from __future__ import annotations

import ast
import re

import pytest

from cbmcube.scripting import read_job
from tests.pages import test_python, test_shell
from tests.pages.fences import ROOT, find_blocks, find_pages

TEXT = {"text", "{admonition}", "{eval-rst}", "{glossary}", "{image}", "{include}", "{toctree}"}
"""What is no code."""

PAGES = find_pages()
JOBS = [one for page in PAGES for one in find_blocks(page) if one.language == "toml"]
BUILD = ast.parse((ROOT / "docs" / "conf.py").read_text())


def not_run(page):
    """Return the blocks of a page that are in a language that is run, and are not."""
    front = re.match(r"\A---\n(.*?)\n---\n", page.read_text(), flags=re.DOTALL)
    cells_run = bool(front and "file_format: mystnb" in front[1] and "name: python3" in front[1])
    found = []
    for block in find_blocks(page):
        runs = {
            "python": page in test_python.PAGES or page.name in test_python.ELSEWHERE,
            "{code-cell}": cells_run and page.parent == ROOT / "docs",
            "sh": block in test_shell.BLOCKS,
            "toml": block in JOBS,
        }
        if not runs.get(block.language, block.language in TEXT):
            found.append(f"{block.place}: {block.language or 'no language'}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_run(page):
    assert not_run(page) == []


def test_the_build_of_the_docs_runs_all_cells_and_fails_with_them():
    set_to = {
        node.targets[0].id: node.value
        for node in BUILD.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    assert set_to["nb_execution_mode"].value == "force"
    assert set_to["nb_execution_raise_on_error"].value is True
    assert "sphinx -W" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("block", JOBS, ids=lambda block: block.place)
def test_a_job_file_is_one(block, tmp_path):
    file = tmp_path / "job.toml"
    file.write_text(block.text)
    assert read_job(file).text == block.text


def test_the_check_sees_what_is_not_run(tmp_path):
    page = tmp_path / "new.md"
    fences = ("python", "{code-cell} python3", "sh", "toml", "text", "bash", "")
    page.write_text("".join(f"```{fence}\nx\n```\n" for fence in fences))
    assert [one.split(": ")[1] for one in not_run(page)] == [
        *("python", "{code-cell}", "sh", "toml", "bash", "no language"),
    ]


def test_a_page_without_its_kernel_has_no_cell_that_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.pages.test_complete.ROOT", tmp_path)
    page = tmp_path / "docs" / "new.md"
    page.parent.mkdir()
    page.write_text("```{code-cell} python3\nx = 1\n```\n")
    assert not_run(page) == ["new.md:2: {code-cell}"]
    page.write_text(
        "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n" + page.read_text()
    )
    assert not_run(page) == []
