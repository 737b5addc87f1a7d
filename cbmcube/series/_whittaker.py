"""Whittaker's smoother: close to the observations, with small second differences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cbmcube.series._daily import Daily
from cbmcube.series._kernels import whittaker as kernel

_Floats = NDArray[np.float64]


def whittaker(daily: Daily, penalty: float) -> _Floats:
    """Minimise the squared distance to observations plus `penalty` times that of roughness.

    Roughness is the sum of squared second differences of days that follow each other in one
    stretch. The equations, symmetric with two bands on each side, are solved by one elimination
    (L D L') for each parcel.

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
    return np.asarray(kernel(daily.value, daily.inside, penalty))
