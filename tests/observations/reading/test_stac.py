"""A store describes itself as STAC, and is found like any other catalogue."""

from __future__ import annotations

import json
from urllib.parse import urljoin

import jsonschema
import pyarrow.parquet as pq
import pystac
import pytest
import referencing
from pystac.validation.local_validator import get_local_schema_cache

import cbmcube as cbm
from cbmcube.observations.reading import _stac, open_observations, stac_collection, write_stac
from cbmcube.testing import vector_cube
from tests.observations.reading.stores import make_store


def problems(document, kind):
    """What the schemas of the STAC core, which pystac carries, find wrong."""
    schemas = get_local_schema_cache()
    known = referencing.Registry().with_resources(
        [(name, referencing.Resource.from_contents(one)) for name, one in schemas.items()]
    )
    [name] = [name for name in schemas if name.endswith(f"/{kind}.json")]
    checker = jsonschema.Draft7Validator(schemas[name], registry=known)
    return [error.message for error in checker.iter_errors(document)]


def test_the_check_finds_problems(store):
    described = stac_collection(store)
    del described["extent"]
    assert problems(described, "collection")


@pytest.fixture
def store(tmp_path):
    stats = vector_cube("CARD-BS", parcels=5, days=12).compute()
    return make_store(tmp_path / "s", stats, [[0, 1], [2, 3, 4]], {(0, 1): "corrupt"})


def test_the_collection_is_valid(store):
    described = stac_collection(store)
    assert not problems(described, "collection")
    collection = pystac.Collection.from_dict(described)
    assert collection.extent.temporal.intervals[0][0].isoformat().startswith("2024-03")
    west, south, east, north = collection.extent.spatial.bboxes[0]
    assert 9 <= west < east < 9.1
    assert 53 < south < north < 54


def test_columns_rows_and_recipe_are_told(store):
    observations = open_observations(store)
    described = stac_collection(observations)
    assert [one["name"] for one in described["table:columns"]] == observations.schema.names
    assert all(one["description"] for one in described["table:columns"])
    assert described["table:row_count"] == len(observations) == len(observations.table())
    assert described["cbmcube:recipe"] == store.recipe
    assert described["cbmcube:root"] == store.snapshot().root
    assert "could not be read: 1." in described["description"]
    assert described["summaries"]["sat:relative_orbit"] == [15, 139]


def test_every_source_item_is_linked_without_its_token(store):
    described = stac_collection(store)
    sources = [link for link in described["links"] if link["rel"] == "derived_from"]
    stats = vector_cube("CARD-BS", parcels=5, days=12)
    assert [link["title"] for link in sources] == stats["items"].values.tolist()
    assert sources[0]["href"].startswith("https://stac.example.org/items/CARD-BS")
    assert "s3cret" not in json.dumps(described)


def test_very_many_items_are_linked_by_acquisition(store, tmp_path, monkeypatch):
    monkeypatch.setattr(_stac, "MOST_LINKS", 2)
    sources = [x for x in stac_collection(store)["links"] if x["rel"] == "derived_from"]
    assert len(sources) == 4
    assert all((tmp_path / "s" / link["href"]).is_file() for link in sources)


def test_what_is_written_is_found(store, tmp_path):
    place = write_stac(store)
    collection = pystac.Collection.from_file(place)
    assert collection.to_dict()["cbmcube:snapshot"] == 1
    for asset in collection.assets.values():
        assert (tmp_path / "s" / asset.href.removeprefix(str(tmp_path / "s"))).is_file()
    index = pq.read_table(tmp_path / "s" / collection.assets["index"].href)
    assert index.num_rows == len(store.committed())
    catalogue = cbm.open_catalog(tmp_path / "s" / "items.json")
    found = cbm.search(catalogue, period="2024-03-05/..")
    names = vector_cube("CARD-BS", days=12).sel(time=slice("2024-03-05", None)).acquisition
    assert sorted(item.id for item in found) == sorted(names.values.tolist())
    for item in found:
        assert not problems(item.to_dict(transform_hrefs=False), "item")


def test_it_is_written_anew_whole(store, tmp_path):
    write_stac(store)
    path = tmp_path / "s" / "collection.json"
    first = path.read_bytes()
    path.write_text("torn")
    assert write_stac(store) == str(path)
    assert path.read_bytes() == first
    assert not list((tmp_path / "s" / "tmp").iterdir())


def test_relative_addresses_start_at_the_store(store):
    for asset in stac_collection(store)["assets"].values():
        assert urljoin("https://data.example.org/s/collection.json", asset["href"]).startswith(
            "https://data.example.org/s/blobs/"
        )
