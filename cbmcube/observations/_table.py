"""Vector cube -> tables: one row per observation, or one row per parcel."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import xarray as xr
from numpy.typing import NDArray

from cbmcube._states import STATES, state_codes
from cbmcube.exceptions import OptionError
from cbmcube.observations._schema import observation_schema


def to_observations(stats: xr.Dataset, *, geometry: bool = False) -> pd.DataFrame:
    """Compute the vector cube and return it as a long table.

    Parameters
    ----------
    stats
        A vector cube of `reduce_parcels`, or a selection from it that keeps the dims
        ``time`` and ``parcel``.
    geometry
        Repeat each parcel's geometry in every row and return a GeoDataFrame.

    Returns
    -------
    pandas.DataFrame or geopandas.GeoDataFrame
        One row for each acquisition, parcel and band, in this order, with Arrow types:
        ``parcel, time`` (UTC), ``acquisition, platform, relative_orbit, orbit_state,``
        (``reference_time`` for coherence), ``band, state, count, n_valid, n_total,
        observed``, the other statistics, ``items`` (ids, space-separated) and a share
        for each class, such as ``SCL_4``. ``state`` is ``OK``, ``PARTIAL`` (less than
        95 % of the parcel had source data), ``MASKED`` (seen, no valid pixel),
        ``NO_DATA`` (not seen) or ``READ_FAILED`` (a pixel of the parcel could not be read,
        so that the numbers are not final; `read_failures` lists the files).

    Raises
    ------
    OptionError
        If `stats` is not a vector cube.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.testing import vector_cube
    >>> table = cbm.to_observations(vector_cube())
    >>> table.columns[:3].tolist()
    ['parcel', 'time', 'acquisition']
    """
    _require_vector_cube(stats)
    if "band" not in stats.dims:
        raise OptionError(
            "this vector cube holds class shares only, and a row needs a band with statistics",
            given=", ".join(map(str, stats.data_vars)),
            allowed="at least one band that is not a class band",
            hint="load such a band too, or use to_geodataframe for one date",
        )
    cube = stats.compute()
    table = observation_table(cube)
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    if not geometry:
        return frame
    times, bands = cube.sizes["time"], cube.sizes["band"]
    shapes = np.tile(np.repeat(cube["geometry"].values, bands), times)
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=_crs(cube))


def to_geodataframe(stats: xr.Dataset) -> gpd.GeoDataFrame:
    """Compute one date of the vector cube and return one row for each parcel.

    Parameters
    ----------
    stats
        A vector cube with one time step: ``stats.sel(time=…)`` or ``stats.isel(time=0)``.

    Returns
    -------
    geopandas.GeoDataFrame
        Index ``parcel``; columns ``<band>_<statistic>``, ``<band>_n_valid``,
        ``observed``, ``<class band>_<class>`` and ``geometry``, in the parcels' CRS.

    Raises
    ------
    OptionError
        If there is more than one time step, or `stats` is not a vector cube.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> from cbmcube.testing import vector_cube
    >>> fields = cbm.to_geodataframe(vector_cube().isel(time=0))
    >>> fields.index.name
    'parcel'
    """
    _require_vector_cube(stats, dims=("parcel", "statistic"))
    if stats.sizes.get("time", 1) != 1:
        raise OptionError(
            "a GeoDataFrame holds one date",
            given=f"{stats.sizes['time']} time steps",
            allowed="one time step",
            hint="select one: stats.isel(time=0) or stats.sel(time=...); for all, to_observations",
        )
    cube = (stats.squeeze("time") if "time" in stats.dims else stats).compute()
    columns: dict[str, Any] = {}
    for band in _bands(cube):
        for name in cube["statistic"].values:
            columns[f"{band}_{name}"] = cube[band].sel(statistic=name).values
        columns[f"{band}_n_valid"] = cube["n_valid"].sel(band=band).values
    columns["observed"] = cube["observed"].values
    columns |= {name: share.values for name, share in _class_shares(cube).items()}
    index = pd.Index(cube["parcel"].values, name="parcel")
    return gpd.GeoDataFrame(columns, index=index, geometry=cube["geometry"].values, crs=_crs(cube))


def _require_vector_cube(
    stats: xr.Dataset, dims: tuple[str, ...] = ("time", "parcel", "statistic")
) -> None:
    missing = [name for name in dims if name not in stats.dims]
    missing += [name for name in ("observed", "geometry") if name not in stats]
    if missing:
        raise OptionError(
            "this is not a vector cube of reduce_parcels",
            given=f"a Dataset without {', '.join(missing)}",
            allowed="dims time, parcel, statistic; variable observed; geometry",
            hint="select with lists or slices, so that no dimension is dropped",
        )


def _bands(cube: xr.Dataset) -> list[str]:
    names = cube["band"].values if "band" in cube.dims else ()
    return [str(name) for name in names if str(name) in cube]


def _crs(cube: xr.Dataset) -> Any:
    return cube.xindexes["geometry"].crs  # type: ignore[attr-defined]  # xvec's GeometryIndex


def _class_shares(cube: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return one array per class column, such as ``SCL_4``."""
    shares = {}
    for name, variable in cube.data_vars.items():
        if str(name).endswith("_fraction") and "class" in variable.dims:
            for code in cube["class"].values:
                shares[f"{str(name).removesuffix('_fraction')}_{code}"] = variable.sel(
                    {"class": code}
                )
    return shares


