"""Confusion of crop types: what declared classes were taken for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
import pandas as pd

from cbmcube._canvas import as_written, canvas, require_matplotlib
from cbmcube._style import INK, house_style
from cbmcube.exceptions import OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Order = Literal["size", "name", "given"]
MOST_CLASSES = 60
"""Classes with a row of their own; smaller ones share one row and column."""

_FULL, _SHARES = 12, 26  # classes up to which cells hold counts and shares, and shares alone
_CUT = 28  # characters of a class name


class Validation(Protocol):
    """What the figure needs of a cross-validation: its confusion of classes."""

    @property
    def confusion(self) -> pd.DataFrame:
        """Parcels by declared class (rows) and predicted class (columns)."""


def confusion(
    matrix: pd.DataFrame | Validation | Iterable[object],
    *,
    predicted: Iterable[object] | None = None,
    sort: Order = "size",
    axis: Axes | None = None,
) -> Figure:
    """Draw what each declared class was taken for, as shares of its row.

    The colour of a cell is the share of the row's parcels, so that rare classes are as visible
    as common ones. Counts stand in the cells of up to 12 classes, shares in those of up to 26;
    row labels always have the number declared, column labels the number predicted.

    Parameters
    ----------
    matrix
        A cross-validation of `cbmcube.learning`, a table of counts by true class (rows) and
        predicted class (columns) as `pandas.crosstab` makes it, or the true classes.
    predicted
        Predicted classes, in the order of the true ones.
    sort
        ``"size"``: most frequent true class first. ``"name"``, or ``"given"``. Of more than 60
        classes, the smaller ones are drawn as one.
    axis
        Axes to draw on; by default a figure at most 10 inches wide is made.

    Returns
    -------
    matplotlib.figure.Figure
        The figure; it is not registered with pyplot, so a notebook shows it once.

    Raises
    ------
    OptionError
        If the classes are neither a table of counts nor two lists of one length.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from cbmcube.plotting import confusion
    >>> figure = confusion(["maize", "maize", "wheat"], predicted=["maize", "wheat", "wheat"])
    >>> figure.axes[0].images[0].get_array().tolist()
    [[0.5, 0.5], [0.0, 1.0]]
    """
    require_matplotlib("a confusion matrix")
    if sort not in get_args(Order):
        raise OptionError(
            "classes cannot be sorted so", given=repr(sort), allowed="size, name, given"
        )
    counts = _merged(_sorted(_square(_counts(matrix, predicted)), sort))
    number = len(counts)
    side = float(np.clip(3.0 + 0.62 * number, 5.0, 10.0))
    with house_style():
        figure, (board,) = canvas(axis, size=(side, max(3.4, 0.88 * side)))
        _draw(board, figure, counts)
        title = _title(counts.to_numpy(float))
        if axis is None:  # over the labels as well: a matrix of two classes is narrow
            figure.suptitle(title, x=0.01, ha="left", size=11, weight="bold")
        else:
            board.set_title(title, loc="left", size=11, weight="bold")
        as_written(board)
    return figure


def _counts(matrix: Any, predicted: Iterable[object] | None) -> pd.DataFrame:
    if predicted is not None:
        truth, taken = list(matrix), list(predicted)
        if len(truth) != len(taken):
            raise OptionError(
                "each true class needs a predicted one",
                given=f"{len(truth):,} true, {len(taken):,} predicted",
            )
        return pd.crosstab(np.array(truth, dtype=object), np.array(taken, dtype=object))
    table = getattr(matrix, "confusion", matrix)
    if not isinstance(table, pd.DataFrame):
        raise OptionError(
            "this is no table of counts",
            given=type(matrix).__name__,
            allowed="a cross-validation, a table such as pandas.crosstab makes, or true classes",
            hint="pass predicted=… with true classes",
        )
    values = table.to_numpy(float)
    if not np.isfinite(values).all() or (values < 0).any():
        raise OptionError("counts are numbers of 0 or more", hint="give counts, not shares or NaN")
    return table


def _square(counts: pd.DataFrame) -> pd.DataFrame:
    """Give each class a row and a column: some are never predicted, or never true."""
    classes = [*counts.index, *(name for name in counts.columns if name not in counts.index)]
    return counts.reindex(index=classes, columns=classes, fill_value=0)


def _sorted(counts: pd.DataFrame, sort: Order) -> pd.DataFrame:
    if sort == "given":
        return counts
    key = pd.Series([str(name) for name in counts.index], index=counts.index)
    order = key.sort_values(kind="stable").index
    if sort == "size":
        order = counts.sum(axis=1)[order].sort_values(ascending=False, kind="stable").index
    return counts.loc[order, order]


def _merged(counts: pd.DataFrame) -> pd.DataFrame:
    rest = len(counts) - MOST_CLASSES + 1
    if rest <= 1:
        return counts
    total = counts.sum(axis=1).to_numpy()
    small = np.zeros(len(counts), dtype=bool)
    small[np.argsort(total, kind="stable")[:rest]] = True
    names = np.where(small, f"{rest} smaller classes", np.array([*map(str, counts.index)], object))
    merged = counts.groupby(names, sort=False).sum().T.groupby(names, sort=False).sum().T
    last = [*(name for name in merged.index if "smaller classes" not in name)]
    return merged.reindex(index=[*last, names[small][0]], columns=[*last, names[small][0]])


def _draw(axis: Any, figure: Any, counts: pd.DataFrame) -> None:
    if counts.empty:
        axis.set_axis_off()
        return
    values = counts.to_numpy(float)
    declared, predicted = values.sum(axis=1), values.sum(axis=0)
    with np.errstate(invalid="ignore"):
        shares = values / declared[:, None]  # NaN, so blank, for a class that is never true
    # By the square root: a confusion of one in twenty is seen, too.
    image = axis.imshow(shares, cmap="Blues", norm=_root(), aspect="auto")
    bar = figure.colorbar(image, ax=axis, shrink=0.6 if len(counts) > 8 else 1, pad=0.02)
    bar.set_ticks([0, 0.05, 0.2, 0.4, 0.6, 0.8, 1])
    bar.set_label("share of the declared class (-)")
    size = float(np.interp(len(counts), [10, 30, 60], [9, 7.5, 5.5]))
    ticks = np.arange(len(counts))
    names = [_short(str(name)) for name in counts.index]
    rows = [f"{name} ({number:,.0f})" for name, number in zip(names, declared, strict=True)]
    columns = [f"{name} ({number:,.0f})" for name, number in zip(names, predicted, strict=True)]
    axis.set_yticks(ticks, rows, size=size)
    flat = len(counts) <= 3 and max(map(len, columns), default=0) <= 16
    axis.set_xticks(ticks, columns, size=size, rotation=0 if flat else 90)
    axis.set_ylabel("declared (parcels)")
    axis.set_xlabel("predicted (parcels)")
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(False)
    axis.set_xticks(ticks[1:] - 0.5, minor=True)
    axis.set_yticks(ticks[1:] - 0.5, minor=True)
    axis.grid(which="minor", color="white", linewidth=1.0 if len(counts) <= _SHARES else 0.4)
    axis.tick_params(which="minor", length=0)
    _write(axis, values, shares)


def _root() -> Any:
    import matplotlib as mpl  # noqa: PLC0415 - an extra

    return mpl.colors.PowerNorm(0.5, vmin=0, vmax=1)


def _short(name: str) -> str:
    return name if len(name) <= _CUT else name[: _CUT - 1] + "…"


def _write(axis: Any, values: np.ndarray, shares: np.ndarray) -> None:
    number = len(values)
    if number > _SHARES:
        return
    size = float(np.interp(number, [6, 26], [9, 6.5]))
    for row, column in np.argwhere(values > 0):
        share = shares[row, column]
        text = "<1" if share < 0.005 else f"{100 * share:.0f}"
        text += " %" if number <= _FULL else ""
        if number <= _FULL:
            text += f"\n{values[row, column]:,.0f}"
        colour = "white" if share > 0.4 else INK
        axis.text(column, row, text, ha="center", va="center", size=size, color=colour)


def _title(values: np.ndarray) -> str:
    total = values.sum()
    if not total:
        return "no parcel to compare"
    right = np.trace(values) / total
    parcels = f"{total:,.0f} parcel{'' if total == 1 else 's'}"
    classes = f"{len(values)} class{'' if len(values) == 1 else 'es'}"
    return f"{parcels}  ·  {classes}  ·  {right:.1%} as declared"
