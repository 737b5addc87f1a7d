"""Where parcels lie, as points, and what is known of each: read group by group."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import Transformer

from cbmcube.observations.reading._source import Source
from cbmcube.observations.store import decode_parcels


def parcel_places(source: Source) -> pd.DataFrame:
    """Return point, crop and area of each parcel; only one group's outlines are held at once."""
    plan = source.plan
    group, position = plan.placed
    points = np.full((len(group), 2), np.nan)
    area = np.full(len(group), np.nan)
    crop = np.full(len(group), -1, dtype=np.int32)
    names: dict[str, int] = {}
    order = np.lexsort((position, group))
    starts = np.searchsorted(group[order], np.arange(len(plan.groups) + 1))
    for number, facts in enumerate(plan.groups):
        mine = order[starts[number] : starts[number + 1]]
        frame = decode_parcels(source.store.get_blob("parcels", facts["parcels"]))
        here = frame.iloc[position[mine]]
        points[mine] = _degrees(here.set_geometry("geometry"))
        if "area_m2" in here:
            area[mine] = here["area_m2"].to_numpy(dtype=float, na_value=np.nan)
        if "crop" in here:
            codes, found = pd.factorize(here["crop"])
            place = np.array([names.setdefault(str(n), len(names)) for n in found] + [-1])
            crop[mine] = place[codes]
    columns = {
        "longitude": points[:, 0],
        "latitude": points[:, 1],
        "crop": pd.Categorical.from_codes(crop, categories=pd.Index(list(names), dtype=object)),
        "area_m2": area,
    }
    return pd.DataFrame(columns, index=pd.Index(plan.parcels["parcel"].to_pandas(), name="parcel"))


def _degrees(frame: gpd.GeoDataFrame) -> NDArray[np.float64]:
    """Return the centroids in degrees; NaN where there is no outline."""
    middle = shapely.get_coordinates(_filled(shapely.centroid(frame.geometry.to_numpy())))
    to_degrees = Transformer.from_crs(frame.crs, "EPSG:4326", always_xy=True)
    x, y = to_degrees.transform(middle[:, 0], middle[:, 1])
    found = np.column_stack([x, y])
    found[~np.isfinite(found).all(axis=1)] = np.nan
    return found


def _filled(points: NDArray[np.object_]) -> NDArray[np.object_]:
    """Give each parcel one point, so that coordinates stay one for each."""
    lacking = shapely.is_missing(points) | shapely.is_empty(points)
    filled = points.copy()
    filled[lacking] = shapely.Point(np.nan, np.nan)
    return filled
