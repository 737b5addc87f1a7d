"""Figures as drawings inside a page: its colours and fonts, its light and its dark."""

from __future__ import annotations

import io
import re
import warnings
from html import escape
from typing import TYPE_CHECKING

from cbmcube._canvas import as_written
from cbmcube._style import FAINT, GRID, INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_THEME = {
    INK.lower(): "var(--ink)",
    FAINT.lower(): "var(--faint)",
    GRID.lower(): "var(--grid)",
    "#000000": "var(--ink)",
    "#ffffff": "var(--paper)",
}
"""Colours that say nothing of data follow the page."""

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b(?=[;\"' ])")
_SIZE = re.compile(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"')


def to_svg(figure: Figure, *, name: str, alt: str) -> str:
    """Return a figure as an inline drawing that readers of screens read as one image.

    Parameters
    ----------
    figure
        What to draw.
    name
        Begins the ids in the drawing, so that those of two drawings differ.
    alt
        What the drawing shows, in words.
    """
    import matplotlib as mpl  # noqa: PLC0415 - an extra

    as_written(figure)
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        # The browser has the fonts that matplotlib lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _themed(buffer.getvalue(), name, alt)


def _themed(svg: str, name: str, alt: str) -> str:
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style [^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\n?", "", body, flags=re.DOTALL)
    head, _, rest = body.partition(">")
    size = _SIZE.search(head)
    width, height = size.groups() if size else ("720", "360")
    rest = re.sub(r'\bid="', f'id="{name}-', rest)
    rest = re.sub(r"url\(#", f"url(#{name}-", rest)
    rest = re.sub(r'\b(xlink:href|href)="#', rf'\1="#{name}-', rest)
    rest = _COLOUR.sub(lambda found: _THEME.get(found[0].lower(), found[0]), rest)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(alt)}" '
        f'style="--width:{float(width) * 4 / 3:.0f}px">{rest}'
    )
