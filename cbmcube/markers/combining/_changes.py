"""Two runs of one marker: what a later one says otherwise, and how to hold on to the earlier."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.markers.combining._sides import nanoseconds
from cbmcube.markers.events import (
    EVENT_COLUMNS,
    Intervals,
    check_events,
    make_events,
    match_once,
    overlaps,
)

CHANGES = ("NEW", "GONE", "MOVED", "JUDGED")
"""What `changes` can say: an event that only the later or only the earlier run has, one with
other dates, and one, or a parcel without event, with another status or reason."""

NEAR_DAYS = 21.0
"""Events of two runs whose main dates are nearer to each other than this can be the same one."""

_DAY = 86_400 * 10**9
_FACTS = ("event_id", "main_date", "status", "reason")

_Ints = NDArray[np.int64]


def changes(
    before: pd.DataFrame, after: pd.DataFrame, *, near_days: float = NEAR_DAYS
) -> pd.DataFrame:
    """List what a later run of a marker says otherwise than an earlier one.

    Events of both runs are paired, each once, the nearest main dates first. Two runs of equal
    rules on equal data have no changes.

    Parameters
    ----------
    before, after
        Event tables of one marker each, such as of two `as_of`.
    near_days
        Main dates of a pair are less than this apart.

    Returns
    -------
    pandas.DataFrame
        A row for each change, by parcel and date: ``parcel``; ``change``, a category (see
        :data:`CHANGES`); ``shift_days``, by how much the main date moved; and ``event_id``,
        ``main_date``, ``status`` and ``reason`` with ``_before`` and ``_after`` behind. A parcel
        that lost its only event has a row ``GONE``, and none for the row without event that it got.
        Parcels that are in one table only have rows if they have events there.

    Raises
    ------
    OptionError
        If a table is not sound, or both are of different markers.

    Examples
    --------
    >>> from cbmcube.markers import changes, mowing
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(parcels=2)
    >>> weeks = [mowing(stats, as_of=day) for day in ("2024-05-25", "2024-06-15")]
    >>> changes(*weeks)[["parcel", "change", "main_date_after"]].astype(str).to_numpy().tolist()
    [['P1', 'NEW', '2024-05-28 10:20:38.400']]
    """
    _check_same(before, after)
    a, b, lost, fresh = _paired(before, after, near_days)
    quiet_a, quiet_b = _quiet(before, after)
    rows = (
        np.concatenate([a, lost, np.full_like(fresh, -1), quiet_a]),
        np.concatenate([b, np.full_like(lost, -1), fresh, quiet_b]),
    )
    table = _facts(before, after, *rows)
    differs = {"NEW": rows[0] < 0, "GONE": rows[1] < 0}
    differs["MOVED"] = _differ(table, "event_id") & table["main_date_before"].notna()
    differs["JUDGED"] = _differ(table, "status") | _differ(table, "reason")
    code = np.select([*differs.values()], [CHANGES.index(name) for name in differs], -1)
    table["change"] = pd.Categorical.from_codes(code, pd.Index(CHANGES))
    table = table[code >= 0]
    when = table["main_date_after"].fillna(table["main_date_before"])
    order = np.lexsort((table["change"].cat.codes, when, table["parcel"]))
    return table.iloc[order].reset_index(drop=True)


def _differ(table: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    before, after = (table[f"{name}_{end}"].astype(object) for end in ("before", "after"))
    return np.asarray(before.fillna("") != after.fillna(""))


def _facts(before: pd.DataFrame, after: pd.DataFrame, a: _Ints, b: _Ints) -> pd.DataFrame:
    """Return what is compared of some rows of both tables, -1 for none."""
    sides = {"before": before.reset_index(drop=True).reindex(a).reset_index(drop=True),
             "after": after.reset_index(drop=True).reindex(b).reset_index(drop=True)}  # fmt: skip
    parcel = sides["after"]["parcel"].where(b >= 0, sides["before"]["parcel"])
    shift = sides["after"]["main_date"] - sides["before"]["main_date"]
    days = (shift.dt.total_seconds() / 86_400).astype("float32")
    named = {f"{name}_{end}": sides[end][name] for name in _FACTS for end in sides}
    return pd.DataFrame({"parcel": parcel, "change": "", "shift_days": days, **named})


def _quiet(before: pd.DataFrame, after: pd.DataFrame) -> tuple[_Ints, _Ints]:
    """Return the rows of parcels without event in both tables."""
    rows = [np.flatnonzero(table["main_date"].isna()) for table in (before, after)]
    place = pd.Index(after["parcel"].iloc[rows[1]]).get_indexer(before["parcel"].iloc[rows[0]])
    return rows[0][place >= 0], rows[1][place[place >= 0]]


def keep_settled(
    events: pd.DataFrame, earlier: pd.DataFrame, *, near_days: float = NEAR_DAYS
) -> pd.DataFrame:
    """Hold on to what an earlier run settled, so that reported events stay as they were.

    Parameters
    ----------
    events
        The event table of a later run.
    earlier
        That of an earlier run of the same marker with the same rule.
    near_days
        Later events nearer to a settled one are taken for the same and go.

    Returns
    -------
    pandas.DataFrame
        The later table, where events of the earlier one that are ``OK`` and not ``provisional``
        stand as they were. A further column ``kept`` says which. A parcel with a settled event has
        no row without event, whatever is said of it now: :func:`changes` of both tables says that.

    Raises
    ------
    OptionError
        If a table is not sound, or markers or rules differ.

    Notes
    -----
    Sen4CAP keeps the harvest week of a parcel once it is confirmed. Here it is a choice, made
    after the fact, for every marker.

    Examples
    --------
    >>> from cbmcube.markers import keep_settled, mowing
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(parcels=2)
    >>> july = mowing(stats, as_of="2024-07-01")
    >>> keep_settled(mowing(stats), july)["kept"].tolist()
    [False, True, False, False]
    """
    _check_same(events, earlier, rules=True)
    settled = (earlier["status"] == "OK") & earlier["main_date"].notna() & ~earlier["provisional"]
    known = earlier[settled & earlier["parcel"].isin(events["parcel"])]
    *_, fresh = _paired(known, events, near_days, once=False)
    quiet = events["main_date"].isna() & ~events["parcel"].isin(known["parcel"])
    others = pd.concat([events.iloc[fresh], events[quiet]])
    table = pd.concat([known.assign(kept=True), others.assign(kept=False)], ignore_index=True)
    number = table["main_date"].notna().groupby(table["parcel"]).transform("sum")
    own = {name: table[name] for name in EVENT_COLUMNS if name not in ("event_id", "n_events")}
    further = {str(name): table[name] for name in table if name not in EVENT_COLUMNS}
    return make_events(own | {"n_events": number}, further=further)


def _paired(
    one: pd.DataFrame, two: pd.DataFrame, near_days: float, *, once: bool = True
) -> tuple[_Ints, _Ints, _Ints, _Ints]:
    """Return rows of the same events in both tables, and of events in only one and the other."""
    ids = pd.Index(one["parcel"]).append(pd.Index(two["parcel"])).unique()
    rows = [np.flatnonzero(table["main_date"].notna()) for table in (one, two)]
    spans = []
    for table, chosen, reach in ((one, rows[0], round(near_days * _DAY)), (two, rows[1], 1)):
        main = nanoseconds(table["main_date"].iloc[chosen])
        number = ids.get_indexer(pd.Index(table["parcel"].iloc[chosen]))
        spans.append(Intervals(number, main - reach + 1, main + reach))
    a, b, _ = overlaps(spans[0], spans[1])
    middle = [(span.start + span.end) // 2 for span in spans]
    apart = np.abs(middle[0][a] - middle[1][b])
    if once:
        keep = match_once(a, b, worst=[apart, middle[0][a], middle[1][b]])
        a, b = a[keep], b[keep]
    alone = [np.delete(chosen, some) for chosen, some in zip(rows, (a, b), strict=True)]
    return rows[0][a], rows[1][b], alone[0], alone[1]


def _check_same(one: pd.DataFrame, two: pd.DataFrame, *, rules: bool = False) -> None:
    columns = ["marker", "marker_version", "params_id"] if rules else ["marker"]
    kinds = [check_events(table)[columns].drop_duplicates() for table in (one, two)]
    if max(map(len, kinds)) > 1 or len(pd.concat(kinds).drop_duplicates()) > 1:
        named = [", ".join(kind.astype(str).agg(" ".join, axis=1)) for kind in kinds]
        raise OptionError(
            "two runs are compared if they are of one marker" + (" and rule" if rules else ""),
            given=" and ".join(named),
            hint="run the marker again with the same rule",
        )
