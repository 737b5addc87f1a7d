"""What a figure is drawn on: the caller's axes, or a figure that a notebook shows once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cbmcube.exceptions import OptionError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def require_matplotlib(what: str) -> None:
    """Raise an ImportError that says how to install matplotlib, if it is not there."""
    try:
        import matplotlib as mpl  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            f"matplotlib is needed for {what}: pip install 'cbmcube[plot]'"
        ) from error


def new_figure(width: float, height: float, *, layout: str | None = None) -> Figure:
    """Return a figure, in inches, that pyplot has forgotten and a notebook shows once."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - an extra

    figure = plt.figure(figsize=(width, height), layout=layout)
    plt.close(figure)
    return figure


def as_written(*artists: Any) -> None:
    """Show all text of figures or axes as it is: ids and crops may hold a dollar sign."""
    from matplotlib.text import Text  # noqa: PLC0415 - an extra

    for artist in artists:
        for text in artist.findobj(Text):
            text.set_parse_math(False)


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
    figure = new_figure(*size, layout="constrained")
    made = figure.subplots(1, columns, squeeze=False, width_ratios=widths)
    return figure, [*made.flat]
