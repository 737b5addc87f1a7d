"""Frozen catalogues: what is read, what is refused, and that the round trip is exact."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pystac
import pytest
import stac_geoparquet.arrow
from hypothesis import given
from hypothesis import strategies as st

import cbmcube as cbm
from cbmcube.catalog import (
    AccessPolicy,
    fingerprint,
    freeze,
    item_changes,
    open_catalog,
    report,
    search,
)
from cbmcube.exceptions import CatalogError


def dicts(items: pystac.ItemCollection) -> list[dict]:
    return [item.to_dict(transform_hrefs=False) for item in items]


@pytest.fixture
def local_season(season, tmp_path):
    """Scenes whose files lie beside the catalogue, elsewhere, and on the web."""
    for number, item in enumerate(season):
        name = item["id"]
        places = [
            f"./files/{name}.tif",
            f"{tmp_path}-other/{name}.tif",
            f"https://e.com/{name}.tif",
        ]
        item["assets"]["B04"] |= {"href": places[number % 3], "raster:scale": 1e-4}
        item["assets"]["SCL"] |= {"nodata": 0, "classes": [{}], "roles": []}
        item["properties"]["note"] = None if number % 2 else "é"
        item["properties"]["created"] = "2024-03-05T10:10:21.5Z"
    return season


@pytest.mark.parametrize("name", ["x.json", "x.geojson", "x.parquet", "X.PARQUET"])
def test_the_round_trip_is_exact(local_season, write, tmp_path, name):
    access = AccessPolicy(roots=(tmp_path, f"{tmp_path}-other"))
    catalog = open_catalog(write(local_season), access=access)
    found = search(catalog, cbm.CARD_2A, period="2024-04/2024-06", filter="eo:cloud_cover >= 0")
    before = dicts(found)
    path = freeze(found, tmp_path / name)
    assert dicts(found) == before
    again = search(open_catalog(path, access=access))
    assert dicts(again) == before
    assert len(again) > 4
    first, second = report(found), report(again)
    assert second.gaps == first.gaps
    assert len(second.gaps) > 0
    assert second.dropped == first.dropped
    assert {one.name for one in tmp_path.iterdir()} == {"season.json", name}


@pytest.mark.parametrize("name", ["x.json", "x.parquet"])
def test_what_was_dropped_survives(make_scene, season, write, tmp_path, name):
    moment = pystac.Item.from_dict(season[0]).datetime
    old = make_scene(moment, baseline="03.01", made=moment)
    found = search(open_catalog(write([*season, old])), cbm.CARD_2A)
    assert [one.id for one in report(found).dropped] == [old["id"]]
    again = report(search(open_catalog(freeze(found, tmp_path / name))))
    assert [one.id for one in again.dropped] == [old["id"]]
    assert again.found == again.kept == len(season)


def test_a_folder_can_be_moved(local_season, write, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    with pytest.warns(cbm.warnings.RefusedItemWarning):
        found = search(open_catalog(write(local_season)))
    kept = [item for item in found if item.assets["B04"].href.startswith("/")]
    assert len(kept) == 3
    for item in kept:
        for asset in item.assets.values():
            asset.href = f"{home}/files/{item.id}.tif"
    freeze(pystac.ItemCollection(kept), home / "season.json")
    stored = json.loads((home / "season.json").read_text())["features"]
    assert {asset["href"] for one in stored for asset in one["assets"].values()} == {
        f"./files/{item.id}.tif" for item in kept
    }
    moved = home.rename(tmp_path / "moved")
    for item in search(open_catalog(moved / "season.json")):
        assert item.assets["B04"].href == f"{moved}/files/{item.id}.tif"


def test_other_libraries_read_the_table(season, write, tmp_path):
    path = freeze(search(open_catalog(write(season))), tmp_path / "x.parquet")
    items = stac_geoparquet.arrow.stac_table_to_items(pq.read_table(path))
    assert [item["id"] for item in items] == [item["id"] for item in season]


@pytest.mark.trap("T31")
@pytest.mark.parametrize("name", ["x.json", "x.parquet"])
def test_what_identifies_files_survives(season, write, tmp_path, name):
    """Ids, versions, times of change and checksums are read back, and changes are named."""
    for number, item in enumerate(season):
        item["properties"] |= {"updated": f"2024-09-0{number + 1}T00:00:00Z", "version": "1"}
        item["assets"]["B04"] |= {"file:checksum": f"1220{number:064x}", "file:size": number}
    found = search(open_catalog(write(season)), cbm.CARD_2A)
    again = search(open_catalog(freeze(found, tmp_path / name)))
    assert item_changes(found, again).empty
    table = report(again).to_frame("items")
    assert list(table["id"]) == [item["id"] for item in season]
    assert list(table["updated"]) == [item["properties"]["updated"] for item in season]
    assert set(table["version"]) == {"1"}
    assert list(table["baseline"]) == ["05.10"] * 9
    assert table["fingerprint"].nunique() == 9
    sizes = [item.assets["B04"].extra_fields["file:size"] for item in again]
    assert sizes == list(range(9))
    again.items[0].properties["updated"] = "2025-01-01T00:00:00Z"
    again.items[1].assets["B04"].extra_fields["file:checksum"] = "1220ff"
    gone = again.items.pop()
    changes = item_changes(found, again).set_index("id")
    assert dict(changes["change"]) == {
        season[0]["id"]: "changed",
        season[1]["id"]: "changed",
        gone.id: "removed",
    }
    assert changes.loc[season[0]["id"], "fields"] == "updated"
    assert changes.loc[season[1]["id"], "fields"] == "B04.file:checksum"
    assert list(item_changes([], found)["change"]) == ["added"] * 9


SIGNED = [
    ("https://e.com/a.tif?sv=2024&se=2025-01-01&sp=r&sig=SECRET%3D&sr=c&skoid=1", ""),
    ("https://e.com/a.tif?X-Amz-Signature=SECRET&X-Amz-Expires=600&versionId=3", "?versionId=3"),
    ("https://e.com/a.tif?Expires=1&Signature=SECRET&Key-Pair-Id=K", ""),
    ("https://e.com/a.tif?file=a%2Fb&token=SECRET&level=2", "?file=a%2Fb&level=2"),
    ("https://e.com/a.tif?api_key=SECRET", ""),
    ("https://e.com/a.tif?service=a&step=1", "?service=a&step=1"),
]


@pytest.mark.parametrize("name", ["x.json", "x.parquet"])
@pytest.mark.parametrize(("href", "kept"), SIGNED)
def test_no_signature_is_stored(make_item, tmp_path, name, href, kept):
    item = pystac.Item.from_dict(make_item("a", assets=("B04",)))
    item.assets["B04"].href = href
    item.assets["B04"].extra_fields["alternate"] = {"mirror": {"href": href}}
    path = freeze(pystac.ItemCollection([item]), tmp_path / name)
    assert b"SECRET" not in path.read_bytes()
    [again] = open_catalog(path).features
    asset = again.json["assets"]["B04"]
    assert asset["href"] == asset["alternate"]["mirror"]["href"] == f"https://e.com/a.tif{kept}"
    assert item.assets["B04"].href == href
    item.set_self_href(str(tmp_path / "item.json"))  # hrefs are then made absolute by pystac
    assert b"SECRET" not in freeze(pystac.ItemCollection([item]), path).read_bytes()


def test_a_copy_elsewhere_has_the_same_fingerprint(season):
    item = pystac.Item.from_dict(season[0])
    before = fingerprint(item)
    for asset in item.assets.values():
        asset.href += "?sig=secret"
        asset.extra_fields["alternate"] = {"local": {"href": "/data"}}
    item.set_self_href("https://elsewhere.example.com/item")
    assert fingerprint(item) == before
    item.assets["B04"].extra_fields["raster:offset"] = -0.1
    assert fingerprint(item) != before


@pytest.mark.realdata
def test_stac_geoparquet_of_another_provider(realdata):
    path = realdata / "stac-items" / "planetarycomputer__100-sentinel-2-items.parquet"
    catalog = open_catalog(path)
    assert "100 items, sentinel-2-l2a, 2024-03-26 to" in repr(catalog)
    found = search(catalog, filter="s2:mgrs_tile = '13TDE' AND eo:cloud_cover IS NOT NULL")
    rows = pq.read_table(path, columns=["id", "s2:mgrs_tile"]).to_pylist()
    assert sorted(item.id for item in found) == sorted(
        row["id"] for row in rows if row["s2:mgrs_tile"] == "13TDE"
    )


def test_a_failed_write_leaves_the_old_file(season, write, tmp_path):
    found = search(open_catalog(write(season)))
    path = freeze(found, tmp_path / "x.parquet")
    before = path.read_bytes()
    found.items[0].assets["B04"].extra_fields["nodata"] = 0
    found.items[1].assets["B04"].extra_fields["nodata"] = "nan"
    with pytest.raises(CatalogError, match=r"freeze them to a \.json file"):
        freeze(found, path)
    assert path.read_bytes() == before
    assert {one.name for one in tmp_path.iterdir()} == {"season.json", "x.parquet"}
    assert freeze(found, tmp_path / "x.json").is_file()


def test_where_nothing_can_be_frozen(season, write, tmp_path):
    found = search(open_catalog(write(season)))
    with pytest.raises(CatalogError, match="suffix"):
        freeze(found, tmp_path / "x.csv")
    with pytest.raises(CatalogError, match="folder"):
        freeze(found, tmp_path / "nowhere" / "x.json")


def test_a_single_item_is_a_catalogue(season, tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(season[0]))
    assert repr(open_catalog(str(path))) == (
        "<FrozenCatalog one.json: 1 items, CARD-2A, 2024-03-05 to 2024-03-05>"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b"null",
        b'{"type": "Catalog", "id": "x"}',
        b'{"type": "FeatureCollection"}',
        b'{"type": "FeatureCollection", "features": {}}',
        b'{"type": "FeatureCollection", "features": [7]}',
        b'{"type": "FeatureCollection", "features": [{"type": "Feature"}]}',
        b'{"type": "FeatureCollection", "features": [{"id": "a", "properties": {}}]}',
        b'{"type": "FeatureCollection", "features": [{"id": 7, "stac_version": "1.0.0"}]}',
        b'{"type": "Feature", "id": "a", "stac_version": "1.0.0", "properties": {}, "assets": [7]}',
        b'{"type": "Feature", "id": "a", "stac_version": "", "properties": {}, "assets": {"": 1}}',
    ],
)
def test_what_is_no_catalogue(tmp_path, content):
    for name in ("x.json", "x.parquet"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(CatalogError, match="catalogue"):
            open_catalog(path)


@given(st.binary(max_size=60))
def test_no_bytes_crash_the_reader(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    path.write_bytes(content)
    with pytest.raises(CatalogError):
        open_catalog(path)


def test_where_no_catalogue_is(tmp_path):
    with pytest.raises(CatalogError, match="no catalogue is there"):
        open_catalog(tmp_path)
    (tmp_path / "x.csv").write_text("a")
    with pytest.raises(CatalogError, match="suffix"):
        open_catalog(tmp_path / "x.csv")
    with pytest.raises(CatalogError, match="download the file"):
        open_catalog("https://user:secret@example.com/season.parquet?token=secret")
