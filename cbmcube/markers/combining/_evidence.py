"""What events say about time windows: one inside, none seen, or nobody could tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.markers.combining._sides import intervals_of, nanoseconds
from cbmcube.markers.events import OPEN, Intervals, check_events, overlaps, union
from cbmcube.series import Moment, moment

EVIDENCE = (
    "UNKNOWN_CROP",
    "NOT_PROCESSED",
    "EVENT_INSIDE",
    "NO_EVENT_INSIDE",
    "EVENT_INSIDE_AND_OUTSIDE",
    "NOT_DECIDABLE",
)
"""What `window_evidence` can say; the first five are Sen4CAP's codes -1, 0, 1, 2 and 3."""

MAX_GAP_SHARE = 0.3
"""Share of a window that may lie in gaps when no event was seen. A starting value, not validated
on field data."""

_Ints = NDArray[np.int64]
_Flags = NDArray[np.bool_]


def window_evidence(
    events: pd.DataFrame,
    windows: pd.DataFrame,
    *,
    gaps: pd.DataFrame,
    period: tuple[Moment, Moment],
    max_gap_share: float = MAX_GAP_SHARE,
) -> pd.DataFrame:
    """Say for windows of time, such as those of a rule, what was seen in them.

    It states evidence and decides no payment.

    Parameters
    ----------
    events
        The event table of one marker. Events that are ``OK`` count; others make a window without
        one undecidable.
    windows
        ``parcel``, ``begin`` and ``end`` (UTC), one row for each question; other columns go along.
        Both are moments: for a window up to and with 30 June, `end` is 1 July. Without dates (NaT)
        there is no rule for the crop: ``UNKNOWN_CROP``.
    gaps
        When nobody could look: ``parcel``, ``begin`` and ``end``, as `cbmcube.series.gaps` lists
        them with the same `window` and `as_of`. Overlapping rows count once.
    period
        First and last moment that the marker looked at. Parts of a window outside were not seen
        either, so that a window that is not over yet does not count as one without event.
    max_gap_share
        Larger shares make a window without event undecidable.

    Returns
    -------
    pandas.DataFrame
        A row for each window, in order: its columns, then ``n_inside``, ``n_overlapping`` and
        ``n_outside``, the events that lie wholly in it, across its edges (touching is outside) and
        elsewhere; ``n_unsure``, events that are not ``OK`` and meet it; ``gap_share`` of the
        window; ``evidence``, a category (see :data:`EVIDENCE`): ``NOT_PROCESSED`` if the parcel is
        not in the table or its marker was not executed; ``EVENT_INSIDE``, or
        ``EVENT_INSIDE_AND_OUTSIDE`` if there are others as well; ``NO_EVENT_INSIDE`` if it was
        well seen; else ``NOT_DECIDABLE``: too large a share in gaps, a parcel that is not
        valid, or nothing but events across the edges or unsure ones.

    Raises
    ------
    OptionError
        If the events are no sound table, columns are missing, or a window is empty.

    Notes
    -----
    Sen4CAP has no ``NOT_DECIDABLE``: there a window that nobody saw counts as one without event,
    and code 3 is given for the rules of some countries only.

    Examples
    --------
    >>> import pandas as pd
    >>> from cbmcube.markers import mowing, window_evidence
    >>> from cbmcube.series import gaps
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(parcels=2)
    >>> windows = pd.DataFrame({"parcel": ["P1"], "begin": "2024-03-15", "end": "2024-05-01"})
    >>> season = ("2024-03-01", "2024-09-26")
    >>> found = window_evidence(mowing(stats), windows, gaps=gaps(stats, "NDVI"), period=season)
    >>> found["evidence"].item()
    'NO_EVENT_INSIDE'
    """
    check_events(events)
    asked = _windows(windows)
    known = (asked["begin"].notna() & asked["end"].notna()).to_numpy()
    ids = pd.Index(events["parcel"]).append(pd.Index(asked["parcel"])).unique()
    begin, end = (np.where(known, nanoseconds(asked[name]), 0) for name in ("begin", "end"))
    spans = Intervals(ids.get_indexer(pd.Index(asked["parcel"])), begin, end)
    counts = _counts(events, spans, ids)
    share = np.where(known, _gap_share(gaps, spans, ids, period), np.nan)
    state = events.drop_duplicates("parcel").set_index("parcel").reindex(asked["parcel"])
    # Whether a gap hides an event of the window is told by the window's own gaps.
    invalid = (state["status"] == "NOT_VALID") & (state["reason"] != "GAP")
    blind = (invalid & state["main_date"].isna()).to_numpy()
    absent = (state["status"].isna() | (state["status"] == "NOT_EXECUTED")).to_numpy()
    names = _names(counts, (share <= max_gap_share) & ~blind, absent=absent, known=known)
    category = pd.Categorical(names, categories=[*EVIDENCE])
    return windows.assign(**counts, gap_share=share, evidence=category)


