from __future__ import annotations

import json

import geopandas as gpd
import pandas as pd
import pytest
from packaging.version import Version
from shapely import MultiPolygon, Polygon, box

from cbmcube.exceptions import ParcelsError
from cbmcube.parcels import check_parcels, parcels_report, prepare_parcels, read_parcels
from cbmcube.warnings import RepairedParcelsWarning

X, Y = 500_000.0, 5_500_000.0


def square(dx=0.0, size=100.0):
    return box(X + dx, Y, X + dx + size, Y + size)


@pytest.fixture
def prepared(tmp_path):
    """One parcel for each problem, and a sound one: a, b, … in this order."""
    bow_tie = Polygon([(X, Y - 400), (X + 300, Y - 100), (X + 300, Y - 400), (X, Y - 100)])
    shapes = [
        square(),  # a: sound
        square(1000),  # b: the first of two
        square(1000),  # c: its duplicate
        bow_tie,  # d
        None,  # e
        square(2000, 8),  # f: emptied by the buffer
        MultiPolygon([square(3000), square(3200, 60)]),  # g: overlapped by h
        square(3050),  # h
    ]
    given = gpd.GeoDataFrame({"nr": list("abcdefgh")}, geometry=shapes, crs="EPSG:32632")
    given.to_parquet(tmp_path / "fields.parquet")
    parcels = read_parcels(tmp_path / "fields.parquet", id="nr")
    with pytest.warns(RepairedParcelsWarning):
        return prepare_parcels(parcels, buffer=-5.0)


PROBLEMS = {
    "repaired_changed": ("d",),
    "empty": ("e",),
    "duplicate": ("c",),
    "overlapping": ("b", "c", "g", "h"),
    "emptied_by_buffer": ("f",),
    "no_whole_pixel_of_10_m": ("e", "f"),
    "no_whole_pixel_of_20_m": ("e", "f"),
}


@pytest.mark.trap("T39")
def test_every_problem_is_listed(prepared):
    found = parcels_report(prepared)
    assert found.problems == PROBLEMS
    table = found.to_frame()
    assert list(table.columns) == ["parcel", "problem"]
    assert len(table) == sum(map(len, PROBLEMS.values()))
    assert list(table.loc[table["problem"] == "overlapping", "parcel"]) == ["b", "c", "g", "h"]


def test_the_facts_are_plain_json(prepared):
    facts = prepared.attrs["cbmcube:parcels"]
    assert json.loads(json.dumps(facts)) == facts
    assert facts["read"]["features"] == 8
    assert facts["prepared"]["noticed"] == {name: len(ids) for name, ids in PROBLEMS.items()}
    assert facts["prepared"]["geometry"] == {
        "VALID": 6,
        "REPAIRED": 0,
        "REPAIRED_CHANGED": 1,
        "EMPTY": 1,
    }
    assert facts["prepared"]["measured_in"] == "EPSG:3035"


@pytest.mark.skipif(
    Version(gpd.__version__) < Version("1.2"),
    reason="older geopandas keeps no attributes in GeoParquet",
)
def test_the_facts_survive_a_file_and_a_check(prepared, tmp_path):
    prepared.to_parquet(tmp_path / "p.parquet")
    again = gpd.read_parquet(tmp_path / "p.parquet")
    assert parcels_report(again).problems == PROBLEMS
    assert parcels_report(again).prepared == parcels_report(prepared).prepared
    assert parcels_report(check_parcels(again)).read["source"] == "fields.parquet"


def test_a_selection_reports_its_own_rows(prepared):
    some = parcels_report(prepared.loc[["a", "c"]])
    assert some.parcels == 2
    assert some.problems == {"duplicate": ("c",), "overlapping": ("c",)}
    assert some.read["features"] == 8


def test_the_text(prepared):
    text = repr(parcels_report(prepared))
    assert text.startswith("<ParcelsReport: 8 parcels>")
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "source fields.parquet" in lines
    assert "geometry VALID 6, REPAIRED_CHANGED 1, EMPTY 1" in lines
    assert "overlapping 4: b, c, g, h" in lines
    assert "buffer -5 m" in lines
    assert not any("absurd" in line for line in lines)  # what did not happen is not said
    page = parcels_report(prepared)._repr_html_()
    assert page.count("<tr>") == len(lines) - 1


def test_long_lists_are_cut_in_the_text_only():
    fields = gpd.GeoDataFrame(geometry=[square()] * 20, crs="EPSG:32632")
    found = parcels_report(prepare_parcels(fields))
    assert len(found.problems["duplicate"]) == 19
    assert "19: 1, 2, 3, 4, 5, and 14 more" in repr(found)


def test_a_name_cannot_become_markup():
    fields = gpd.GeoDataFrame(geometry=[square()] * 2, index=["a", "<b>"], crs="EPSG:32632")
    assert "&lt;b&gt;" in parcels_report(prepare_parcels(fields))._repr_html_()


@pytest.mark.parametrize("attrs", [{}, {"cbmcube:parcels": "x"}, {"cbmcube:parcels": {"read": 1}}])
def test_parcels_of_other_origin(attrs):
    fields = gpd.GeoDataFrame(geometry=[square()], crs="EPSG:32632")
    fields.attrs = attrs
    found = parcels_report(fields)
    assert (found.parcels, dict(found.read), dict(found.prepared)) == (1, {}, {})
    assert "call prepare_parcels" in repr(found)
    assert "noticed" in parcels_report(prepare_parcels(fields)).prepared
    assert fields.attrs == attrs


def test_refuses_other_tables():
    with pytest.raises(ParcelsError, match="not a GeoDataFrame"):
        parcels_report(pd.DataFrame({"a": [1]}))
