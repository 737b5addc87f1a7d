"""Daily series: straight lines between observations, or smooth ones near them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.series._blocks import in_whole_series, whole_series
from cbmcube.series._cube import (
    coords_beside_time,
    refuse_mixed_orbits,
    select_bands,
    select_statistics,
    statistic_names,
)
from cbmcube.series._daily import Calendar, Daily
from cbmcube.series._whittaker import whittaker
from cbmcube.series._window import Moment, up_to

Method = Literal["linear", "whittaker", "savitzky_golay", "butterworth"]

PENALTY = 500.0
"""Default of Whittaker's lambda, for observations some five days apart: waves of 30 days keep half
of their height."""
WINDOW, ORDER = 31, 2
"""Days and degree of the polynomials of Savitzky and Golay."""
CUTOFF, STEEPNESS = 0.05, 13
"""Waves per day that the Butterworth filter halves, and its order, as in the JRC's scripts."""
MAX_DAYS = 30.0
"""Times between observations over which nothing is interpolated."""
_BUTTERWORTH_DAYS = 43  # what the ends are continued by is 42 days

_Floats = NDArray[np.float64]


def smooth(
    stats: xr.Dataset,
    bands: Iterable[str] | str | None = None,
    *,
    method: Method = "whittaker",
    penalty: float = PENALTY,
    max_days: float = MAX_DAYS,
    as_of: Moment | None = None,
) -> xr.Dataset:
    """Return daily series of parcels, from the first to the last valid day of each.

    Parameters
    ----------
    stats
        A vector cube; of radar products, with a single relative orbit. Lazy in, lazy out.
    bands
        Bands, whose means are taken; all by default. Of several observations on a day the mean
        counts, weighted by valid pixels where the cube has counts.
    method
        ``"linear"``: straight lines. ``"whittaker"``: near the observations, with small second
        differences. ``"savitzky_golay"`` and ``"butterworth"`` (without shift in time) filter
        straight lines; they need 31 and 43 days in a row.
    penalty
        Whittaker's lambda. A wave of T days keeps ``1 / (1 + penalty (2 sin(pi / T))**4)`` of its
        height: half for T = 20, 30, 60 at 104, 524, 8331.
    max_days
        Longer times between observations stay empty, and each side is smoothed apart.
    as_of
        Smooth with the knowledge of this moment: later acquisitions are left out.

    Returns
    -------
    xarray.Dataset
        Each band (time, parcel), float32, `time` daily at 00:00 UTC; NaN before the first and
        after the last observation, in gaps, and in stretches that are too short for the method.
        ``dist_days`` (band, time, parcel): days to the nearest observation, 0 on its day.

    Raises
    ------
    UnknownBandError, UnknownStatisticError
        If the cube lacks the band, or the mean.
    OptionError
        If orbits of a radar product are mixed, or the method is not known.

    Notes
    -----
    A smoothed minimum is late: after a drop of 0.35 that recovers by 0.008 a day, by 8 days in the
    median with an observation each five days, and by 20 with one each ten days of which half are
    lost. Take dates of events from observations where you can.

    References
    ----------
    Eilers (2003), Anal. Chem. 75, 3631; Savitzky and Golay (1964), Anal. Chem. 36, 1627; for the
    Butterworth filter, order and cut-off of the JRC's CbM notebooks, computed in second-order
    sections, which their single polynomial is not precise enough for.

    Examples
    --------
    >>> from cbmcube.series import smooth
    >>> from cbmcube.testing import vector_cube
    >>> daily = smooth(vector_cube(days=60), "NDVI")
    >>> daily["NDVI"].dims, daily.sizes["time"]
    (('time', 'parcel'), 59)
    """
    names = select_bands(stats, bands)
    select_statistics(stats, "mean")
    refuse_mixed_orbits(stats)
    work = _worker(method, penalty)
    known = in_whole_series(_few(up_to(stats, as_of), names))
    calendar = Calendar.of(known["time"].to_numpy())

    def block(*layers: NDArray[Any]) -> _Floats:
        daily = Daily.of(calendar.means(*layers), max_days)
        return np.concatenate([work(daily), daily.distance()])

    days = len(calendar.days)
    result = xr.Dataset(coords=coords_beside_time(stats), attrs=dict(stats.attrs))
    result = result.assign_coords(time=("time", calendar.days, stats["time"].attrs), band=names)
    result.attrs["smooth"] = f"{method}, max_days={max_days:g}"
    apart = []
    for name in names:
        data = whole_series(block, _layers(known[name]), shape=(2 * days,), dtype="float32")
        result[name] = ("time", "parcel"), data[:days], dict(stats[name].attrs)
        apart.append(xr.Variable(("time", "parcel"), data[days:]))
    distance: xr.Variable = xr.Variable.concat(apart, "band")  # type: ignore[no-untyped-call]
    distance.attrs = {"long_name": "days to the nearest observation", "units": "d"}
    return result.assign(dist_days=distance)


