"""What every analysis asks of a vector cube before it starts: bands, statistics, orbits."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from cbmcube.exceptions import OptionError, UnknownBandError, UnknownStatisticError

RADAR = ("CARD-BS", "CARD-COH6")
"""Products whose numbers depend on the viewing direction, and so on the relative orbit."""

_BAND_DIMS = {"time", "parcel", "statistic"}


def band_names(stats: xr.Dataset) -> list[str]:
    """Return the bands and indices of a vector cube, in its order.

    Parameters
    ----------
    stats
        A vector cube. Its bands are the variables on `time`, `parcel` and `statistic`.

    Raises
    ------
    OptionError
        If there is none, so that `stats` is no vector cube.

    Examples
    --------
    >>> from cbmcube.series import band_names
    >>> from cbmcube.testing import vector_cube
    >>> band_names(vector_cube("CARD-BS"))
    ['VV', 'VH']
    """
    if not isinstance(stats, xr.Dataset):
        raise OptionError(
            "a vector cube is expected",
            given=type(stats).__name__,
            allowed="xarray.Dataset",
            hint="pass what reduce_parcels returned",
        )
    names = [str(name) for name, array in stats.data_vars.items() if {*array.dims} == _BAND_DIMS]
    if not names:
        raise OptionError(
            "this dataset is no vector cube: no variable lies on time, parcel and statistic",
            given=", ".join(f"{name} {array.dims}" for name, array in stats.data_vars.items()),
            allowed="variables with the dims (time, parcel, statistic)",
            hint="pass what reduce_parcels returned, before any selection drops a dimension",
        )
    return names


def select_bands(stats: xr.Dataset, bands: Iterable[str] | str | None) -> list[str]:
    """Return the asked bands of a vector cube, or all of them for ``None``.

    Raises
    ------
    UnknownBandError
        If the cube does not hold a band, or none is asked for.

    Examples
    --------
    >>> from cbmcube.series import select_bands
    >>> from cbmcube.testing import vector_cube
    >>> select_bands(vector_cube(), None), select_bands(vector_cube(), "NDVI")
    (['B04', 'B08', 'NDVI'], ['NDVI'])
    """
    known = band_names(stats)
    if bands is None:
        return known
    wanted = [bands] if isinstance(bands, str) else list(dict.fromkeys(bands))
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise UnknownBandError(
            "these bands are not in the vector cube" if wanted else "no band was asked for",
            given=", ".join(map(repr, unknown)) or "an empty list",
            allowed=", ".join(known),
            hint="reduce the band first, or choose from these",
        )
    return wanted


def statistic_names(stats: xr.Dataset) -> list[str]:
    """Return the labels of the axis `statistic`.

    Examples
    --------
    >>> from cbmcube.series import statistic_names
    >>> from cbmcube.testing import vector_cube
    >>> statistic_names(vector_cube(statistics=["count", "mean"]))
    ['count', 'mean']
    """
    return [str(name) for name in stats["statistic"].to_numpy()]


def select_statistics(stats: xr.Dataset, statistics: Sequence[str] | str) -> list[str]:
    """Return the asked statistics if the cube holds all of them.

    Raises
    ------
    UnknownStatisticError
        If the cube lacks one.

    Examples
    --------
    >>> from cbmcube.series import select_statistics
    >>> from cbmcube.testing import vector_cube
    >>> select_statistics(vector_cube(), ["mean", "p50"])
    ['mean', 'p50']
    """
    wanted = [statistics] if isinstance(statistics, str) else list(dict.fromkeys(statistics))
    known = statistic_names(stats)
    missing = [name for name in wanted if name not in known]
    if missing or not wanted:
        raise UnknownStatisticError(
            "the vector cube lacks these statistics" if wanted else "no statistic was asked for",
            given=", ".join(map(repr, missing)) or "an empty list",
            allowed=", ".join(known),
            hint="name them in reduce_parcels(..., statistics=...)",
        )
    return wanted


def coords_beside_time(stats: xr.Dataset) -> Mapping[Any, xr.DataArray]:
    """Return the coordinates that stay when the axes time, statistic and band change."""
    old = {"time", "statistic", "band"}
    still = [name for name, c in stats.coords.items() if not {*c.dims} & old]
    return stats.drop_vars([name for name in stats.variables if name not in still]).coords


def valid_share(stats: xr.Dataset, band: str) -> xr.DataArray:
    """Return the share of each parcel's pixels that are valid on each acquisition.

    Returns
    -------
    xarray.DataArray
        0 to 1, on `time` and `parcel` as far as `stats` has them; 0 for a parcel without
        pixels. In a cube without ``n_valid`` and ``n_total``, 1 wherever there is a mean.

    Examples
    --------
    >>> from cbmcube.series import valid_share
    >>> from cbmcube.testing import vector_cube
    >>> share = valid_share(vector_cube(parcels=2), "NDVI")
    >>> share.dims, bool((share <= 1).all())
    (('time', 'parcel'), True)
    """
    if not {"n_valid", "n_total"} <= {*stats.data_vars} or band not in stats["band"].to_numpy():
        return stats[band].sel(statistic="mean").notnull().astype("float64")  # noqa: PD004
    total = stats["n_total"].sel(band=band)
    share = stats["n_valid"].sel(band=band) / total.where(total > 0)
    return share.fillna(0.0)


def is_radar(stats: xr.Dataset) -> bool:
    """Tell whether the cube is of a product whose relative orbits must stay apart.

    Examples
    --------
    >>> from cbmcube.series import is_radar
    >>> from cbmcube.testing import vector_cube
    >>> is_radar(vector_cube("CARD-BS")), is_radar(vector_cube("CARD-2A"))
    (True, False)
    """
    return stats.attrs.get("product") in RADAR


def orbit_table(stats: xr.Dataset) -> pd.DataFrame:
    """Return what keeps radar series apart, one row per acquisition.

    Returns
    -------
    pandas.DataFrame
        Columns `relative_orbit` and `orbit_state`, and `baseline_days` for pairs of images,
        as far as the cube states them; a cube that states nothing gives no column.

    Examples
    --------
    >>> from cbmcube.series import orbit_table
    >>> from cbmcube.testing import vector_cube
    >>> orbit_table(vector_cube("CARD-COH6")).drop_duplicates()
       relative_orbit orbit_state  baseline_days
    0              15   ascending              6
    1             139  descending              6
    """
    columns: dict[Hashable, object] = {
        name: stats[name].to_numpy()
        for name in ("relative_orbit", "orbit_state", "baseline_days")
        if name in stats.coords and stats[name].dims == ("time",)
    }
    if "reference_time" in stats.coords:
        apart = pd.to_timedelta(stats["time"].to_numpy() - stats["reference_time"].to_numpy())
        columns["baseline_days"] = (apart / pd.Timedelta(days=1)).to_numpy().round().astype("int64")
    return pd.DataFrame(columns, index=pd.RangeIndex(stats.sizes["time"]))


def refuse_mixed_orbits(stats: xr.Dataset) -> None:
    """Refuse radar data of several orbits, whose viewing directions would look like events.

    Raises
    ------
    OptionError
        If the cube is of radar and has more than one.

    Examples
    --------
    >>> from cbmcube.series import refuse_mixed_orbits
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube("CARD-BS")
    >>> orbit = stats["relative_orbit"].to_numpy()
    >>> refuse_mixed_orbits(stats.isel(time=orbit == orbit[0]))
    >>> refuse_mixed_orbits(stats)
    Traceback (most recent call last):
    cbmcube.exceptions.OptionError: a series of radar data needs a single relative orbit...
    """
    orbits = orbit_table(stats).drop_duplicates()
    if is_radar(stats) and len(orbits) > 1:
        raise OptionError(
            "a series of radar data needs a single relative orbit",
            given="; ".join(" ".join(map(str, row)) for row in orbits.itertuples(index=False)),
            hint="select one: stats.isel(time=stats.relative_orbit.values == 15)",
        )
