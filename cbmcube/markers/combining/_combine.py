"""Event tables combined: one confirmed by another, both as one, or one cut out of the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.markers.combining._sides import (
    add_rest,
    either,
    intervals_of,
    joined_names,
    moments,
    nanoseconds,
    sides,
    with_lists,
)
from cbmcube.markers.events import OPEN, overlaps, without

_DAY = 86_400 * 10**9

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def confirm(events: pd.DataFrame, by: pd.DataFrame, *, min_overlap: float = 0.0) -> pd.DataFrame:
    """Keep the events that overlap one of another table.

    Parameters
    ----------
    events
        An event table of one marker.
    by
        Another one; its events confirm whatever their status.
    min_overlap
        Days by which intervals must overlap at least. Intervals that touch never do, nor does one
        of no length; an open event lasts for ever.

    Returns
    -------
    pandas.DataFrame
        The event table of the first table's parcels. Events that are left stay as they are, but
        for `sources`, which are those of both, and the further column ``parts``: the ids of the
        events that took part. A parcel whose events were not confirmed has one row: ``OK`` if the
        other table looked, else its reason why it did not, or ``NO_INPUT`` if it lacks the parcel.

    Raises
    ------
    OptionError
        If a table is not sound, or holds several markers or rules.

    See Also
    --------
    fuse : Keeps what only one mission could see.

    Examples
    --------
    >>> from cbmcube.markers import confirm, mowing, mowing_hull
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(parcels=2)
    >>> confirm(mowing(stats), mowing_hull(stats)).loc[1:, "n_events"].tolist()
    [3, 3, 3]
    """
    parcels, first, second = sides(events, by, of_both=False)
    a, b, length = overlaps(first.intervals, second.intervals)
    enough = length >= min_overlap * _DAY
    a, b = a[enough], b[enough]
    kept = with_lists(first.events, second.events, a, b).iloc[np.unique(a)]
    gravity = np.where(first.has_events(), second.gravity, first.gravity)
    silent = replace(second, n_obs=0 * second.n_obs, longest=np.nan * second.longest)
    return add_rest(kept, parcels, (first, silent), gravity=gravity, names=first.names)


def aggregate(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Put the events of two tables together; those that overlap most become one.

    Each event of the first table is paired with the one of the second that it overlaps most;
    of several that choose the same one, the longest overlap wins.

    Parameters
    ----------
    first, second
        Event tables of one marker each.

    Returns
    -------
    pandas.DataFrame
        An event table of the parcels of both. Of a pair, the interval is the union, ``main_date``
        the mean of both, ``sources`` those of both, ``n_obs`` the sum. Signals of two sensors have
        different units and confidences of two kinds cannot be averaged: values, score and
        confidence stay those of the first table, and the further column ``parts`` has the ids of
        both events, by which the values of both can be looked up. Events without partner stay
        as they are. The marker is named after both; of a parcel without event, ``OK`` says that
        at least one of them looked, and ``sources`` which.

    Raises
    ------
    OptionError
        If a table is not sound, or holds several markers or rules.

    Notes
    -----
    After the JRC's ``marker_aggregation``, where what is merged loses its values.

    Examples
    --------
    >>> from cbmcube.markers import aggregate, mowing, mowing_hull
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(parcels=2)
    >>> aggregate(mowing(stats), mowing_hull(stats))["marker"].unique().tolist()
    ['mowing+mowing_hull']
    """
    parcels, one, two = sides(first, second)
    a, b, length = overlaps(one.intervals, two.intervals)
    start = two.intervals.start[b]
    a, b, length = (x[_first_of(a, -length, start)] for x in (a, b, length))
    a, b = (x[_first_of(b, -length, a)] for x in (a, b))
    rows = with_lists(one.events, two.events, a, b)
    pairs = _as_union(rows.iloc[a], two.events.iloc[b])
    alone = [rows.drop(rows.index[a]), two.events.drop(two.events.index[b])]
    rows = pd.concat([part for part in (pairs, *alone) if len(part)] or [rows], ignore_index=True)
    gravity = either(one, two)
    return add_rest(rows, parcels, (one, two), gravity=gravity, names=joined_names(one, two))


def _first_of(group: _Ints, *worst: _Ints) -> _Ints:
    """Return the place of the best of each group; small ones are good."""
    order = np.lexsort((*reversed(worst), group))
    return order[np.unique(group[order], return_index=True)[1]]


