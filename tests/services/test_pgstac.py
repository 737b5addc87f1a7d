"""Search against a real STAC API gives what the same search gives on a frozen catalogue."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime

import geopandas as gpd
import numpy as np
import pytest
import shapely
import shapely.geometry

import cbmcube as cbm
from cbmcube.catalog import (
    AccessPolicy,
    ApiCatalog,
    FrozenCatalog,
    open_catalog,
    prop,
    report,
    search,
)
from cbmcube.demo import make_country
from cbmcube.exceptions import CatalogError, EmptySearchError
from cbmcube.warnings import FilteredOutWarning, RefusedItemWarning, UnknownPropertyWarning

pytestmark = pytest.mark.service_stac

GEOMETRY, DATETIME = {"property": "geometry"}, {"property": "datetime"}
WEST = shapely.Polygon([(11.97, 48.64), (11.99, 48.64), (11.985, 48.68)])
ZONE = shapely.geometry.mapping(WEST)
ODD_AREA = shapely.geometry.mapping(shapely.box(8, 49, 9.5, 50.5))


def op(name, *args):
    return {"op": name, "args": list(args)}


def odd_item(name: str, /, geometry: dict | None = None, **facts: object) -> dict:
    """Items with what regular products never have: spans, nulls, text for numbers."""
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": name,
        "collection": "ODD",
        "geometry": geometry or shapely.geometry.mapping(shapely.box(9, 50, 10, 51)),
        "bbox": [9, 50, 10, 51],
        "links": [],
        "properties": {"datetime": None, **facts},
        "assets": {"data": {"href": f"https://data.example.com/{name}.tif", "roles": ["data"]}},
    }


ODD = [
    odd_item("odd-a", datetime="2024-03-05T10:10:21Z", x=5, s="22", f=22.0, flag=True, tags=["m"]),
    odd_item(
        "odd-b",
        start_datetime="2024-03-01T00:00:00Z",
        end_datetime="2024-03-31T00:00:00Z",
        x="5",
        s=22,
        name="100%_done",
    ),
    odd_item(
        "odd-c",
        datetime="2024-03-20T00:00:00Z",
        start_datetime="2024-03-10T00:00:00Z",
        end_datetime="2024-03-30T00:00:00Z",
        x=None,
        name="Sentinel-2A",
    ),
    odd_item(
        "odd-d",
        {"type": "Point", "coordinates": [9.5, 50.5]},
        datetime="2024-04-01T00:00:00Z",
        x=-0.5,
        name="sentinel-1b",
        nested={"deep": "yes"},
    ),
]


@dataclass(frozen=True)
class Both:
    api: ApiCatalog
    frozen: FrozenCatalog
    everything: frozenset[str]


@pytest.fixture(scope="module")
def both(stac_api, tmp_path_factory) -> Both:
    country = make_country(tmp_path_factory.mktemp("country"), size="tiny")
    items = json.loads(country.catalogue.read_text())["features"] + ODD
    for item in items:
        for asset in item["assets"].values():
            asset["href"] = asset["href"].replace("./", f"{country.folder}/", 1)
    collections = json.loads(country.collections.read_text())
    odd = {**collections[0], "id": "ODD", "links": []}
    stac_api.load([*collections, odd], items)
    path = country.folder / "everything.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    access = AccessPolicy(roots=(country.folder,))
    return Both(
        open_catalog(stac_api.url, access=access),
        open_catalog(path),
        frozenset(item["id"] for item in items),
    )


def found_ids(catalog, **asked) -> list[str]:
    found = search(catalog, **asked)
    left_out = [one.id for one in report(found).dropped]
    return sorted([*(item.id for item in found), *left_out])


FILTERS = [
    "eo:cloud_cover < 60",
    "properties.eo:cloud_cover >= 60",
    "eo:cloud_cover BETWEEN 10 AND 70.5",
    "NOT eo:cloud_cover < 60",
    "eo:cloud_cover IS NULL",
    "eo:cloud_cover IS NOT NULL AND grid:code = 'MGRS-33UTP'",
    "grid:code LIKE 'MGRS-32%'",
    "grid:code LIKE 'MGRS-32UQ_'",
    "casei(platform) = casei('SENTINEL-1A')",
    "casei(name) LIKE casei('SENTINEL%')",
    "name LIKE '100\\%\\_%'",
    "platform IN ('sentinel-2a', 'sentinel-1b')",
    "NOT platform IN ('sentinel-2a', 'sentinel-1b')",
    "sat:relative_orbit IN (22, 44)",
    "sat:relative_orbit = '22'",
    "sat:relative_orbit <> 44",
    "sat:orbit_state = 'descending' OR x = 5",
    "NOT (sat:relative_orbit = 22 OR (sat:relative_orbit = 44 AND NOT platform = 'sentinel-1a'))",
    "NOT (eo:cloud_cover < 60 AND platform = 'sentinel-2a') AND NOT sat:orbit_state IS NULL",
    "s2:processing_baseline < '05.00'",
    "x = '5'",
    "x <> 5",
    "f = '22.0'",
    "flag = true",
    "tags IS NOT NULL",
    "nested.deep = 'yes'",
    "id LIKE 'odd-_' AND x BETWEEN -1 AND 4",
    "insar:temporal_baseline = 6 OR insar:temporal_baseline = 12",
    "insar:reference_datetime >= '2024-04' AND datetime < '2024-05-01'",
    "datetime >= DATE('2024-05-01')",
    "datetime BETWEEN TIMESTAMP('2024-03-20T00:00:00Z') AND TIMESTAMP('2024-04-01T00:00:00Z')",
    "end_datetime > '2024-05-20'",
    "start_datetime <= '2024-03-10T00:00:00Z'",
    "T_BEFORE(datetime, TIMESTAMP('2024-03-10T00:00:00Z'))",
    "T_AFTER(datetime, DATE('2024-05-01'))",
    "T_DURING(datetime, INTERVAL('2024-03-05T10:10:21Z', '2024-04-01T00:00:00Z'))",
    "T_DISJOINT(datetime, INTERVAL('2024-03-10', '2024-05-10'))",
    "T_INTERSECTS(datetime, INTERVAL('2024-05-10', '..'))",
    "T_INTERSECTS(datetime, DATE('2024-04-01'))",
    "T_EQUALS(datetime, TIMESTAMP('2024-03-10T00:00:00Z'))",
    op("anyinteracts", DATETIME, {"interval": ["..", "2024-03-15"]}),
    op("s_intersects", GEOMETRY, ODD_AREA),
    op("s_intersects", GEOMETRY, {"type": "Point", "coordinates": [9, 50]}),
    op("s_intersects", GEOMETRY, {"bbox": [12.006, 48.6, 13, 49]}),
    op("s_within", GEOMETRY, [9, 50, 10, 51]),
    op("s_contains", GEOMETRY, {"type": "Point", "coordinates": [11.9845, 48.6535]}),
    op("s_disjoint", GEOMETRY, {"bbox": [9, 50, 9.2, 50.2]}),
    op("not", op("s_intersects", GEOMETRY, ZONE)),
    op(
        "or",
        op("s_within", GEOMETRY, [9, 50, 10, 51]),
        op("=", {"property": "collection"}, "CARD-BS"),
    ),
]


@pytest.mark.trap("T3")
@pytest.mark.parametrize("condition", FILTERS, ids=str)
def test_the_api_and_the_evaluator_agree(both, condition):
    asked = {"filter": condition, "collections": ["CARD-2A", "CARD-BS", "CARD-COH6", "ODD"]}
    found = found_ids(both.api, **asked)
    assert found == found_ids(both.frozen, **asked)
    assert 0 < len(found) < len(both.everything)
    assert report(search(both.api, **asked)).facts.repeated == 0


def test_a_flood_map_s_query_as_it_is_written(both):
    query = op(
        "and",
        op("s_intersects", GEOMETRY, ZONE),
        op("anyinteracts", DATETIME, {"interval": ["2024-04-01", "2024-04-30"]}),
        op("=", {"property": "collection"}, "CARD-BS"),
    )
    found = search(both.api, filter=query)
    # the oracle is plain Python over the file
    expected = sorted(
        feature.json["id"]
        for feature in both.frozen.features
        if feature.json["collection"] == "CARD-BS"
        and feature.json["properties"]["datetime"].startswith("2024-04")
        and shapely.geometry.shape(feature.json["geometry"]).intersects(WEST)
    )
    assert sorted(item.id for item in found) == expected
    assert len(expected) > 5


def test_a_product_s_search_is_equal_item_by_item(both):
    parcels = gpd.GeoSeries([shapely.box(11.99, 48.655, 12.0, 48.66)], crs=4326).to_crs(3035)
    asked = {"aoi": parcels, "period": "2024-03/2024-04", "filter": "eo:cloud_cover < 80"}
    remote = search(both.api, cbm.CARD_2A, **asked)
    local = search(both.frozen, cbm.CARD_2A, **asked)
    assert len(remote) > 5
    for one, other in zip(remote, local, strict=True):
        assert one.id == other.id
        assert one.datetime == other.datetime
        assert one.properties == other.properties
        assert {key: asset.href for key, asset in one.assets.items()} == {
            key: asset.href for key, asset in other.assets.items()
        }
    assert report(remote).dropped == report(local).dropped
    assert report(remote).gaps == report(local).gaps


def test_items_of_a_span_are_found_by_their_start(both):
    """What the server calls the datetime of a span is its start: the evaluator agrees."""
    asked = {
        "collections": "ODD",
        "filter": op("t_intersects", DATETIME, ["2024-03-12", "2024-03-15"]),
    }
    for catalog in (both.api, both.frozen):
        with pytest.warns(FilteredOutWarning), pytest.raises(EmptySearchError):
            search(catalog, **asked)


@pytest.mark.parametrize("size", [1, 7, 53, 165, 168])
def test_pages_of_any_size_give_everything_once(both, size, recwarn):
    catalog = dataclasses.replace(both.api, page_size=size)
    condition = "sat:relative_orbit IN (22, 44)" if size == 1 else "id IS NOT NULL"
    asked = {"collections": ["CARD-2A", "CARD-BS", "CARD-COH6"], "filter": condition}
    if size == 1:
        asked |= {"period": "2024-03-05/2024-03-15"}
    found = search(catalog, **asked)
    local = search(both.frozen, **asked)
    assert [item.id for item in found] == [item.id for item in local]
    assert report(found).facts.repeated == 0
    truncated = [one for one in recwarn if "ended its answer early" in str(one.message)]
    assert bool(truncated) == (size == 165)  # one full page, and no count from the server


def test_max_items_needs_one_page(both):
    catalog = dataclasses.replace(both.api, page_size=5)
    assert len(search(catalog, cbm.CARD_BS, max_items=5)) == 5


EXPRESSIONS = [
    prop("eo:cloud_cover") < 60,
    ~(prop("eo:cloud_cover") < 60),
    prop("eo:cloud_cover").isnull(),
    (prop("eo:cloud_cover").between(10, 70.5)) & prop("grid:code").like("MGRS-32%"),
    prop("platform").isin(["sentinel-2a", "sentinel-1b"]) | (prop("x") == 5),
    (prop("sat:relative_orbit") != 44) & ~prop("platform").isin(["sentinel-1a"]),
    prop("datetime") >= datetime(2024, 5, 1, tzinfo=UTC),
    prop("flag") == True,  # noqa: E712  # that is how a flag is asked for
]


@pytest.mark.parametrize("condition", EXPRESSIONS, ids=repr)
def test_expressions_and_their_text_agree(both, condition):
    asked = {"collections": ["CARD-2A", "CARD-BS", "CARD-COH6", "ODD"]}
    found = found_ids(both.api, filter=condition, **asked)
    assert found == found_ids(both.frozen, filter=condition, **asked)
    assert found == found_ids(both.api, filter=repr(condition), **asked)
    assert 0 < len(found) < len(both.everything)


def test_an_area_in_several_shapes_gives_what_its_parts_give(both):
    """Specks over Europe and one parcel of the country: a scene is found once."""
    xy = np.random.default_rng(4).uniform((-10, 36), (30, 70), (700, 2))
    area = shapely.union_all([*shapely.buffer(shapely.points(xy), 0.001), WEST])
    found = search(both.api, cbm.CARD_BS, aoi=area)
    assert [item.id for item in found] == [
        item.id for item in search(both.frozen, cbm.CARD_BS, aoi=area)
    ]
    assert report(found).facts.repeated == 0


@pytest.mark.trap("T1")
def test_a_filter_that_leaves_nothing(both):
    with pytest.warns(FilteredOutWarning), pytest.raises(EmptySearchError):
        search(both.api, cbm.CARD_2A, filter=prop("eo:cloud_cover") > 100)


def test_only_the_server_s_collections_are_asked_for(both):
    assert both.api.collections == ("CARD-2A", "CARD-BS", "CARD-COH6", "ODD")


@pytest.mark.trap("T2")
def test_an_unknown_property_warns_with_the_closest(both):
    for catalog in (both.api, both.frozen):
        with (
            pytest.warns(UnknownPropertyWarning, match="did you mean 'eo:cloud_cover'"),
            pytest.raises(EmptySearchError, match="CARD-2A"),
        ):
            search(catalog, cbm.CARD_2A, filter="eo:cloudcover < 60")


def test_local_files_of_a_server_are_refused_without_a_policy(both):
    remote = dataclasses.replace(both.api, access=None)
    with (
        pytest.warns(RefusedItemWarning),
        pytest.raises(EmptySearchError, match="local files are not allowed"),
    ):
        search(remote, cbm.CARD_BS)


def test_an_error_of_the_server_is_told(both):
    """The database compares text with a time only in its own columns."""
    with pytest.raises(CatalogError, match="HTTP 500"):
        search(both.api, filter="created = TIMESTAMP('2025-01-01T00:00:00Z')")
    assert len(search(both.api, cbm.CARD_BS, max_items=1)) == 1
