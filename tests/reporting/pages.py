"""Read a page as a reader does: tables, texts, drawings, and what would be fetched."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd


@dataclass
class Page(HTMLParser):
    """What stands on a page."""

    source: str = ""
    text: str = ""
    tags: list[tuple[str, dict]] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    shown: dict[str, list[list[str]]] = field(default_factory=dict)

    def __post_init__(self):
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self._name = ""
        self._heads: list[str] = []
        self._data = ""

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag not in ("meta", "br", "input", "link", "use", "image", "path"):
            self._open.append(tag)
        if tag == "div" and found.get("class") == "table":
            self._name, self._heads = found["id"], []
            self.shown[self._name] = []
        if tag in ("th", "td", "script"):
            self._data = ""
        if tag == "tr" and "tbody" in self._open and self._name:
            self.shown[self._name].append([])

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self._data += data
        if not {"script", "style"} & set(self._open):
            self.text += data

    def handle_endtag(self, tag):
        if tag in self._open:
            while self._open.pop() != tag:
                pass
        if tag == "th" and self._name:
            self._heads.append(self._data)
        if tag == "td" and self._name:
            self.shown[self._name][-1].append(self._data)
        if tag == "script" and self._name:
            self.tables[self._name] = pd.DataFrame(json.loads(self._data), columns=self._heads)
            self._name = ""

    @property
    def drawings(self) -> list[str]:
        """The words of each drawing."""
        return [a["aria-label"] for tag, a in self.tags if tag == "svg"]

    @property
    def addresses(self) -> list[str]:
        """Whatever a browser might fetch."""
        names = ("src", "href", "xlink:href", "action", "data", "poster", "srcset")
        return [value for _, a in self.tags for name, value in a.items() if name in names]


def read_page(path: Path) -> Page:
    page = Page()
    page.source = path.read_text(encoding="utf-8")
    page.feed(page.source)
    return page
