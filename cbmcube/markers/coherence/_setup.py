"""Get a cube ready for the test of coherence: pairs, sizes, peers and noise of each parcel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.markers.coherence._noise import (
    NOISE,
    PEERS,
    PIXELS,
    Groups,
    Noise,
    Span,
    count_pixels,
    given_noise,
    group_noise,
    usual_values,
)
from cbmcube.markers.coherence._rule import CoherenceRule
from cbmcube.markers.detecting import Look, View
from cbmcube.series import Moment, time_window, up_to

_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Setup:
    """What is needed to test the pairs of one orbit."""

    view: View
    span: Span
    usual: _Floats | None
    """(time, group): what is usual for peers, if the rule asks for it."""
    s0: _Floats
    """(parcel): noise of similar parcels, NaN where there is none or none was asked for."""


def span_of(stats: xr.Dataset, window: tuple[Moment, Moment] | None, as_of: Moment | None) -> Span:
    """Return the window as given, or from the first pair that was known to the last."""
    begin, end = time_window(up_to(stats, as_of), window, as_of)
    return Span(begin, end, as_of)


def with_pairs(stats: xr.Dataset) -> xr.Dataset:
    """Return the cube with the time of the earlier image of each pair.

    Raises
    ------
    OptionError
        If the cube does not tell it.
    """
    if "reference_time" in stats.coords:
        return stats
    if "baseline_days" in stats.coords:
        apart = np.round(stats["baseline_days"].to_numpy() * 86_400.0).astype("timedelta64[s]")
        return stats.assign_coords(reference_time=("time", stats["time"].to_numpy() - apart))
    raise OptionError(
        "coherence is of pairs of images, and the cube does not say when the earlier ones were",
        given=f"coordinates {', '.join(map(str, stats.coords))}",
        allowed="a coordinate 'reference_time' or 'baseline_days' on time",
        hint='stats.assign_coords(baseline_days=("time", days))',
    )


def set_up(
    stats: xr.Dataset, rule: CoherenceRule, span: Span, *, s0: float | pd.Series[Any] | None
) -> Setup:
    """Prepare one orbit; computes the cube once for peers, and once for noise of its own."""
    parcels = stats.indexes["parcel"]
    View(stats, _look(rule)).check()
    stats = count_pixels(with_pairs(stats), rule.variable)
    if rule.method == "sen4cap" and PIXELS not in stats.coords:
        raise OptionError(
            "the test of Sen4CAP needs the number of pixels of each parcel",
            given="a cube without n_total",
            hint="reduce with counts, or use the rule 'default'",
        )
    if s0 is not None and not rule.pooled:
        raise OptionError(
            "noise of similar parcels is of use to a rule that pools only",
            given=f"s0={s0!r} and pooled=False",
            hint="mowing_coherence(stats, 'pooled', s0=…)",
        )
    usual = None
    if rule.peers:
        groups = Groups.of(stats, rule, sizes=False)
        stats = stats.assign_coords({PEERS: ("parcel", groups.code)})
        usual = usual_values(_view(stats, rule), groups, span, min_peers=rule.min_peers)
    noise = np.full(len(parcels), np.nan)
    if s0 is not None:
        noise = given_noise(s0, parcels)
    elif rule.pooled:
        groups, found = measure(stats, rule, span, usual=usual)
        noise = np.append(found.s0, np.nan)[groups.code]
    stats = stats.assign_coords({NOISE: ("parcel", noise)})
    return Setup(_view(stats, rule), span, usual, noise)


def measure(
    stats: xr.Dataset, rule: CoherenceRule, span: Span, *, usual: _Floats | None
) -> tuple[Groups, Noise]:
    """Measure the noise of groups of similar parcels."""
    groups = Groups.of(stats, rule, sizes=True)
    coded = stats.assign_coords({NOISE: ("parcel", groups.code)})
    return groups, group_noise(_view(coded, rule), rule, groups, span, usual=usual)


def _look(rule: CoherenceRule, coords: tuple[str, ...] = ()) -> Look:
    return Look(rule.variable, rule.statistic, rule.min_share, coords=coords)


def _view(stats: xr.Dataset, rule: CoherenceRule) -> View:
    known = tuple(name for name in (PIXELS, NOISE, PEERS) if name in stats.coords)
    return View(stats, _look(rule, known))
