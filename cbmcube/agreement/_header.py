"""What is known of how two sources were made, side by side."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

import pandas as pd

from cbmcube.agreement._source import Source
from cbmcube.warnings import DifferentPixelsWarning

PIXELS = ("pixels", "buffer_m", "mask")
"""Attributes that say which pixels the numbers are of."""

UNKNOWN = "not stated"
"""What stands for a fact that a source does not state."""

_FIRST = ("product", *PIXELS, "percentiles", "grids", "baselines", "radiometry")
_LAST = ("cbmcube_version",)
_IGNORED = ("title", "history")
# N0510 in the name of a Sentinel-2 product is processing baseline 05.10.
_BASELINE = re.compile(r"_N(\d{2})(\d{2})_")


def header(a: Source, b: Source) -> pd.DataFrame:
    """Return a row for each fact: columns `a`, `b` and `same`; ``NA`` where one is not stated."""
    first, second = _facts(a), _facts(b)
    others = sorted({*first, *second} - {*_FIRST, *_LAST})
    names = [name for name in (*_FIRST, *others, *_LAST) if name in {*first, *second}]
    rows = [(first.get(name, UNKNOWN), second.get(name, UNKNOWN)) for name in names]
    same = [pd.NA if UNKNOWN in row else row[0] == row[1] for row in rows]
    table = pd.DataFrame(rows, index=pd.Index(names, name="fact"), columns=["a", "b"], dtype=str)
    return table.assign(same=pd.array(same, dtype="boolean"))


def warn_unlike(table: pd.DataFrame) -> None:
    """Warn if both sources say of which pixels their numbers are, and these are not the same."""
    unlike = table.loc[[name for name in PIXELS if name in table.index]]
    unlike = unlike[(~unlike["same"]).fillna(value=False)]
    if len(unlike):
        facts = "; ".join(f"{name}: {row.a} and {row.b}" for name, row in unlike.iterrows())
        warnings.warn(
            f"the two sources are not of the same pixels, which makes differences of its own: "
            f"{facts}. Reduce both with the same pixel rule, buffer and mask",
            DifferentPixelsWarning,
            stacklevel=3,
        )


def _facts(source: Source) -> Mapping[str, str]:
    attrs = source.cube.attrs.items()
    facts = {str(name): str(value) for name, value in attrs if name not in _IGNORED}
    found = {
        ".".join(numbers)
        for items in source.steps["items"].unique()
        for numbers in _BASELINE.findall(items)
    }
    if found:
        facts["baselines"] = ", ".join(sorted(found))
    if "radiometry" in source.cube.coords:
        told = pd.unique(source.cube["radiometry"].to_numpy().astype(str).ravel())
        facts["radiometry"] = "; ".join(sorted(told))
    return facts
