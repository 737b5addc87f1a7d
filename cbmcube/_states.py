"""What an observation can say of a parcel: the states that tables, series and comparisons share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STATES = ("OK", "PARTIAL", "MASKED", "NO_DATA", "READ_FAILED")
"""What a row can say.

``OK``: the parcel was seen, at least one pixel is valid. ``PARTIAL``: the same, but less
than `FULLY_OBSERVED` of the parcel had source data. ``MASKED``: seen, but no pixel is
valid. ``NO_DATA``: not seen. ``READ_FAILED``: the source could not be read.
"""

FULLY_OBSERVED = 0.95
"""Share of a parcel with source data below which a row is ``PARTIAL``."""


def state_codes(
    n_valid: NDArray[Any], observed: NDArray[Any], n_failed: NDArray[Any]
) -> NDArray[np.uint8]:
    """Return the position in :data:`STATES` of what each observation says.

    Parameters
    ----------
    n_valid, n_failed
        Pixels with a valid value, and pixels that could not be read.
    observed
        Share of the parcel with source data, 0 to 1; of the same shape, as is the result.

    Examples
    --------
    >>> import numpy as np
    >>> from cbmcube.observations import STATES, state_codes
    >>> codes = state_codes(np.array([90, 0, 0]), np.array([1.0, 1.0, 0.0]), np.array([0, 0, 0]))
    >>> [STATES[code] for code in codes]
    ['OK', 'MASKED', 'NO_DATA']
    """
    choices = [n_failed > 0, observed <= 0, n_valid == 0, observed < FULLY_OBSERVED]
    names = ("READ_FAILED", "NO_DATA", "MASKED", "PARTIAL")
    codes = [np.uint8(STATES.index(name)) for name in names]
    return np.select(choices, codes, default=np.uint8(STATES.index("OK")))
