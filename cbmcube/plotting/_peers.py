"""What stands behind and above a parcel's series: the mean of its crop, and a composite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from cbmcube.exceptions import OptionError
from cbmcube.series import composite, valid_share

ENOUGH = 0.5
"""Share of valid pixels below which a date is drawn hollow and left out of the line."""


def crop_peers(stats: xr.Dataset, parcel: object) -> np.ndarray:
    """Return the positions of the other parcels of the same crop.

    Raises
    ------
    OptionError
        If the cube does not say which crops parcels have.
    """
    if "crop" not in stats.coords or stats["crop"].dims != ("parcel",):
        raise OptionError(
            "the mean of a crop needs to know the crops",
            given=", ".join(map(str, stats.coords)),
            allowed="a coordinate crop on parcel",
            hint="read the parcels with crop=..., or stats.assign_coords(crop=('parcel', crops))",
        )
    crops = pd.Series(stats["crop"].to_numpy())
    own = crops.iloc[stats.indexes["parcel"].get_loc(parcel)]
    same = (crops == own).to_numpy(dtype=bool, na_value=False)
    return np.flatnonzero(same & (stats.indexes["parcel"] != parcel))


def crop_series(stats: xr.Dataset, peers: np.ndarray, bands: Sequence[str]) -> xr.Dataset:
    """Return mean and population deviation over parcels, each with the same weight, lazily.

    A parcel counts on the dates on which at least half of its pixels are valid.

    Returns
    -------
    xarray.Dataset
        For each band a variable on (time, peer): `mean`, `std` and `n`, the number of parcels.
    """
    # The mean alone, and then the parcels: of a country, nothing else is copied or computed.
    others = stats.sel(statistic="mean").isel(parcel=peers)
    made = {}
    for name in bands:
        chosen = others[name].where(valid_share(stats.isel(parcel=peers), name) >= ENOUGH)
        chosen = chosen.astype("float64")
        number = chosen.count("parcel")
        some = number.where(number > 0)
        mean = chosen.sum("parcel") / some
        std = xr.apply_ufunc(np.sqrt, ((chosen - mean) ** 2).sum("parcel") / some, dask="allowed")
        parts = [mean, std, number]
        made[name] = xr.concat(
            [part.reset_coords(drop=True) for part in parts],
            pd.Index(["mean", "std", "n"], name="peer"),
            coords="minimal",
            compat="override",
            join="override",
        )
    return xr.Dataset(made)


def peer_table(peers: xr.Dataset, name: str) -> pd.DataFrame:
    """Return `mean`, `low`, `high` and `n` by time, from a computed `crop_series`."""
    mean, std, number = (peers[name].sel(peer=part).to_numpy() for part in ("mean", "std", "n"))
    known = number > 0
    return pd.DataFrame(
        {
            "mean": np.where(known, mean, np.nan),
            "low": np.where(known, mean - std, np.nan),
            "high": np.where(known, mean + std, np.nan),
            "n": number,
        },
        index=pd.DatetimeIndex(peers["time"].to_numpy(), name="time"),
    )


def composite_series(
    stats: xr.Dataset, parcel: object, bands: Sequence[str], period: str
) -> xr.Dataset:
    """Return the composite of one parcel, lazily, without the dimension `parcel`."""
    known = [name for name in ("observed", "n_valid", "n_total") if name in stats]
    one = stats.sel(parcel=[parcel])[[*bands, *known]]
    return composite(one, period).isel(parcel=0)


def composite_table(pooled: xr.Dataset, name: str, pixels: float) -> pd.DataFrame:
    """Return `mean`, `share`, `start`, `end` and the orbit of each period with a value.

    `share` is that of the valid pixels of a period in the `pixels` of the parcel: one clear
    acquisition is enough for 1, whatever clouds the others had.
    """
    start = pd.DatetimeIndex(pooled["time"].to_numpy())
    days = pd.to_timedelta(pooled["period_days"].to_numpy(), unit="D")
    table = pd.DataFrame(
        {
            "mean": pooled[name].sel(statistic="mean").to_numpy().astype("float64"),
            "share": pooled["n_valid"].sel(band=name).to_numpy() / max(pixels, 1.0)
            if "n_valid" in pooled
            else 1.0,
            "start": start,
            "end": start + days,
        }
    )
    for coord, missing in (("relative_orbit", -1), ("orbit_state", "")):
        table[coord] = pooled[coord].to_numpy() if coord in pooled.coords else missing
    return table.dropna(subset="mean").reset_index(drop=True)
