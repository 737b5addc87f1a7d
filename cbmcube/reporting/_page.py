"""The page itself: what is said in which order, and no way out of it to any network."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files

from cbmcube._states import STATES
from cbmcube.observations.reading import Coverage
from cbmcube.reporting import _html as html
from cbmcube.reporting._profiles import Sample
from cbmcube.reporting._scenes import Scenes
from cbmcube.reporting._work import Work

_MEANING = {
    "OK": "seen, with a valid pixel",
    "PARTIAL": "the same, but a part of the parcel lies outside the image",
    "MASKED": "seen, but every pixel is masked, such as by clouds",
    "NO_DATA": "not seen by the pass",
    "READ_FAILED": "the images could not be read",
}
_SECTIONS = {
    "scenes": "Scenes",
    "coverage": "Coverage",
    "months": "Months",
    "parcels": "Parcels",
    "profiles": "Sample profiles",
    "reads": "Slow and failed reads",
    "provenance": "Provenance",
}


@dataclass(frozen=True)
class Content:
    """All that stands on a page: numbers, and what was drawn and listed of them."""

    title: str
    about: str
    scenes: Scenes
    coverage: Coverage
    work: Work
    records: int
    drawings: dict[str, str]
    """Drawings and tables by name, as HTML."""
    profiles: list[tuple[Sample, str]]
    provenance: dict[str, str]


def render(content: Content) -> str:
    """Return the page as HTML."""
    own = files("cbmcube.reporting")
    style = own.joinpath("_page.css").read_text(encoding="utf-8")
    script = own.joinpath("_page.js").read_text(encoding="utf-8")
    mark = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # Nothing is fetched, and no script runs but ours, whatever the data hold.
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{mark}'; base-uri 'none'; form-action 'none'"
    )
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in _SECTIONS.items())
    body = "\n".join(make(content) for make in _MAKERS)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{html.text(content.title)}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{html.text(content.title)}</h1>
<p class="quiet">{html.text(content.about)}</p>
<button id="theme" type="button" hidden></button>
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main>
{_numbers(content)}
{body}
</main>
<script>{script}</script>
</body>
</html>
"""


def _numbers(content: Content) -> str:
    coverage, scenes = content.coverage, content.scenes
    states = coverage.states.sum(axis=0)
    total = int(states.sum())
    usable = int(coverage.usable.sum())
    failed = content.work.failed
    pending = int(failed["status"].isin(["pending", "failed"]).sum())
    found = [
        ("parcels", f"{len(coverage.ids):,}"),
        ("acquisitions", f"{len(scenes.acquisitions):,}"),
        ("records", f"{content.records:,}"),
        ("usable looks", f"{100 * usable / total:.1f} %" if total else html.DASH),
        ("expected, not found", f"{len(scenes.gaps):,}"),
        ("items left out", f"{len(scenes.left_out):,}" if scenes.searched else "not known"),
        ("units with failed reads", f"{len(failed) - pending:,}"),
        ("units not computed", f"{pending:,}"),
    ]
    return html.tiles(found)


def _scenes(content: Content) -> str:
    scenes, drawn = content.scenes, content.drawings
    notes = [f"Searched for: {one}." for one in scenes.asked if one]
    if scenes.filtered and len(scenes.gaps):
        notes.append("The search had a filter or an end: a gap may be what it left out.")
    return _section(
        "scenes",
        html.paragraph(
            f"{html.counted(scenes.scenes, 'scene')} in "
            f"{html.counted(len(scenes.acquisitions), 'acquisition')}."
        ),
        *(html.paragraph(one, quiet=True) for one in notes),
        html.figure(
            drawn["scenes"],
            "Acquisitions by track and date. An acquisition is all scenes of one pass of one "
            "satellite; a triangle below it is a scene that was offered twice and counts once.",
        ),
        "<h3>Gaps</h3>",
        drawn["gaps"],
        "<h3>Duplicates and refused items</h3>",
        drawn["left out"],
        "<h3>All acquisitions</h3>",
        drawn["acquisitions"],
    )


def _coverage(content: Content) -> str:
    coverage = content.coverage
    outside = int(coverage.outside.sum())
    counts = coverage.states.sum(axis=0)
    total = max(1, int(counts.sum()))
    pairs = {
        f"{name}: {_MEANING[name]}": f"{int(count):,} ({100 * int(count) / total:.1f} %)"
        for name, count in zip(STATES, counts, strict=True)
    }
    return _section(
        "coverage",
        html.paragraph(
            "A look is one acquisition of one parcel. It counts once, by the worst state among its "
            "bands, and is usable if that is OK or PARTIAL."
        ),
        html.paragraph(f"Outside all images, and without looks: {html.counted(outside, 'parcel')}.")
        if outside
        else "",
        html.figure(content.drawings["map"], "Usable acquisitions of each parcel, where it lies."),
        html.figure(content.drawings["histogram"], "Parcels by usable acquisitions."),
        html.facts("Looks by state", pairs),
    )


def _months(content: Content) -> str:
    return _section(
        "months",
        html.figure(
            content.drawings["months"],
            "Usable acquisitions of a parcel in each month (UTC): the mean as a bar, the median as "
            "a dash, a line from the 10th to the 90th percentile; below, parcels without any.",
        ),
    )


def _parcels(content: Content) -> str:
    return _section(
        "parcels",
        html.paragraph(
            "Longest gap: the longest time without a usable acquisition, in days, from the first "
            "to the last acquisition of the season."
        ),
        content.drawings["parcels"],
    )


def _profiles(content: Content) -> str:
    coverage = content.coverage
    place = {one: number for number, one in enumerate(coverage.ids.to_pylist())}
    drawn = []
    for one, drawing in content.profiles:
        number = place[one.parcel]
        caption = (
            f"Parcel {one.parcel}, {one.why}: {coverage.usable[number]:,} of "
            f"{html.counted(int(coverage.planned[number]), 'acquisition')} usable, longest gap "
            f"{coverage.longest[number]:.1f} d."
        )
        drawn.append(html.figure(drawing, caption))
    return _section("profiles", *drawn or [html.paragraph("No parcel has numbers.", quiet=True)])


def _reads(content: Content) -> str:
    work = content.work
    told = (
        f"{html.counted(work.runs, 'run')}, {html.counted(work.units, 'unit')} in "
        f"{work.seconds:,.0f} s of work"
    )
    if work.units:
        told += f", {work.median:.2f} s for the one in the middle; {work.retried:,} tried again"
    return _section(
        "reads",
        html.paragraph(
            "A unit is one acquisition and one group of parcels: what is read, reduced and "
            "committed at once."
        ),
        "<h3>Failed or not computed</h3>",
        content.drawings["failed"],
        "<h3>Slowest</h3>",
        html.paragraph(f"{told}.", quiet=True),
        content.drawings["slow"],
    )


def _provenance(content: Content) -> str:
    return _section("provenance", html.facts("How the numbers were made", content.provenance))


def _section(name: str, *content: str) -> str:
    return html.section(name, _SECTIONS[name], *content)


_MAKERS = (_scenes, _coverage, _months, _parcels, _profiles, _reads, _provenance)
