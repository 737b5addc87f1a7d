"""What a search knows and its items do not tell: counts, what was left out, the question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cbmcube.catalog.filters import Period, parse_time
from cbmcube.exceptions import CatalogError

REPORT_KEY = "cbmcube:report"
"""Where an item collection keeps the facts of the search that made it."""

UNFILLED = "cbmcube:unfilled"
"""Property that lists what the record that an item was made of did not say."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """An item that was found and left out."""

    id: str
    """Its id."""
    reason: str
    """Why it was left out."""
    kept: str | None = None
    """The item that was kept in its place, if there is one."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a search knows and its items do not tell."""

    asked: str
    """What was asked for, in words."""
    found: int
    """Items that the catalogue offered and that satisfy the filter."""
    dropped: tuple[Dropped, ...] = ()
    """Items that were left out."""
    repeated: int = 0
    """Items that a server sent more than once; each is counted once."""
    period: Period | None = None
    """The period of the search, its end not later than the search itself."""
    repeat_days: int | None = None
    """Repeat cycle of the product's satellites."""
    filtered: bool = False
    """Whether a filter may have left acquisitions out."""
    capped: bool = False
    """Whether the search ended at ``max_items``."""
    assets_removed: int = 0
    """Assets that nobody asked for and that may not be read, removed from their items."""
    earlier: tuple[Dropped, ...] = ()
    """Items left out before the catalogue was frozen."""

    def to_json(self) -> dict[str, Any]:
        """Write the facts as plain JSON."""
        return {
            **asdict(self),
            "dropped": [asdict(one) for one in self.dropped],
            "earlier": [asdict(one) for one in self.earlier],
            "period": None if self.period is None else str(self.period),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Facts:
        """Read what `to_json` wrote."""
        try:
            dropped, earlier = (
                tuple(Dropped(**one) for one in stored[key]) for key in ("dropped", "earlier")
            )
            period = None if stored["period"] is None else _read_period(stored["period"])
            return cls(**{**stored, "dropped": dropped, "earlier": earlier, "period": period})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CatalogError(
                "the report kept with the items cannot be read",
                given=f"{type(error).__name__}: {error}",
                hint=f"remove {REPORT_KEY!r} from the file: the items stay usable",
            ) from error


def _read_period(text: str) -> Period:
    start, end = (None if one == ".." else parse_time(one) for one in text.split("/"))
    return Period(start, end)
