"""What a search found, what it left out and why, and what it did not find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

import pandas as pd
import pystac

from cbmcube._html import html_facts, html_fold, html_frame, html_panel
from cbmcube.catalog.items import (
    REPORT_KEY,
    UNFILLED,
    Acquisition,
    Dropped,
    Facts,
    Gap,
    find_gaps,
    fingerprint,
    group_acquisitions,
    identify,
)
from cbmcube.exceptions import OptionError

__all__ = ["Dropped", "SearchReport", "report"]  # other modules of the folder take Dropped here

_ITEM_COLUMNS = [
    *("id", "collection", "acquisition", "tile"),
    *("baseline", "updated", "version", "fingerprint"),
]

SHOWN = 10
"""Lines of each list that the text form shows."""

_FOLDED = 500  # rows that open with a click


@dataclass(frozen=True, slots=True, repr=False)
class SearchReport:
    """What a search found, what it left out, and what it did not find."""

    facts: Facts
    """What the search knew."""
    kept: int
    """Items kept."""
    acquisitions: tuple[Acquisition, ...]
    """The items by acquisition, in order of time."""
    orbits: Mapping[str, int] = field(default_factory=dict)
    """Number of items by satellite, orbit track and direction."""
    tiles: Mapping[str, int] = field(default_factory=dict)
    """Number of items by tile."""
    gaps: tuple[Gap, ...] = ()
    """Acquisitions that the repeat cycle lets expect and that were not found."""
    unfilled: Mapping[str, int] = field(default_factory=dict)
    """Number of items by what the records they were made of did not say."""

    @property
    def found(self) -> int:
        """Items that the catalogue offered and that satisfy the filter."""
        return self.facts.found

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """Items that were left out, those left out before freezing first."""
        return (*self.facts.earlier, *self.facts.dropped)

    def to_frame(self, what: str = "acquisitions") -> pd.DataFrame:
        """Return the report as a table.

        Parameters
        ----------
        what
            ``"acquisitions"``: one row for each acquisition found or expected, with columns
            time (UTC), acquisition, platform, relative_orbit, orbit_state, items (their number)
            and state (``"found"`` or ``"not found"``). ``"items"``: one row for each item kept,
            with columns id, collection, acquisition, tile, baseline, updated, version and
            fingerprint, for the record of a run. ``"dropped"``: one row for each item left out,
            with columns id, reason and kept.
        """
        if what == "dropped":
            return pd.DataFrame(
                [asdict(one) for one in self.dropped], columns=["id", "reason", "kept"]
            )
        if what == "items":
            rows = [_item_row(item, a.id) for a in self.acquisitions for item in a.items]
            return pd.DataFrame(rows, columns=_ITEM_COLUMNS)
        if what == "acquisitions":
            return self._acquisition_frame()
        raise OptionError(
            "the report has no such table",
            given=repr(what),
            allowed="acquisitions, items, dropped",
        )

    def _acquisition_frame(self) -> pd.DataFrame:
        columns = ("time", "acquisition", "platform", "relative_orbit", "orbit_state")
        rows: list[tuple[object, ...]] = [
            (a.time, a.id, a.platform, a.relative_orbit, a.orbit_state, len(a.items), "found")
            for a in self.acquisitions
        ]
        rows += [
            (g.time, None, g.platform, g.relative_orbit, g.orbit_state, 0, "not found")
            for g in self.gaps
        ]
        frame = pd.DataFrame(rows, columns=[*columns, "items", "state"])
        frame["time"] = pd.to_datetime(frame["time"], utc=True)
        return frame.sort_values("time", kind="stable", ignore_index=True)

    def _rows(self, shown: int = SHOWN) -> list[tuple[str, str]]:
        facts = self.facts
        rows = [("asked", facts.asked), ("found", _plural(self.found, "item"))]
        if facts.repeated:
            rows.append(("repeated", f"{_plural(facts.repeated, 'item')} sent more than once"))
        if facts.assets_removed:
            rows.append(("assets", f"{facts.assets_removed} removed that may not be read"))
        reasons = Counter(one.reason for one in self.dropped)
        rows.append(("left out", ", ".join(f"{n} {r}" for r, n in reasons.items()) or "none"))
        rows += [("", _dropped_line(one)) for one in self.dropped[:shown]]
        rows += _more(len(self.dropped), shown)
        rows.append(("kept", self._kept()))
        rows += [("", f"{n} whose record did not say {what}") for what, n in self.unfilled.items()]
        rows.append(("orbits", _counts(self.orbits)))
        rows.append(("tiles", _counts(self.tiles)))
        return rows + self._gap_rows(shown)

    def _kept(self) -> str:
        times = [one.time for one in self.acquisitions]
        text = f"{_plural(self.kept, 'item')}, {_plural(len(times), 'acquisition')}"
        if not times:
            return text
        return f"{text}, {min(times):%Y-%m-%d} to {max(times):%Y-%m-%d}"

    def _gap_rows(self, shown: int) -> list[tuple[str, str]]:
        if self.facts.capped:
            return [("not found", "not judged: the search ended at max_items")]
        if not self.gaps:
            return []
        cycles = ", ".join(f"{days}-day" for days in sorted({g.repeat_days for g in self.gaps}))
        text = f"{len(self.gaps)} expected from the {cycles} cycle"
        if self.facts.filtered:
            text += "; the filter may have left them out"
        lines = [
            ("", f"{g.time:%Y-%m-%d %H:%M} {_track(g.platform, g.relative_orbit, g.orbit_state)}")
            for g in self.gaps[:shown]
        ]
        return [("not found", text), *lines, *_more(len(self.gaps), shown)]

    def __repr__(self) -> str:
        lines = [f"  {label:<10}{text}" for label, text in self._rows()]
        return "\n".join([f"<SearchReport: {_plural(self.kept, 'item')} kept>", *lines])

    def _repr_html_(self) -> str:
        lists = [
            ("acquisitions", self._acquisition_frame()),
            ("left out", self.to_frame("dropped")),
        ]
        folds = [
            html_fold(f"{name}: {len(table):,}", html_frame(table, rows=_FOLDED))
            for name, table in lists
            if len(table)
        ]
        return html_panel("Search report", html_facts(self._rows(shown=3)), *folds)


def report(items: pystac.ItemCollection) -> SearchReport:
    """Tell what a search found, what it left out and why, and what it did not find.

    Parameters
    ----------
    items
        What `search` returned. For any other item collection, the report holds counts, and gaps
        between the first and the last acquisition of each track.

    Returns
    -------
    SearchReport
        Prints as text and in notebooks; ``to_frame()`` gives tables. It never says that
        a result is complete: gaps are what the repeat cycle of the satellites lets expect.

    Examples
    --------
    >>> from datetime import datetime
    >>> import pystac
    >>> facts = {"platform": "sentinel-1a", "sat:relative_orbit": 44}
    >>> items = pystac.ItemCollection(
    ...     pystac.Item(f"scene-{day}", None, None, datetime(2024, 3, day, 17), facts)
    ...     for day in (1, 25)
    ... )
    >>> [gap.time.isoformat() for gap in report(items).gaps]
    ['2024-03-13T17:00:00+00:00']
    """
    stored = items.extra_fields.get(REPORT_KEY)
    facts = (
        Facts.from_json(stored)
        if isinstance(stored, Mapping)
        else Facts(asked="not known: the items do not come from a search", found=len(items.items))
    )
    acquisitions = tuple(group_acquisitions(items.items))
    tiles = _count(identify(item).tile or "no tile" for item in items.items)
    gaps = [] if facts.capped else find_gaps(acquisitions, facts.period, facts.repeat_days)
    return SearchReport(
        facts=facts,
        kept=len(items.items),
        acquisitions=acquisitions,
        orbits=_by_orbit(acquisitions),
        tiles=tiles,
        gaps=tuple(gaps),
        unfilled=_count(what for item in items.items for what in item.properties.get(UNFILLED, ())),
    )


def _by_orbit(acquisitions: Iterable[Acquisition]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for one in acquisitions:
        counts[_track(one.platform, one.relative_orbit, one.orbit_state)] += len(one.items)
    return dict(sorted(counts.items()))


def _track(platform: str | None, orbit: int | None, state: str | None) -> str:
    parts = [platform or "unknown", None if orbit is None else f"R{orbit:03d}", state]
    return " ".join(part for part in parts if part)


def _dropped_line(one: Dropped) -> str:
    return f"{one.id}: {one.reason}" + (f"; {one.kept} stays" if one.kept else "")


def _more(total: int, shown: int) -> list[tuple[str, str]]:
    return [("", f"… and {total - shown} more")] if total > shown else []


def _count(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _counts(counts: Mapping[str, int]) -> str:
    shown = [f"{name}: {number}" for name, number in [*counts.items()][:SHOWN]]
    if len(counts) > SHOWN:
        shown.append(f"… and {len(counts) - SHOWN} more")
    return ", ".join(shown) or "none"


def _item_row(item: pystac.Item, acquisition: str) -> tuple[object, ...]:
    who, facts = identify(item), item.properties
    return (
        item.id,
        item.collection_id,
        acquisition,
        who.tile,
        who.baseline,
        facts.get("updated"),
        facts.get("version"),
        fingerprint(item),
    )


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
