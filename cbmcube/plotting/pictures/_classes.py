"""Class bands: what their codes mean, and the colours they are drawn in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
import xarray as xr

from cbmcube._style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, YELLOW
from cbmcube.products import CARD_2A

SCL_COLOURS: Mapping[int, str] = {
    0: "#000000",
    1: "#ff0000",
    2: "#2f2f2f",
    3: "#643200",
    4: "#00a000",
    5: "#ffe65a",
    6: "#0000ff",
    7: "#808080",
    8: "#c0c0c0",
    9: "#ffffff",
    10: "#64c8ff",
    11: "#ff96ff",
}
"""Colours of the Sentinel-2 scene classification as its product guide and viewers show them."""

CLOUD_CLASSES = (3, 8, 9, 10)
"""Cloud shadow, cloud of medium and high probability, thin cirrus."""


@dataclass(frozen=True, slots=True)
class Classes:
    """The codes of a class band that can be drawn; others are missing data."""

    names: Mapping[int, str]
    """What each code means."""
    colours: Mapping[int, str]
    """The colour of each code."""


def classes_of(name: str, band: xr.DataArray) -> Classes | None:
    """Return the classes of a band, or ``None`` if it holds no codes.

    The code that means "no data" is not one of them.
    """
    if name == "SCL":
        known = {**(CARD_2A.band("SCL").classes or {})}
        names = {code: text for code, text in known.items() if code != 0}
        return Classes(names, {code: SCL_COLOURS[code] for code in names})
    codes = [int(code) for code in np.ravel(band.attrs.get("flag_values", []))]
    if not codes:
        return None
    texts = str(band.attrs.get("flag_meanings", "")).split()
    texts = texts if len(texts) == len(codes) else [str(code) for code in codes]
    failed = "could_not_be_read"
    names = {
        code: text.replace("_", " ")
        for code, text in zip(codes, texts, strict=True)
        if code != band.attrs.get("nodata") and text != failed
    }
    palette = cycle((BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW, BLACK))
    return Classes(names, dict(zip(names, palette, strict=False)))


def paint_classes(codes: np.ndarray, classes: Classes) -> np.ndarray:
    """Return colours (…, 4) of codes; what is no class is transparent."""
    from matplotlib.colors import to_rgba  # noqa: PLC0415 - an extra

    image = np.zeros((*codes.shape, 4))
    for code, colour in classes.colours.items():
        image[codes == code] = to_rgba(colour)
    return image


def class_handles(classes: Classes, shown: np.ndarray | None = None) -> list[Any]:
    """Return one legend entry for each class, or for each that is among the codes `shown`."""
    from matplotlib.patches import Patch  # noqa: PLC0415 - an extra

    codes = {int(code) for code in np.unique(shown)} if shown is not None else {*classes.names}
    return [
        Patch(facecolor=classes.colours[code], edgecolor="#555555", lw=0.5, label=f"{code} {name}")
        for code, name in classes.names.items()
        if code in codes
    ]
