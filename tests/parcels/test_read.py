from __future__ import annotations

import json
import shutil
import zipfile

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from shapely import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box

from cbmcube.exceptions import (
    DuplicateIdError,
    MissingCRSError,
    MissingIdError,
    OptionError,
    ParcelsError,
    ReadError,
)
from cbmcube.parcels import parcels_report, read_parcels
from cbmcube.warnings import AbsurdCoordinatesWarning


def squares(n=3, **columns):
    columns = columns or {"number": list(range(7, 7 + n)), "code": list("abcdefgh"[:n])}
    shapes = [box(100 * i, 0, 100 * i + 90, 50) for i in range(n)]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:32632")


def write(given, folder, suffix):
    """Write parcels in one of the formats, also zipped, and return the path."""
    kind = suffix.removesuffix(".zip")
    path = folder / f"fields.{kind}"
    if kind == "parquet":
        given.to_parquet(path)
    elif kind == "fgb":
        # A spatially indexed file has an order of its own.
        given.to_file(path, driver="FlatGeobuf", SPATIAL_INDEX="NO")
    elif kind == "gdb":
        if "w" not in pyogrio.list_drivers().get("OpenFileGDB", ""):
            pytest.skip("this GDAL does not write file geodatabases")
        given.to_file(path, driver="OpenFileGDB", TARGET_ARCGIS_VERSION="ARCGIS_PRO_3_2_OR_LATER")
    else:
        given.to_file(path, driver="GML" if kind == "gml" else None)
    if not suffix.endswith(".zip"):
        return path
    archive = folder / f"fields.{suffix}"
    with zipfile.ZipFile(archive, "w") as target:
        for file in sorted(folder.rglob("fields.*")) + sorted(path.glob("*")):
            if file.is_file() and file != archive:
                target.write(file, f"below/{file.relative_to(folder)}")
    return archive


FORMATS = ["gpkg", "shp", "geojson", "fgb", "gdb", "gml"]


@pytest.mark.parametrize("suffix", [*FORMATS, *(f"{s}.zip" for s in FORMATS), "parquet"])
def test_formats_agree(tmp_path, suffix):
    given = squares()
    parcels = read_parcels(write(given, tmp_path, suffix), id="number", crop="code")
    expected = given.set_index(pd.Index([7, 8, 9], name="parcel"))
    expected = expected.assign(crop=expected["code"])[["code", "crop", "geometry"]]
    found = parcels[["code", "crop", "geometry"]]
    if suffix.startswith("gdb"):  # it stores whole numbers of 0.1 mm and MultiPolygons
        found = found.set_geometry(
            shapely.set_precision(shapely.get_geometry(found.geometry, 0), 1e-3)
        )
        expected = expected.set_geometry(shapely.set_precision(expected.geometry, 1e-3))
    found, expected = (f.set_geometry(f.normalize()) for f in (found, expected))
    assert_geodataframe_equal(found, expected, check_dtype=False, check_index_type=False)


def test_a_bare_polygon_of_geojson(tmp_path):
    (tmp_path / "p.geojson").write_text(
        '{"type": "Polygon", "coordinates": [[[9, 49], [9.1, 49], [9.1, 49.1], [9, 49]]]}'
    )
    parcels = read_parcels(tmp_path / "p.geojson", id="fid")
    assert parcels.crs.to_epsg() == 4326
    assert parcels.geometry.iloc[0].equals(Polygon([(9, 49), (9.1, 49), (9.1, 49.1)]))


HALF_DISC = """
<x:FeatureCollection xmlns:x="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml/3.2">
<gml:featureMember><x:p><x:n>1</x:n><x:shape><gml:Surface srsName="urn:ogc:def:crs:EPSG::32632">
<gml:patches><gml:PolygonPatch><gml:exterior><gml:Ring><gml:curveMember><gml:Curve><gml:segments>
<gml:Arc><gml:posList>0 0 50 50 100 0</gml:posList></gml:Arc>
<gml:LineStringSegment><gml:posList>100 0 0 0</gml:posList></gml:LineStringSegment>
</gml:segments></gml:Curve></gml:curveMember></gml:Ring></gml:exterior></gml:PolygonPatch>
</gml:patches></gml:Surface></x:shape></x:p></gml:featureMember></x:FeatureCollection>
"""


def test_curves_become_lines(tmp_path):
    (tmp_path / "p.gml").write_text(HALF_DISC.lstrip())
    parcels = read_parcels(tmp_path / "p.gml", id="n")
    assert parcels.area.iloc[0] == pytest.approx(np.pi * 50**2 / 2, rel=2e-3)


