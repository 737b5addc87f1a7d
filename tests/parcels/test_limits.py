from __future__ import annotations

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from shapely import Point, box

from cbmcube.exceptions import OptionError, ParcelsTooLargeError
from cbmcube.parcels import ReadLimits, read_parcels

SUFFIXES = ["gpkg", "shp", "geojson", "fgb", "parquet"]


def write(shapes, path):
    given = gpd.GeoDataFrame({"number": range(len(shapes))}, geometry=shapes, crs="EPSG:32632")
    given.to_parquet(path) if path.suffix == ".parquet" else given.to_file(path)
    return path


@pytest.fixture(params=SUFFIXES)
def discs(request, tmp_path):
    """5 discs of 65 vertices: 325."""
    shapes = [Point(1000 * i, 0).buffer(100, quad_segs=16) for i in range(5)]
    assert shapely.get_num_coordinates(shapes).sum() == 325
    return write(shapes, tmp_path / f"p.{request.param}")


@pytest.mark.parametrize(("what", "enough"), [("features", 5), ("vertices", 325)])
def test_at_and_below_the_limit(discs, what, enough):
    assert len(read_parcels(discs, id="number", limits=ReadLimits(**{what: enough}))) == 5
    with pytest.raises(ParcelsTooLargeError, match=f"too many {what}") as caught:
        read_parcels(discs, id="number", limits=ReadLimits(**{what: enough - 1}))
    assert f"ReadLimits({what}={enough})" in str(caught.value)


def test_bytes(discs):
    with pytest.raises(ParcelsTooLargeError, match="too many bytes"):
        read_parcels(discs, id="number", limits=ReadLimits(bytes=1000))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_far_too_many_vertices_are_refused_before_they_are_kept(tmp_path, suffix, monkeypatch):
    shapes = [Point(1000 * i, 0).buffer(100, quad_segs=200) for i in range(50)]
    path = write(shapes, tmp_path / f"p.{suffix}")

    def refuse(*_args, **_options):
        raise AssertionError("the geometries were read before they were counted")

    monkeypatch.setattr(pyogrio, "read_dataframe", refuse)
    monkeypatch.setattr(gpd, "read_parquet", refuse)
    with pytest.raises(ParcelsTooLargeError, match="too many vertices"):
        read_parcels(path, id="number", limits=ReadLimits(vertices=1000))


def test_a_parquet_file_that_repeats_one_large_value(tmp_path):
    """A dictionary holds it once, so 2,000 discs take hardly more room than one."""
    write([Point(0, 0).buffer(100, quad_segs=500)], tmp_path / "p.parquet")
    one = pq.read_table(tmp_path / "p.parquet")
    many = pa.Table.from_arrays(
        [
            pa.array(np.zeros(2_000, np.int64)),
            one["geometry"].combine_chunks().take(np.zeros(2_000, int)),
        ],
        schema=one.select(["number", "geometry"]).schema,
    )
    pq.write_table(many, tmp_path / "many.parquet", dictionary_pagesize_limit=10_000_000)
    assert (tmp_path / "many.parquet").stat().st_size < 100_000
    with pytest.raises(ParcelsTooLargeError, match="too many vertices"):
        read_parcels(tmp_path / "many.parquet", id="row", limits=ReadLimits(vertices=100_000))


def test_the_sidecars_of_a_shapefile_count(tmp_path):
    path = write([box(0, 0, 1, 1)], tmp_path / "p.shp")
    size = sum((tmp_path / f"p.{s}").stat().st_size for s in ("shp", "shx", "dbf"))
    assert len(read_parcels(path, id="number", limits=ReadLimits(bytes=size))) == 1
    with pytest.raises(ParcelsTooLargeError):
        read_parcels(path, id="number", limits=ReadLimits(bytes=size - 1))


@pytest.mark.parametrize("wrong", [0, -1, 1.5, None])
def test_a_limit_is_a_whole_number(wrong):
    for what in ("features", "vertices", "bytes"):
        with pytest.raises(OptionError, match=f"limit of {what}"):
            ReadLimits(**{what: wrong})
