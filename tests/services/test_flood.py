"""A hub's own example, the flood map of its notebook, in ten lines on the native Equi7 grid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import odc.stac
import pystac
import pytest
import rasterio
import shapely
import shapely.geometry
import xarray as xr
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

import cbmcube as cbm

pytestmark = pytest.mark.service_stac

EQUI7_EUROPE = CRS("EPSG:27704")
LEFT, TOP, STEP = 5_100_000, 1_800_000, 20
ROWS, COLUMNS = 150, 200


def write_layer(path, values, left):
    profile = {
        "driver": "COG",
        "dtype": "uint8",
        "count": 1,
        "height": ROWS,
        "width": COLUMNS,
        "crs": str(EQUI7_EUROPE),
        "transform": Affine(STEP, 0, left, 0, -STEP, TOP),
        "nodata": 255,
    }
    with rasterio.open(path, "w", **profile) as target:
        target.write(values, 1)


def flood_item(folder, number, tile):
    """Return an item as the hub serves them, reconstructed from its public notebooks."""
    left = LEFT + tile * COLUMNS * STEP
    rng = np.random.default_rng([number, tile])
    values = rng.choice([0, 1, 255], p=[0.6, 0.3, 0.1], size=(ROWS, COLUMNS)).astype("uint8")
    time = datetime(2022, 9, 1, 5, 30, tzinfo=UTC) + timedelta(days=12 * number, seconds=25 * tile)
    name = f"ENSEMBLE_FLOOD_{time:%Y%m%dT%H%M%S}_VV_EU020M_E{51 + tile:03d}N018T3"
    write_layer(folder / f"{name}.tif", values, left)
    grid = GeoBox((ROWS, COLUMNS), Affine(STEP, 0, left, 0, -STEP, TOP), EQUI7_EUROPE)
    footprint = shapely.geometry.mapping(grid.geographic_extent.geom)
    item = pystac.Item(
        name,
        geometry=footprint,
        bbox=list(grid.geographic_extent.boundingbox),
        datetime=time,
        collection="GFM",
        properties={
            "gsd": STEP,
            "Equi7Tile": name[-19:],
            "platform": "sentinel-1a",
            "sat:relative_orbit": 44,
            "sat:orbit_state": "descending",
            "proj:wkt2": EQUI7_EUROPE.to_wkt(),
            "proj:shape": [ROWS, COLUMNS],
            "proj:transform": [STEP, 0, left, 0, -STEP, TOP],
        },
    )
    item.add_asset(
        "ensemble_flood_extent",
        pystac.Asset(str(folder / f"{name}.tif"), media_type=pystac.MediaType.COG, roles=["data"]),
    )
    return item.to_dict()


@pytest.fixture
def flood_api(own_stac_api, tmp_path):
    """Serve three passes over two neighbouring tiles."""
    collection = pystac.Collection(
        "GFM",
        "Flood extent, reconstructed",
        pystac.Extent(
            pystac.SpatialExtent([[-180, -90, 180, 90]]),
            pystac.TemporalExtent([[datetime(2022, 1, 1, tzinfo=UTC), None]]),
        ),
    ).to_dict()
    items = [flood_item(tmp_path, number, tile) for number in range(3) for tile in range(2)]
    own_stac_api.load([collection], items)
    return own_stac_api.url


def at_home(item):
    """Return an item without the API's address, on which odc-stac would look for its files."""
    copy = item.clone()
    copy.remove_links("self")
    return copy


def test_the_flood_map_of_the_hubs_notebook(flood_api, tmp_path):
    west, south, east, north = GeoBox(
        (ROWS, 2 * COLUMNS), Affine(STEP, 0, LEFT, 0, -STEP, TOP), EQUI7_EUROPE
    ).geographic_extent.boundingbox
    area = (west, south, east, north)

    catalog = cbm.open_catalog(flood_api, access=cbm.AccessPolicy(roots=(tmp_path,)))
    items = cbm.search(catalog, cbm.GFM, aoi=area, period="2022-09")
    flood = cbm.load(items, cbm.GFM).FLOOD
    seen = flood.where((flood != 255) & (flood != 0))
    total = seen.sum("time").compute()
    picture = total.plot()

    assert len(items) == 6
    assert flood.dtype == "uint8"
    assert CRS(flood.odc.crs).epsg == 27704
    assert flood.odc.geobox.shape == (ROWS, 2 * COLUMNS)
    assert flood.sizes["time"] == 3
    assert picture is not None
    plain = odc.stac.load(
        [at_home(item) for item in items],
        bands=["ensemble_flood_extent"],
        crs=EQUI7_EUROPE,
        resolution=STEP,
        chunks={},
        groupby="solar_day",
        stac_cfg={"GFM": {"assets": {"*": {"data_type": "uint8", "nodata": 255}}}},
    ).ensemble_flood_extent
    expected = plain.where((plain != 255) & (plain != 0)).sum("time").compute()
    xr.testing.assert_equal(
        total.drop_vars("spatial_ref"), expected.drop_vars("spatial_ref").rename(total.name)
    )
    assert 0 < float(total.mean()) < 3
