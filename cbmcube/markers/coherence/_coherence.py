"""Mowing from coherence: pairs of radar images that are more coherent than those before."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.markers._rules import choose
from cbmcube.markers.coherence._events import follows_detection, found_events
from cbmcube.markers.coherence._fit import PairTests, judge_pairs
from cbmcube.markers.coherence._noise import NOISE, PIXELS, noise_table, peers_of
from cbmcube.markers.coherence._orbits import join_orbits
from cbmcube.markers.coherence._rule import COHERENCE_PRESETS, CoherenceRule
from cbmcube.markers.coherence._setup import Setup, measure, set_up, span_of
from cbmcube.markers.detecting import Found, Marker, Signals, by_orbit, each_block, find_events
from cbmcube.series import Moment, up_to

_NAME = "mowing_coherence"
_VERSION = "1"

_Floats = NDArray[np.float64]


def mowing_coherence(
    stats: xr.Dataset,
    rule: CoherenceRule | str | None = None,
    *,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    crops: Collection[object] | None = None,
    s0: float | pd.Series[Any] | None = None,
) -> pd.DataFrame:
    """Find mowing by jumps of Sentinel-1 coherence; computes the cube.

    Short grass is more coherent than tall grass. A straight line is put through the pairs of
    images before each pair, and a pair is detected if it lies above the prediction interval of the
    line, at a rate of false alarms of `alpha` for each pair. Mowing itself fell into the pair
    before.

    Parameters
    ----------
    stats
        A vector cube of coherence, 0 to 1, with the coordinate ``reference_time`` or
        ``baseline_days`` on `time`; `time` is that of the later image. Relative orbits, directions
        and lengths of pairs are looked at apart. Buffer parcels by -10 m before the reduction. A
        lazy cube is computed once; once more to measure the noise for a rule that is `pooled`, and
        for one with `peers`.
    rule
        A rule or the name of a preset: ``"default"``, ``"pooled"``, ``"sensitive"`` (for
        :func:`fuse`) or, for comparison, ``"sen4cap"``.
    window
        First and last moment of pairs to look at (UTC), both included; by default all. The first
        `n_ref_min` pairs are not tested, so let it begin that much before the season.
    as_of
        Look with the knowledge of this moment: later pairs are left out, and events of the last 30
        days before it are provisional.
    crops
        Values of the coordinate `crop`; other parcels are ``NOT_RELEVANT``. All by default.
    s0
        For a rule that is `pooled`: the noise of similar parcels, as one number or by parcel. By
        default it is measured, see :func:`coherence_noise`; parcels without 30 similar ones are
        judged by their own noise.

    Returns
    -------
    pandas.DataFrame
        An event table (see :data:`cbmcube.markers.EVENT_COLUMNS`). An event lasts from the first
        to the second image of the pair before the jump, or up to the jump if pairs are missing;
        ``main_date`` is its middle. ``value_start`` is the coherence of that pair, ``value_main``
        the predicted and ``value_end`` the seen one of the jump, ``magnitude`` their difference,
        ``score`` Student's t. Of events nearer than `min_distance_days` the one with the
        smallest p-value stays; if they are of several orbits, ``sources`` has all of these.

        A parcel without event is ``OK``; or ``NOT_VALID`` for ``TOO_FEW_OBS``, for a ``GAP``, or
        for ``NO_REFERENCE`` if no pair could be tested; or ``NOT_EXECUTED``. Of several orbits the
        one counts that saw it best. An event after pairs without any noise is ``NOT_VALID`` for
        ``FLAT_REFERENCE``.

    Raises
    ------
    UnknownBandError, UnknownStatisticError
        If the cube lacks the band, or the statistic.
    OptionError
        If the cube does not tell the earlier images of pairs, the window is empty, or `s0` is
        unfit.

    Notes
    -----
    The idea and the step back by one pair are those of Sen4CAP (``src_s1/S1_gmd.py``). Its test
    takes the spread of five residuals for the true noise and reads the line at the last of the
    five: a nominal rate of 3e-8 is then 2 %. Here it is the prediction interval of a linear
    regression (Draper and Smith, *Applied Regression Analysis*, 1998, section 3.1), whose rate
    holds for any number of pairs, noise and trend, as long as noise is normal and not correlated.
    With a correlation of 0.5 from pair to pair an alpha of 1e-3 is really 1.4e-3, and at the bottom
    of a season that is a wave of 0.3 from low to high with noise of 0.03 it is 2.5e-3. False alarms
    of orbits add up. Rain, frost, wind, ploughing and harvest move coherence, too.

    Neighbouring detections are one event, dated by the first: the pair before the second is
    itself the jump.

    Examples
    --------
    >>> from cbmcube.markers import mowing_coherence
    >>> from cbmcube.testing import vector_cube
    >>> events = mowing_coherence(vector_cube("CARD-COH6"), crops=["grassland"])
    >>> events[["parcel", "end_date", "sources"]].iloc[1].to_list()
    ['P1', Timestamp('2024-05-25 17:15:21.600000'), ['S1:139', 'S1:15']]
    """
    rule = choose(rule, COHERENCE_PRESETS)
    span = span_of(stats, window, as_of)
    tables = []
    for orbit in by_orbit(up_to(stats, as_of)):
        ready = set_up(orbit, rule, span, s0=s0)
        tables.append(
            find_events(
                {"signal": ready.view},
                partial(_detect, rule=rule, usual=ready.usual),
                marker=Marker(_NAME, _VERSION, rule),
                window=(span.begin, span.end),
                as_of=as_of,
                crops=crops,
            )
        )
    return join_orbits(tables, min_days=rule.min_distance_days)


def coherence_tests(
    stats: xr.Dataset,
    rule: CoherenceRule | str | None = None,
    *,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
    s0: float | pd.Series[Any] | None = None,
) -> xr.Dataset:
    """Compute what :func:`mowing_coherence` sees in each pair, to look at and to draw.

    Parameters
    ----------
    stats, rule, window, as_of, s0
        As for :func:`mowing_coherence`, but of a single relative orbit. Select parcels first: the
        result is as large as the cube. Noise and peers are then those of the selected ones.

    Returns
    -------
    xarray.Dataset
        In memory. On `time` and `parcel`: ``coherence``, what was ``predicted``, the ``upper`` end
        of its interval, the ``statistic`` and ``p_value`` of the test (NaN where a pair was not
        tested), and whether it was ``detected``. On `parcel`: the number of tested pairs
        ``n_tests``; ``p_season``, the chance that the smallest p-value of a season is as small if
        nothing happens; and ``s0``.

    Raises
    ------
    OptionError
        As :func:`mowing_coherence`, and if orbits are mixed.

    Notes
    -----
    ``p_season`` is 1 - (1 - p)**n (Sidak) of the n tests that do not follow a detection: those have
    the same references as it, and would repeat its error. Of 100,000 series of 35 tests without
    event 3.5 % have a pair below 1e-3, where 3.4 % are expected; ``p_season`` is below 0.05 in
    5.1 % of them, and below 0.01 in 1.2 %.

    Examples
    --------
    >>> from cbmcube.markers import coherence_tests
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube("CARD-COH6")
    >>> tests = coherence_tests(stats.isel(time=stats.relative_orbit.values == 15))
    >>> tests["n_tests"].to_numpy().tolist()
    [30, 30, 30, 30]
    """
    rule = choose(rule, COHERENCE_PRESETS)
    span = span_of(stats, window, as_of)
    ready = set_up(stats, rule, span, s0=s0)
    part = ready.view.part(as_of, span.begin, span.end)
    work = partial(_tested, rule=rule, usual=ready.usual)
    blocks = each_block({"signal": ready.view.look}, {"signal": part}, work, span.begin, span.end)
    names = ("coherence", "predicted", "upper", "statistic", "p_value", "detected")
    data = [np.concatenate(arrays, axis=1) for arrays in zip(*blocks, strict=True)]
    result = xr.Dataset(
        {name: (("time", "parcel"), array) for name, array in zip(names, data, strict=True)},
        coords={name: part[name].variable for name in ("time", "reference_time", "parcel")},
        attrs={"params_id": rule.params_id, "source": ready.view.source},
    )
    return _season(result, ready)


def coherence_noise(
    stats: xr.Dataset,
    rule: CoherenceRule | str | None = "pooled",
    *,
    window: tuple[Moment, Moment] | None = None,
    as_of: Moment | None = None,
) -> pd.DataFrame:
    """Compute the noise of coherence in groups of similar parcels, which pooling builds on.

    The noise of a group is the median size of the prediction errors of all its tested pairs,
    divided by 0.6745 as for a normal distribution: a few events do not move it.

    Parameters
    ----------
    stats, rule, window, as_of
        As for :func:`mowing_coherence`, but of a single relative orbit.

    Returns
    -------
    pandas.DataFrame
        A row for each group with `min_peers` parcels: ``crop`` (empty if the cube has none), sizes
        ``pixels_from`` up to but without ``pixels_below``, ``n_parcels`` with a tested pair,
        ``n_residuals``, ``s0``, and the ``wide_share`` of parcels whose own noise is more
        than 1.5 times `s0`.

    Notes
    -----
    Look at ``wide_share`` before you trust a p-value: where the true noise is 1.5 times `s0`, false
    alarms at alpha 1e-3 are 3.7e-3, at twice `s0` 1.1e-2. By chance alone a parcel's own noise
    of some 25 pairs is that wide in about three of a hundred.

    Examples
    --------
    >>> from cbmcube.markers import CoherenceRule, coherence_noise
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube("CARD-COH6", parcels=200)
    >>> one = stats.isel(time=stats.relative_orbit.values == 15)
    >>> noise = coherence_noise(one, CoherenceRule(pooled=True, size_ratio=1000.0))
    >>> noise[["crop", "n_parcels"]].to_numpy().tolist()
    [['grassland', 50], ['maize', 50], ['sugar beet', 50], ['winter wheat', 50]]
    """
    rule = choose(rule, COHERENCE_PRESETS)
    span = span_of(stats, window, as_of)
    ready = set_up(stats, rule, span, s0=1.0 if rule.pooled else None)
    groups, noise = measure(ready.view.stats, rule, span, usual=ready.usual)
    return pd.DataFrame(noise_table(groups, noise, rule))


def _pair_tests(
    signals: Signals, rule: CoherenceRule, usual: _Floats | None
) -> tuple[PairTests, _Floats]:
    """Test the pairs of a block; also return coherence where it had something to compare with."""
    signal = signals["signal"]
    peers = peers_of(signals, usual)
    compared = signal.value if peers is None else np.where(np.isfinite(peers), signal.value, np.nan)
    tests = judge_pairs(
        compared,
        signal.day,
        rule,
        s0=signal.coords[NOISE],
        usual=peers,
        pixels=signal.coords.get(PIXELS),
    )
    return tests, compared


def _detect(signals: Signals, rule: CoherenceRule, usual: _Floats | None) -> Found:
    tests, compared = _pair_tests(signals, rule, usual)
    signal = signals["signal"]
    reference = signal.day if signal.reference is None else signal.reference
    return found_events(signal, reference, tests, compared, rule)


def _tested(
    signals: Signals, rule: CoherenceRule, usual: _Floats | None
) -> tuple[NDArray[Any], ...]:
    tests, compared = _pair_tests(signals, rule, usual)
    numbers = (compared, tests.predicted, tests.upper, tests.statistic, tests.p_value)
    return *(array.astype("float32") for array in numbers), tests.detected


def _season(tests: xr.Dataset, ready: Setup) -> xr.Dataset:
    p_value = tests["p_value"].to_numpy().astype(float)
    tested = np.isfinite(p_value)
    fresh = tested & ~follows_detection(tests["detected"].to_numpy(), tested)
    number = fresh.sum(axis=0)
    least = np.where(fresh, p_value, 1.0).min(axis=0, initial=1.0)
    least = np.minimum(least, 1 - 1e-12)  # the logarithm of 0 is none
    season = -np.expm1(number * np.log1p(-least))
    return tests.assign(
        n_tests=("parcel", tested.sum(axis=0)),
        p_season=("parcel", np.where(number > 0, season, np.nan)),
        s0=("parcel", ready.s0),
    )
