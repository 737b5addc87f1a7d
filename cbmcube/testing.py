"""Small synthetic vector cubes with plausible seasons, for tests, docs and first steps."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import geopandas
import numpy as np
import pandas as pd
import shapely
import xarray as xr
import xvec
from numpy.typing import NDArray

from cbmcube._seasons import (
    CROPS,
    OPTICAL,
    RADAR,
    VALUES,
    Array,
    Season,
    flown,
    happenings,
    invent_season,
    lateness,
)
from cbmcube.exceptions import OptionError, UnknownStatisticError
from cbmcube.products import CARD_2A, CARD_BS, CARD_COH6, Product

__all__ = ["planted_events", "vector_cube"]

_STATISTICS = ("count", "mean", "std", "min", "max", "p25", "p50", "p75")
_PRODUCTS = {product.name: product for product in (CARD_2A, CARD_BS, CARD_COH6)}
_SIDES = (4, 14)  # of parcels, in pixels
_CRS = "EPSG:32632"
_PIXEL = 10.0  # metres: every number below is on one 10 m grid


def vector_cube(
    product: Product | str = CARD_2A,
    *,
    parcels: int | Sequence[object] = 4,
    start: str = "2024-03-01",
    days: int = 210,
    bands: Sequence[str] | None = None,
    statistics: Sequence[str] = _STATISTICS,
    lazy: bool = False,
    seed: int = 0,
) -> xr.Dataset:
    """Build a vector cube as :func:`cbmcube.reduce_parcels` returns it, from invented seasons.

    Parcels are squares of 40 to 130 m side whose crops take turns: winter wheat, grassland
    (cut three times), maize and sugar beet. Optical cubes have two orbits, clouds (wholly
    and partly covered parcels) and the index NDVI; radar cubes have two orbits that differ by
    a constant in dB; coherence drops under a canopy and jumps after each cut or harvest.
    When that was tells :func:`planted_events`.

    Parameters
    ----------
    product
        A product or its name: ``"CARD-2A"``, ``"CARD-BS"`` or ``"CARD-COH6"``.
    parcels
        Number of parcels (called ``P0``, ``P1``, …), or their ids.
    start, days
        First day and length of the season.
    bands
        Variables to build; by default B04, B08 and NDVI, or VV and VH.
    statistics
        Labels on the axis `statistic`: count, mean, std, min, max, median or ``p<number>``.
    lazy
        Whether variables are Dask arrays, one chunk for each acquisition.
    seed
        Seed of the random numbers: the same arguments give the same cube.

    Returns
    -------
    xarray.Dataset
        Dims ``(time, parcel, statistic)``; float32. Reflectance is a fraction, backscatter
        linear power, coherence 0 to 1. ``crop`` and ``area_m2`` are coordinates of `parcel`.

    Raises
    ------
    OptionError
        If the product or a band is not one that can be invented.

    Examples
    --------
    >>> from cbmcube.testing import vector_cube
    >>> stats = vector_cube("CARD-2A", parcels=3, days=20)
    >>> dict(stats["NDVI"].sizes)
    {'time': 8, 'parcel': 3, 'statistic': 8}
    >>> stats.attrs["product"]
    'CARD-2A'
    """
    product = _product(product)
    names = _bands(product, bands)
    rng = np.random.default_rng(seed)
    ids = _ids(parcels)
    parcel_coords, n_total = _parcels(ids, rng)
    time_coords = _acquisitions(product, start, days)
    season = invent_season(time_coords, np.datetime64(start), len(ids), rng)
    n_valid, observed = _visibility(product, season, n_total)
    cube = xr.Dataset(
        {
            name: (
                ("time", "parcel", "statistic"),
                _statistics(*VALUES[product.name](season, name), n_valid, statistics),
                _band_attrs(product, name),
            )
            for name in names
        },
        coords={**parcel_coords, **time_coords, "statistic": [*statistics], "band": names},
        attrs={"product": product.name, "pixels": "exact", "title": "invented numbers"},
    )
    cube["observed"] = ("time", "parcel"), observed.astype("float32")
    cube["n_valid"] = ("band", "time", "parcel"), np.repeat(n_valid[None], len(names), axis=0)
    cube["n_total"] = ("band", "parcel"), np.repeat(n_total[None], len(names), axis=0)
    if product is CARD_2A:
        cube = _with_classes(cube, season, n_valid / n_total)
    cube = cube.set_xindex("geometry", xvec.GeometryIndex, crs=_CRS)
    if lazy:  # coordinates stay in memory, as in a real cube
        timed = [name for name in cube.data_vars if "time" in cube[name].dims]
        cube = cube.assign({name: cube[name].variable.chunk({"time": 1}) for name in timed})
    return cube


def planted_events(
    parcels: int | Sequence[object] = 4,
    *,
    start: str = "2024-03-01",
    days: int = 210,
    seed: int = 0,
) -> pd.DataFrame:
    """List what happens on the fields of :func:`vector_cube`, to hold found events against.

    Wheat is harvested, grassland mown three times, maize and sugar beet are sown; cubes of all
    products show the same events.

    Parameters
    ----------
    parcels, start, days, seed
        What was given to :func:`vector_cube`; the defaults are the same.

    Returns
    -------
    pandas.DataFrame
        A row for each event within the season: ``parcel``, ``crop``, ``event`` (harvest, mowing
        or sowing) and ``date`` (UTC), as :func:`cbmcube.plotting.profile` takes `events`.

    Examples
    --------
    >>> from cbmcube.testing import planted_events
    >>> mown = planted_events(2).query("event == 'mowing'")
    >>> [f"{date:%d %B}" for date in mown["date"]]
    ['27 May', '11 July', '28 August']
    """
    ids = _ids(parcels)
    rng = np.random.default_rng(seed)
    rng.integers(*_SIDES, len(ids))  # drawn before the seasons are
    rows = [
        (parcel, crop, event, pd.Timestamp(start) + pd.Timedelta(days=day).round("s"))
        for parcel, crop, late in zip(ids, _crops(ids), lateness(len(ids), rng), strict=True)
        for event, day in happenings(crop, late)
        if 0 <= day < days
    ]
    table = pd.DataFrame(rows, columns=["parcel", "crop", "event", "date"])
    return table.astype({"date": "datetime64[ns]"})


def _ids(parcels: int | Sequence[object]) -> list[object]:
    return [f"P{number}" for number in range(parcels)] if isinstance(parcels, int) else [*parcels]


def _crops(ids: Sequence[object]) -> list[str]:
    return [CROPS[number % len(CROPS)] for number in range(len(ids))]


def _product(product: Product | str) -> Product:
    name = product if isinstance(product, str) else product.name
    if name not in _PRODUCTS:
        raise OptionError(
            "this product has no invented season",
            given=repr(name),
            allowed=", ".join(_PRODUCTS),
            hint="pass one of these names",
        )
    return _PRODUCTS[name]


def _bands(product: Product, bands: Sequence[str] | None) -> list[str]:
    known = ["VV", "VH"] if product is not CARD_2A else ["B04", "B08", "NDVI"]
    unknown = [band for band in bands or () if band not in known]
    if unknown:
        raise OptionError(
            f"no season of {product.name} is invented for these bands",
            given=", ".join(unknown),
            allowed=", ".join(known),
            hint="leave bands=None for all of them",
        )
    return known if bands is None else [*bands]


def _parcels(
    ids: Sequence[object], rng: np.random.Generator
) -> tuple[dict[str, object], NDArray[np.int32]]:
    side = rng.integers(*_SIDES, len(ids))
    left = 500_000.0 + 200.0 * np.arange(len(ids))
    bottom = np.full(len(ids), 5_900_000.0)
    geometry = shapely.box(left, bottom, left + _PIXEL * side, bottom + _PIXEL * side)
    area = geopandas.GeoSeries(geometry, crs=_CRS).area.to_numpy()
    coords: dict[str, object] = {
        "parcel": ids,
        "geometry": ("parcel", geometry),
        "crop": ("parcel", _crops(ids)),
        "area_m2": ("parcel", area, {"units": "m2"}),
    }
    return coords, (side**2).astype("int32")


def _acquisitions(product: Product, start: str, days: int) -> dict[str, tuple[str, NDArray]]:  # type: ignore[type-arg]
    tracks = OPTICAL if product is CARD_2A else RADAR
    passes = sorted(flown(tracks, start, days), key=lambda entry: entry[0])
    times = np.array([when.to_datetime64() for when, _, _ in passes], dtype="datetime64[ns]")
    names = [f"{kind}_{t:%Y%m%dT%H%M%S}_R{track.orbit:03d}" for t, track, kind in passes]
    coords = {
        "time": ("time", times),
        "acquisition": ("time", np.array(names, dtype=str)),
        "platform": ("time", np.array([platform for _, _, platform in passes], dtype=str)),
        "relative_orbit": ("time", np.array([track.orbit for _, track, _ in passes], dtype=int)),
        "orbit_state": ("time", np.array([track.state for _, track, _ in passes], dtype=str)),
        "items": ("time", np.array([f"{product.name}_{name}" for name in names], dtype=str)),
    }
    if product is CARD_COH6:
        coords["reference_time"] = ("time", times - np.timedelta64(6, "D"))
    return coords


def _visibility(
    product: Product, season: Season, n_total: NDArray[np.int32]
) -> tuple[NDArray[np.int32], Array]:
    """Count unmasked pixels; the third parcel of every four misses each tenth acquisition."""
    shape = season.green.shape
    observed = np.ones(shape)
    observed[9::10, 2::4] = 0.0
    clear = np.ones(shape)
    if product is CARD_2A:
        sky = season.rng.uniform(size=(shape[0], 1))
        part = season.rng.uniform(size=shape)
        clear = np.where(sky < 0.35, 0.0, np.where((sky < 0.6) & (part < 0.5), part, 1.0))
    return np.round(clear * observed * n_total).astype("int32"), observed


def _statistics(
    mean: Array, std: Array, n_valid: NDArray[np.int32], names: Sequence[str]
) -> NDArray[np.float32]:
    """Statistics of a normal population cut at 2.2 standard deviations."""
    some = np.where(n_valid > 0, 1.0, np.nan)
    # Weighted counts are fractions below the pixel count: parcel borders cross pixels.
    known = {"count": 0.95 * n_valid, "mean": mean * some, "std": std * some}
    layers = [
        known[name] if name in known else (mean + _score(name) * std) * some for name in names
    ]
    return np.stack(layers, axis=-1).astype("float32")


def _score(name: str) -> float:
    fixed = {"min": -2.2, "max": 2.2, "median": 0.0}
    if name in fixed:
        return fixed[name]
    share = float(name[1:]) / 100 if name[:1] == "p" and name[1:].isdigit() else -1.0
    if not 0 < share < 1:
        raise UnknownStatisticError(
            "this statistic is not known",
            given=repr(name),
            allowed="count, mean, std, min, max, median, p1 … p99",
            hint="choose from these",
        )
    return float(np.clip(NormalDist().inv_cdf(share), -2.2, 2.2))


def _band_attrs(product: Product, name: str) -> dict[str, str]:
    if name == "NDVI":
        return {"units": "1", "long_name": "normalised difference vegetation index"}
    band = product.band(name)
    return {"units": band.units, "long_name": band.long_name}


def _with_classes(cube: xr.Dataset, season: Season, clear: Array) -> xr.Dataset:
    """Add the shares of vegetation (4), bare soil (5) and cloud (9)."""
    clear = clear.astype(float)
    seen = np.where(cube["observed"].to_numpy() > 0, 1.0, np.nan)
    shares = (
        np.stack([clear * season.green, clear * (1 - season.green), 1 - clear], axis=-1)
        * seen[..., None]
    )
    return cube.assign_coords({"class": [4, 5, 9]}).assign(
        SCL_fraction=(("time", "parcel", "class"), shares.astype("float32"))
    )
