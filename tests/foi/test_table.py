"""The table of an assessment: types, order, and a way through files."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from cbmcube.foi import REASONS, STATUS, FoiRule, assess
from tests.foi.conftest import clusters_of, make_parcels, make_raster, patches, pixel_box

COLUMNS = {
    "status": "category",
    "reason": "category",
    "foi_h": "boolean",
    "foi_c": "boolean",
    "n_total": "uint32",
    "n_observed": "uint32",
    "n_valid": "uint32",
    "n_inside": "uint32",
    "dominant_class": "Int64",
    "dominant_share": "float32",
    "shannon": "float32",
    "simpson": "float32",
    "n_clusters_large": "uint32",
    "n_classes_large": "uint16",
    "share_0": "float32",
    "share_1": "float32",
}


def found(**options):
    codes = patches((60, 60), 1, classes=2)
    parcels = make_parcels(
        [pixel_box(0, 0, 30, 30), pixel_box(0, 0, 2, 2), pixel_box(9, 9, 59, 50)]
    )
    return assess(make_raster(codes), parcels.assign(crop="x"), **options)


def test_columns_and_types_are_frozen():
    table = found()
    assert isinstance(table, gpd.GeoDataFrame)
    assert [*table] == [
        *list(COLUMNS)[:14],
        "clusters",
        "share_0",
        "share_1",
        "params_id",
        "geometry",
    ]
    assert {name: str(table[name].dtype) for name in COLUMNS} == COLUMNS
    assert all(isinstance(one, list) for one in table["clusters"])
    assert tuple(table["status"].cat.categories) == STATUS
    assert tuple(table["reason"].cat.categories) == REASONS
    assert table.index.name == "parcel"
    assert {*table["params_id"]} == {FoiRule().params_id}


def test_clusters_come_largest_first_and_equals_by_class():
    codes = np.zeros((12, 36), dtype="uint8")
    codes[:, 12:24], codes[:, 24:] = 9, 4
    codes[:, 23] = codes[0, 0:12] = 7
    parcels = make_parcels([pixel_box(0, 0, 12, 36)])
    table = assess(make_raster(codes), parcels, rule=FoiRule(buffer_m=0, cluster_px=0))
    assert clusters_of(table) == [(4, 144), (0, 132), (9, 132), (7, 12), (7, 12)]


def test_a_table_survives_geoparquet(tmp_path):
    table = found()
    table.to_parquet(tmp_path / "foi.parquet")
    back = gpd.read_parquet(tmp_path / "foi.parquet")
    for number in range(3):
        assert clusters_of(back, number) == clusters_of(table, number)
    same = [name for name in table if name != "clusters"]
    pd.testing.assert_frame_equal(pd.DataFrame(back[same]), pd.DataFrame(table[same]))


def test_clusters_can_be_listed_one_by_one():
    table = found(rule=FoiRule(cluster_px=0))
    listed = table["clusters"].explode().dropna()
    assert len(listed) == table["n_clusters_large"].sum() > 10
    px = [pair[1] for pair in listed]
    assert sum(px) == table["n_inside"].sum()
