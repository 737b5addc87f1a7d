"""The indices that the library knows, and how one is chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from cbmcube.exceptions import OptionError
from cbmcube.indices._index import Index

_UNIT = (-1.0, 1.0)

_KNOWN = (
    Index(
        "NDVI",
        "(B08 - B04) / (B08 + B04)",
        "normalised difference vegetation index",
        _UNIT,
        "Rouse et al. 1974, NASA SP-351",
    ),
    Index(
        "NDMI",
        "(B08 - B11) / (B08 + B11)",
        "normalised difference moisture index",
        _UNIT,
        "Wilson and Sader 2002, doi:10.1016/S0034-4257(01)00318-2",
    ),
    Index(
        "SAVI",
        "1.5 * (B08 - B04) / (B08 + B04 + 0.5)",
        "soil-adjusted vegetation index",
        None,
        "Huete 1988, doi:10.1016/0034-4257(88)90106-X; L = 0.5",
    ),
    Index(
        "EVI",
        "2.5 * (B08 - B04) / (B08 + 6 * B04 - 7.5 * B02 + 1)",
        "enhanced vegetation index",
        None,
        "Huete et al. 2002, doi:10.1016/S0034-4257(02)00096-2; coefficients of MODIS",
    ),
    Index(
        "NDRE1",
        "(B08 - B05) / (B08 + B05)",
        "normalised difference of near infrared and red edge 1",
        _UNIT,
        "Gitelson and Merzlyak 1994, doi:10.1016/1011-1344(93)06963-4",
    ),
    Index(
        "CIre",
        "B07 / B05 - 1",
        "chlorophyll index, red edge",
        None,
        "Gitelson et al. 2003, doi:10.1078/0176-1617-00887; B07 for near infrared",
    ),
    Index(
        "NDVI_RE3",
        "(B08 - B07) / (B08 + B07)",
        "normalised difference of near infrared and red edge 3",
        _UNIT,
        "bare soil detector of the Sentinel Hub custom scripts",
    ),
    Index(
        "NBSI",
        "(B11 + B04 - (B08 + B02)) / (B11 + B04 + (B08 + B02))",
        "normalised bare soil index",
        _UNIT,
        "Rikimaru et al. 2002, Tropical Ecology 43, 39-47",
    ),
    Index(
        "VH_VV",
        "VH / VV",
        "cross-polarisation ratio, linear",
        None,
        "Veloso et al. 2017, doi:10.1016/j.rse.2017.07.015",
        computed="means",
    ),
    Index(
        "VH_VV_dB",
        "VH / VV",
        "cross-polarisation ratio, VH minus VV in dB",
        None,
        "Veloso et al. 2017, doi:10.1016/j.rse.2017.07.015",
        computed="means",
        decibels=True,
    ),
    Index(
        "VV_VH_dB",
        "VV / VH",
        "polarisation ratio, VV minus VH in dB",
        None,
        "harvest detection of Sen4CAP",
        computed="means",
        decibels=True,
    ),
    Index(
        "RVI4",
        "4 * VH / (VV + VH)",
        "radar vegetation index of two polarisations",
        (0.0, 4.0),
        "Nasirzadehdizaji et al. 2019, doi:10.3390/app9040655",
        computed="means",
    ),
    Index(
        "NDPI",
        "(VV - VH) / (VV + VH)",
        "normalised difference polarisation index",
        _UNIT,
        "NDPolI of the catalogue spyndex",
        computed="means",
    ),
)

INDICES: Mapping[str, Index] = MappingProxyType({index.name: index for index in _KNOWN})
"""The known indices by name."""


def list_indices() -> pd.DataFrame:
    """Return the indices that the library knows, one row for each.

    Returns
    -------
    pandas.DataFrame
        Index ``name``; columns ``formula``, ``bands`` (names, separated by spaces),
        ``long_name``, ``units``, ``lowest`` and ``highest`` (NaN for no bound), ``computed``
        (from ``pixels`` before the reduction, or from parcel ``means`` after it), ``source``.

    Examples
    --------
    >>> from cbmcube.indices import list_indices
    >>> list_indices().loc["NDVI", ["bands", "computed"]].tolist()
    ['B08 B04', 'pixels']
    """
    return pd.DataFrame(
        {
            "name": [index.name for index in _KNOWN],
            "formula": [index.attributes()["formula"] for index in _KNOWN],
            "bands": [" ".join(index.bands) for index in _KNOWN],
            "long_name": [index.long_name for index in _KNOWN],
            "units": [index.units for index in _KNOWN],
            "lowest": [index.limits[0] if index.limits else np.nan for index in _KNOWN],
            "highest": [index.limits[1] if index.limits else np.nan for index in _KNOWN],
            "computed": [index.computed for index in _KNOWN],
            "source": [index.source for index in _KNOWN],
        }
    ).set_index("name")


def choose_indices(
    asked: Iterable[str | Index] | str | Index, *, of_means: bool
) -> tuple[Index, ...]:
    """Return the asked indices, all of them computed from pixels, or all from parcel means.

    Parameters
    ----------
    asked
        Names (see `list_indices`), or `Index` objects.
    of_means
        Whether they must be computed from parcel means.

    Raises
    ------
    OptionError
        If a name is not known, an index is asked for twice, or is computed from the other.

    Examples
    --------
    >>> from cbmcube.indices import choose_indices
    >>> [index.name for index in choose_indices(["NDVI", "NDMI"], of_means=False)]
    ['NDVI', 'NDMI']
    """
    wanted = [asked] if isinstance(asked, str | Index) else list(asked)
    fitting = [index.name for index in _KNOWN if index.of_means == of_means]
    chosen = [_find(one, fitting) for one in wanted]
    for index in chosen:
        if index.of_means != of_means:
            raise _other_way(index)
    names = [index.name for index in chosen]
    if not names or len(set(names)) < len(names):
        raise OptionError(
            "each index must be asked for once",
            given=", ".join(names) or "no index",
            allowed=", ".join(fitting),
            hint="give one of them another name: Index(name, formula)",
        )
    return tuple(chosen)


def _find(asked: str | Index, fitting: list[str]) -> Index:
    if isinstance(asked, Index):
        return asked
    if asked not in INDICES:
        raise OptionError(
            "there is no such index",
            given=repr(asked),
            allowed=", ".join(fitting),
            hint="write your own, Index(name, formula), or take it from_spyndex(name)",
        )
    return INDICES[asked]


def _other_way(index: Index) -> OptionError:
    if index.of_means:
        return OptionError(
            f"{index.name} is computed from parcel means, not from pixels",
            given=index.name,
            allowed="after the reduction",
            hint="radar_indices(reduce_parcels(cube, parcels), [...]): speckle makes "
            "the ratio of single pixels useless",
        )
    return OptionError(
        f"{index.name} is computed from pixels, not from parcel means",
        given=index.name,
        allowed="before the reduction",
        hint="add_indices(cubes, [...]), then reduce_parcels; or Index(..., computed='means')",
    )
