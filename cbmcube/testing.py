"""Small synthetic vector cubes with plausible seasons, for tests, docs and first steps."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import geopandas
import numpy as np
import pandas as pd
import shapely
import xarray as xr
import xvec
from numpy.typing import NDArray

from cbmcube.exceptions import OptionError, UnknownStatisticError
from cbmcube.products import CARD_2A, CARD_BS, CARD_COH6, Product

__all__ = ["vector_cube"]

_STATISTICS = ("count", "mean", "std", "min", "max", "p25", "p50", "p75")
_CROPS = ("winter wheat", "grassland", "maize", "sugar beet")
_PRODUCTS = {product.name: product for product in (CARD_2A, CARD_BS, CARD_COH6)}
_CRS = "EPSG:32632"
_PIXEL = 10.0  # metres: every number below is on one 10 m grid

_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Track:
    """One relative orbit and the days on which it is flown."""

    orbit: int
    state: str
    first_day: float
    step: float
    platforms: tuple[str, ...]


_OPTICAL = (
    _Track(22, "descending", 0.424, 5, ("sentinel-2a", "sentinel-2b")),
    _Track(65, "descending", 3.431, 5, ("sentinel-2b", "sentinel-2a")),
)
_RADAR = (
    _Track(15, "ascending", 1.719, 6, ("sentinel-1a", "sentinel-1b")),
    _Track(139, "descending", 4.226, 6, ("sentinel-1b", "sentinel-1a")),
)


@dataclass(frozen=True, slots=True)
class _Season:
    """Where and when numbers are wanted, and how green and how fresh the field is there."""

    day: _Array  # (time, 1) days since the start
    orbit: NDArray[np.int64]  # (time, 1)
    green: _Array  # (time, parcel) 0 = bare, 1 = full canopy
    disturbed: _Array  # (time, parcel) 1 right after a harvest or cut, fading
    rng: np.random.Generator


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
    ids = [f"P{number}" for number in range(parcels)] if isinstance(parcels, int) else [*parcels]
    parcel_coords, n_total = _parcels(ids, rng)
    time_coords = _acquisitions(product, start, days)
    season = _season(time_coords, np.datetime64(start), len(ids), rng)
    n_valid, observed = _visibility(product, season, n_total)
    cube = xr.Dataset(
        {
            name: (
                ("time", "parcel", "statistic"),
                _statistics(*_VALUES[product.name](season, name), n_valid, statistics),
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
        cube = cube.assign({name: cube[name].variable.chunk({"time": 1}) for name in _timed(cube)})
    return cube


def _timed(cube: xr.Dataset) -> list[Hashable]:
    return [name for name in cube.data_vars if "time" in cube[name].dims]


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
    side = rng.integers(4, 14, len(ids))
    left = 500_000.0 + 200.0 * np.arange(len(ids))
    bottom = np.full(len(ids), 5_900_000.0)
    geometry = shapely.box(left, bottom, left + _PIXEL * side, bottom + _PIXEL * side)
    crops = [_CROPS[number % len(_CROPS)] for number in range(len(ids))]
    area = geopandas.GeoSeries(geometry, crs=_CRS).area.to_numpy()
    coords: dict[str, object] = {
        "parcel": ids,
        "geometry": ("parcel", geometry),
        "crop": ("parcel", crops),
        "area_m2": ("parcel", area, {"units": "m2"}),
    }
    return coords, (side**2).astype("int32")


def _passes(product: Product, start: str, days: int) -> Iterator[tuple[pd.Timestamp, _Track, str]]:
    end = pd.Timestamp(start) + pd.Timedelta(days=days)
    for track in _OPTICAL if product is CARD_2A else _RADAR:
        first = pd.Timestamp(start) + pd.Timedelta(days=track.first_day)
        for number in range(days):
            when = first + number * pd.Timedelta(days=track.step)
            if when >= end:
                break
            yield when, track, track.platforms[number % 2]


def _acquisitions(product: Product, start: str, days: int) -> dict[str, tuple[str, NDArray]]:  # type: ignore[type-arg]
    passes = sorted(_passes(product, start, days), key=lambda entry: entry[0])
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


def _season(
    coords: Mapping[str, tuple[str, NDArray]],  # type: ignore[type-arg]
    start: np.datetime64,
    parcels: int,
    rng: np.random.Generator,
) -> _Season:
    day = ((coords["time"][1] - start) / np.timedelta64(1, "D"))[:, None]
    shift = rng.normal(0, 4, parcels)[None, :]  # no two fields are sown on one day
    kinds = np.arange(parcels) % len(_CROPS)
    curves = [_cereal, _meadow, _maize, _beet]
    pairs = [curve(day - shift) for curve in curves]
    green = np.choose(kinds[None, :], [green for green, _ in pairs])
    disturbed = np.choose(kinds[None, :], [fresh for _, fresh in pairs])
    return _Season(day, coords["relative_orbit"][1][:, None], green, disturbed, rng)


def _rise(day: _Array, middle: float, width: float) -> _Array:
    return 1 / (1 + np.exp(-(day - middle) / width))


def _fresh(day: _Array, *events: float, fade: float) -> _Array:
    after = [np.where(day >= event, np.exp(-(day - event) / fade), 0.0) for event in events]
    fresh: _Array = np.max(after, axis=0)
    return fresh


def _cereal(day: _Array) -> tuple[_Array, _Array]:
    canopy = _rise(day, 20, 9) - _rise(day, 118, 8)
    return np.where(day < 150, canopy, 0.05), _fresh(day, 150, fade=30)


def _meadow(day: _Array) -> tuple[_Array, _Array]:
    cuts = (85.0, 130.0, 178.0)
    return _rise(day, 15, 10) * (1 - 0.6 * _fresh(day, *cuts, fade=14)), _fresh(day, *cuts, fade=7)


def _maize(day: _Array) -> tuple[_Array, _Array]:
    canopy = _rise(day, 108, 7) - 0.5 * _rise(day, 195, 10)
    return canopy, _fresh(day, 60, fade=25)


def _beet(day: _Array) -> tuple[_Array, _Array]:
    return _rise(day, 90, 8), _fresh(day, 45, fade=20)


def _visibility(
    product: Product, season: _Season, n_total: NDArray[np.int32]
) -> tuple[NDArray[np.int32], _Array]:
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


def _ndvi(season: _Season, _: str) -> tuple[_Array, _Array]:
    mean = 0.16 + 0.7 * season.green + season.rng.normal(0, 0.012, season.green.shape)
    return mean, 0.02 + 0.09 * season.green * (1 - season.green) + 0.012 * season.green


def _reflectance(season: _Season, band: str) -> tuple[_Array, _Array]:
    if band == "NDVI":
        return _ndvi(season, band)
    bare, full = {"B04": (0.15, 0.03), "B08": (0.21, 0.42)}[band]
    mean = bare + (full - bare) * season.green
    return mean * season.rng.normal(1, 0.02, mean.shape), 0.08 * mean


def _backscatter(season: _Season, band: str) -> tuple[_Array, _Array]:
    bare, change = {"VV": (-9.5, -3.0), "VH": (-17.5, 1.5)}[band]
    incidence = np.where(season.orbit == _RADAR[0].orbit, 0.0, 1.2)
    rain = season.rng.normal(0, 0.5, (season.green.shape[0], 1))
    speckle = season.rng.normal(0, 0.2, season.green.shape)
    mean = 10 ** ((bare + change * season.green + incidence + rain + speckle) / 10)
    return mean, 0.3 * mean


def _coherence(season: _Season, band: str) -> tuple[_Array, _Array]:
    floor, span = {"VV": (0.24, 0.42), "VH": (0.22, 0.3)}[band]
    still = np.clip(0.35 * (1 - season.green) + 0.75 * season.disturbed, 0, 1)
    mean = floor + span * still + season.rng.normal(0, 0.02, still.shape)
    return np.clip(mean, 0.05, 0.95), np.full_like(still, 0.06)


_VALUES: dict[str, Callable[[_Season, str], tuple[_Array, _Array]]] = {
    "CARD-2A": _reflectance,
    "CARD-BS": _backscatter,
    "CARD-COH6": _coherence,
}


def _statistics(
    mean: _Array, std: _Array, n_valid: NDArray[np.int32], names: Sequence[str]
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


def _with_classes(cube: xr.Dataset, season: _Season, clear: _Array) -> xr.Dataset:
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
