"""The one style of what notebooks show: a title, facts, tables, and a bar for what is done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import pandas as pd

from cbmcube._text import without_secrets

# No colour of our own but greys that let the page shine through: dark themes stay dark.
_LINE = "1px solid rgba(128,128,128,.35)"
_LABEL = "text-align:left;vertical-align:top;font-weight:600;padding:.15em 1.2em .15em 0"
_TEXT = "text-align:left;vertical-align:top;padding:.15em 0;overflow-wrap:anywhere"
_CELL = "vertical-align:top;padding:.15em 1.2em .15em 0"
_NUMBER = (int, float)  # numpy's float64 is a float, its integers come through pandas as int
_ADDRESS = re.compile(r"://|/vsi|\?[\w.%-]+=")


def html_panel(title: str, *parts: str) -> str:
    """Return parts, each HTML already, under a title, which is plain text."""
    head = f"<div style='font-weight:700;border-bottom:{_LINE}'>{html_text(title)}</div>"
    return f"<div style='max-width:60em;line-height:1.35'>{head}{''.join(parts)}</div>"


def html_facts(facts: Mapping[str, object] | Iterable[tuple[str, object]]) -> str:
    """Return facts as a table of labels and values; an empty label goes on with the one above."""
    rows = facts.items() if isinstance(facts, Mapping) else facts
    lines = (
        f"<tr><th style='{_LABEL}'>{html_text(label)}</th>"
        f"<td style='{_TEXT}'>{html_text(value)}</td></tr>"
        for label, value in rows
    )
    return f"<table>{''.join(lines)}</table>"


def html_table(title: str, facts: Mapping[str, object] | Iterable[tuple[str, object]]) -> str:
    """Return a title and facts.

    Examples
    --------
    >>> page = html_table("Run", {"units": 12_000})
    >>> "<b" in page, "12,000" in page
    (False, True)
    """
    return html_panel(title, html_facts(facts))


def html_frame(table: pd.DataFrame, *, rows: int = 20) -> str:
    """Return the first rows of a table, without its index, and how many more there are."""
    shown = table.head(rows)
    right = [_is_number(table[name]) for name in table]
    head = "".join(
        f"<th style='{_align(numeric)};{_CELL};border-bottom:{_LINE}'>{html_text(name)}</th>"
        for name, numeric in zip(table.columns, right, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f"<td style='{_align(numeric)};{_CELL}'>{html_text(value)}</td>"
            for value, numeric in zip(line, right, strict=True)
        )
        + "</tr>"
        for line in shown.itertuples(index=False, name=None)
    )
    more = len(table) - len(shown)
    note = f"<div style='opacity:.75'>… and {more:,} more</div>" if more else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"


def html_fold(summary: str, *parts: str) -> str:
    """Return parts that open with a click on a line of text."""
    return f"<details><summary>{html_text(summary)}</summary>{''.join(parts)}</details>"


def html_bar(share: float, text: str = "") -> str:
    """Return a bar for what is done, 0 to 1, and words beside it."""
    done = min(max(share, 0.0), 1.0)
    bar = f"<progress value='{done:.4f}' style='width:16em;vertical-align:middle'></progress>"
    return f"<div>{bar} {html_text(text)}</div>"


def html_text(value: object) -> str:
    """Return a value as text that cannot become markup and holds no secret of an address.

    Examples
    --------
    >>> html_text("<b> of https://me:word@host.org/a.tif?sig=abc"), html_text(12_000)
    ('&lt;b&gt; of https://host.org/a.tif', '12,000')
    """
    text = _plain(value)
    # Ids may hold a question mark: only what looks like an address loses what follows one.
    return escape(without_secrets(text) if _ADDRESS.search(text) else text)


def _plain(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, _NUMBER):
        return "" if value is None or value is pd.NaT else str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _is_number(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _align(numeric: bool) -> str:  # noqa: FBT001 - one word in, one out
    return f"text-align:{'right' if numeric else 'left'}"