def _windows(windows: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in ("parcel", "begin", "end") if name not in windows]
    if missing:
        raise OptionError(
            "windows are rows of parcel, begin and end",
            given=", ".join(map(str, windows.columns)),
            allowed="parcel, begin, end, and others",
            hint="rename the columns",
        )
    utc = {
        name: pd.to_datetime(windows[name], utc=True, format="ISO8601") for name in ("begin", "end")
    }
    asked = windows[["parcel"]].assign(
        **{name: when.dt.tz_localize(None).astype("datetime64[ns]") for name, when in utc.items()}
    )
    empty = asked["end"] <= asked["begin"]
    if empty.any():
        raise OptionError(
            "a window to be judged is empty",
            given=" to ".join(str(asked.loc[empty, name].iloc[0]) for name in ("begin", "end")),
            hint="its end must be later than its begin",
        )
    return asked


def _counts(events: pd.DataFrame, spans: Intervals, ids: pd.Index) -> dict[str, _Ints]:
    """Count events inside, across the edges and outside, and the unsure ones that meet it."""
    number = ids.get_indexer(pd.Index(events["parcel"]))
    found = events.assign(number=number)[events["main_date"].notna()]
    lasting = intervals_of(found)
    # An event of no length is in the window in which its moment is.
    lasting = Intervals(lasting.parcel, lasting.start, np.maximum(lasting.end, lasting.start + 1))
    sure = (found["status"] == "OK").to_numpy()
    window, event, _ = overlaps(spans, lasting)
    within = lasting.start[event] >= spans.start[window]
    within &= lasting.end[event] <= spans.end[window]
    sizes = [
        np.bincount(window[some], minlength=len(spans.parcel))
        for some in (within & sure[event], ~within & sure[event], ~sure[event])
    ]
    total = np.bincount(lasting.parcel[sure], minlength=len(ids))[spans.parcel]
    return {
        "n_inside": sizes[0],
        "n_overlapping": sizes[1],
        "n_outside": total - sizes[0] - sizes[1],
        "n_unsure": sizes[2],
    }


def _gap_share(
    gaps: pd.DataFrame, spans: Intervals, ids: pd.Index, period: tuple[Moment, Moment]
) -> NDArray[np.float64]:
    """Return the share of each window in which nobody looked, or could."""
    begin, end = (moment(when).astype("int64") for when in period)
    number = ids.get_indexer(pd.Index(gaps["parcel"]))
    lost = Intervals(number, nanoseconds(gaps["begin"]), nanoseconds(gaps["end"]))
    parcels, edge = np.arange(len(ids)), np.ones(len(ids), dtype="int64")
    # Before and after the period there is a gap for all.
    edges = [(0 * edge, begin * edge), (end * edge, OPEN * edge)]
    blind = union(
        Intervals(
            np.concatenate([lost.parcel[number >= 0], parcels, parcels]),
            np.concatenate([lost.start[number >= 0], *(low for low, _ in edges)]),
            np.concatenate([lost.end[number >= 0], *(high for _, high in edges)]),
        )
    )
    window, _, length = overlaps(spans, blind)
    total = np.bincount(window, weights=length, minlength=len(spans.parcel))
    return np.asarray(total / np.maximum(spans.end - spans.start, 1))


def _names(
    counts: dict[str, _Ints], seen: _Flags, *, absent: _Flags, known: _Flags
) -> NDArray[np.str_]:
    """Return what is to be said of each window; the first rule that holds counts."""
    inside, outside = counts["n_inside"] > 0, counts["n_outside"] > 0
    vague = (counts["n_overlapping"] > 0) | (counts["n_unsure"] > 0)
    rules = {
        "UNKNOWN_CROP": ~known,
        "NOT_PROCESSED": absent,
        "EVENT_INSIDE_AND_OUTSIDE": inside & outside,
        "EVENT_INSIDE": inside,
        "NO_EVENT_INSIDE": seen & ~vague,
    }
    return np.select([*rules.values()], [*rules], "NOT_DECIDABLE")
