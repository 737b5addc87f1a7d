"""Events of two markers or missions as one: what both saw is sure, what one saw is weighed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbmcube.markers._rules import choose
from cbmcube.markers.combining._fuse_pairs import (
    fused_events,
    is_radar,
    pair_events,
    weights,
    with_reach,
)
from cbmcube.markers.combining._fuse_rule import FUSE_PRESETS, FuseRule
from cbmcube.markers.combining._sides import (
    LOOKED,
    Side,
    add_rest,
    either,
    intervals_of,
    joined_names,
    nanoseconds,
    sides,
)
from cbmcube.markers.events import Intervals, overlaps, select_apart

_DAY = 86_400 * 10**9

_Ints = NDArray[np.int64]


def fuse(
    first: pd.DataFrame,
    second: pd.DataFrame,
    rule: FuseRule | str | None = None,
    *,
    gaps: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Join what two markers saw, such as one of each mission, into one list of events.

    Overlapping events are paired, each used once, the longest overlaps first. A pair is an event
    even where one of them was ``UNCONFIRMED``, unless both have the same source, which sees the
    same clouds. The rest stays as it is, or becomes ``UNCONFIRMED``, as the rule says. Of events
    that are too near to each other the better stays.

    Parameters
    ----------
    first, second
        Event tables of one marker each, in any order: the result is the same. For several orbits
        of radar, fuse these first.
    rule
        A `FuseRule`, the name of one of :data:`FUSE_PRESETS`, or ``None`` for its first.
    gaps
        Gaps of the optical series as `cbmcube.series.gaps` lists them: events of radar stand where
        they meet one. Without it, parcels whose longest gap is short count as well seen.

    Returns
    -------
    pandas.DataFrame
        An event table of the parcels of both. Of pairs, ``confidence`` is of kind ``fused``:
        doubts d = 1 - confidence become ``d1 d2 / (d1 + d2)``, so that it is 0.5 at least and no
        probability. ``values`` are those of the more confident one, ``before_date`` is the later
        one, ``n_obs`` the sum, ``p_value`` the smaller; ``parts``, a further column, has the ids
        of both. The marker is named after both. Of a parcel without event, ``OK`` says that one
        of them looked, and ``sources`` which; where radar saw nothing and the other one could not
        look, it is the other one's reason that stands, unless the rule trusts silence.

    Raises
    ------
    OptionError
        If a table is not sound, or holds several markers or rules.

    References
    ----------
    Confidence and selection: Sen4CAP, ``fusion.py``. There a radar event may be used for two
    optical ones; and all that only one mission saw stands. See the page on mowing for what the
    differences are worth.

    Examples
    --------
    >>> from cbmcube.markers import fuse, mowing, mowing_hull
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(parcels=2)
    >>> both = fuse(mowing(stats), mowing_hull(stats))
    >>> both["confidence_kind"].tolist()
    ['none', 'fused', 'fused', 'fused']
    """
    rule = choose(rule, FUSE_PRESETS)
    parcels, one, two = sides(first, second)
    a, b = pair_events(one, two, rule)
    rows = pd.concat(
        [
            fused_events(one, two, a, b, rule),
            _alone(one, two, a, rule, _gaps(gaps, parcels)),
            _alone(two, one, b, rule, _gaps(gaps, parcels)),
        ],
        ignore_index=True,
    )
    keep = select_apart(
        rows["number"].to_numpy(),
        rows.pop("reach_start").to_numpy() / _DAY,
        rows.pop("reach_end").to_numpy() / _DAY,
        worst=[(rows["status"] != "OK").to_numpy(), -weights(rows, rule)],
        apart=rule.apart_days,
        most=rule.max_events,
    )
    names = joined_names(one, two, rule.params_id)
    gravity = either(one, two) if rule.trust_silence else _heard(one, two)
    return add_rest(rows[keep], parcels, (one, two), gravity=gravity, names=names)


def _heard(one: Side, two: Side) -> _Ints:
    """Return the gravity of parcels of which the silence of radar says nothing."""
    gravity = either(one, two)
    for side, other in ((one, two), (two, one)):
        told = side.optical & ~other.optical
        gravity = np.where(told, side.gravity, gravity)
    return gravity


def _alone(
    side: Side, other: Side, paired: _Ints, rule: FuseRule, gaps: Intervals | None
) -> pd.DataFrame:
    """Return the events without partner; those of radar need more."""
    events = side.events.drop(side.events.index[paired])
    radar, number = is_radar(events), events["number"].to_numpy()
    is_p = (events["confidence_kind"] == "p_value").to_numpy()
    several = (events["sources"].map(len) > 1).to_numpy()
    weak = is_p & ~several & (events["confidence"].to_numpy(dtype=float) < rule.alone - 1e-6)
    well_seen = (other.optical & (other.gravity == LOOKED))[number]
    if gaps is None:
        well_seen &= other.longest[number] <= rule.seen_days
    else:
        met = overlaps(intervals_of(events), gaps)[0]
        well_seen[met] = False
    doubtful = radar & (weak | (well_seen & (rule.seen_days > 0)))
    doubtful &= (events["status"] == "OK").to_numpy()
    return with_reach(events).assign(
        status=events["status"].where(~doubtful, "NOT_VALID"),
        reason=events["reason"].where(~doubtful, "UNCONFIRMED"),
    )


def _gaps(gaps: pd.DataFrame | None, parcels: pd.Index) -> Intervals | None:
    if gaps is None:
        return None
    number = parcels.get_indexer(pd.Index(gaps["parcel"]))
    found = Intervals(number, nanoseconds(gaps["begin"]), nanoseconds(gaps["end"]))
    return found.take(np.flatnonzero(number >= 0))
