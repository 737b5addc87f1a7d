"""Whittaker's smoother: close to the observations, with small second differences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cbmcube.series._daily import Daily

_Floats = NDArray[np.float64]


def whittaker(daily: Daily, penalty: float) -> _Floats:
    """Minimise the squared distance to observations plus `penalty` times that of roughness.

    Roughness is the sum of squared second differences of days that follow each other in one
    stretch. The equations of all parcels, symmetric with two bands on each side, are solved by one
    elimination (L D L'), day by day for all parcels together.

    Parameters
    ----------
    daily
        Observations, each of weight 1.
    penalty
        Lambda. A wave of T days keeps 1 / (1 + lambda (2 sin(pi / T))**4) of its height.

    Returns
    -------
    numpy.ndarray
        (day, parcel), NaN outside stretches.

    References
    ----------
    Whittaker (1923), Proc. Edinburgh Math. Soc. 41, 63; Eilers (2003), Anal. Chem. 75, 3631.
    """
    days, parcels = daily.value.shape
    inside = daily.inside
    # By the last of the three days of a difference; two rows more, so that the ends are plain.
    rough = np.zeros((days + 2, parcels))
    rough[2:days] = penalty * (inside[2:] & inside[1:-1] & inside[:-2])
    diagonal = rough[:-2] + 4 * rough[1:-1] + rough[2:]
    diagonal += np.where(inside, daily.seen, 1.0)
    known = np.where(daily.seen & inside, daily.value, 0.0)
    # Of the factors, row i + 2 is day i, after two of zeros.
    pivot, one, two, work = (np.zeros((days + 2, parcels)) for _ in range(4))
    for i in range(days):
        pivot[i + 2] = diagonal[i] - pivot[i + 1] * one[i + 1] ** 2 - pivot[i] * two[i] ** 2
        beside = -2 * (rough[i + 1] + rough[i + 2])
        one[i + 2] = (beside - pivot[i + 1] * one[i + 1] * two[i + 1]) / pivot[i + 2]
        two[i + 2] = rough[i + 2] / pivot[i + 2]
        work[i + 2] = known[i] - one[i + 1] * work[i + 1] - two[i] * work[i]
    smooth = np.zeros((days + 2, parcels))
    for i in reversed(range(days)):
        behind = one[i + 2] * smooth[i + 1] + two[i + 2] * smooth[i + 2]
        smooth[i] = work[i + 2] / pivot[i + 2] - behind
    return np.where(inside, smooth[:days], np.nan)
