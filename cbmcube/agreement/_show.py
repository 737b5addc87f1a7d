"""A comparison as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from cbmcube._html import html_facts, html_frame, html_panel

if TYPE_CHECKING:
    from cbmcube.agreement._result import Agreement, BandAgreement


def as_text(result: Agreement) -> str:
    """Return the comparison as lines of at most 100 characters."""
    lines = [f"  {label:<13} {text}" for label, text in _facts(result)]
    table = _bands(result).to_string(index=False)
    first = f"<Agreement of the {result.statistic}: second minus first"
    return "\n".join([first, *lines, *(f"  {line}" for line in table.splitlines())]) + ">"


def as_html(result: Agreement) -> str:
    """Return the comparison as two small tables for notebooks."""
    title = f"Agreement of the {result.statistic}: second minus first"
    return html_panel(title, html_facts(_facts(result)), html_frame(_bands(result), rows=100))


def _facts(result: Agreement) -> Iterator[tuple[str, str]]:
    more = len(result.parcels_only_a), len(result.parcels_only_b)
    yield "parcels", f"{result.parcels:,} in both{_alone(*more)}"
    passes = f"{len(result.matched):,} in both{_alone(len(result.only_a), len(result.only_b))}"
    yield "passes", f"{passes}; availability {result.availability:.3f}"
    near = sum(int(table["nearest"].notna().sum()) for table in (result.only_a, result.only_b))
    closest = pd.concat([result.only_a["nearest"], result.only_b["nearest"]]).abs().min()
    if near and closest < pd.Timedelta(days=1):
        yield "", f"one without a partner is {closest} from one: see AgreementRule.tolerance"
    unlike = result.header[(~result.header["same"]).fillna(value=False)]
    for number, (name, row) in enumerate(unlike.iterrows()):
        yield "" if number else "unlike", _short(f"{name}: {row['a']} | {row['b']}")
    extremes = {name: band for name, band in result.bands.items() if band.extremes}
    if extremes:
        counts = [f"{name} {_count(band)}" for name, band in extremes.items()]
        yield "extreme", ", ".join(counts) + ": see extremes"


def _alone(a: int, b: int) -> str:
    return f", {a:,} in the first alone, {b:,} in the second alone" if a or b else ""


def _count(band: BandAgreement) -> str:
    return f"{band.extremes:,}" if band.all_extremes else f"at least {band.extremes:,}"


def _short(text: str, width: int = 82) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _bands(result: Agreement) -> pd.DataFrame:
    rows = []
    for name, band in result.bands.items():
        low, high = band.intervals["bias"]
        rows.append(
            {
                "band": name if band.units == "1" else f"{name} ({band.units})",
                "n": f"{band.n:,}",
                "bias": f"{band.bias:+.4f}",
                "its 95 %": f"{low:+.4f} {high:+.4f}",
                "rmse": f"{band.rmse:.4f}",
                "limits": f"{band.limits[0]:+.4f} {band.limits[1]:+.4f}",
                "r": f"{band.r:.4f}",
                "orth. slope": f"{band.orthogonal_slope:.4f}",
                "within": f"{100 * band.within:.1f} % ≤ {band.tolerance:g}",
            }
        )
    return pd.DataFrame(rows)