def _as_union(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Return rows of `a` whose intervals are widened by those of `b`."""
    b = b.set_axis(a.index)
    spans = intervals_of(a), intervals_of(b)
    mains = nanoseconds(a["main_date"]), nanoseconds(b["main_date"])
    sound = (a["status"] == "OK") | (b["status"] == "OK")
    return a.assign(
        start_date=moments(np.minimum(*(span.start for span in spans))),
        main_date=moments(mains[0] + (mains[1] - mains[0]) // 2),
        end_date=moments(np.maximum(*(span.end for span in spans))),
        before_date=pd.concat([a["before_date"], b["before_date"]], axis=1).min(axis=1),
        n_obs=(a["n_obs"].astype(int) + b["n_obs"]).clip(upper=65_535),
        gap_overlap_days=np.fmax(a["gap_overlap_days"], b["gap_overlap_days"]),
        status=a["status"].where(~sound, "OK"),
        reason=a["reason"].where(~sound),
        open=a["open"] | b["open"],
        provisional=a["provisional"] | b["provisional"],
    )


def merge(events: pd.DataFrame, over: pd.DataFrame) -> pd.DataFrame:
    """Put the events of two tables together so that the second comes before the first.

    Where an event of the second table lies, those of the first end: they are trimmed, parted in
    two, or left out.

    Parameters
    ----------
    events
        An event table of one marker.
    over
        Another one, whose events stay as they are.

    Returns
    -------
    pandas.DataFrame
        An event table of the parcels of both, which covers the same time as both. Pieces keep
        what is known of their event; their values lie on the straight lines between its start,
        main and end, and ``main_date`` is the moment nearest to its own. ``parts``, a further
        column, has the id of the event that a row comes from. The marker is named after both; of
        a parcel without event, ``OK`` says that at least one of them looked.

    Raises
    ------
    OptionError
        If a table is not sound, or holds several markers or rules.

    Examples
    --------
    >>> from cbmcube.markers import ThresholdRule, merge, mowing, threshold_runs
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(parcels=2)
    >>> low = threshold_runs(stats, ThresholdRule("NDVI", 0.5))
    >>> merge(low, mowing(stats))["marker"].unique().tolist()
    ['mowing+threshold']
    """
    parcels, one, two = sides(events, over)
    number, start, end = without(one.intervals, two.intervals)
    pieces = _pieces(one.events.iloc[number], start, end)
    rows = pd.concat([part for part in (pieces, two.events) if len(part)] or [pieces])
    rows = rows.reset_index(drop=True)
    gravity = either(one, two)
    return add_rest(rows, parcels, (one, two), gravity=gravity, names=joined_names(one, two))


def _pieces(events: pd.DataFrame, start: _Ints, end: _Ints) -> pd.DataFrame:
    """Cut each event to the interval from start to end, which lies inside it."""
    whole, main = intervals_of(events), nanoseconds(events["main_date"])
    centre = np.clip(main, start, end)
    same_start, same_end = start == whole.start, end == whole.end
    at_start, at_main, at_end = (_on_sides(events, when) for when in (start, centre, end))
    first = np.where(same_start, events["value_start"], at_start)
    middle = np.where(centre == main, events["value_main"], at_main)
    last = np.where(same_end, events["value_end"], at_end)
    cut = ~(same_start & same_end)
    height = np.fmax(np.abs(first - middle), np.abs(last - middle))
    days = (end - start) / _DAY
    return events.assign(
        start_date=moments(start),
        main_date=moments(centre),
        end_date=moments(end),
        before_date=events["before_date"].where(same_start),
        value_start=first,
        value_main=middle,
        value_end=last,
        magnitude=np.where(cut, height, events["magnitude"]),
        gap_overlap_days=np.fmin(events["gap_overlap_days"], days),
        open=end >= OPEN,
    )


def _on_sides(events: pd.DataFrame, when: _Ints) -> _Floats:
    """Return the value at a moment on the lines from start to main, and from main to end."""
    span, main = intervals_of(events), nanoseconds(events["main_date"])
    left = when < main
    edge = np.where(left, span.start, span.end)
    value = np.where(left, events["value_start"], events["value_end"]).astype(float)
    # An open event stays at its last value.
    length = np.where(edge == main, 1, np.abs(edge - main)).astype(float)
    share = np.clip(np.abs(when - main) / length, 0.0, 1.0)
    middle = events["value_main"].to_numpy(dtype=float)
    return np.asarray(middle + share * (value - middle))
