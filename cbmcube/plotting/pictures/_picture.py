"""What a chip shows: true or false colour, radar in dB, classes, or one band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.plotting.pictures._classes import Classes, classes_of, paint_classes

Limits = tuple[float, float]

_VISIBLE, _RED_EDGE, _INFRARED, _SHORT_WAVE = (0.0, 0.25), (0.0, 0.4), (0.0, 0.5), (0.0, 0.4)
_REFLECTANCE: Mapping[str, Limits] = {
    **dict.fromkeys(("B01", "B02", "B03", "B04"), _VISIBLE),
    "B05": _RED_EDGE,
    **dict.fromkeys(("B06", "B07", "B08", "B8A"), _INFRARED),
    **dict.fromkeys(("B11", "B12"), _SHORT_WAVE),
}
"""Where black and full colour stand, so that farmland is neither dark nor burnt out."""
_RATIO = "VV \N{MINUS SIGN} VH"
_RADAR: Mapping[str, Limits] = {"VV": (-18.0, -4.0), "VH": (-26.0, -11.0), _RATIO: (2.0, 14.0)}
"""The same in dB: the middle 98 % of farmland over a year."""
_CHOICES = (
    ("true colour", ("B04", "B03", "B02")),
    ("false colour", ("B08", "B04", "B03")),
    ("false colour", ("B8A", "B04", "B03")),
    ("false colour", ("B11", "B08", "B04")),
    ("false colour", ("B08", "B04", "B04")),
    ("radar", ("VV", "VH")),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """How pixels become colours, the same on every date."""

    kind: str
    """``"true colour"``, ``"false colour"``, ``"colour"``, ``"radar"``, ``"classes"`` or
    ``"single"``."""
    bands: tuple[str, ...]
    """The bands that are read, in the order red, green, blue."""
    stretch: Limits | None = None
    """What the user asked for instead of the limits of each band."""
    classes: Classes | None = None
    """The classes, if `kind` is that."""


def choose_picture(
    known: Mapping[str, xr.DataArray],
    bands: str | Sequence[str] | None,
    stretch: Limits | None,
    product: str,
) -> Picture:
    """Return the picture that the user asked for, or the best that the bands allow.

    Raises
    ------
    UnknownBandError
        If a band is not there.
    OptionError
        If two, or more than three bands are asked for, or the stretch has no width.
    """
    if stretch is not None and not stretch[0] < stretch[1]:
        raise OptionError(
            "a stretch goes from the value shown darkest up to the one shown brightest",
            given=f"{stretch[0]} to {stretch[1]}",
            hint="for example stretch=(0.0, 0.3) for reflectance",
        )
    if bands is not None:
        return _asked((bands,) if isinstance(bands, str) else tuple(bands), known, stretch)
    if product == "CARD-COH6" and "VV" in known:  # a ratio of coherences has no meaning
        return Picture("single", ("VV",), stretch)
    for kind, names in _CHOICES:
        if {*names} <= {*known}:
            return Picture(kind, names, stretch)
    return _asked((next(iter(known)),), known, stretch)


def _asked(
    names: tuple[str, ...], known: Mapping[str, xr.DataArray], stretch: Limits | None
) -> Picture:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnknownBandError(
            "these bands are not in the cube where the parcel lies",
            given=", ".join(unknown),
            allowed=", ".join(known),
            hint="load the band as well, or choose from these",
        )
    if {*names} == {"VV", "VH"}:
        return Picture("radar", ("VV", "VH"), stretch)
    if len(names) == 1:
        classes = classes_of(names[0], known[names[0]])
        return Picture("classes" if classes else "single", names, stretch, classes)
    if len(names) != 3:
        raise OptionError(
            "a chip shows one band, or three as red, green and blue",
            given=", ".join(names) or "no band",
            allowed="one band, three bands, or VV and VH",
            hint='for example bands=["B08", "B04", "B03"]',
        )
    kinds = {choice: kind for kind, choice in _CHOICES}
    return Picture(kinds.get(names, "colour"), names, stretch)


def channels(picture: Picture, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what is drawn in red, green and blue (or alone), in the units of its limits.

    Parameters
    ----------
    values
        Arrays of one shape by band, NaN where there is no data. Radar is linear power; pixels
        that noise removal made negative have no dB, so that they are missing.
    """
    if picture.kind != "radar":
        return {name: values[name] for name in picture.bands}
    decibel = {}
    for name in picture.bands:
        power = values[name]
        decibel[name] = 10 * np.log10(power, where=power > 0, out=np.full(power.shape, np.nan))
    return {**decibel, _RATIO: decibel["VV"] - decibel["VH"]}


def limits_of(picture: Picture, shown: Mapping[str, np.ndarray]) -> dict[str, Limits]:
    """Return the values at the dark and the bright end of each channel, for all dates alike."""
    fixed = _RADAR if picture.kind == "radar" else _REFLECTANCE
    if picture.kind == "single":
        # One band fills the whole scale; coherence has an end on both sides.
        fixed = {}
    return {
        name: picture.stretch or fixed.get(name) or _middle(values)
        for name, values in shown.items()
    }


def _middle(values: np.ndarray) -> Limits:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = (float(f"{end:.2g}") for end in np.percentile(finite, [2, 98]))
    return (low, high) if low < high else (low, low + 1.0)


def paint(
    picture: Picture, shown: Mapping[str, np.ndarray], limits: Mapping[str, Limits]
) -> np.ndarray:
    """Return colours (…, 4), 0 to 1; pixels without data are transparent."""
    if picture.classes is not None:
        return paint_classes(next(iter(shown.values())), picture.classes)
    scaled = [
        np.clip((values - limits[name][0]) / (limits[name][1] - limits[name][0]), 0, 1)
        for name, values in shown.items()
    ]
    if picture.kind == "single":
        import matplotlib as mpl  # noqa: PLC0415 - an extra

        image = np.asarray(mpl.colormaps["viridis"](np.nan_to_num(scaled[0])))
    else:
        order = [*picture.bands] if picture.kind != "radar" else [*shown]
        by_name = dict(zip(shown, scaled, strict=True))
        image = np.stack([*(by_name[name] for name in order), np.ones_like(scaled[0])], axis=-1)
    known = np.logical_and.reduce([np.isfinite(values) for values in shown.values()])
    return np.where(known[..., None], np.nan_to_num(image), 0.0)


def caption(picture: Picture, limits: Mapping[str, Limits]) -> str:
    """Say which bands are drawn and where their colours begin and end."""
    if picture.classes is not None:
        return f"classes of {picture.bands[0]}"
    if picture.kind == "single":
        return picture.bands[0]
    names = list(limits) if picture.kind == "radar" else list(picture.bands)
    quantity, unit = ("", " dB") if picture.kind == "radar" else (" reflectance", "")
    if len({*limits.values()}) == 1:
        return f"{picture.kind}: {', '.join(names)},{quantity} {_span(*limits[names[0]])}{unit}"
    spans = ", ".join(f"{name} {_span(*limits[name])}{unit}" for name in names)
    return f"{picture.kind}: {spans}{quantity}"


def _span(low: float, high: float) -> str:
    return f"{low:g} to {high:g}".replace("-", "\N{MINUS SIGN}")
