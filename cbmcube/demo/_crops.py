"""The crops of the country: names, shares, calendars and how they look to radar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Habit = Literal["winter", "spring", "grass", "fallow", "other"]


@dataclass(frozen=True, slots=True)
class Crop:
    """One crop, with the days of year of its usual calendar.

    Days and levels describe central Europe; the values are rounded from what is
    common knowledge of regional crop calendars and published radar signatures.
    """

    code: int
    """Code in the parcels' file; 0 where nothing can be declared."""
    name: str
    """Name in the parcels' file."""
    share: float
    """Share of the parcels."""
    habit: Habit
    """Which calendar applies."""
    start_cover: float
    """Green cover on 1 March."""
    full_cover: float
    """Green cover of the full canopy."""
    rise: float
    """Day of fastest growth (winter crops), days from sowing to it (spring crops), first cut."""
    rise_spread: float = 9.0
    """Width of the growth curve, or spread of the first cut, days."""
    ripe: float = 400.0
    """Day on which half of the canopy is yellow."""
    harvest: float = 400.0
    """Usual day of harvest."""
    plough: float = 400.0
    """Usual day of ploughing: after harvest, or before sowing for spring crops."""
    sow: float = 400.0
    """Usual day of sowing in spring."""
    flower: float = 400.0
    """Day in the middle of a flowering that colours the canopy."""
    cuts: int = 0
    """Usual number of cuts."""
    vv: tuple[float, float] = (-11.5, -12.0)
    """Gamma0 in VV of the green and of the ripe canopy, dB."""
    vh: tuple[float, float] = (-17.5, -18.0)
    """Gamma0 in VH of the green and of the ripe canopy, dB."""


CROPS = (
    Crop(
        115,
        "winter wheat",
        0.23,
        "winter",
        0.26,
        0.93,
        98,
        10.0,
        ripe=188,
        harvest=207,
        plough=228,
        vv=(-15.2, -12.8),
        vh=(-20.8, -18.2),
    ),
    Crop(
        311,
        "winter rapeseed",
        0.12,
        "winter",
        0.45,
        0.94,
        84,
        9.0,
        ripe=184,
        harvest=199,
        plough=222,
        flower=124,
        vv=(-9.6, -10.6),
        vh=(-13.8, -15.0),
    ),
    Crop(
        411,
        "maize",
        0.21,
        "spring",
        0.22,
        0.93,
        46,
        8.0,
        ripe=262,
        harvest=268,
        plough=99,
        sow=116,
        vv=(-9.0, -10.0),
        vh=(-14.6, -16.0),
    ),
    Crop(
        602,
        "potatoes",
        0.07,
        "spring",
        0.12,
        0.88,
        44,
        7.0,
        ripe=236,
        harvest=257,
        plough=90,
        sow=108,
        vv=(-8.2, -9.0),
        vh=(-14.0, -15.5),
    ),
    Crop(
        603,
        "sugar beet",
        0.09,
        "spring",
        0.10,
        0.94,
        58,
        9.0,
        harvest=286,
        plough=78,
        sow=93,
        vv=(-8.6, -9.0),
        vh=(-13.9, -15.0),
    ),
    Crop(451, "permanent grassland", 0.16, "grass", 0.62, 0.92, 143, 8.0, cuts=3),
    Crop(424, "temporary grassland", 0.08, "grass", 0.66, 0.94, 129, 5.0, cuts=4),
    Crop(591, "fallow", 0.04, "fallow", 0.30, 0.74, 118, 22.0, ripe=215, plough=258),
)
"""Everything that is declared; codes are those of a German land survey."""

FOREST = Crop(
    0, "forest", 0, "other", 0.66, 0.92, 118, 8.0, ripe=296, vv=(-10.2, -10.4), vh=(-14.8, -15.2)
)
VILLAGE = Crop(0, "village", 0, "other", 0.25, 0.36, 118, vv=(-5.5, -5.5), vh=(-12.5, -12.5))
WATER = Crop(0, "water", 0, "other", 0.0, 0.0, 118, vv=(-19.0, -19.0), vh=(-26.0, -26.0))
VERGE = Crop(0, "verge", 0, "other", 0.42, 0.62, 112, ripe=230)

KINDS = (*CROPS, FOREST, VILLAGE, WATER, VERGE)
"""Every kind of land cover; a piece of land holds its position in this table."""
USES = {"forest": 8, "village": 9, "water": 10, "verge": 11}
"""Position in `KINDS` of each use other than fields."""
