"""Blocks are found wherever Markdown allows them, and nothing else is."""

from __future__ import annotations

import pytest

from tests.pages.fences import ROOT, find_blocks, find_pages

PAGE = """\
# `code` and ``` in a line

```python
x = 1
```
1. A list:

   ```python
   if x:
       y = 2
   ```

~~~sh
echo ```
~~~

<!-- command: demo -->
```sh
true
```
```{code-cell} python3
:tags: [hide-input]
:name: one
z = 3
```
```{code-cell} python3
---
tags: [hide-input]
---
z = 4
```
````{admonition} Text
```toml
a = 1
```
````
```{toctree}
:hidden:
page
```
```
nothing said
```
"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_every_block_with_its_language_text_and_line(page):
    found = [(one.language, one.text, one.line) for one in find_blocks(page)]
    assert found == [
        ("python", "x = 1\n", 4),
        ("python", "if x:\n    y = 2\n", 9),
        ("sh", "echo ```\n", 14),
        ("sh", "true\n", 19),
        ("{code-cell}", "z = 3\n", 24),
        ("{code-cell}", "z = 4\n", 30),
        ("toml", "a = 1\n", 34),
        ("{toctree}", ":hidden:\npage\n", 38),
        ("", "nothing said\n", 42),
    ]
    lines = PAGE.splitlines()
    for _, text, line in found:
        assert lines[line - 1].strip() == text.splitlines()[0]


def test_a_comment_before_a_block_is_its_mark(page):
    assert [one.mark for one in find_blocks(page) if one.mark] == ["command: demo"]
    assert [one.place for one in find_blocks(page) if one.mark] == ["page.md:19"]


def test_a_block_without_end_is_an_error(page):
    page.write_text("text\n\n```python\nx = 1\n")
    with pytest.raises(ValueError, match="page.md:3: the block has no end"):
        find_blocks(page)


def test_no_page_is_forgotten_and_nothing_that_was_built_is_one():
    names = {page.relative_to(ROOT).as_posix() for page in find_pages()}
    assert {"README.md", "CONTRIBUTING.md", "docs/season.md", "docs/decisions.md"} <= names
    assert "docs/decisions/0001-one-node-per-native-grid.md" in names
    assert not any(name.startswith(("docs/_build", "docs/api")) for name in names)