def _few(stats: xr.Dataset, names: list[str]) -> xr.Dataset:
    """Return what daily means are made of."""
    if not stats.sizes["time"]:
        raise OptionError(
            "the vector cube has no acquisition to smooth", hint="widen the period of the search"
        )
    wanted = [name for name in ("mean", "count") if name in statistic_names(stats)]
    return stats[names].sel(statistic=wanted)


def _layers(band: xr.DataArray) -> list[xr.Variable]:
    """Return the mean, and the count where there is one, each (time, parcel)."""
    ordered = band.variable.transpose("time", "parcel", "statistic")
    return [ordered.isel(statistic=k) for k in range(ordered.sizes["statistic"])]


def _worker(method: str, penalty: float) -> Callable[[Daily], _Floats]:
    if method not in get_args(Method):
        raise OptionError(
            "this method of smoothing is not known",
            given=repr(method),
            allowed=", ".join(map(repr, get_args(Method))),
        )
    if not penalty > 0:
        raise OptionError("the penalty of roughness is a positive number", given=penalty)
    methods: dict[str, Callable[[Daily], _Floats]] = {
        "linear": Daily.linear,
        "whittaker": partial(whittaker, penalty=penalty),
        "savitzky_golay": _savitzky_golay,
        "butterworth": _butterworth,
    }
    return methods[method]


def _savitzky_golay(daily: Daily) -> _Floats:
    from scipy.signal import savgol_coeffs  # noqa: PLC0415 - large, and few need it

    weights = np.array([savgol_coeffs(WINDOW, ORDER, pos=k, use="dot") for k in range(WINDOW)])
    fit = partial(_local_parabolas, weights=weights)
    return daily.each_stretch(daily.linear(), fit, WINDOW)


def _local_parabolas(values: _Floats, *, weights: _Floats) -> _Floats:
    """Fit a parabola around each day; near the ends, take that of the first or last window.

    SciPy fits the ends of all rows in one system, so that a row would depend on the others.
    """
    from scipy.ndimage import correlate1d  # noqa: PLC0415 - large, and few need it

    half = WINDOW // 2
    result = correlate1d(values, weights[half], axis=1)
    result[:, :half] = np.einsum("pw,dw->pd", values[:, :WINDOW], weights[:half])
    result[:, -half:] = np.einsum("pw,dw->pd", values[:, -WINDOW:], weights[half + 1 :])
    return np.asarray(result)


def _butterworth(daily: Daily) -> _Floats:
    from scipy.signal import butter, sosfiltfilt  # noqa: PLC0415 - large, and few need it

    sections = butter(STEEPNESS, CUTOFF, fs=1.0, output="sos")
    filtered = partial(sosfiltfilt, sections, axis=1)
    return daily.each_stretch(daily.linear(), filtered, _BUTTERWORTH_DAYS)
