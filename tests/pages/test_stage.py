"""A page that is wrong is seen, at its own line; a page that is right is run as it stands."""

from __future__ import annotations

import traceback

import pytest

from tests.pages.fences import find_blocks
from tests.pages.stage import checked, play, with_cells_that_are_needed


@pytest.fixture
def blocks(tmp_path):
    def write(text):
        page = tmp_path / "page.md"
        page.write_text(text)
        return find_blocks(page)

    return write


def python(*codes):
    return "".join(f"# A title\n\n```python\n{code}\n```\n" for code in codes)


@pytest.mark.parametrize(
    ("code", "error"),
    [("y = x + 1\nz = nothing", NameError), ("y = 1\nx.real.nothing()", AttributeError)],
)
def test_a_wrong_block_fails_at_its_line(blocks, code, error):
    with pytest.raises(error) as caught:
        play(blocks(python("x = 1", code)))
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.filename.endswith("page.md")
    assert last.lineno == 10


def test_blocks_share_their_names_and_show_their_values(blocks):
    played = play(blocks(python("x = [1]\nx", "x.append(2)\nfor y in x:\n    y * 2\n'no value'")))
    assert played.names["x"] == [1, 2]
    assert played.shown == {"x": [[1, 2]], "x.append(2)": [None], "y * 2": [2, 4]}


def test_addresses_are_exchanged_and_nothing_else_is(blocks):
    code = 'a = "https://a.org"\nb = f("s3://bucket/x", k="https://a.org/b")\nb'
    instead = {"https://a.org": "here", "s3://bucket/": "/disk/"}
    played = play(blocks(python("def f(x, k):\n    return x, k", code)), instead=instead)
    assert played.names["a"] == "here"
    assert played.names["b"] == ("/disk/x", "https://a.org/b")
    assert played.exchanged == set(instead)


def test_only_cells_that_a_block_needs_are_run_before_it(blocks):
    cells = ("import os", "a = 1", "b = 2", "c = a + 1")
    text = "".join(f"```{{code-cell}} python3\n{cell}\n```\n" for cell in cells)
    kept = with_cells_that_are_needed(blocks(text + python("d = c")))
    assert [one.text for one in kept] == ["a = 1\n", "c = a + 1\n", "d = c\n"]
    assert play(kept).names["d"] == 2


def test_a_part_that_plays_takes_only_what_the_real_one_takes():
    def real(a, *, b=1):
        raise AssertionError((a, b))

    played = checked(real, lambda *_, **__: "played")
    assert played(1, b=2) == "played"
    with pytest.raises(TypeError, match="unexpected keyword argument 'c'"):
        played(1, c=2)
