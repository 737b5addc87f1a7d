"""Events over a profile: one list of dates from several forms, and labels that never overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from cbmcube.exceptions import OptionError
from cbmcube.plotting._style import INK, axis_days, event_colours

_LABEL_SIZE = 8.0  # points
_SPELLINGS = (("event", "date"), ("marker", "main_date"))


def event_table(
    events: pd.DataFrame | Iterable[Mapping[str, object] | tuple[object, object]] | None,
    parcel: object,
) -> pd.DataFrame:
    """Return events as a table with the columns `event` and `date`, sorted by date.

    Parameters
    ----------
    events
        A table with the columns `event` and `date`, an event table of a marker (`marker` and
        `main_date`), or an iterable of such rows or of pairs (event, date). Rows of other
        parcels (column `parcel`) and rows without a date are left out.

    Raises
    ------
    OptionError
        If the columns are missing, or a date cannot be read.
    """
    if events is None:
        return pd.DataFrame({"event": [], "date": pd.to_datetime([])})
    frame = events if isinstance(events, pd.DataFrame) else _frame([*events])
    kind, date = _columns(frame)
    if "parcel" in frame:
        frame = frame[frame["parcel"] == parcel]
    dates = _dates(frame[date])
    table = pd.DataFrame({"event": frame[kind].astype(str).to_numpy(), "date": dates})
    return table.dropna().sort_values(["date", "event"], ignore_index=True)


def _frame(rows: list[Any]) -> pd.DataFrame:
    if all(isinstance(row, Mapping) for row in rows):
        return pd.DataFrame(rows, columns=None if rows else ["event", "date"])
    try:
        return pd.DataFrame([(kind, date) for kind, date in rows], columns=["event", "date"])
    except (TypeError, ValueError) as error:
        raise _wrong(repr(rows[0])) from error


def _columns(frame: pd.DataFrame) -> tuple[str, str]:
    for kind, date in _SPELLINGS:
        if kind in frame and date in frame:
            return kind, date
    raise _wrong(f"columns {', '.join(map(str, frame.columns))}")


def _wrong(given: str) -> OptionError:
    return OptionError(
        "events need a name and a date",
        given=given,
        allowed="columns event and date (or marker and main_date), or pairs (event, date)",
        hint='for example events=[("mowing", "2024-05-25")]',
    )


def _dates(values: pd.Series[Any]) -> np.ndarray:
    try:
        dates = pd.to_datetime(values, utc=True)
    except (TypeError, ValueError) as error:
        raise OptionError(
            "a date of an event cannot be read",
            given=str(error),
            allowed="dates such as 2024-05-25 or timestamps",
            hint="convert the column with pandas.to_datetime first",
        ) from error
    return dates.dt.tz_localize(None).to_numpy().astype("datetime64[ns]")


def lanes_of(left: np.ndarray, width: np.ndarray) -> list[int]:
    """Return the lane of each label so that labels of one lane do not overlap.

    Parameters
    ----------
    left, width
        Left edges, in rising order, and widths, in one unit.

    Examples
    --------
    >>> import numpy as np
    >>> lanes_of(np.array([0.0, 5.0, 12.0]), np.array([10.0, 10.0, 10.0]))
    [0, 1, 0]
    """
    ends: list[float] = []
    lanes = []
    for start, size in zip(left, width, strict=True):
        lane = next((k for k, end in enumerate(ends) if end <= start), len(ends))
        ends[lane : lane + 1] = [start + size]
        lanes.append(lane)
    return lanes


def place(table: pd.DataFrame, limits: tuple[float, float], points: float) -> pd.DataFrame:
    """Add to each event its `lane` and whether its label stands on the `left` of its mark.

    Parameters
    ----------
    limits
        Both ends of the time axis in matplotlib days.
    points
        Width of the axis in points.
    """
    widths = np.array([_text_width(label) for label in table["event"]]) + 16.0  # mark and air
    days = axis_days(table["date"].to_numpy())
    where = (days - limits[0]) / (limits[1] - limits[0]) * points
    beyond = where + widths > points  # the label would leave the axis on the right
    begin = np.where(beyond, where - widths, where)
    order = np.argsort(begin, kind="stable")
    lanes = np.empty(len(table), dtype=int)
    lanes[order] = lanes_of(begin[order] - 5.0, widths[order])
    return table.assign(lane=lanes, left=beyond)


def _text_width(label: str) -> float:
    from matplotlib.textpath import TextPath  # noqa: PLC0415 - an extra

    return float(TextPath((0, 0), label or " ", size=_LABEL_SIZE).get_extents().width)


def draw_lines(axis: Any, table: pd.DataFrame) -> None:
    """Draw a vertical line at each event."""
    colours = event_colours(table["event"])
    for kind, date in zip(table["event"], table["date"], strict=True):
        axis.axvline(date, color=colours[kind], linewidth=1.2, alpha=0.75, zorder=1.5)


def draw_labels(axis: Any, placed: pd.DataFrame, *, top: float, step: float) -> None:
    """Write the name of each event beside its date, `top` and `step` in points from the top."""
    colours = event_colours(placed["event"])
    for kind, date, lane, left in placed[["event", "date", "lane", "left"]].to_numpy():
        offset = -(top + step * lane)
        at = {"xy": (date, 1.0), "xycoords": ("data", "axes fraction")}
        mark = {"textcoords": "offset points", "va": "center", "annotation_clip": False}
        axis.annotate(
            "●", **at, **mark, xytext=(0, offset), ha="center", color=colours[kind], size=7
        )
        side, align = (-7, "right") if left else (7, "left")
        axis.annotate(
            kind, **at, **mark, xytext=(side, offset), ha=align, color=INK, size=_LABEL_SIZE
        )
