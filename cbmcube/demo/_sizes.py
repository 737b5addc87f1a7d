"""What a synthetic country is made from: its size, its season and its seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from cbmcube.exceptions import OptionError

Size = Literal["tiny", "long", "small", "medium"]

VERSION = 1
"""Version of the recipe: it changes whenever the same seed gives other files."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what the files hold."""

    size: str
    """Name of the size."""
    seed: int
    """Seed of every random number."""
    start: date
    """First day of the season."""
    end: date
    """Last day of the season, included."""
    baseline_change: date
    """First day whose Sentinel-2 items are of the newer processing baseline."""
    width: int
    """Extent of the declared land from west to east, metres."""
    height: int
    """Extent of the declared land from south to north, metres."""
    field_area: float
    """Median area to which a block is cut, hectares."""
    zone_overlap: int
    """Distance by which the tiles of each UTM zone reach into the other, metres."""

    @property
    def identity(self) -> dict[str, int | str]:
        """What two countries with the same files have in common."""
        return {"size": self.size, "seed": self.seed, "version": VERSION}


_SPRING = (date(2024, 3, 1), date(2024, 5, 31), date(2024, 4, 17))
_SEASON = (date(2024, 3, 1), date(2024, 10, 31), date(2024, 7, 1))

_SHAPES: Mapping[str, tuple[tuple[date, date, date], int, int, float, int]] = {
    "tiny": (_SPRING, 1840, 1240, 2.7, 360),
    "long": (_SEASON, 1840, 1240, 2.7, 360),
    "small": (_SPRING, 3500, 1900, 3.4, 500),
    "medium": (_SEASON, 6000, 3200, 3.7, 500),
}


def recipe(size: str, seed: int) -> Recipe:
    """Return the recipe of a country.

    Raises
    ------
    OptionError
        If `size` is not a known size, or `seed` is negative.
    """
    if size not in _SHAPES:
        raise OptionError(
            "there is no such size of country",
            given=repr(size),
            allowed=", ".join(map(repr, get_args(Size))),
            hint='pass size="medium"',
        )
    if seed < 0:
        raise OptionError("a seed must not be negative", given=seed, hint="pass seed=0")
    (start, end, change), width, height, area, overlap = _SHAPES[size]
    return Recipe(
        size=size,
        seed=seed,
        start=start,
        end=end,
        baseline_change=change,
        width=width,
        height=height,
        field_area=area,
        zone_overlap=overlap,
    )