class TestCleaning:
    def test_the_polygons_of_a_collection_are_kept(self, tmp_path):
        inner = GeometryCollection([Point(1, 1), box(500, 0, 510, 10)])
        mixed = GeometryCollection(
            [
                LineString([(0, 0), (9, 9)]),
                MultiPolygon([box(0, 0, 10, 10), box(20, 0, 40, 10)]),
                inner,
            ]
        )
        given = gpd.GeoDataFrame({"n": [1, 2]}, geometry=[mixed, box(0, 0, 5, 5)], crs="EPSG:32632")
        given.to_parquet(tmp_path / "p.parquet")
        parcels = read_parcels(tmp_path / "p.parquet", id="n")
        assert list(parcels.area) == [400.0, 25.0]
        assert parcels.geometry.iloc[0].geom_type == "MultiPolygon"
        read = parcels_report(parcels).read
        assert read["collections_reduced_to_polygons"] == 1
        assert read["geometries"] == {"POLYGON": 1, "MULTIPOLYGON": 1, "empty": 0}

    def test_a_collection_without_polygons_is_refused(self, tmp_path):
        shape = GeometryCollection([Point(1, 1), LineString([(0, 0), (9, 9)])])
        given = gpd.GeoDataFrame({"n": [1]}, geometry=[shape], crs="EPSG:32632")
        given.to_parquet(tmp_path / "p.parquet")
        with pytest.raises(ParcelsError, match="Geometrycollection"):
            read_parcels(tmp_path / "p.parquet", id="n")

    @pytest.mark.parametrize(
        ("crs", "wild", "sound"),
        [
            ("EPSG:32632", 1e30, 9.9e8),
            ("EPSG:32632", np.inf, 5e6),
            ("EPSG:4326", -4e5, 359.0),
            ("EPSG:32632", np.nan, 0.0),
        ],
    )
    def test_absurd_coordinates_are_reported(self, tmp_path, crs, wild, sound):
        with np.errstate(invalid="ignore"):
            shapes = [Polygon([(0, 0), (x, 0), (1, 1)]) for x in (sound or 2, wild)]
            gpd.GeoDataFrame({"n": ["a", "b"]}, geometry=shapes, crs=crs).to_parquet(
                tmp_path / "p.parquet"
            )
            with pytest.warns(AbsurdCoordinatesWarning, match="1 of 2 parcels(?s:.*)'b'") as caught:
                parcels = read_parcels(tmp_path / "p.parquet", id="n")
        assert [w.filename for w in caught] == [__file__]
        assert parcels_report(parcels).read["absurd_coordinates"] == 1
        assert len(parcels) == 2


class TestReport:
    def test_what_was_read(self, tmp_path):
        shapes = [shapely.force_3d(box(0, 0, 9, 9), 5.0), None, box(20, 0, 29, 9)]
        given = gpd.GeoDataFrame({"nr": [1, 2, 3], "code": list("abc")}, geometry=shapes, crs=32632)
        given.to_file(tmp_path / "p.gpkg", layer="fields")
        parcels = read_parcels(tmp_path / "p.gpkg", id="nr", crop="code")
        assert dict(parcels_report(parcels).read) == {
            "source": "p.gpkg",
            "format": "GeoPackage",
            "layer": "fields",
            "features": 3,
            "crs": "EPSG:32632",
            "id": ["nr"],
            "crop": "code",
            "crop_of_the_file_kept_as": None,
            "geometries": {"POLYGON": 2, "empty": 1},
            "vertices": 10,
            "heights_dropped": 1,
            "collections_reduced_to_polygons": 0,
            "absurd_coordinates": 0,
            "crop_list_of_another_country": [],
        }
        assert json.loads(json.dumps(parcels.attrs)) == parcels.attrs


def test_a_parcels_frame_survives_geoparquet(tmp_path):
    squares().set_index("number").rename_axis("parcel").to_parquet(tmp_path / "p.parquet")
    parcels = read_parcels(tmp_path / "p.parquet")
    assert list(parcels.index) == [7, 8, 9]


def test_another_geometry_name_becomes_geometry(tmp_path):
    squares().rename_geometry("outline").to_parquet(tmp_path / "p.parquet")
    parcels = read_parcels(tmp_path / "p.parquet", id="number")
    assert parcels.active_geometry_name == "geometry"
    assert parcels.crs.to_epsg() == 32632


