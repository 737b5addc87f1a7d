from __future__ import annotations

import json
import shutil
import zipfile

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from geopandas.testing import assert_geodataframe_equal
from shapely import LineString, Point, Polygon, box

from cbmcube.exceptions import (
    DuplicateIdError,
    MissingCRSError,
    MissingIdError,
    ParcelsError,
    ReadError,
)
from cbmcube.parcels import read_parcels

# file, arguments, count, EPSG, first id, distinct crop codes; read off the files themselves
DECLARED = [
    ("AT.gpkg.zip", {"id": "GEO_ID", "crop": "SNAR_CODE"}, 100, 31287, 15),
    ("BE-VLG.gpkg.zip", {"id": "REF_ID", "crop": "GWSCOD_H"}, 100, 31370, 15),
    ("CH.gpkg", {"id": "nutzungsidentifikator", "crop": "lnf_code"}, 100, 2056, 2),
    ("DE-BB.shp.zip", {"id": "fid", "crop": "code"}, 100, 25833, 15),
    ("DK.shp.zip", {"id": ["Journalnr", "Marknr"], "crop": "Afgkode"}, 100, 25832, 21),
    ("FI.gpkg", {"id": ["PERUSLOHKOTUNNUS", "LOHKONUMERO"], "crop": "KASVIKOODI"}, 100, 3067, 19),
    ("FI.gpkg", {"id": "TUNNUS", "crop": "KASVIKOODI"}, 100, 3067, 19),
    ("IE.gml.zip", {"id": "localId"}, 100, 4258, None),
    ("NL.gpkg", {"id": "id", "crop": "gewascode"}, 100, 28992, 16),
    ("PT.gpkg", {"id": "CUL_ID", "crop": "CUL_CODIGO", "layer": "Culturas_Aveiro"}, 100, 3763, 20),
    ("SE.shp.zip", {"id": ["blockid", "skiftesbet"], "crop": "grdkod_mar"}, 10, 3006, 6),
    ("SI.shp.zip", {"id": "ID", "crop": "SIFRA_KMRS"}, 100, 3794, 15),
]


def squares(n=3, **columns):
    columns = columns or {"number": list(range(7, 7 + n)), "code": list("abcdefgh"[:n])}
    shapes = [box(100 * i, 0, 100 * i + 90, 50) for i in range(n)]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:32632")


class TestDeclaredParcels:
    @pytest.mark.parametrize(("name", "arguments", "count", "epsg", "crops"), DECLARED)
    def test_every_country_is_read(self, realdata, name, arguments, count, epsg, crops):
        parcels = read_parcels(realdata / "parcels" / name, **arguments)
        assert len(parcels) == count
        assert parcels.crs.to_epsg() == epsg
        assert parcels.index.name == "parcel"
        assert parcels.index.is_unique
        assert parcels.is_valid.all()
        assert not parcels.has_z.any()
        assert parcels.active_geometry_name == "geometry"
        if crops is not None:
            assert parcels["crop"].nunique() == crops

    def test_ids_keep_their_values(self, realdata):
        folder = realdata / "parcels"
        danish = read_parcels(folder / "DK.shp.zip", id=["Journalnr", "Marknr"])
        assert danish.index[0] == "26-0023282/1-0"
        dutch = read_parcels(folder / "NL.gpkg", id="fid")
        assert list(dutch.index[:2]) == [1, 2]
        flemish = read_parcels(folder / "BE-VLG.gpkg.zip", id="REF_ID")
        assert pd.api.types.is_integer_dtype(flemish.index)

    def test_whole_numbers_stored_as_floats_become_integers(self, realdata):
        path = realdata / "parcels" / "FI.gpkg"
        stored = gpd.read_file(path)["TUNNUS"]
        assert stored.dtype == np.float64
        parcels = read_parcels(path, id="TUNNUS")
        assert pd.api.types.is_integer_dtype(parcels.index)
        assert (parcels.index.to_numpy() == stored.to_numpy()).all()
        joined = read_parcels(path, id=["PERUSLOHKOTUNNUS", "LOHKONUMERO"])
        assert not joined.index.str.contains(".", regex=False).any()

    def test_the_empty_default_layer_names_the_ones_that_hold_parcels(self, realdata):
        path = realdata / "parcels" / "PT.gpkg"
        for layer in (None, "Continente", "Madeira"):
            with pytest.raises(ParcelsError, match="Culturas_Aveiro") as caught:
                read_parcels(path, id="CUL_ID", layer=layer)
            assert "OcupacoesSolo_Aveiro" in str(caught.value)

    def test_ids_that_repeat_are_refused(self, realdata):
        folder = realdata / "parcels"
        # distinct values: 82 of 100, 62 of 100, 93 of 100
        for name, column, surplus in [
            ("DE-BB.shp.zip", "ref_ident", 18),
            ("DK.shp.zip", "Marknr", 38),
            ("DK_fiboa_2024.parquet", "id", 7),
        ]:
            with pytest.raises(DuplicateIdError, match=f"in {surplus} surplus"):
                read_parcels(folder / name, id=column)

    def test_geoparquet(self, realdata, tmp_path):
        table = gpd.read_parquet(realdata / "parcels" / "DK_fiboa_2024.parquet")
        path = tmp_path / "unique.parquet"
        table = table.drop_duplicates("id")
        table.to_parquet(path)
        parcels = read_parcels(path, id="id", crop="crop:code")
        assert len(parcels) == 93
        assert parcels.crs.to_epsg() == 25832
        assert set(parcels["crop"]) == set(table["crop:code"])

    def test_parquet_without_geometries_says_what_to_do(self, realdata):
        path = realdata / "france-lpis" / "2023_FRA_LPIS_POLY_110.geoparquet"
        with pytest.raises(ReadError, match="from_wkb") as caught:
            read_parcels(path, id="sample_id")
        assert isinstance(caught.value.__cause__, ValueError)

    def test_nothing_is_written_beside_a_gml(self, realdata, tmp_path):
        with zipfile.ZipFile(realdata / "parcels" / "IE.gml.zip") as archive:
            archive.extractall(tmp_path)
        before = sorted(tmp_path.rglob("*"))
        gml = next(path for path in before if path.suffix == ".gml")
        assert len(read_parcels(gml, id="localId")) == 100
        assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb", "parquet"])
