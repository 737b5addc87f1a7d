"""How many pixels of each parcel had all bands of an index, and yet no value of it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from cbmcube.exceptions import OptionError
from cbmcube.indices._index import BAD


def count_bad(stats: xr.Dataset) -> xr.Dataset:
    """Turn the flags of `add_indices` in a vector cube into numbers of bad pixels.

    A bad pixel has all bands of an index and no value of it: a denominator near 0, or a
    result outside the bounds of the index, mostly because of a negative reflectance.

    Parameters
    ----------
    stats
        What `reduce_parcels` returned for a cube of ``add_indices(..., flags=True)``.

    Returns
    -------
    xarray.Dataset
        The vector cube without the flags, lazy if it was, with ``n_bad_index`` ``(band,
        time, parcel)``, int32: pixels of the parcel that are bad; 0 for bands.

    Raises
    ------
    OptionError
        If there are no flags.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube import indices
    >>> items = cbm.search(cbm.open_catalog(country.catalogue), cbm.CARD_2A)
    >>> cubes = cbm.load_native(items, cbm.CARD_2A, bands=["B04", "B08"])
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id").head(5)
    >>> flagged = indices.add_indices(cubes, "NDVI", flags=True)
    >>> stats = indices.count_bad(cbm.reduce_parcels(flagged, parcels, statistics="mean"))
    >>> int(stats.n_bad_index.sum())
    0
    """
    names = [str(name) for name in stats["band"].values] if "band" in stats.coords else []
    flagged = [name for name in names if name.endswith(BAD) and name.removesuffix(BAD) in names]
    if not flagged:
        raise OptionError(
            "the vector cube holds no flags of an index",
            given=", ".join(names) or "no bands",
            allowed="bands such as NDVI and NDVI_bad",
            hint="reduce a cube of add_indices(..., flags=True)",
        )
    kept = [name for name in names if name not in flagged]
    counterpart = [name + BAD if name + BAD in flagged else name for name in kept]
    seen = stats["n_valid"].sel(band=counterpart).assign_coords(band=kept)
    rest = stats.drop_vars(flagged).sel(band=kept)
    # A flag has a value wherever all bands have one, and its index only where it is good.
    bad = (seen - rest["n_valid"]).astype(np.int32)
    bad.attrs = {"long_name": "pixels where all bands have a value and the index has none"}
    bad.attrs["units"] = "1"
    return rest.assign(n_bad_index=bad)