@pytest.mark.parametrize("suffix", ["gpkg", "parquet"])
def test_heights_are_dropped(tmp_path, suffix):
    shape = Polygon([(0, 0, 5), (90, 0, 5), (90, 50, 6), (0, 50, 6)])
    given = gpd.GeoDataFrame({"number": [1]}, geometry=[shape], crs="EPSG:32632")
    path = tmp_path / f"p.{suffix}"
    given.to_parquet(path) if suffix == "parquet" else given.to_file(path)
    parcels = read_parcels(path, id="number")
    assert not parcels.has_z.any()
    assert parcels.area.iloc[0] == 4500.0


class TestIds:
    def test_a_usual_name_is_taken(self, tmp_path):
        for name in ("parcel", "parcel_id", "field_id"):
            path = tmp_path / f"{name}.gpkg"
            squares(**{name: ["x", "y", "z"]}).to_file(path)
            parcels = read_parcels(path)
            assert list(parcels.index) == ["x", "y", "z"]
            assert name not in parcels

    def test_two_usual_names_are_not_chosen_between(self, tmp_path):
        path = tmp_path / "p.gpkg"
        squares(parcel_id=[1, 2, 3], field_id=[4, 5, 6]).to_file(path)
        with pytest.raises(MissingIdError, match="parcel_id, field_id, fid"):
            read_parcels(path)

    def test_only_columns_that_could_be_ids_are_offered(self, tmp_path):
        path = tmp_path / "p.geojson"
        given = squares(
            name=["x", "y", "z"], area=[0.5, 1.5, 2.5], farm=[1, 1, 2], lot=[1.0, 2.0, 3.0]
        )
        given.to_file(path)
        with pytest.raises(MissingIdError) as caught:
            read_parcels(path)
        assert "unique in every row: name, lot, fid" in str(caught.value)

    def test_columns_of_lists_do_no_harm(self, tmp_path):
        features = json.loads(squares().to_json(to_wgs84=True))
        for feature in features["features"]:
            del feature["id"]
            feature["properties"]["tags"] = ["a", "b"]
        path = tmp_path / "p.geojson"
        path.write_text(json.dumps(features))
        with pytest.raises(MissingIdError, match="number, code, fid"):
            read_parcels(path)

    def test_an_absent_column_lists_the_columns(self, tmp_path):
        squares().to_file(tmp_path / "p.gpkg")
        with pytest.raises(MissingIdError, match=r"no column 'nr'.*") as caught:
            read_parcels(tmp_path / "p.gpkg", id="nr")
        assert "['number', 'code']" in str(caught.value)

    def test_null_ids(self, tmp_path):
        squares(a=["x", None, "z"], b=["1", "2", "3"]).to_file(tmp_path / "p.gpkg")
        for column in ("a", ["b", "a"]):
            with pytest.raises(MissingIdError, match="null"):
                read_parcels(tmp_path / "p.gpkg", id=column)

    def test_what_fiboa_and_inspire_prescribe_is_taken(self, tmp_path):
        squares(id=["x", "y", "z"]).to_parquet(tmp_path / "p.parquet")
        assert list(read_parcels(tmp_path / "p.parquet").index) == ["x", "y", "z"]
        squares(localId=["x", "y", "z"], other=[1, 2, 3]).to_file(tmp_path / "p.gpkg")
        assert list(read_parcels(tmp_path / "p.gpkg").index) == ["x", "y", "z"]

    def test_the_number_that_geojson_calls_id_is_not_taken(self, tmp_path):
        (tmp_path / "p.geojson").write_text(squares().to_json(to_wgs84=True))
        with pytest.raises(MissingIdError, match="number, code, fid"):
            read_parcels(tmp_path / "p.geojson")

    @pytest.mark.parametrize("suffix", ["gpkg", "parquet"])
    def test_rows_can_be_numbered(self, tmp_path, suffix):
        given, path = squares(number=[7, 7, 8]), tmp_path / f"p.{suffix}"
        given.to_parquet(path) if suffix == "parquet" else given.to_file(path)
        parcels = read_parcels(path, id="row")
        assert list(parcels.index) == [0, 1, 2]
        assert list(parcels["number"]) == [7, 7, 8]
        parcels = read_parcels(path, id=["number", "row"])
        assert list(parcels.index) == ["7/0", "7/1", "8/2"]

    def test_a_column_named_row_is_a_column(self, tmp_path):
        squares(row=["x", "y", "z"]).to_file(tmp_path / "p.gpkg")
        assert list(read_parcels(tmp_path / "p.gpkg", id="row").index) == ["x", "y", "z"]

    def test_ids_that_repeat_name_the_ways_out(self, tmp_path):
        columns = {"farm": [1, 1, 2], "lot": ["a", "b", "a"], "use": ["w", "w", "w"]}
        squares(**columns, nr=[5, 6, 7], share=[0.1, 0.2, 0.3]).to_parquet(tmp_path / "p.parquet")
        with pytest.raises(DuplicateIdError) as caught:
            read_parcels(tmp_path / "p.parquet", id="lot")
        what, value, allowed, hint = str(caught.value).splitlines()
        assert what == "the id 'lot' is not unique: 1 values repeat, in 1 surplus rows"
        assert value == "  given:   'a'"
        assert allowed == "  allowed: unique in every row: nr; unique beside lot: farm"
        assert "id=['lot', 'farm']" in hint
        assert "id='row'" in hint
        joined = read_parcels(tmp_path / "p.parquet", id=["lot", "farm"])
        assert list(joined.index) == ["a/1", "b/1", "a/2"]

    def test_parquet_has_no_feature_id(self, tmp_path):
        squares().to_parquet(tmp_path / "p.parquet")
        with pytest.raises(MissingIdError, match="no column 'fid'"):
            read_parcels(tmp_path / "p.parquet", id="fid")


