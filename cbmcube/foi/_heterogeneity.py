"""Heterogeneity of parcels from the class shares of a vector cube, lazily and date by date."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError, UnknownBandError
from cbmcube.foi._rule import REASONS, STATUS, FoiRule
from cbmcube.foi._shares import diversity, is_heterogeneous, judge

_SUFFIX = "_fraction"

_NAMES = {
    "foi_h": "heterogeneous: the share of a class lies between the limits",
    "status": "whether the parcel could be judged",
    "reason": "why it could not",
    "n_valid": "pixels of the classes",
    "share": "share of each class in the pixels of the classes",
    "dominant_class": "class with the largest share",
    "dominant_share": "largest share of a class",
    "shannon": "Shannon's index over its largest value",
    "simpson": "Simpson's index of diversity",
}


def heterogeneity(
    stats: xr.Dataset,
    band: str | None = None,
    *,
    n_total: xr.DataArray | str | None = None,
    rule: FoiRule | None = None,
    classes: Iterable[int] | None = None,
    ignore: Iterable[int] = (),
) -> xr.Dataset:
    """Tell which parcels a class shares with another one, from shares that are there already.

    Parameters
    ----------
    stats
        A vector cube with class shares, ``<band>_fraction`` on ``(time, parcel, class)``.
    band
        The class band; by default the only one.
    n_total
        Pixels of each parcel on the grid of the class band: numbers along `parcel`, such as
        ``stats.area_m2 / 400`` for pixels of 20 m, or the name of a band of that grid, whose
        ``n_total`` the cube holds. Needed unless the rule has ``min_px=0``.
    rule
        Limits; by default ``FoiRule()``. Buffers are those with which the cube was reduced.
    classes
        Codes that count; by default all that are not ignored.
    ignore
        Codes of pixels without usable data, such as 0, 3, 8, 9 and 10 of Sentinel-2's SCL.

    Returns
    -------
    xarray.Dataset
        Lazy where `stats` is, on ``(time, parcel)``:

        - ``foi_h``: 1 heterogeneous, 0 not, -1 unknown;
        - ``status`` and ``reason``: positions in :data:`cbmcube.foi.STATUS` and
          :data:`cbmcube.foi.REASONS`, which ``flag_meanings`` repeats; -1 for no reason;
        - ``share`` ``(time, parcel, class)``: as shares of the classes that count;
        - ``dominant_class``, ``dominant_share``, ``shannon``, ``simpson``: as of `assess`;
        - ``n_valid``: pixels of the classes; only if `n_total` is known.

    Raises
    ------
    UnknownBandError
        If the cube has no shares of the band.
    OptionError
        If it has none of the classes, or the size of parcels is unknown.

    See Also
    --------
    assess : Heterogeneity and cardinality from the raster itself.

    Notes
    -----
    Cardinality asks where pixels lie, which shares do not tell. For formulas and sources see
    `assess`, whose heterogeneity is the same if the cube was reduced with ``pixels="centre"``.
    Shares are compared with the limits to within 1e-6, because cubes store single precision.

    Examples
    --------
    >>> from cbmcube import foi
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube(days=30)
    >>> found = foi.heterogeneity(stats, "SCL", n_total=stats.area_m2 / 100, ignore=[9])
    >>> found.foi_h.dims
    ('time', 'parcel')
    """
    rule = FoiRule() if rule is None else rule
    fraction = _fraction(stats, band)
    unseen = {int(code) for code in ignore}
    seen = fraction.sel({"class": ~fraction["class"].isin([*unseen])})
    counted = seen if classes is None else _listed(seen, classes)
    _require_classes(counted, fraction)
    total = _n_total(stats, n_total, rule)
    listed = counted.chunk({"class": -1}) if counted.chunks else counted
    found = xr.apply_ufunc(
        _describe,
        listed,
        seen.sum("class", dtype="float64"),
        xr.DataArray(np.nan) if total is None else total,
        listed["class"],
        kwargs={"rule": rule},
        input_core_dims=[["class"], [], [], ["class"]],
        output_core_dims=[["class"] if name == "share" else [] for name in _NAMES],
        dask="parallelized",
        output_dtypes=[np.int8] * 3 + [np.float32] * 6,
    )
    return _dataset(dict(zip(_NAMES, found, strict=True)), rule, sized=total is not None)


def _describe(
    weights: NDArray[Any],
    observed: NDArray[Any],
    n_total: NDArray[Any],
    codes: NDArray[Any],
    *,
    rule: FoiRule,
) -> tuple[NDArray[Any], ...]:
    """Return the variables of the result, of parcels on some dates."""
    found = diversity(weights.astype(np.float64))
    valid = weights.sum(axis=-1, dtype=np.float64)
    # Of parcels of unknown size only shares are asked; the rule then has no least size.
    size = np.broadcast_to(np.where(np.isnan(n_total), 1.0, n_total), valid.shape)
    reason = judge(size, np.nan_to_num(observed) * size, np.nan_to_num(valid) * size, rule)
    status = np.where(reason < 0, 0, np.where(reason < REASONS.index("TOO_SMALL"), 2, 1))
    flag = np.where(reason < 0, is_heterogeneous(found.share, rule), -1)
    dominant = np.where(np.isnan(found.dominant), 0, found.dominant).astype(np.int64)
    numbers = (
        np.nan_to_num(valid) * n_total,
        found.share,
        np.where(np.isnan(found.dominant), np.nan, codes[dominant]),
        found.dominant_share,
        found.shannon,
        found.simpson,
    )
    return (
        flag.astype(np.int8),
        status.astype(np.int8),
        reason,
        *(values.astype(np.float32) for values in numbers),
    )


def _fraction(stats: xr.Dataset, band: str | None) -> xr.DataArray:
    known = [str(name)[: -len(_SUFFIX)] for name in stats if str(name).endswith(_SUFFIX)]
    if (band is None and len(known) != 1) or (band is not None and band not in known):
        raise UnknownBandError(
            "the cube holds no shares of this class band" if band else "name one class band",
            given=repr(band),
            allowed=", ".join(known) or "none: no class band was reduced",
            hint="load a class band such as SCL, and reduce it with the others",
        )
    return stats[f"{band or known[0]}{_SUFFIX}"]


def _listed(seen: xr.DataArray, classes: Iterable[int]) -> xr.DataArray:
    """Return the shares of listed classes, in that order, 0 for one that the cube lacks."""
    named = list(dict.fromkeys(int(code) for code in classes))
    return seen.reindex({"class": named}, fill_value=0.0)


def _require_classes(counted: xr.DataArray, fraction: xr.DataArray) -> None:
    present = np.intersect1d(counted["class"], fraction["class"])
    if not present.size:
        raise OptionError(
            "none of the cube's classes counts",
            given=f"classes {counted['class'].to_numpy().tolist()}",
            allowed=f"some of {fraction['class'].to_numpy().tolist()}",
            hint="mend classes= or ignore=",
        )


def _n_total(
    stats: xr.Dataset, n_total: xr.DataArray | str | None, rule: FoiRule
) -> xr.DataArray | None:
    if isinstance(n_total, str):
        if "n_total" not in stats or n_total not in stats["band"].to_numpy():
            raise UnknownBandError(
                "the cube does not hold the number of pixels of this band",
                given=repr(n_total),
                allowed=", ".join(map(str, stats["band"].to_numpy())) if "band" in stats else None,
                hint="give numbers: n_total=stats.area_m2 / 400 for pixels of 20 m",
            )
        return stats["n_total"].sel(band=n_total, drop=True)
    if n_total is None and rule.min_px:
        raise OptionError(
            f"whether parcels have {rule.min_px} pixels is unknown: their size is not",
            given="n_total=None",
            allowed="numbers along 'parcel', or the name of a band of the same grid",
            hint="n_total=stats.area_m2 / 400 for pixels of 20 m, or FoiRule(min_px=0)",
        )
    return n_total


def _dataset(found: dict[str, Any], rule: FoiRule, *, sized: bool) -> xr.Dataset:
    for name, array in found.items():
        array.attrs = {"long_name": _NAMES[name]}
        if name not in ("foi_h", "status", "reason", "dominant_class"):
            array.attrs["units"] = "1"
    for name, words in (("status", STATUS), ("reason", ("none", *REASONS))):
        first = 0 if name == "status" else -1
        found[name].attrs["flag_values"] = np.arange(first, first + len(words), dtype=np.int8)
        found[name].attrs["flag_meanings"] = " ".join(words)
    found["foi_h"].attrs["flag_values"] = np.array([-1, 0, 1], dtype=np.int8)
    found["foi_h"].attrs["flag_meanings"] = "unknown homogeneous heterogeneous"
    if not sized:
        del found["n_valid"]
    ordered = {
        name: array.transpose("time", "parcel", ...) if "time" in array.dims else array
        for name, array in found.items()
    }
    return xr.Dataset(ordered, attrs={"params_id": rule.params_id})
