"""The fenced blocks of a page: what language they are in, what they say, and where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILT = {"_build", "api", "jupyter_execute"}

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")
_OPTIONS = re.compile(r"\A(?:---\n.*?^---\n|(?::[^\n]*\n)+)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    """Number of the line on which the text begins."""
    language: str
    """Such as ``"python"``; a directive in braces, such as ``"{code-cell}"``; or nothing."""
    text: str
    """Without the indent of the fence, and without the options of a cell."""
    mark: str = ""
    """A comment of HTML right before the fence, such as ``"command: demo"``."""

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"

    @property
    def is_python(self) -> bool:
        return self.language in {"python", "{code-cell}"}


def find_pages() -> list[Path]:
    """Return every page that readers have, without what a build of the docs leaves."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(page for page in found if not BUILT & set(page.relative_to(ROOT).parts))


def find_blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in order; those inside a directive with text as well."""
    lines = page.read_text(encoding="utf-8").splitlines()
    return [*_blocks(page, lines, first=1)]


def _blocks(page: Path, lines: list[str], first: int) -> Iterator[Block]:
    number = 0
    while number < len(lines):
        found = _FENCE.match(lines[number])
        if found is None:
            number += 1
            continue
        begin, end = number + 1, _end(page, lines, number, found, first)
        body = [line.removeprefix(found["indent"]) for line in lines[begin:end]]
        language = (found["info"].split() or [""])[0]
        inside = [*_blocks(page, body, first + begin)] if language.startswith("{") else []
        if language == "{code-cell}" or not inside:
            yield _block(page, language, body, line=first + begin, mark=_mark(lines, number))
        else:
            yield from inside
        number = end + 1


def _end(page: Path, lines: list[str], number: int, found: re.Match[str], first: int) -> int:
    close = re.compile(rf"^ *{re.escape(found['fence'][0])}{{{len(found['fence'])},}} *$")
    for end in range(number + 1, len(lines)):
        if close.match(lines[end]):
            return end
    message = f"{page.name}:{first + number}: the block has no end"
    raise ValueError(message)


def _mark(lines: list[str], number: int) -> str:
    found = re.fullmatch(r" *<!-- (.*) -->", lines[number - 1]) if number else None
    return found[1] if found else ""


def _block(page: Path, language: str, body: list[str], *, line: int, mark: str) -> Block:
    text = "".join(f"{one}\n" for one in body)
    options = _OPTIONS.match(text) if language == "{code-cell}" else None
    if options:
        text, line = text[options.end() :], line + options[0].count("\n")
    return Block(page, line, language, text, mark)
