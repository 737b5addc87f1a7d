"""Colours of parcels named after samples: clouds, haze and shadows that a mask left."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.series._blocks import in_whole_series, whole_series
from cbmcube.series._cube import select_bands, select_statistics
from cbmcube.series._params import hash_of
from cbmcube.series._window import Moment, up_to

COLOURS = (
    "cloudy", "hazy", "shady", "maintained",
    "vegetated_O", "vegetated_Y", "vegetated_D", "other",
)  # fmt: skip
"""Classes 1 to 8 of the JRC's samples."""

_BANDS = ("B08", "B11", "B04")


@dataclass(frozen=True, slots=True)
class ColourRule:
    """How colours are compared with samples; the defaults are those of the JRC's scripts.

    Examples
    --------
    >>> from cbmcube.series import ColourRule
    >>> ColourRule().dropped
    ('cloudy', 'hazy', 'shady')
    """

    low: tuple[float, float, float] = (1200.0, 800.0, 150.0)
    """Reflectance x 10,000 of B08, B11 and B04 that becomes byte 0."""
    high: tuple[float, float, float] = (5700.0, 4100.0, 2800.0)
    """Reflectance x 10,000 that becomes byte 255."""
    neighbours: int = 5
    """Samples that vote."""
    dropped: tuple[str, ...] = ("cloudy", "hazy", "shady")
    """Classes that say nothing of the field."""

    def __post_init__(self) -> None:
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise OptionError("the range of a band is empty", given=f"{self.low} to {self.high}")
        if self.neighbours < 1:
            raise OptionError("at least one sample has to vote", given=self.neighbours)

    @property
    def params_id(self) -> str:
        """A hash of all fields: equal rules have equal ids, on every machine."""
        return hash_of(self)


def colour_class(
    stats: xr.Dataset,
    samples: pd.DataFrame,
    rule: ColourRule | None = None,
    *,
    as_of: Moment | None = None,
) -> xr.DataArray:
    """Name the colour of each parcel on each acquisition after the most similar samples.

    Parameters
    ----------
    stats
        A vector cube with the means of B08, B11 and B04, as fractions (0 to 1) without offset.
        Lazy in, lazy out.
    samples
        Labelled colours: columns ``B08``, ``B11`` and ``B04``, bytes (0 to 255) as `rule` makes
        them, and ``class``, names or the numbers 1 to 8 of :data:`COLOURS`. None come with the
        library.
    rule
        How bytes are made and how many samples vote; `ColourRule` with its defaults otherwise.
    as_of
        With the knowledge of this moment: later acquisitions are left out.

    Returns
    -------
    xarray.DataArray
        ``int8`` (time, parcel): the position of the class in ``flag_meanings``, -1 where a band
        has no number.

    Raises
    ------
    UnknownBandError, UnknownStatisticError
        If the cube lacks a band, or the mean.
    OptionError
        If `samples` lack a column or are fewer than vote, or hold other numbers than bytes.

    See Also
    --------
    dropped_colours : Where the class says nothing of the field, for `outliers`.

    Notes
    -----
    Bytes are cut off, not rounded, and distances Euclidean, as in the JRC's scripts. Of samples
    that are equally far, those of the first class come first, and so does the first class of
    equally many votes; names are in alphabetical order. Hence the order of samples is of no matter.
    The JRC's samples were taken from digital numbers before baseline 04.00, which had no offset.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from cbmcube.series import colour_class
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(days=10)
    >>> stats["B11"] = stats["B08"] * 0.7
    >>> bytes_ = {"B08": [250, 80], "B11": [200, 60], "B04": [250, 40]}
    >>> few = pd.DataFrame({**bytes_, "class": ["cloudy", "vegetated_O"]})
    >>> found = colour_class(stats, few, ColourRule(neighbours=1))
    >>> found.attrs["flag_meanings"], int(found[0, 0])
    ('cloudy vegetated_O', 1)
    """
    rule = rule or ColourRule()
    names = select_bands(stats, _BANDS)
    select_statistics(stats, "mean")
    voters = _Voters.of(samples, rule)
    known = in_whole_series(up_to(stats, as_of)[names])
    means = [known[name].sel(statistic="mean", drop=True) for name in names]
    ordered = [mean.transpose("time", "parcel") for mean in means]

    def work(*values: NDArray[Any]) -> NDArray[np.int8]:
        return voters.classify(to_bytes(np.stack(values, axis=-1), rule))

    data = whole_series(work, ordered, shape=(known.sizes["time"],), dtype="int8")
    attrs = {
        "long_name": "class of the colour",
        "flag_values": np.arange(len(voters.classes), dtype="int8"),
        "flag_meanings": " ".join(voters.classes),
        "params_id": rule.params_id,
    }
    return ordered[0].copy(data=data).rename("colour").assign_attrs(attrs)


