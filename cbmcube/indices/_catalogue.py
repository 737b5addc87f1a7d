"""Indices from spyndex, a catalogue of some 280 formulas, over the bands of CARD-2A."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Mapping
from typing import Any

from cbmcube.exceptions import OptionError
from cbmcube.indices._formula import formula_names, parse_formula, substitute
from cbmcube.indices._index import Index
from cbmcube.warnings import IndexNameWarning

_LETTERS = {
    "B": "B02",
    "G": "B03",
    "R": "B04",
    "RE1": "B05",
    "RE2": "B06",
    "RE3": "B07",
    "N": "B08",
    "N2": "B8A",
    "S1": "B11",
    "S2": "B12",
    "VV": "VV",
    "VH": "VH",
}
"""The catalogue's letters and the bands that they are here."""
_RADAR = {"VV", "VH"}

_HOMONYMS = {
    "RVI": "here red edge over red, not the radar vegetation index, which is RVI4",
    "NDWI": "here green and near infrared, for open water; that of leaf water is NDMI",
    "NDPI": "here an optical phenology index, not the polarisation index of the radar table",
    "CIRE": "here with B08 for near infrared; CIre of the table takes B07",
}
"""Names that mean something else in the table, or to those who work with radar."""


def from_spyndex(
    name: str,
    *,
    rename: str | None = None,
    constants: Mapping[str, float] | None = None,
    bands: Mapping[str, str] | None = None,
) -> Index:
    """Return an index of the catalogue spyndex, over the bands of CARD-2A.

    Parameters
    ----------
    name
        Its name in the catalogue, such as ``"NDREI"``.
    rename
        Another name for the result; by default the same.
    constants
        Values for constants of the formula; by default those of the catalogue. The canopy
        adjustment ``L`` is 1 there for all indices, also for SAVI, whose usual 0.5 has to be
        given.
    bands
        Bands for letters of the catalogue, such as ``{"N": "B8A"}``; by default B is B02, G B03,
        R B04, RE1 to RE3 B05 to B07, N B08, N2 B8A, S1 B11 and S2 B12.

    Returns
    -------
    Index
        To be passed to `add_indices`; one over VV and VH to `radar_indices`. Constants stand
        in its formula as numbers. Its only bounds are those of a normalised difference.

    Raises
    ------
    OptionError
        If the catalogue has no such index, or CARD-2A lacks one of its bands.
    ImportError
        If spyndex is not installed.

    Warns
    -----
    IndexNameWarning
        If the name means something else in `list_indices` or in radar work, or if ``L`` of SAVI
        is left at 1; not if `rename` is given.

    Notes
    -----
    The formulas are those of the Awesome Spectral Indices (Montero et al. 2023,
    doi:10.1038/s41597-023-02096-0), read from the installed release and not executed by it. Its
    ``BI`` is NBSI here, ``NDREI`` is NDRE1, ``NDPolI`` is NDPI, and ``DpRVIVV`` is RVI4.

    Examples
    --------
    >>> from cbmcube.indices import from_spyndex
    >>> from_spyndex("NDREI").formula
    '(B08 - B05) / (B08 + B05)'
    >>> from_spyndex("SAVI", constants={"L": 0.5}).formula
    '(1.0 + 0.5) * (B08 - B04) / (B08 + B04 + 0.5)'
    """
    entry, defaults = _look_up(name)
    given = dict(constants or {})
    letters = _LETTERS | dict(bands or {})
    found = formula_names(parse_formula(entry.formula))
    values: dict[str, str | float] = {}
    for letter in found:
        known = given.get(letter, defaults.get(letter))
        if known is not None:
            values[letter] = float(known)
        elif letter in letters:
            values[letter] = letters[letter]
    _require_known(name, found, values, given, dict(bands or {}))
    if rename is None:
        _warn_of_homonym(name, given)
    of_means = any(values[letter] in _RADAR for letter in found)
    return Index(
        rename or name,
        substitute(entry.formula, values),
        str(entry.long_name),
        source=f"spyndex {name}, {entry.reference}",
        computed="means" if of_means else "pixels",
    )


def _look_up(name: str) -> tuple[Any, dict[str, float | None]]:
    """Return an entry of the catalogue, and the values of its constants."""
    try:
        spyndex: Any = importlib.import_module("spyndex")
    except ImportError as error:
        raise ImportError(
            "the catalogue of indices is spyndex: pip install 'cbmcube[indices]'"
        ) from error
    if name not in spyndex.indices:
        near = [known for known in spyndex.indices if known.lower() == str(name).lower()]
        raise OptionError(
            "the catalogue spyndex has no such index",
            given=repr(name),
            allowed=", ".join(near) or f"one of its {len(spyndex.indices)} names",
            hint="list(spyndex.indices) has them all",
        )
    return spyndex.indices[name], {key: one.default for key, one in spyndex.constants.items()}


def _require_known(
    name: str,
    found: tuple[str, ...],
    values: Mapping[str, str | float],
    constants: Mapping[str, float],
    bands: Mapping[str, str],
) -> None:
    unknown = [letter for letter in found if letter not in values]
    if unknown:
        raise OptionError(
            f"{name} needs what CARD-2A does not have",
            given=", ".join(unknown),
            allowed="; ".join(f"{letter} is {band}" for letter, band in _LETTERS.items()),
            hint="name bands of your own, bands={letter: band}, or constants={letter: number}",
        )
    unused = [letter for letter in (*constants, *bands) if letter not in found]
    if unused:
        raise OptionError(
            f"the formula of {name} does not name these",
            given=", ".join(unused),
            allowed=", ".join(found),
            hint="leave them out",
        )


def _warn_of_homonym(name: str, constants: Mapping[str, float]) -> None:
    meaning = _HOMONYMS.get(name)
    if name == "SAVI" and "L" not in constants:
        meaning = 'here with L = 1; the usual one, also of the table, has constants={"L": 0.5}'
    if meaning:
        warnings.warn(
            f"{name} has a second meaning: {meaning}; rename= gives it a name of its own",
            IndexNameWarning,
            stacklevel=3,
        )
