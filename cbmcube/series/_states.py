"""What each acquisition says of each parcel: a ledger beside the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cbmcube._states import STATES, state_codes
from cbmcube.series._blocks import in_whole_series, whole_series
from cbmcube.series._copies import Copies
from cbmcube.series._cube import select_bands
from cbmcube.series._duplicates import chosen_copies, seen_share, valid_pixels
from cbmcube.series._window import Moment, up_to

LEDGER = (*STATES, "DUPLICATE", "NOT_READ")
"""States of the observation table; then another copy of the acquisition that `deduplicate` drops,
and one that nobody reduced yet (its counts are -1 or NaN)."""

_DUPLICATE, _NOT_READ = (np.uint8(LEDGER.index(name)) for name in ("DUPLICATE", "NOT_READ"))


def states(
    stats: xr.Dataset, band: str | None = None, *, as_of: Moment | None = None
) -> xr.DataArray:
    """Say of each acquisition and parcel whether there is a number, and if not, why.

    Parameters
    ----------
    stats
        A vector cube. Lazy in, lazy out.
    band
        Band whose pixels count; the first by default.
    as_of
        With the knowledge of this moment: what was acquired or available later is left out.

    Returns
    -------
    xarray.DataArray
        ``uint8`` (time, parcel), positions in :data:`LEDGER`, which the attributes
        ``flag_values`` and ``flag_meanings`` spell out: ``OK``; ``PARTIAL``, less than 95 % of the
        parcel had source data; ``MASKED``, seen and no pixel is valid; ``NO_DATA``, not seen;
        ``READ_FAILED``, a file could not be read; ``DUPLICATE``, another copy is kept by
        `deduplicate`; ``NOT_READ``.

    Raises
    ------
    UnknownBandError
        If the cube lacks the band.

    Notes
    -----
    The first five are those of :func:`cbmcube.to_observations`, by the same rule. A cube without
    ``observed`` does not know what was seen: a number of no pixels is ``MASKED`` there.

    Examples
    --------
    >>> from cbmcube.series import LEDGER, states
    >>> from cbmcube.testing import vector_cube
    >>> found = states(vector_cube(days=20), "NDVI")
    >>> [LEDGER[code] for code in found[-2:, 0].values]
    ['OK', 'MASKED']
    """
    name = select_bands(stats, band)[0]
    stats = in_whole_series(up_to(stats, as_of))
    copies = Copies.of(stats)
    arrays = [valid_pixels(stats, name), seen_share(stats), _failed(stats, name)]
    if copies.number.max(initial=1) > 1:
        arrays.append(chosen_copies(stats, copies, name))

    def work(
        n_valid: NDArray[Any],
        observed: NDArray[Any],
        n_failed: NDArray[Any],
        kept: NDArray[np.int32] | None = None,
    ) -> NDArray[np.uint8]:
        codes = state_codes(n_valid, observed, n_failed)
        if kept is not None:
            dropped = np.ones(codes.shape, bool)
            np.put_along_axis(dropped, kept.astype("int64"), values=False, axis=0)
            codes[dropped & (observed > 0)] = _DUPLICATE
        unread = ~(n_valid >= 0) | ~(observed >= 0)  # also of NaN
        codes[unread] = _NOT_READ
        return codes

    ordered = [one.transpose("time", "parcel") for one in arrays]
    data = whole_series(work, ordered, shape=(stats.sizes["time"],), dtype="uint8")
    attrs = {
        "long_name": f"what is known of {name}",
        "flag_values": np.arange(len(LEDGER), dtype="uint8"),
        "flag_meanings": " ".join(LEDGER),
    }
    known = stats[name].isel(statistic=0, drop=True).transpose("time", "parcel")
    return known.copy(data=data).rename("state").assign_attrs(attrs)


def _failed(stats: xr.Dataset, band: str) -> xr.Variable:
    if "n_failed" in stats and band in stats["band"].to_numpy():
        return stats["n_failed"].sel(band=band).variable
    return xr.zeros_like(seen_share(stats), dtype="uint8")