def dropped_colours(classes: xr.DataArray, rule: ColourRule | None = None) -> xr.DataArray:
    """Tell where the class is one that says nothing of the field.

    Parameters
    ----------
    classes
        What `colour_class` returned.
    rule
        Whose ``dropped`` classes are meant.

    Returns
    -------
    xarray.DataArray
        ``bool``, of the same dims; lazy in, lazy out.

    Examples
    --------
    >>> import xarray as xr
    >>> from cbmcube.series import dropped_colours
    >>> classes = xr.DataArray([0, 1, -1], attrs={"flag_meanings": "cloudy vegetated_O"})
    >>> dropped_colours(classes).values.tolist()
    [True, False, False]
    """
    known = classes.attrs["flag_meanings"].split()
    codes = [known.index(name) for name in (rule or ColourRule()).dropped if name in known]
    return classes.isin(codes)


def to_bytes(reflectance: NDArray[Any], rule: ColourRule) -> NDArray[np.float64]:
    """Stretch B08, B11 and B04 on the last axis to whole numbers from 0 to 255, NaN kept."""
    low, high = np.array(rule.low), np.array(rule.high)
    # A thousandth is below the step of float32, and above what it adds to 0.57 x 10,000.
    numbers = np.round(reflectance.astype("float64") * 10_000, 3)
    return np.asarray(np.floor(np.clip((numbers - low) * (255 / (high - low)), 0, 255)))


@dataclass(frozen=True, slots=True)
class _Voters:
    """Samples in a tree, each with a class."""

    tree: Any
    code: NDArray[np.int8]
    classes: tuple[str, ...]
    neighbours: int

    @classmethod
    def of(cls, samples: pd.DataFrame, rule: ColourRule) -> _Voters:
        from scipy.spatial import cKDTree  # noqa: PLC0415 - large, and few need it

        colours, labels = _checked(samples, rule.neighbours)
        names, code = np.unique(labels, return_inverse=True)
        # Squared distances of bytes are whole numbers: a fourth axis that adds less than one to
        # them puts samples that are equally far into the order of their classes.
        height = np.sqrt(code / len(names))
        classes = tuple(_name(label) for label in names)
        tree = cKDTree(np.column_stack([colours, height]))
        return cls(tree, code.astype("int8"), classes, rule.neighbours)

    def classify(self, colours: NDArray[np.float64]) -> NDArray[np.int8]:
        """Return the class of each colour (…, 3), -1 for NaN."""
        flat = colours.reshape(-1, 3)
        known = np.isfinite(flat).all(axis=1)
        key = flat[known] @ np.array([65_536.0, 256.0, 1.0])
        single, back = np.unique(key.astype("int64"), return_inverse=True)
        parts = [single >> 16, (single >> 8) & 255, single & 255, np.zeros_like(single)]
        _, near = self.tree.query(np.column_stack(parts), k=self.neighbours)
        near = near.reshape(len(single), self.neighbours)
        votes = np.zeros((len(single), len(self.classes)), np.int64)
        np.add.at(votes, (np.arange(len(single))[:, None], self.code[near]), 1)
        result = np.full(len(flat), -1, np.int8)
        result[known] = votes.argmax(axis=1)[back]
        return result.reshape(colours.shape[:-1])


def _checked(samples: pd.DataFrame, least: int) -> tuple[NDArray[np.float64], NDArray[Any]]:
    missing = [name for name in (*_BANDS, "class") if name not in samples]
    if missing:
        raise OptionError(
            "the table of samples lacks columns",
            given=", ".join(map(str, samples.columns)),
            allowed="B08, B11, B04 and class",
            hint="rename the columns: the JRC's red, green and blue are B08, B11 and B04",
        )
    colours = samples[[*_BANDS]].to_numpy(dtype=float)
    if len(samples) < least or samples["class"].isna().any():
        raise OptionError(
            "there are too few samples, or some without a class",
            given=f"{len(samples)} samples, {int(samples['class'].isna().sum())} without class",
            allowed=f"at least {least}, with a class each",
        )
    if not ((colours >= 0) & (colours <= 255) & (colours == np.floor(colours))).all():
        raise OptionError(
            "the colours of samples are bytes",
            given=f"{colours.min():g} to {colours.max():g}",
            allowed="whole numbers from 0 to 255",
            hint="stretch reflectance x 10,000 from ColourRule.low and .high to 0 and 255",
        )
    return colours, samples["class"].to_numpy()


def _name(label: object) -> str:
    """Return a label as one word; the JRC numbers classes from 1."""
    if isinstance(label, (int, np.integer)) and 1 <= label <= len(COLOURS):
        return COLOURS[int(label) - 1]
    return re.sub(r"\W+", "_", str(label)).strip("_")
