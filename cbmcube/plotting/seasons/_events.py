"""Events over a profile: one list of dates from several forms, and labels that never overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from cbmcube._style import INK, axis_days, event_colours, text_width
from cbmcube.exceptions import OptionError

_LABEL_SIZE = 8.0  # points
_SPELLINGS = (("event", "date"), ("marker", "main_date"))


Rows: TypeAlias = pd.DataFrame | Iterable[Mapping[str, object] | tuple[object, object]]
Events: TypeAlias = Rows | Mapping[str, Rows] | None

_COLUMNS = ("event", "date", "start", "end", "sure", "label", "mark")
_MARKS = (("●", "○"), ("▲", "△"), ("■", "□"), ("◆", "◇"))


def event_table(events: Events, parcel: object, ids: Iterable[object] = ()) -> pd.DataFrame:
    """Return events as one table, sorted by date.

    Parameters
    ----------
    events
        A table with the columns `event` and `date`, an event table of a marker (`marker` and
        `main_date`), or an iterable of such rows or of pairs (event, date); or a mapping from
        the name of a source to one of these. Rows of other parcels (column `parcel`, else the
        first column of text that has some of `ids`) and rows without a date are left out.
    ids
        Ids of all parcels there are.

    Returns
    -------
    pandas.DataFrame
        Columns `event`, of fused markers the first, and `date`; `start` and `end` of the
        interval, NaT where there is none (an open one ends with the last date there can be);
        `sure`, whether its status is OK; `label` and `mark` to draw.

    Raises
    ------
    OptionError
        If the columns are missing, or a date cannot be read.
    """
    several = isinstance(events, Mapping)
    sources = events if isinstance(events, Mapping) else {"": [] if events is None else events}
    parts, known = [], pd.Index([*ids])
    for number, (source, rows) in enumerate(sources.items()):
        part = _one_source(rows, parcel, known)
        if several:
            part["label"] = part["label"] + f" · {source}"
        filled, hollow = _MARKS[number % len(_MARKS)]
        part["mark"] = np.where(part["sure"], filled, hollow)
        parts.append(part)
    table = pd.concat(parts or [_one_source([], parcel, known).assign(mark="")], ignore_index=True)
    return table[[*_COLUMNS]].sort_values(["date", "event"], ignore_index=True)


def _one_source(rows: Rows, parcel: object, ids: pd.Index[Any]) -> pd.DataFrame:
    frame = rows if isinstance(rows, pd.DataFrame) else _frame([*rows])
    kind, date = _columns(frame)
    named = _parcel_column(frame, {kind, date}, ids)
    if named is not None:
        frame = frame[frame[named] == parcel]
    table = pd.DataFrame(
        {
            "event": frame[kind].astype(str).to_numpy(dtype=object),
            "date": _dates(frame[date]),
            "start": _dates(frame["start_date"]) if "start_date" in frame else pd.NaT,
            "end": _dates(frame["end_date"]) if "end_date" in frame else pd.NaT,
            "sure": (frame["status"].astype(str) == "OK").to_numpy() if "status" in frame else True,
        }
    )
    if "open" in frame:
        lasts = frame["open"].to_numpy(dtype=bool) & table["end"].isna().to_numpy()
        table.loc[lasts, "end"] = pd.Timestamp.max.floor("D")
    names = table["event"].map(_spelled).to_numpy(dtype=object)
    table["label"] = names + np.where(table["sure"], "", _doubt(frame))
    # One colour, however it was found.
    table["event"] = table["event"].map(lambda name: name.split("+")[0])
    return table[frame[kind].notna().to_numpy() & table["date"].notna()]


def _spelled(event: str) -> str:
    """Spell an event, and what markers it was fused of: the second says what the first does not.

    Examples
    --------
    >>> _spelled("mowing+mowing_coherence"), _spelled("catch_crop")
    ('mowing + coherence', 'catch crop')
    """
    first, *others = event.split("+")
    parts = [first, *(other.removeprefix(f"{first}_") for other in others)]
    return " + ".join(parts).replace("_", " ")


def _parcel_column(frame: pd.DataFrame, others: set[str], ids: pd.Index[Any]) -> str | None:
    """Return the column that holds ids of parcels; numbers are never taken for ids."""
    if "parcel" in frame:
        return "parcel"
    texts = (n for n in frame if n not in others and not pd.api.types.is_numeric_dtype(frame[n]))
    return next((str(name) for name in texts if frame[name].isin(ids).any()), None)


def _doubt(frame: pd.DataFrame) -> np.ndarray:
    """Return why an event is not sure, in brackets."""
    column = next((name for name in ("reason", "status") if name in frame), None)
    if column is None:
        return np.full(len(frame), "")
    words = frame[column].astype(str).str.replace("_", " ").str.lower()
    return (" (" + words + ")").to_numpy(dtype=object)


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
    widths = (
        np.array([text_width(label, size=_LABEL_SIZE) for label in table["label"]]) + 16.0
    )  # mark and air
    days = axis_days(table["date"].to_numpy())
    where = (days - limits[0]) / (limits[1] - limits[0]) * points
    beyond = where + widths > points  # the label would leave the axis on the right
    begin = np.where(beyond, where - widths, where)
    order = np.argsort(begin, kind="stable")
    lanes = np.empty(len(table), dtype=int)
    lanes[order] = lanes_of(begin[order] - 5.0, widths[order])
    return table.assign(lane=lanes, left=beyond)


def draw_events(axis: Any, table: pd.DataFrame, limits: tuple[float, float]) -> None:
    """Draw a vertical line at each event, and its interval as a light span.

    What is not sure is dashed and hatched. Intervals end with the axis, whose ends `limits` are.
    """
    colours = event_colours(table["event"])
    spans = [axis_days(table[name].to_numpy()) for name in ("start", "end")]
    marks = [table[name] for name in ("event", "sure", "date")]
    for kind, sure, day, start, end in zip(*marks, *spans, strict=True):
        colour, style = colours[kind], "-" if sure else (0, (4, 2))
        axis.axvline(day, color=colour, linewidth=1.2, alpha=0.75, ls=style, zorder=1.5)
        first, last = np.clip([start, end], *limits)
        if first < last:  # never true of an interval that is not known
            hatch = None if sure else "///"
            axis.axvspan(
                first, last, fc=colour, alpha=0.14, lw=0, zorder=0.2, hatch=hatch, ec=colour
            )


def draw_labels(axis: Any, placed: pd.DataFrame, *, top: float, step: float) -> None:
    """Write the name of each event beside its date, `top` and `step` in points from the top."""
    colours = event_colours(placed["event"])
    columns = ["event", "date", "lane", "left", "label", "mark"]
    for kind, date, lane, left, label, symbol in placed[columns].to_numpy():
        offset = -(top + step * lane)
        at = {"xy": (date, 1.0), "xycoords": ("data", "axes fraction")}
        mark = {"textcoords": "offset points", "va": "center", "annotation_clip": False}
        axis.annotate(
            symbol, **at, **mark, xytext=(0, offset), ha="center", color=colours[kind], size=7
        )
        side, align = (-7, "right") if left else (7, "left")
        axis.annotate(
            label, **at, **mark, xytext=(side, offset), ha=align, color=INK, size=_LABEL_SIZE
        )
