"""Features of a season for crop types: filled series, what was observed, and summaries."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError
from cbmcube.learning._channels import Channel, Channels, make_channels
from cbmcube.series import Moment

SUMMARIES = ("max", "max_day", "integral", "slope")
"""Numbers that describe a season of one band."""

_Floats = NDArray[np.float32]


def crop_features(
    stats: xr.Dataset,
    *,
    bands: Iterable[str] | str | None = None,
    period: str = "10D",
    window: tuple[Moment, Moment] | None = None,
    ratio: bool = True,
    n_obs: bool = True,
    summaries: Iterable[str] = SUMMARIES,
    as_of: Moment | None = None,
) -> pd.DataFrame:
    """Describe the season of each parcel by a row of numbers; computes a lazy cube once.

    Parameters
    ----------
    stats
        A vector cube of one product. ``pd.concat([...], axis=1)`` joins the features of several.
    bands
        Bands and indices, whose means are taken; all by default. Indices belong into the cube,
        made from pixels, before parcels are reduced.
    period
        As `cbmcube.series.composite` takes it: ``"10D"`` for dekads, ``"5D"``, ``"7D"`` …
        Periods of a number of days begin with the window.
    window
        First and last moment of the season (UTC); by default from the first to the last
        acquisition. Give it, so that columns are the same for all areas and years.
    ratio
        Whether radar gets the ratio of VH to VV.
    n_obs
        Whether to count the acquisitions behind each number; 0 says it is interpolated.
    summaries
        Out of :data:`SUMMARIES`: the maximum, the days from the first period to it (the first
        of equals), the integral by trapezoids (units times days) and the slope of the straight
        line of least squares (units a day), each of the filled series.
    as_of
        Features with the knowledge of this moment: later acquisitions and periods are left out.

    Returns
    -------
    pandas.DataFrame
        float32, indexed by `parcel` in the cube's order. Columns by orbit and band:
        ``<band>_<date>``, ``<band>_n_obs_<date>``, ``<band>_<summary>``, each with ``_R<orbit>``
        for radar with known orbits: ``NDVI_2024-03-01``, ``VH_dB_2024-03-01_R015``,
        ``VH_VV_dB_max_R015``. The date is the first day of the period. Backscatter is averaged
        in linear power and given in dB, the ratio as a difference of dB. Periods without
        observation lie on a straight line between their neighbours; before the first and after
        the last observation its value is held. A parcel that was never observed has NaN.

    Raises
    ------
    DuplicateIdError
        If a parcel occurs twice in the cube.
    OptionError
        If a summary, the period or the window is not valid, or two series share a name.
    UnknownBandError, UnknownStatisticError
        If the cube lacks a band, or the mean.

    See Also
    --------
    feature_matrix : The numbers as they are, linear, with gaps.

    Notes
    -----
    JRC and Sen4CAP describe parcels by series of some days, too. The bands here are those that
    both missions have anywhere; which of them help is a question to your region, which
    `permutation_importance` answers.

    Examples
    --------
    >>> from cbmcube.learning import crop_features
    >>> from cbmcube.testing import vector_cube
    >>> features = crop_features(vector_cube("CARD-BS", days=30), n_obs=False, summaries=["max"])
    >>> features.columns[:5].tolist()
    ['VV_dB_2024-03-01_R015', 'VV_dB_2024-03-11_R015', 'VV_dB_2024-03-21_R015', 'VV_dB_max_R015',
    'VH_dB_2024-03-01_R015']
    """
    wanted = _known(summaries)
    channels = make_channels(
        stats, bands=bands, period=period, window=window, as_of=as_of, ratio=ratio, fill=True
    )
    dates = np.datetime_as_string(channels.start, unit="D")
    names: list[str] = []
    blocks: list[_Floats] = []
    for channel in channels.each:
        names += [f"{channel.name}_{date}{channel.orbit}" for date in dates]
        blocks.append(channel.values)
        if n_obs and channel.seen is not None:
            names += [f"{channel.name}_n_obs_{date}{channel.orbit}" for date in dates]
            blocks.append(channel.seen.astype("float32"))
        names += [f"{channel.name}_{one}{channel.orbit}" for one in wanted]
        blocks.append(_summarise(channel, channels, wanted))
    table = np.concatenate(blocks, axis=1)
    return pd.DataFrame(table, index=channels.parcels, columns=names)


def _known(summaries: Iterable[str]) -> list[str]:
    given = [summaries] if isinstance(summaries, str) else list(dict.fromkeys(summaries))
    unknown = [name for name in given if name not in SUMMARIES]
    if unknown:
        raise OptionError(
            "these summaries of a season are not known",
            given=", ".join(map(repr, unknown)),
            allowed=", ".join(SUMMARIES),
            hint="choose from these; summaries=() makes none",
        )
    return given


def _summarise(channel: Channel, channels: Channels, wanted: list[str]) -> _Floats:
    """Return (parcel, summary)."""
    values, days = channel.values, channels.days
    result = np.full((len(values), len(wanted)), np.nan, dtype="float32")
    some = np.flatnonzero(np.isfinite(values).all(axis=1))  # filled: all, or none
    filled = values[some]
    centred = days - days.mean()
    for k, name in enumerate(wanted):
        if name == "max":
            result[some, k] = filled.max(axis=1)
        elif name == "max_day":
            result[some, k] = days[filled.argmax(axis=1)]
        elif name == "integral":
            result[some, k] = filled @ _trapezoids(days)
        elif len(days) > 1:
            result[some, k] = filled @ (centred / (centred**2).sum())
    return result


def _trapezoids(days: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of the rule of trapezoids."""
    half = np.diff(days) / 2
    return np.append(half, 0.0) + np.append(0.0, half)
