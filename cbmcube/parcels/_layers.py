"""Read one layer of a vector file with the driver that its format must have."""

from __future__ import annotations

import warnings
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow.compute as pc
import pyogrio  # type: ignore[import-untyped]
import shapely

from cbmcube.exceptions import Error, ParcelsError, ReadError
from cbmcube.parcels._files import Source
from cbmcube.parcels._formats import GML
from cbmcube.parcels._identify import FEATURE_ID
from cbmcube.parcels._limits import ReadLimits
from cbmcube.parcels._traps import refuse_traps

# What geopandas, pyogrio, pyarrow and shapely raise for files they cannot read.
READ_FAILURES = (OSError, RuntimeError, ValueError, IndexError, shapely.errors.ShapelyError)

_WKB_VERTEX = 16
_HEADERS = 2.0
"""WKB of simple polygons is up to 1.4 times their vertices, because of its headers."""


def read_layer(source: Source, limits: ReadLimits) -> tuple[gpd.GeoDataFrame, pd.Series[int], str]:
    """Return the rows of a layer, their feature ids, and the name of the layer."""
    try:
        with warnings.catch_warnings():
            # Measures are dropped on purpose; a repeated attribute changes no parcel.
            warnings.filterwarnings("ignore", "Measured .* geometry types", UserWarning)
            warnings.filterwarnings("ignore", "Field with same name", RuntimeWarning)
            refuse_traps(source)
            info = _open(source)
            limits.check("features", int(info["features"]), given=source.given)
            _check_vertices(source, info["layer_name"], limits)
            table = pyogrio.read_dataframe(
                source.address,
                layer=info["layer_name"],
                fid_as_index=True,
                on_invalid="fix",
                **source.format.options,
            )
    except READ_FAILURES as error:
        if isinstance(error, Error):
            raise
        raise ReadError(
            f"the {source.format.name} cannot be read",
            given=source.given
            if source.layer is None
            else f"{source.given}, layer {source.layer!r}",
            hint="open it in a GIS; if it opens there, write it again as GeoPackage",
        ) from error
    refuse_none(table, source.given)
    name = info["fid_column"] or FEATURE_ID
    features = pd.Series(table.index, name=name)
    return table.reset_index(drop=True), features, str(info["layer_name"])


def refuse_none(table: Any, given: object) -> None:
    """Refuse a table without geometries or without rows."""
    if not isinstance(table, gpd.GeoDataFrame) or table.empty:
        raise ParcelsError("the file, or the layer of it, holds no parcels", given=given)


def _open(source: Source) -> dict[str, Any]:
    """Choose the layer and return what is known of it before any row is read."""
    chosen = _choose_gml(source) if source.format is GML else _choose_layer(source)
    info: dict[str, Any] = pyogrio.read_info(
        source.address, layer=chosen, force_feature_count=True, **source.format.options
    )
    _check_driver(info["driver"], source)
    return info


def _choose_layer(source: Source) -> str:
    listed = pyogrio.list_layers(source.address)
    layers = [str(name) for name, shape in listed if shape is not None]
    holding = [name for name in layers if _count(source, name)]
    chosen = holding[0] if source.layer is None and len(holding) == 1 else source.layer
    if chosen in holding:
        return chosen
    if source.layer is None:
        what = "several layers hold parcels" if holding else "no layer of the file holds parcels"
    else:
        what = f"layer {source.layer!r} holds no parcels"
        missing = f"there is no layer {source.layer!r} with geometries"
        what = what if source.layer in layers else missing
    raise ParcelsError(
        what,
        given=source.given,
        allowed=f"the layers that hold parcels: {', '.join(holding) or 'none'}",
        hint=f"name the layer: read_parcels(path, layer={holding[0]!r})" if holding else None,
    )


def _choose_gml(source: Source) -> str | None:
    # Listing layers takes no open options: it might fetch the schema, and writes a file.
    if source.layer is not None:
        return source.layer
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "More than one layer", UserWarning)
        try:
            return str(pyogrio.read_info(source.address, **GML.options)["layer_name"])
        except UserWarning as several:
            raise ParcelsError(
                "the GML holds several layers",
                given=several,
                hint="name the layer: read_parcels(path, layer='...')",
            ) from several


def _count(source: Source, layer: str) -> int:
    info = pyogrio.read_info(source.address, layer=layer, force_feature_count=True)
    _check_driver(info["driver"], source)
    return int(info["features"])


def _check_driver(driver: str, source: Source) -> None:
    if driver not in source.format.drivers:
        raise ReadError(
            f"the file looks like {source.format.name} and would be read as {driver}",
            given=source.given,
            hint="write it again as GeoPackage",
        )


def _check_vertices(source: Source, layer: str, limits: ReadLimits) -> None:
    """Look through the geometries before they are kept, where the size allows too many."""
    if source.bytes // source.format.vertex_bytes <= limits.vertices:
        return
    found = 0.0
    with pyogrio.raw.open_arrow(
        source.address, layer=layer, columns=[], use_pyarrow=True, **source.format.options
    ) as (meta, batches):
        name = meta["geometry_name"] or "wkb_geometry"
        for batch in batches:
            lengths = pc.binary_length(batch.column(name))
            found += (pc.sum(lengths).as_py() or 0) / (_WKB_VERTEX * _HEADERS)
            limits.check("vertices", int(found), given=source.given)