def test_formats_agree(tmp_path, suffix):
    path = tmp_path / f"fields.{suffix}"
    # Four numbers: a spatially indexed format keeps the order of so few along x.
    given = squares()
    if suffix == "parquet":
        given.to_parquet(path)
    elif suffix == "fgb":
        given.to_file(path, driver="FlatGeobuf", SPATIAL_INDEX="NO")
    else:
        given.to_file(path)
    parcels = read_parcels(path, id="number", crop="code")
    expected = given.set_index(pd.Index([7, 8, 9], name="parcel"))
    expected = expected.assign(crop=expected["code"])[["code", "crop", "geometry"]]
    found = parcels[["code", "crop", "geometry"]]
    assert_geodataframe_equal(found, expected, check_dtype=False, check_index_type=False)


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

    def test_parquet_has_no_feature_id(self, tmp_path):
        squares().to_parquet(tmp_path / "p.parquet")
        with pytest.raises(MissingIdError, match="no column 'fid'"):
            read_parcels(tmp_path / "p.parquet", id="fid")


class TestCrop:
    def test_an_absent_column(self, tmp_path):
        squares().to_file(tmp_path / "p.gpkg")
        with pytest.raises(ParcelsError, match="no column 'culture'"):
            read_parcels(tmp_path / "p.gpkg", id="number", crop="culture")

    def test_a_different_crop_column_is_not_overwritten(self, tmp_path):
        squares(number=[1, 2, 3], crop=["a", "b", "c"], code=[4, 5, 6]).to_file(tmp_path / "p.gpkg")
        with pytest.raises(ParcelsError, match="column 'crop' beside"):
            read_parcels(tmp_path / "p.gpkg", id="number", crop="code")
        same = read_parcels(tmp_path / "p.gpkg", id="number", crop="crop")
        assert list(same["crop"]) == ["a", "b", "c"]


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

    @pytest.mark.parametrize("name", ["p.vrt", "p.geojson", "p.gml", "p.shp"])
    def test_a_virtual_file_under_any_name(self, tmp_path, name):
        squares().to_file(tmp_path / "real.gpkg")
        path = tmp_path / name
        path.write_text(
            '<OGRVRTDataSource><OGRVRTLayer name="real">'
            f"<SrcDataSource>{tmp_path / 'real.gpkg'}</SrcDataSource>"
            "</OGRVRTLayer></OGRVRTDataSource>"
        )
        assert len(gpd.read_file(path)) == 3  # geopandas follows it
        with pytest.raises(ReadError, match="points at other data"):
            read_parcels(path, id="number")
        with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
            archive.write(path, name)
        with pytest.raises(ReadError, match=f"points at other data(?s:.*){name}"):
            read_parcels(tmp_path / "p.zip", id="number")

    def test_a_pipeline(self, tmp_path):
        path = tmp_path / "p.geojson"
        path.write_text('{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline"}')
        with pytest.raises(ReadError, match="points at other data"):
            read_parcels(path)

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
