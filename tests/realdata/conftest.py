"""Real rasters written as COGs with STAC items, and the oracles they are checked against."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

import numpy as np
import pandas as pd
import pystac
import rasterio
import shapely
from affine import Affine
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from rasterio.features import rasterize
from rasterio.transform import array_bounds
from rasterio.warp import transform_bounds

from cbmcube.products import Band, MaskRule, Product, Profile

EXACTEXTRACT = {"count": "count", "mean": "mean", "std": "stdev", "min": "min", "max": "max"}
"""The names of statistics here and in exactextract."""


NDVI = Product(
    name="NDVI",
    title="vegetation index with a cloud mask",
    bands=(
        Band(
            name="NDVI",
            kind="index",
            long_name="vegetation index",
            units="1",
            dtype="float32",
            nodata=float("nan"),
        ),
        Band(
            name="CLM",
            kind="classes",
            long_name="cloud mask",
            units="1",
            dtype="uint8",
            nodata=255,
            classes={0: "clear", 1: "cloud"},
        ),
    ),
    profiles=(Profile(name="own", collections=("ndvi",), assets={"NDVI": "NDVI", "CLM": "CLM"}),),
    repeat_days=10,
    mask_rule=MaskRule(band="CLM", masked=frozenset({1}), source="the data set's cloud mask"),
)
"""A product that the library does not know, as a user defines one."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where an array (y, x) lies."""

    epsg: int
    transform: Affine
    shape: tuple[int, int]

    @property
    def bounds(self):
        """West, south, east, north."""
        return array_bounds(*self.shape, self.transform)


@dataclass(slots=True)
class Archive:
    """COGs below a folder and the items that describe them, saved as one ItemCollection."""

    folder: Path
    ground: Ground
    items: list[pystac.Item] = field(default_factory=list)

    def add(self, name, time, bands, *, collection, nodata, properties=None):
        """Write one COG for each band; `nodata` is declared on the assets only."""
        box = transform_bounds(f"EPSG:{self.ground.epsg}", "EPSG:4326", *self.ground.bounds)
        item = pystac.Item(
            id=name,
            geometry=shapely.geometry.mapping(shapely.box(*box)),
            bbox=list(box),
            datetime=pd.Timestamp(time).to_pydatetime().replace(tzinfo=UTC),
            properties={"proj:code": f"EPSG:{self.ground.epsg}"} | (properties or {}),
            stac_extensions=["https://stac-extensions.github.io/projection/v2.0.0/schema.json"],
            collection=collection,
        )
        for band, values in bands.items():
            self._write(f"{name}_{band}.tif", values)
            fields = {
                "data_type": str(values.dtype),
                "nodata": "nan" if np.isnan(nodata[band]) else nodata[band],
                "proj:code": f"EPSG:{self.ground.epsg}",
                "proj:transform": list(self.ground.transform[:6]),
                "proj:shape": list(self.ground.shape),
            }
            asset = pystac.Asset(
                f"./{name}_{band}.tif",
                media_type=pystac.MediaType.COG,
                roles=["data"],
                extra_fields=fields,
            )
            item.add_asset(band, asset)
        self.items.append(item)

    def _write(self, name, values):
        with rasterio.open(
            self.folder / name,
            "w",
            driver="COG",
            height=self.ground.shape[0],
            width=self.ground.shape[1],
            count=1,
            dtype=values.dtype,
            crs=f"EPSG:{self.ground.epsg}",
            transform=self.ground.transform,
        ) as target:
            target.write(values, 1)

    def save(self):
        """Write the ItemCollection and return its path."""
        path = self.folder / "items.json"
        pystac.ItemCollection(self.items).save_object(str(path))
        return path


def exactly(values, ground, parcels):
    """Reduce one plane (y, x) with exactextract; one column for each statistic."""
    west, south, east, north = ground.bounds
    source = NumPyRasterSource(values, xmin=west, ymin=south, xmax=east, ymax=north)
    shapes = parcels.to_crs(ground.epsg)[["geometry"]]
    found = exact_extract(source, shapes, list(EXACTEXTRACT.values()), output="pandas")
    return found.rename(columns={theirs: ours for ours, theirs in EXACTEXTRACT.items()})


def label(ground, parcels):
    """Burn the number of each parcel into a plane (y, x) by pixel centre; -1 elsewhere."""
    shapes = parcels.to_crs(ground.epsg).geometry
    numbered = [(shape, number) for number, shape in enumerate(shapes)]
    return rasterize(
        numbered, out_shape=ground.shape, transform=ground.transform, fill=-1, dtype="int32"
    )


def require_equal(stats, band, planes, ground, parcels):
    """Hold every date and parcel of one band against exactextract on `planes` (time, y, x).

    Returns how many finite numbers were compared.
    """
    compared = 0
    cube = stats[band].transpose("time", "parcel", "statistic")
    for date, plane in enumerate(planes):
        oracle = exactly(plane, ground, parcels)
        for name in EXACTEXTRACT:
            mine = cube[date].sel(statistic=name).values
            theirs = oracle[name].to_numpy(dtype=float)
            # What cancels in a deviation is bound by float32 steps of its terms.
            atol = 1e-7 if name == "std" else 1e-9
            np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=atol, err_msg=name)
            compared += int(np.isfinite(theirs).sum())
    return compared
