"""Links of the texts lead somewhere: files that are there, and headings that they have."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs" / "decisions").glob("*.md"),
    ]
)
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^)\s>]*)>?\)")
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def prose(path):
    """Return the text of a page without its code, where brackets are not links."""
    text = re.sub(r"^(`{3,}|~{3,}).*?^\1", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "`code`", text)


def links(path):
    return [link for link in LINK.findall(prose(path)) if not ELSEWHERE.match(link)]


def slug(heading):
    """Return the anchor of a heading, as GitHub and MyST make it."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.replace("`", "")).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path):
    """Return the anchors of a page, down to the depth that the docs make them."""
    text = re.sub(r"^(`{3,}|~{3,}).*?^\1", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    found: list[str] = []
    for heading in re.findall(r"^#{1,3} (.*)$", text, flags=re.MULTILINE):
        one, again = slug(heading), sum(slug(heading) == re.sub(r"-\d+$", "", f) for f in found)
        found.append(f"{one}-{again}" if again else one)
    return {*found, *re.findall(r"^\(([\w-]+)\)=$", text, flags=re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = []
    for link in links(page):
        name, _, anchor = unquote(link).partition("#")
        target = page if not name else page.parent / name
        known = (
            anchors(target) if anchor and target.suffix == ".md" and target.exists() else {anchor}
        )
        if not target.exists() or anchor not in known:
            broken.append(link)
    assert not broken


def test_the_check_sees_what_is_broken(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A `b` c?\n\n[x](#a-b-c) [y](#a-b) [z](no.md) `[w](no.md)`\n")
    assert links(page) == ["#a-b-c", "#a-b", "no.md"]
    assert anchors(page) == {"a-b-c"}


def test_every_trap_that_is_linked_stands_where_the_link_leads():
    text = (ROOT / "docs" / "stac-traps.md").read_text()
    section = {}
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        for trap in re.findall(r"^\| (T\d+) ", part, flags=re.MULTILINE):
            section[trap] = slug(part.splitlines()[0])
    found = [
        (trap, anchor)
        for page in PAGES
        for trap, anchor in re.findall(
            r"\[(T\d+)\]\((?:docs/)?stac-traps\.md#([\w-]+)\)", prose(page)
        )
    ]
    assert len(found) > 30
    assert [one for one in found if section.get(one[0]) != one[1]] == []
