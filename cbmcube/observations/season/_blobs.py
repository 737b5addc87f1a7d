"""Items, parcels and plans as blobs of a store, and back."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pystac
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from cbmcube.catalog import Acquisition, unsigned_item
from cbmcube.observations.season._groups import Group
from cbmcube.observations.store import Store, canonical_json, decode, decode_parcels

GRID_GEOMETRY = "grid_geometry"
"""Column of the parcels in the CRS of their grid: what is projected once is not projected for
each acquisition, and not by another release of PROJ."""


def put_items(store: Store, acquisition: Acquisition) -> str:
    """Keep the items of an acquisition; addresses without signatures."""
    features = []
    for item in acquisition.items:
        content = unsigned_item(item)
        content["links"] = [link for link in content["links"] if link.get("rel") == "self"]
        features.append(content)
    data = canonical_json({"type": "FeatureCollection", "features": features})
    return store.put_blob("items", data, "json")


def get_items(store: Store, name: str) -> tuple[pystac.Item, ...]:
    """Return the items that `put_items` kept."""
    features = json.loads(store.get_blob("items", name))["features"]
    return tuple(pystac.Item.from_dict(one, migrate=False) for one in features)


def put_parcels(store: Store, parcels: gpd.GeoDataFrame, group: Group | None = None) -> str:
    """Keep parcels as given and, for a group, as they lie on its grid."""
    kept = parcels if group is None else parcels.iloc[group.members]
    columns = [c for c in ("buffer_m", "crop", "area_m2") if c in kept]
    columns += [name for name in kept if str(name).startswith("class_")]
    frame = gpd.GeoDataFrame(
        {name: kept[name] for name in columns},
        index=kept.index,
        geometry=np.asarray(kept.geometry.array, dtype=object),
        crs=kept.crs,
    )
    if group is not None:
        frame[GRID_GEOMETRY] = gpd.GeoSeries(
            group.geometries, index=frame.index, crs=group.crs.proj
        )
    buffer = io.BytesIO()
    frame.reset_index().to_parquet(buffer, compression="zstd", index=False)
    return store.put_blob("parcels", buffer.getvalue(), "parquet")


def get_parcels(store: Store, name: str) -> gpd.GeoDataFrame:
    """Return parcels as given, with the index ``parcel``."""
    return decode_parcels(store.get_blob("parcels", name))


def grid_parcels(parcels: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the parcels of a group in the CRS of its grid."""
    return parcels.set_geometry(GRID_GEOMETRY).drop(columns="geometry")


def put_table(store: Store, table: pd.DataFrame) -> str:
    """Keep a table."""
    buffer = io.BytesIO()
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(arrow, buffer, compression="zstd")
    return store.put_blob("index", buffer.getvalue(), "parquet")


def get_table(store: Store, name: str) -> pd.DataFrame:
    """Return a table that `put_table` kept."""
    return decode(store.get_blob("index", name)).to_pandas()


def acquisition_to_json(acquisition: Acquisition, items: str) -> dict[str, Any]:
    """Return what a plan says of an acquisition; `items` names the blob of its items."""
    reference = acquisition.reference_time
    return {
        "acquisition": acquisition.id,
        "time": acquisition.time.isoformat(),
        "platform": acquisition.platform,
        "relative_orbit": acquisition.relative_orbit,
        "orbit_state": acquisition.orbit_state,
        "reference_time": None if reference is None else reference.isoformat(),
        "items": items,
        "listed": " ".join(sorted(item.id for item in acquisition.items)),
    }


def acquisition_from_json(facts: Mapping[str, Any], items: tuple[pystac.Item, ...]) -> Acquisition:
    """Return the acquisition that a plan tells of."""
    reference = facts.get("reference_time")
    return Acquisition(
        id=facts["acquisition"],
        time=_utc(facts["time"]),
        platform=facts["platform"],
        relative_orbit=facts["relative_orbit"],
        orbit_state=facts["orbit_state"],
        reference_time=None if reference is None else _utc(reference),
        items=items,
    )


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def group_to_json(group: Group, parcels: gpd.GeoDataFrame, blob: str) -> dict[str, Any]:
    """Return what a plan says of a group; `blob` names that of its parcels."""
    here = parcels.geometry.iloc[group.members].total_bounds
    to_degrees = Transformer.from_crs(parcels.crs, "EPSG:4326", always_xy=True)
    epsg = group.crs.epsg
    return {
        "group": group.number,
        "parcels": blob,
        "count": int(group.members.size),
        "grid": f"EPSG:{epsg}" if epsg else group.crs.to_wkt(),
        "bounds": [round(float(value), 6) for value in to_degrees.transform_bounds(*here)],
        "digest": group.digest,
        "windows": {
            name: {"shape": [int(n) for n in box.shape], "affine": list(box.affine[:6])}
            for name, box in group.windows.items()
        },
    }


def windows_from_json(facts: Mapping[str, Any]) -> dict[str, GeoBox]:
    """Return the windows of a group."""
    return {
        name: GeoBox(tuple(box["shape"]), Affine(*box["affine"]), facts["grid"])
        for name, box in facts["windows"].items()
    }


def positions(parcels: gpd.GeoDataFrame, groups: list[Group]) -> pd.DataFrame:
    """Return group and row of each parcel, in the user's order; -1 where it has none."""
    group = np.full(len(parcels), -1, dtype="int32")
    row = np.full(len(parcels), -1, dtype="int32")
    for one in groups:
        group[one.members] = one.number
        row[one.members] = np.arange(one.members.size)
    ids = parcels.index.to_numpy()
    ids = ids if ids.dtype.kind in "iu" else ids.astype(str).astype(object)
    return pd.DataFrame({"parcel": ids, "group": group, "position": row})
