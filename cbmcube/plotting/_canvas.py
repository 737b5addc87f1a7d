"""What a figure is drawn on: the caller's axes, or a figure of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from cbmcube.exceptions import OptionError


def require_matplotlib(what: str) -> None:
    """Raise an ImportError that says how to install matplotlib, if it is not there."""
    try:
        import matplotlib as mpl  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise ImportError(f"{what} needs matplotlib: pip install 'cbmcube[plot]'") from error


def canvas(
    axes: Any, *, size: tuple[float, float], columns: int = 1, widths: Any = None
) -> tuple[Any, list[Any]]:
    """Return figure and axes: those that were given, or new ones side by side.

    Parameters
    ----------
    axes
        The caller's axes, or ``None``.
    size
        Width and height of a new figure in inches.
    columns
        Number of axes that are needed.
    widths
        Their widths, relative to each other.

    Raises
    ------
    OptionError
        If another number of axes was given.
    """
    if axes is not None:
        given = [*np.ravel(np.asarray(axes, dtype=object))]
        if len(given) != columns:
            raise OptionError(
                "this figure has another number of axes",
                given=len(given),
                allowed=columns,
                hint=f"make them with plt.subplots(1, {columns})",
            )
        return given[0].get_figure(root=True), given
    import matplotlib.pyplot as plt  # noqa: PLC0415 - an extra

    figure = plt.figure(figsize=size, layout="constrained")
    # Closed at once: pyplot forgets it, and a notebook does not show it a second time.
    plt.close(figure)
    made = figure.subplots(1, columns, squeeze=False, width_ratios=widths)
    return figure, [*made.flat]
