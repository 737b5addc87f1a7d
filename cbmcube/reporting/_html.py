"""Pieces of HTML: everything that comes from data is escaped here, and only here."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import pandas as pd

DASH = "\u2013"
"""Stands where a value is not known."""

PAGE = 10
"""Rows that a table shows at once."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    kind: Literal["text", "number", "time"] = "text"
    digits: int = 0
    """Digits behind the point."""


def text(value: object) -> str:
    """Return a text that is safe anywhere between tags and in quoted attributes."""
    return escape(str(value), quote=True)


def section(name: str, title: str, *content: str) -> str:
    """Return a section with a heading."""
    body = "\n".join(one for one in content if one)
    return (
        f'<section id="{text(name)}" aria-labelledby="{text(name)}-h">\n'
        f'<h2 id="{text(name)}-h">{text(title)}</h2>\n{body}\n</section>'
    )


def paragraph(words: str, *, quiet: bool = False) -> str:
    """Return a paragraph."""
    mark = ' class="quiet"' if quiet else ""
    return f"<p{mark}>{text(words)}</p>"


def figure(drawing: str, caption: str) -> str:
    """Return a drawing with its caption; what is wider than the page scrolls."""
    return (
        f'<figure><div class="scroll" tabindex="0" role="group" aria-label="{text(caption)}">'
        f"{drawing}</div><figcaption>{text(caption)}</figcaption></figure>"
    )


def facts(title: str, pairs: Mapping[str, str]) -> str:
    """Return names and values as a table with headings at the left."""
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>'
        for name, value in pairs.items()
    )
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{text(title)}">'
        f'<table class="facts"><caption>{text(title)}</caption><tbody>{rows}</tbody></table></div>'
    )


def tiles(pairs: Iterable[tuple[str, str]]) -> str:
    """Return large numbers with a word below."""
    found = "".join(f"<div><dd>{text(v)}</dd><dt>{text(name)}</dt></div>" for name, v in pairs)
    return f'<dl class="tiles">{found}</dl>'


def table(
    name: str,
    caption: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Any]],
    *,
    empty: str,
    page: int = PAGE,
) -> str:
    """Return a table that sorts and filters once the page's script runs, and is read without.

    The first rows are there as HTML; all of them as JSON, which the script shows page by page.

    Parameters
    ----------
    name
        Id of the table.
    caption
        What it lists, and what is left out.
    columns
        Titles and kinds.
    rows
        Values in the order of columns; ``None`` and NaN are shown as a dash.
    empty
        What is said where there are no rows.
    page
        Rows that are shown at once.
    """
    kept = [[_plain(value) for value in row] for row in rows]
    if not kept:
        return paragraph(empty, quiet=True)
    head = "".join(
        f'<th scope="col" data-kind="{c.kind}" data-digits="{c.digits}">{text(c.title)}</th>'
        for c in columns
    )
    first = "".join(_row(columns, row) for row in kept[:page])
    return (
        f'<div class="table" id="{text(name)}" data-page="{page}">\n'
        f'<div class="scroll" tabindex="0" role="group" aria-label="{text(caption)}">'
        f"<table><caption>{text(caption)}</caption><thead><tr>{head}</tr></thead>\n"
        f"<tbody>{first}</tbody></table></div>\n"
        f'<script type="application/json">{script_json(kept)}</script></div>'
    )


def script_json(value: Any) -> str:
    r"""Return JSON that cannot end the element that it stands in.

    Examples
    --------
    >>> script_json(["</script>"])
    '["\\u003c/script\\u003e"]'
    """
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        written = written.replace(sign, f"\\u{ord(sign):04x}")
    return written


def number(value: float | None, digits: int = 0) -> str:
    """Write a number as tables show it.

    Examples
    --------
    >>> number(12345.678, 1)
    '12,345.7'
    """
    return DASH if value is None else f"{value:,.{digits}f}"


def counted(count: int, one: str) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> counted(1, "run"), counted(1200, "run")
    ('1 run', '1,200 runs')
    """
    return f"{count:,} {one}{'s' * (count != 1)}"


def _row(columns: Sequence[Column], row: Sequence[Any]) -> str:
    cells = []
    for column, value in zip(columns, row, strict=True):
        plain = DASH if value is None else text(value)
        shown = number(value, column.digits) if column.kind == "number" else plain
        cells.append(f'<td class="{column.kind}">{shown}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: text, a number, or nothing."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M}"
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        # Six digits are more than is shown, and half the bytes.
        return None if math.isnan(value) else float(f"{value:.6g}")
    return value if isinstance(value, int) else _safe(str(value))


def _safe(words: str) -> str:
    """Replace what UTF-8 cannot write."""
    return words.encode("utf-8", "replace").decode("utf-8")
