"""A vector cube as a feature matrix: a row for each parcel, a named column for each number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from cbmcube.exceptions import DuplicateIdError, OptionError
from cbmcube.series import composite, orbit_table, select_bands, select_statistics


def feature_matrix(
    stats: xr.Dataset,
    *,
    bands: Iterable[str] | str | None = None,
    statistic: str | Sequence[str] = "mean",
    period: str | None = None,
) -> pd.DataFrame:
    """Spread a vector cube into one row for each parcel.

    Parameters
    ----------
    stats
        A vector cube; a lazy one is computed once.
    bands
        Bands and indices to take; all by default.
    statistic
        One statistic, or several.
    period
        Aggregate first, as :func:`cbmcube.series.composite` does: ``"5D"``, ``"7D"``,
        ``"10D"`` … By default, each acquisition gives a column.

    Returns
    -------
    pandas.DataFrame
        float32, with the index `parcel` in the cube's order and NaN where a parcel has no
        value. Columns come by time, then orbit, band and statistic, and are called
        ``<band>_<statistic>_<date>``, then ``_R<orbit>`` with three digits where the relative
        orbit is known, then ``_<days>d`` for pairs of images, their temporal baseline: for
        example ``B08_mean_2024-03-05_R022`` or ``VV_mean_2024-03-05_R015_6d``. The date (UTC)
        is that of the acquisition, or the first of the period. Units are those of the cube:
        backscatter stays linear.

    Raises
    ------
    DuplicateIdError
        If a parcel occurs twice in the cube.
    OptionError
        If two acquisitions would share a column name, or the period is not known.
    UnknownBandError, UnknownStatisticError
        If the cube lacks a band or a statistic.

    Examples
    --------
    >>> from cbmcube.learning import feature_matrix
    >>> from cbmcube.testing import vector_cube
    >>> features = feature_matrix(vector_cube("CARD-BS", days=12), bands="VH", period="10D")
    >>> features.shape
    (4, 4)
    >>> features.columns[0]
    'VH_mean_2024-03-01_R015'
    """
    names = select_bands(stats, bands)
    labels = select_statistics(stats, statistic)
    _refuse_repeated(stats.indexes["parcel"])
    if period is not None:
        stats = composite(stats, period)
        labels = select_statistics(stats, labels)
    entries = _entries(stats)
    numbers = _numbers(stats, names, labels, entries.index.to_numpy())
    columns = [
        f"{name}_{label}_{entry}" for entry in entries["name"] for name in names for label in labels
    ]
    return pd.DataFrame(numbers, index=stats.indexes["parcel"].rename("parcel"), columns=columns)


def _refuse_repeated(parcels: pd.Index) -> None:
    if not parcels.is_unique:
        repeated = parcels[parcels.duplicated()].unique()
        raise DuplicateIdError(
            "a parcel occurs more than once in the vector cube",
            given=", ".join(map(str, repeated[:5])),
            hint="give each row one id; see read_parcels(..., id=...)",
        )


def _entries(stats: xr.Dataset) -> pd.DataFrame:
    """Return the position and the name of each time entry, in order of time and orbit."""
    table = orbit_table(stats)
    table["time"] = stats["time"].to_numpy()
    order = ["time", *(c for c in ("relative_orbit", "baseline_days") if c in table)]
    table = table.sort_values(order, kind="stable")
    name = table["time"].dt.strftime("%Y-%m-%d")
    if "relative_orbit" in table:
        name += "_R" + table["relative_orbit"].map("{:03d}".format)
    if "baseline_days" in table:
        name += "_" + table["baseline_days"].astype(str) + "d"
    table["name"] = name
    repeated = table["name"][table["name"].duplicated()]
    if len(repeated):
        raise OptionError(
            "several acquisitions would share a column name",
            given=", ".join(repeated.unique()[:5]),
            allowed="one acquisition for each date and relative orbit",
            hint="aggregate with period='5D', or select one platform or orbit_state first",
        )
    return table


def _numbers(
    stats: xr.Dataset, names: Sequence[str], labels: Sequence[str], order: np.ndarray
) -> np.ndarray:
    """Return (parcel, time x band x statistic), time in the given order."""
    chosen = stats[[*names]].sel(statistic=[*labels]).compute()
    layers = [chosen[n].transpose("parcel", "time", "statistic").to_numpy() for n in names]
    stacked = np.stack(layers, axis=2)[:, order]
    return stacked.reshape(stacked.shape[0], -1).astype("float32", copy=False)
