"""Declared parcels of eleven countries: every file as its publisher writes it."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Geod

from cbmcube.exceptions import DuplicateIdError, MissingIdError, ParcelsError, ReadError
from cbmcube.parcels import parcels_report, prepare_parcels, read_parcels
from cbmcube.warnings import CropListWarning

pytestmark = pytest.mark.realdata


@dataclass(frozen=True)
class Declared:
    """One file, how it is read, and the table that describes the data."""

    name: str
    count: int
    epsg: int
    multi: int
    crops: int | None
    hectares: tuple[float, float, float]
    first: object = None
    id: str | list[str] | None = None
    crop: str | None = None
    layer: str | None = None

    def read(self, folder):
        path = folder / self.name
        if path.suffix != ".parquet":
            return read_parcels(path, id=self.id, crop=self.crop, layer=self.layer)
        with pytest.warns(CropListWarning, match=r"DK: nl_2020\.csv"):
            return read_parcels(path, id=self.id)


AT = Declared("AT.gpkg.zip", 100, 31287, 0, 15, (0.0062, 0.284, 4.01))
BE = Declared("BE-VLG.gpkg.zip", 100, 31370, 0, 15, (0.0143, 0.902, 11.39))
CH = Declared("CH.gpkg", 100, 2056, 100, 2, (0.048, 1.518, 18.8))
DE = Declared("DE-BB.shp.zip", 100, 25833, 1, 15, (0.0003, 0.512, 39.65))
DK = Declared("DK.shp.zip", 100, 25832, 0, 21, (0.0452, 1.455, 23.1))
FIBOA = Declared("DK_fiboa_2024.parquet", 100, 25832, 0, 23, (0.0585, 2.459, 46.35))
FI = Declared("FI.gpkg", 100, 3067, 0, 19, (0.0557, 1.644, 16.34), crop="KASVIKOODI")
IE = Declared("IE.gml.zip", 100, 4258, 100, None, (0.2082, 2.675, 12.94))
NL = Declared("NL.gpkg", 100, 28992, 0, 16, (0.0004, 0.062, 5.4))
PT = Declared("PT.gpkg", 100, 3763, 100, 20, (0.0053, 0.087, 1.39), layer="Culturas_Aveiro")
SE = Declared("SE.shp.zip", 10, 3006, 0, 6, (0.0951, 0.417, 10.53))
SI = Declared("SI.shp.zip", 100, 3794, 0, 15, (0.0031, 0.187, 4.60))

DECLARED = [
    replace(AT, id="GEO_ID", first=106806035, crop="SNAR_CODE"),
    replace(BE, id="REF_ID", first=487348814, crop="GWSCOD_H"),
    replace(CH, id="nutzungsidentifikator", first="GE_2023_14917", crop="lnf_code"),
    replace(DE, id="row", first=0, crop="code"),
    replace(DK, id=["Marknr", "Journalnr"], first="1-0/26-0023282", crop="Afgkode"),
    replace(FIBOA, id="row", first=0),
    replace(FI, id=["PERUSLOHKOTUNNUS", "LOHKONUMERO"]),
    replace(FI, id="TUNNUS", first=1),
    replace(IE, first="679943CC0D142D9AFD95339A657760BD808CF65DE305799DD79C88B6163A79F8"),
    replace(NL, id="fid", first=1, crop="gewascode"),
    replace(PT, id="CUL_ID", first=305571, crop="CUL_CODIGO"),
    replace(SE, id=["blockid", "skiftesbet"], first="61373406277/1A", crop="grdkod_mar"),
    replace(SI, id="ID", first=11, crop="SIFRA_KMRS"),
]


@pytest.fixture
def folder(realdata):
    return realdata / "parcels"


@pytest.fixture(params=DECLARED, ids=lambda case: f"{case.name}-{case.id or 'found'}")
def case(request, folder):
    return request.param, request.param.read(folder)


class TestEveryCountry:
    def test_is_read(self, case):
        expected, parcels = case
        assert (len(parcels), parcels.crs.to_epsg()) == (expected.count, expected.epsg)
        assert parcels.index.name == "parcel"
        assert parcels.index.is_unique
        assert expected.first in (None, parcels.index[0])
        assert (parcels.geom_type == "MultiPolygon").sum() == expected.multi
        assert parcels.active_geometry_name == "geometry"
        assert not parcels.has_z.any()
        assert ("crop" in parcels) == (expected.crops is not None)
        if expected.crops is not None:
            assert parcels["crop"].nunique() == expected.crops
        facts = parcels_report(parcels).read
        assert facts["features"] == sum(facts["geometries"].values()) == expected.count
        assert facts["absurd_coordinates"] == facts["heights_dropped"] == 0

    def test_is_measured(self, case):
        expected, parcels = case
        found = prepare_parcels(parcels, buffer="half_pixel")
        hectares = found["area_m2"] / 10_000
        least, median, most = expected.hectares
        # The described areas are in the national grids, and rounded.
        assert hectares.min() == pytest.approx(least, rel=0.01, abs=6e-5)
        assert hectares.median() == pytest.approx(median, rel=0.005, abs=6e-4)
        assert hectares.max() == pytest.approx(most, rel=0.005)
        assert (found["geom_status"] == "VALID").all()
        assert found["duplicate_of"].isna().all()
        # A parcel cannot hold more whole pixels than its area, and a circle is the roundest.
        assert (found["n_full_10"] * 100 <= found["area_m2"] * 1.01).all()
        assert (found["n_full_20"] * 4 <= found["n_full_10"]).all()
        assert (found["shape_index"] >= 1.0).all()
        assert found["side_ratio"].between(0, 1).all()
        if expected.name == "NL.gpkg":
            assert (found["area_m2"] < 100).sum() == 9

    def test_has_the_area_of_the_ellipsoid(self, case):
        _, parcels = case
        degrees = shapely.orient_polygons(parcels.to_crs(4326).geometry.to_numpy())
        areas = [Geod(ellps="GRS80").geometry_area_perimeter(shape)[0] for shape in degrees]
        found = prepare_parcels(parcels)["area_m2"].to_numpy()
        # The geodesic algorithm rounds by about 0.1 m2 for each vertex.
        rounding = 0.1 * shapely.get_num_coordinates(degrees)
        assert (np.abs(found - areas) <= 2e-5 * found + rounding).all()


def test_ids_keep_their_values(folder):
    flemish = read_parcels(folder / "BE-VLG.gpkg.zip", id="REF_ID")
    assert pd.api.types.is_integer_dtype(flemish.index)
    finnish = read_parcels(folder / "FI.gpkg", id="TUNNUS")
    stored = gpd.read_file(folder / "FI.gpkg")["TUNNUS"]
    assert stored.dtype == np.float64  # whole numbers stored as floats
    assert pd.api.types.is_integer_dtype(finnish.index)
    assert (finnish.index.to_numpy() == stored.to_numpy()).all()
    joined = read_parcels(folder / "FI.gpkg", id=["PERUSLOHKOTUNNUS", "LOHKONUMERO"])
    assert not joined.index.str.contains(".", regex=False).any()


def test_the_empty_default_layer_names_the_ones_that_hold_parcels(folder):
    for layer in (None, "Continente", "Madeira"):
        with pytest.raises(ParcelsError, match="Culturas_Aveiro") as caught:
            read_parcels(folder / "PT.gpkg", id="CUL_ID", layer=layer)
        assert "OcupacoesSolo_Aveiro" in str(caught.value)


def test_no_id_column(folder):
    with pytest.raises(MissingIdError, match="no column is unique|feature id of the file"):
        read_parcels(folder / "NL.gpkg")


@pytest.mark.parametrize(
    ("name", "column", "surplus"),
    # distinct values: 82, 62 and 93 of 100
    [
        ("DE-BB.shp.zip", "ref_ident", 18),
        ("DK.shp.zip", "Marknr", 38),
        ("DK_fiboa_2024.parquet", None, 7),
    ],
)
def test_ids_that_repeat_are_refused_with_a_way_out(folder, name, column, surplus):
    with pytest.raises(DuplicateIdError, match=f"in {surplus} surplus rows") as caught:
        read_parcels(folder / name, id=column)
    assert "id='row'" in str(caught.value)
    if name == "DK.shp.zip":
        assert "unique beside Marknr: Journalnr" in str(caught.value)


def test_parquet_without_geo_metadata_says_what_to_do(realdata):
    path = realdata / "france-lpis" / "2023_FRA_LPIS_POLY_110.geoparquet"
    with pytest.raises(ReadError, match=r"binary columns \['geometry'\](?s:.*)from_wkb"):
        read_parcels(path, id="sample_id")


def test_nothing_is_written_beside_a_gml(folder, tmp_path):
    with zipfile.ZipFile(folder / "IE.gml.zip") as archive:
        archive.extractall(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    gml = next(path for path in before if path.suffix == ".gml")
    assert len(read_parcels(gml)) == 100
    assert sorted(tmp_path.rglob("*")) == before


def test_a_bare_polygon(realdata):
    parcels = read_parcels(realdata / "spain" / "field.geojson", id="fid")
    found = prepare_parcels(parcels).iloc[0]
    assert found["area_m2"] == pytest.approx(232_400, rel=1e-3)  # described as 23.24 ha