class TestCrop:
    def test_an_absent_column(self, tmp_path):
        squares().to_file(tmp_path / "p.gpkg")
        with pytest.raises(ParcelsError, match="no column 'culture'"):
            read_parcels(tmp_path / "p.gpkg", id="number", crop="culture")

    def test_a_column_named_crop_is_kept_beside_the_codes(self, tmp_path):
        names = ["wheat", "maize", "rye"]
        squares(number=[1, 2, 3], crop=names, crop_code=[4, 5, 6]).to_file(tmp_path / "p.gpkg")
        parcels = read_parcels(tmp_path / "p.gpkg", id="number", crop="crop_code")
        assert list(parcels["crop"]) == [4, 5, 6]
        assert list(parcels["crop_code"]) == [4, 5, 6]
        assert list(parcels["crop_in_file"]) == names
        assert parcels_report(parcels).read["crop_of_the_file_kept_as"] == "crop_in_file"
        same = read_parcels(tmp_path / "p.gpkg", id="number", crop="crop")
        assert list(same["crop"]) == names
        assert "crop_in_file" not in same

    def test_reading_again_moves_nothing_more(self, tmp_path):
        given = squares(number=[1, 2, 3], crop=["a", "b", "c"], crop_code=[4, 5, 6])
        given.to_file(tmp_path / "p.gpkg")
        once = read_parcels(tmp_path / "p.gpkg", id="number", crop="crop_code")
        once.to_parquet(tmp_path / "p.parquet")
        again = read_parcels(tmp_path / "p.parquet", crop="crop_code")
        assert list(again.columns) == list(once.columns)
        changed = read_parcels(tmp_path / "p.parquet", crop="crop_in_file")
        assert list(changed["crop"]) == ["a", "b", "c"]
        assert list(changed["crop_in_file_2"]) == [4, 5, 6]

    @pytest.mark.parametrize("name", ["crop", "crop_code", "crop:code"])
    def test_a_usual_name_is_taken(self, tmp_path, name):
        squares(**{"number": [1, 2, 3], name: ["a", "b", "c"]}).to_file(tmp_path / "p.gpkg")
        parcels = read_parcels(tmp_path / "p.gpkg", id="number")
        assert list(parcels["crop"]) == ["a", "b", "c"]
        assert parcels_report(parcels).read["crop"] == name


