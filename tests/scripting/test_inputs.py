"""Catalogue, product and parcels are those that the job names."""

from __future__ import annotations

import os

import geopandas as gpd
import pytest
from shapely import box

import cbmcube as cbm
from cbmcube.exceptions import OptionError, ParcelsError
from cbmcube.scripting import _inputs as inputs
from cbmcube.scripting import read_job
from tests.scripting.conftest import MINIMAL


@pytest.fixture
def fields(tmp_path):
    """Four parcels: crops A A B C, 1 to 4 ha."""
    table = gpd.GeoDataFrame(
        {"number": [1, 2, 3, 4], "code": ["A", "A", "B", "C"], "name": ["x", "y", "z", None]},
        geometry=[box(i * 1e3, 0, i * 1e3 + 100 * (i + 1), 100) for i in range(4)],
        crs="EPSG:32632",
    )
    table.to_file(tmp_path / "parcels.gpkg")


def parcels(write, lines):
    job = read_job(
        write(MINIMAL.replace('"parcels.gpkg"', f'"parcels.gpkg"\nid = "number"\n{lines}'))
    )
    return inputs.job_parcels(job)


@pytest.mark.usefixtures("fields")
@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("", [1, 2, 3, 4]),
        ('where = {code = "A"}', [1, 2]),
        ('where = {code = ["B", "C"]}', [3, 4]),
        ("where = {parcel = [2, 3]}", [2, 3]),
        ("where = {area_m2 = {min = 15000, max = 35000}}", [2, 3]),
        ('where = {area_m2 = {min = 15000}, code = ["A", "C"]}', [2, 4]),
        ("where = {code = 7, name = 1}", None),
    ],
)
def test_parcels_are_chosen_by_their_columns(write, where, kept):
    lines = f'crop = "code"\nbuffer = -5\n{where}'
    if kept is None:
        with pytest.raises(ParcelsError, match="no parcel is left"):
            parcels(write, lines)
        return
    found = parcels(write, lines)
    assert list(found.index) == kept
    assert set(found["buffer_m"]) == {-5.0}
    assert set(found["crop"]) <= {"A", "B", "C"}


@pytest.mark.usefixtures("fields")
def test_limits_hold_at_their_ends(write):
    area = parcels(write, "").area_m2
    low, high = float(area.loc[2]), float(area.loc[3])
    found = parcels(write, f"where = {{area_m2 = {{min = {low!r}, max = {high!r}}}}}")
    assert list(found.index) == [2, 3]


@pytest.mark.usefixtures("fields")
def test_a_column_that_is_none_and_one_without_numbers(write):
    with pytest.raises(ParcelsError, match="did you mean 'code'"):
        parcels(write, 'where = {cod = "A"}')
    with pytest.raises(ParcelsError, match="holds no numbers"):
        parcels(write, "where = {code = {min = 1}}")


@pytest.mark.usefixtures("fields")
def test_half_a_pixel_of_the_named_resolution(write):
    found = parcels(write, 'buffer = "half_pixel"\nresolutions = [20]')
    assert set(found["buffer_m"]) == {-10.0}


def test_the_catalogue_gets_policy_and_headers(write, monkeypatch):
    """The values of headers come from the environment; the job has their names."""
    asked = {}
    monkeypatch.setattr(inputs, "open_catalog", lambda href, **more: asked.update(more, href=href))
    text = MINIMAL.replace(
        '/api"', '/api"\nheaders = {Authorization = "MINE"}\naccess = {hosts = ["a.org"]}'
    )
    job = read_job(write(text))
    monkeypatch.delenv("MINE", raising=False)
    with pytest.raises(OptionError, match="export MINE="):
        inputs.job_catalog(job)
    monkeypatch.setenv("MINE", "Bearer x")
    inputs.job_catalog(job)
    assert asked["href"] == "https://stac.example.org/api"
    assert asked["headers"] == {"Authorization": "Bearer x"}
    assert asked["access"].hosts == ("a.org",)
    assert asked["access"].schemes == ("https", "http", "s3")


def test_a_frozen_catalogue_is_opened_from_its_path(write, country):
    text = MINIMAL.replace('url = "https://stac.example.org/api"', f'path = "{country.catalogue}"')
    catalog = inputs.job_catalog(read_job(write(text)))
    assert len(catalog.features) == country.n_items
    assert catalog.access is None


def test_the_product_is_the_librarys(write):
    assert inputs.job_product(read_job(write(MINIMAL))) is cbm.CARD_BS


@pytest.mark.parametrize("before", [None, "theirs"])
def test_the_databases_password_is_handed_over_and_taken_back(write, monkeypatch, before):
    seen = {}

    def read(path, **options):
        seen.update(path=path, handed=os.environ.get("PGPASSWORD"), **options)
        raise ParcelsError("far enough")

    monkeypatch.setattr(inputs, "read_parcels", read)
    monkeypatch.setenv("MINE", "swordfish")
    if before is None:
        monkeypatch.delenv("PGPASSWORD", raising=False)
    else:
        monkeypatch.setenv("PGPASSWORD", before)
    text = MINIMAL.replace('"parcels.gpkg"', '"postgresql://u@h/d"\ntable = "t"\npassword = "MINE"')
    with pytest.raises(ParcelsError, match="far enough"):
        inputs.job_parcels(read_job(write(text)))
    assert seen["handed"] == "swordfish"
    assert (seen["path"], seen["table"]) == ("postgresql://u@h/d", "t")
    assert os.environ.get("PGPASSWORD") == before