def observation_table(cube: xr.Dataset) -> pa.Table:
    """Write a computed cube as columns; every array is laid out as (time, parcel, band)."""
    cube = cube.transpose(..., "time", "parcel", "statistic", missing_dims="ignore")
    bands = _bands(cube)
    shape = (cube.sizes["time"], cube.sizes["parcel"], len(bands))
    columns = _labels(cube, bands, shape)
    n_valid = np.moveaxis(cube["n_valid"].sel(band=bands).values, 0, -1)
    observed = np.broadcast_to(cube["observed"].values[:, :, None], shape)
    columns["n_valid"], columns["observed"] = n_valid, observed
    columns["n_total"] = np.broadcast_to(cube["n_total"].sel(band=bands).values.T, shape)
    failed = "n_failed" in cube and np.moveaxis(cube["n_failed"].sel(band=bands).values, 0, -1)
    columns["state"] = np.array(STATES)[
        state_codes(n_valid, observed, np.broadcast_to(failed, shape))
    ]
    names = [str(name) for name in cube["statistic"].values]
    for position, name in enumerate(names):
        columns[name] = np.stack([cube[band].values[..., position] for band in bands], axis=-1)
    shares = _class_shares(cube)
    for name, share in shares.items():
        columns[name] = np.broadcast_to(share.values[:, :, None], shape)
    schema = observation_schema(
        pa.int64() if cube["parcel"].dtype.kind in "iu" else pa.string(),
        statistics=names,
        classes=list(shares),
        coherence="reference_time" in cube.coords,
    )
    return _to_arrow(columns, schema)


def _labels(
    cube: xr.Dataset, bands: list[str], shape: tuple[int, int, int]
) -> dict[str, NDArray[Any]]:
    """Return parcel, band and everything known of each acquisition."""
    labels = {
        "parcel": np.broadcast_to(cube["parcel"].values[None, :, None], shape),
        "band": np.broadcast_to(np.array(bands)[None, None, :], shape),
    }
    for name, coord in cube.coords.items():
        if coord.dims == ("time",):
            labels[str(name)] = np.broadcast_to(coord.values[:, None, None], shape)
    return labels


def _to_arrow(columns: dict[str, NDArray[Any]], schema: pa.Schema) -> pa.Table:
    """Return the columns that the schema names; one the cube does not know is null."""
    rows = columns["parcel"].size
    arrays = []
    for field in schema:
        if field.name not in columns:
            arrays.append(pa.nulls(rows, field.type))
            continue
        make = _text if pa.types.is_string(field.type) else _column
        arrays.append(make(columns[field.name], field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _column(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Return Arrow values; what the cube could only mark (NaN, NaT, -1) becomes null."""
    values = values.reshape(-1)
    if pa.types.is_timestamp(kind):
        return pa.array(values.astype("datetime64[us]")).cast(kind)
    signed = pa.types.is_integer(kind) and values.dtype.kind == "i"
    return pa.array(values, mask=values < 0 if signed else None, from_pandas=True).cast(kind)


def _text(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Return Arrow text, null where it is empty; what is repeated along an axis is made once."""
    once = values[tuple(slice(1) if step == 0 else slice(None) for step in values.strides)]
    texts = pa.array(once.reshape(-1), mask=once.reshape(-1) == "", from_pandas=True).cast(kind)
    places = np.broadcast_to(np.arange(once.size).reshape(once.shape), values.shape)
    return texts.take(pa.array(places.reshape(-1)))