class TestRefusals:
    def test_a_missing_file(self, tmp_path):
        with pytest.raises(ReadError, match=r"no\.gpkg") as caught:
            read_parcels(tmp_path / "no.gpkg")
        assert isinstance(caught.value.__cause__, FileNotFoundError)

    @pytest.mark.parametrize("path", ["https://example.org/p.gpkg", "/vsicurl/x", "PG:dbname=x"])
    def test_what_is_not_a_local_file(self, path):
        with pytest.raises(ReadError, match="only local files"):
            read_parcels(path)

    def test_a_folder(self, tmp_path):
        with pytest.raises(ReadError):
            read_parcels(tmp_path)

    @pytest.mark.parametrize("damage", ["header only", "cut"])
    def test_a_damaged_file(self, tmp_path, damage):
        path = tmp_path / "p.gpkg"
        squares().to_file(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: 100 if damage == "header only" else len(whole) // 3])
        with pytest.raises(ReadError, match="GeoPackage cannot be read") as caught:
            read_parcels(path, id="number")
        assert caught.value.__cause__ is not None

    def test_a_damaged_archive(self, tmp_path):
        path = tmp_path / "p.gpkg.zip"
        path.write_bytes(b"PK\x03\x04 and no more")
        with pytest.raises(ReadError, match="zip archive"):
            read_parcels(path)

    @pytest.mark.parametrize("name", ["p.vrt", "p.geojson", "p.gml", "p.shp", "p.gpkg"])
    def test_a_virtual_file_under_any_name(self, tmp_path, name):
        squares().to_file(tmp_path / "real.gpkg")
        before = (tmp_path / "real.gpkg").read_bytes()
        path = tmp_path / name
        path.write_text(
            '<OGRVRTDataSource><OGRVRTLayer name="real">'
            f"<SrcDataSource>{tmp_path / 'real.gpkg'}</SrcDataSource>"
            f"<SrcSQL>{'DELETE'} FROM real WHERE number = 7</SrcSQL>"
            "</OGRVRTLayer></OGRVRTDataSource>"
        )
        with pytest.raises(ReadError, match="points at other data"):
            read_parcels(path, id="number")
        with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
            archive.write(path, name)
        with pytest.raises(ReadError, match=f"points at other data(?s:.*){name}"):
            read_parcels(tmp_path / "p.zip", id="number")
        assert (tmp_path / "real.gpkg").read_bytes() == before

    def test_the_file_library_alone_would_follow_it(self, tmp_path):
        """What the test above guards against does happen."""
        squares().to_file(tmp_path / "real.gpkg")
        (tmp_path / "p.geojson").write_text(
            f'<OGRVRTDataSource><OGRVRTLayer name="real"><SrcDataSource>{tmp_path / "real.gpkg"}'
            "</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
        )
        assert len(gpd.read_file(tmp_path / "p.geojson")) == 3

    def test_a_pipeline(self, tmp_path):
        path = tmp_path / "p.geojson"
        path.write_text('{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline"}')
        with pytest.raises(ReadError, match="points at other data"):
            read_parcels(path)

    @pytest.mark.parametrize(
        ("suffix", "name", "message"),
        [
            ("gpkg", "p.shp", "named as Shapefile and holds GeoPackage"),
            ("geojson", "p.gpkg", "named as GeoPackage and holds GeoJSON"),
            ("gpkg", "p.parquet", "named as GeoParquet and holds GeoPackage"),
            ("parquet", "p.json", "named as GeoJSON and holds GeoParquet"),
        ],
    )
    def test_a_name_that_belies_the_content(self, tmp_path, suffix, name, message):
        path = write(squares(), tmp_path, suffix).rename(tmp_path / name)
        with pytest.raises(ReadError, match=message):
            read_parcels(path, id="number")
        with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
            archive.write(path, name)
        with pytest.raises(ReadError, match=message):
            read_parcels(tmp_path / "p.zip", id="number")

    def test_a_driver_that_the_format_does_not_have(self, tmp_path):
        """TopoJSON shares the extension and the look of GeoJSON."""
        arc = {"type": "Polygon", "arcs": [[0]], "properties": {"coordinates": 1}}
        topology = {
            "type": "Topology",
            "objects": {"p": {"type": "GeometryCollection", "geometries": [arc]}},
            "arcs": [[[0, 0], [1, 0], [1, 1], [0, 0]]],
        }
        path = tmp_path / "p.json"
        path.write_text(json.dumps(topology))
        assert pyogrio.read_info(path)["driver"] == "TopoJSON"
        with pytest.raises(ReadError, match="looks like GeoJSON and would be read as TopoJSON"):
            read_parcels(path, id="fid")

    @pytest.mark.parametrize("name", ["p.db", "p.txt", "p"])
    def test_an_extension_of_no_format(self, tmp_path, name):
        path = write(squares(), tmp_path, "gpkg").rename(tmp_path / name)
        with pytest.raises(ReadError, match=r"vector formats(?s:.*)\.gpkg"):
            read_parcels(path, id="number")

    def test_real_data_named_vrt(self, tmp_path):
        squares().to_file(tmp_path / "p.gpkg")
        shutil.copy(tmp_path / "p.gpkg", tmp_path / "p.vrt")
        with pytest.raises(ReadError, match="vector formats"):
            read_parcels(tmp_path / "p.vrt", id="number")

    @pytest.mark.parametrize("content", [b"", b"id,wkt\n1,POINT (0 0)\n", b'{"a": 1}', b"<kml/>"])
    def test_other_content(self, tmp_path, content):
        (tmp_path / "p.geojson").write_bytes(content)
        with pytest.raises(ReadError, match="vector formats"):
            read_parcels(tmp_path / "p.geojson")

    def test_a_query_is_for_databases(self, tmp_path):
        squares().to_file(tmp_path / "p.gpkg")
        for option in ({"table": "p"}, {"sql": "SELECT 1"}):
            with pytest.raises(OptionError, match="databases only"):
                read_parcels(tmp_path / "p.gpkg", id="number", **option)

    @pytest.mark.trap("T38")
    def test_no_crs(self, tmp_path):
        squares().to_file(tmp_path / "p.shp")
        (tmp_path / "p.prj").unlink()
        with pytest.raises(MissingCRSError, match=r"\.prj"):
            read_parcels(tmp_path / "p.shp", id="number")

    def test_a_table_without_geometries(self, tmp_path):
        pyogrio.write_dataframe(pd.DataFrame({"number": [1]}), tmp_path / "p.gpkg")
        with pytest.raises(ParcelsError, match="holds parcels"):
            read_parcels(tmp_path / "p.gpkg", id="number")

    @pytest.mark.parametrize("suffix", ["gpkg", "parquet"])
    def test_no_rows(self, tmp_path, suffix):
        path = tmp_path / f"p.{suffix}"
        none = squares().iloc[:0]
        none.to_parquet(path) if suffix == "parquet" else none.to_file(path)
        with pytest.raises(ParcelsError, match=r"no parcels|holds parcels"):
            read_parcels(path, id="number")

    def test_lines_and_points(self, tmp_path):
        shapes = [Point(0, 0), LineString([(0, 0), (1, 1)])]
        gpd.GeoDataFrame({"n": ["a", "b"]}, geometry=shapes, crs=4326).to_file(
            tmp_path / "p.geojson"
        )
        with pytest.raises(ParcelsError, match="not polygons"):
            read_parcels(tmp_path / "p.geojson", id="n")


class TestLayers:
    def write(self, path):
        squares(1).to_file(path, layer="one")
        squares(2).to_file(path, layer="two")

    def test_several_layers_must_be_named(self, tmp_path):
        self.write(tmp_path / "p.gpkg")
        with pytest.raises(ParcelsError, match="one, two"):
            read_parcels(tmp_path / "p.gpkg", id="number")
        assert len(read_parcels(tmp_path / "p.gpkg", id="number", layer="two")) == 2

    def test_the_only_layer_that_holds_parcels_is_taken(self, tmp_path):
        squares().iloc[:0].to_file(tmp_path / "p.gpkg", layer="empty")
        squares(2).to_file(tmp_path / "p.gpkg", layer="two")
        assert len(read_parcels(tmp_path / "p.gpkg", id="number")) == 2

    def test_of_a_gml(self, tmp_path):
        path = tmp_path / "p.gml"
        squares(2).to_file(path, driver="GML")
        text = path.read_text()
        member = text[text.index("<ogr:featureMember") : text.rindex("</ogr:FeatureCollection")]
        member = member.replace("ogr:p ", "ogr:q ").replace("ogr:p>", "ogr:q>")
        path.write_text(text.replace("</ogr:FeatureCollection", member + "</ogr:FeatureCollection"))
        path.with_suffix(".xsd").unlink()
        with pytest.raises(ParcelsError, match=r"several layers(?s:.*)'q'"):
            read_parcels(path, id="number")
        assert len(read_parcels(path, id="number", layer="q")) == 2
        with pytest.raises(ReadError, match="layer 'z'"):
            read_parcels(path, id="number", layer="z")


def test_a_ring_that_is_not_closed_is_closed(tmp_path):
    features = json.loads(squares(1).to_json(to_wgs84=True))
    features["features"][0]["geometry"]["coordinates"][0].pop()
    (tmp_path / "p.geojson").write_text(json.dumps(features))
    with pytest.warns(RuntimeWarning, match="Non closed ring"):
        parcels = read_parcels(tmp_path / "p.geojson", id="number")
    assert parcels.to_crs(32632).area.iloc[0] == pytest.approx(4500.0, rel=1e-6)
