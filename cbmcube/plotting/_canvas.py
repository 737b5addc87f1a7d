"""Figures to draw on, which a notebook shows once, and the extra that they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def require_matplotlib(what: str) -> None:
    """Raise an ImportError that names the extra if matplotlib is not installed."""
    try:
        import matplotlib as mpl  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            f"{what} are drawn with matplotlib: pip install 'cbmcube[plot]'"
        ) from error


def new_figure(width: float, height: float, *, layout: str | None = None) -> Figure:
    """Return a figure, in inches, that pyplot has forgotten and a notebook shows once."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - an extra

    figure = plt.figure(figsize=(width, height), layout=layout)
    plt.close(figure)
    return figure


def sheet(axis: Axes | None, *, width: float, height: float) -> tuple[Figure, Any]:
    """Return the figure and axes to draw on: those of the user, or new ones."""
    if axis is not None:
        figure: Any = axis.get_figure(root=True)
        return figure, axis
    figure = new_figure(width, height, layout="constrained")
    return figure, figure.subplots()
