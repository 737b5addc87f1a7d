"""Items and collections are valid STAC and say what the files say."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pystac
import pytest
import rasterio
import shapely
from pystac.validation import RegisteredValidator

from cbmcube import CARD_2A, CARD_BS, CARD_COH6
from cbmcube.demo._passes import missing_pass, optical_passes, radar_tracks
from cbmcube.demo._sizes import recipe


def of(items, product):
    return [item for item in items if item.collection_id == product.name]


def test_collection_of_items_survives_pystac(country, items):
    stored = json.loads(country.catalogue.read_text())
    assert pystac.ItemCollection(items).to_dict()["features"] == stored["features"]
    assert len({item.id for item in items}) == len(items) == country.n_items
    assert [i.datetime for i in items] == sorted(i.datetime for i in items)
    assert {i.collection_id for i in items} == {"CARD-2A", "CARD-BS", "CARD-COH6"}


def test_items_and_collections_obey_the_core_schema(country, items):
    validator = RegisteredValidator.get_validator()
    for item in items:
        validator.validate_core(
            item.to_dict(transform_hrefs=False), pystac.STACObjectType.ITEM, "1.1.0"
        )
    listed = json.loads(country.collections.read_text())
    assert [one["id"] for one in listed] == ["CARD-2A", "CARD-BS", "CARD-COH6"]
    for one in listed:
        validator.validate_core(one, pystac.STACObjectType.COLLECTION, "1.1.0")
        alone = country.folder / one["id"] / "collection.json"
        assert json.loads(alone.read_text()) == one
        extent = pystac.Collection.from_dict(one).extent.spatial.bboxes[0]
        for item in items:
            if item.collection_id == one["id"]:
                assert shapely.box(*extent).covers(shapely.box(*item.bbox))


def test_files_are_cogs_on_the_stated_grid(country, items):
    for item in items:
        for band, asset in item.assets.items():
            stated = asset.extra_fields
            assert asset.href == f"./{item.collection_id}/{item.id}/{band}.tif"
            with rasterio.open(country.folder / asset.href) as source:
                assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
                assert source.block_shapes == [(256, 256)]
                assert list(source.transform)[:6] == stated["proj:transform"]
                assert list(source.shape) == stated["proj:shape"]
                assert source.crs.to_string() == stated["proj:code"] == item.properties["proj:code"]
                assert source.dtypes[0] == stated["data_type"]
                nodata = source.nodata
            if stated["nodata"] == "nan":
                assert np.isnan(nodata)
            else:
                assert nodata == stated["nodata"]


@pytest.mark.parametrize("product", [CARD_2A, CARD_BS, CARD_COH6], ids=lambda p: p.name)
def test_assets_are_spelt_as_the_product_spells_them(items, product):
    for item in of(items, product):
        for name, asset in item.assets.items():
            band = product.band(name)
            assert asset.extra_fields["data_type"] == band.dtype
            assert float(asset.extra_fields["nodata"]) == band.nodata or np.isnan(band.nodata)
            assert asset.media_type == pystac.MediaType.COG
            assert asset.roles == ["data"]


def test_lattices_are_common(items):
    for item in items:
        for asset in item.assets.values():
            step, _, west, _, _, north = asset.extra_fields["proj:transform"]
            multiple = 60 if item.collection_id == "CARD-2A" else step
            assert west % multiple == north % multiple == 0


def test_tiles_of_a_zone_do_not_share_their_place_in_blocks(items):
    corners = {
        (a["proj:code"], a["proj:transform"][2], a["proj:transform"][5])
        for a in (i.assets["B04"].extra_fields for i in of(items, CARD_2A))
    }
    assert len(corners) == 3
    west = {(x % 5120, y % 5120) for _, x, y in corners}
    assert len(west) == 3


def test_optical_items_carry_their_history(country, items):
    change = datetime.fromisoformat(country.truth["baseline_change"] + "T00:00:00+00:00")
    twin = country.truth["twin"]
    for item in of(items, CARD_2A):
        facts = item.properties
        new = item.datetime >= change or item.id == twin["kept"]
        assert facts["s2:processing_baseline"] == ("05.10" if new else "03.01")
        stamp = item.datetime.strftime("%Y%m%dT%H%M%S")
        assert f"_{stamp}_" in facts["s2:datatake_id"]
        assert facts["s2:datatake_id"].endswith(facts["s2:processing_baseline"])
        assert f"_S{stamp}_" in facts["s2:datastrip_id"]
        assert facts["grid:code"] == f"MGRS-{item.id.split('_T')[1][:5]}"
        assert country.truth["tiles"][facts["grid:code"][5:]] == facts["proj:code"]
        for band, asset in item.assets.items():
            declared = (
                asset.extra_fields.get("raster:offset"),
                asset.extra_fields.get("raster:scale"),
            )
            assert declared == ((-0.1, 0.0001) if new and band != "SCL" else (None, None))


def test_the_twin_is_one_scene_processed_twice(country, items):
    by_id = {item.id: item for item in items}
    kept, superseded = (by_id[country.truth["twin"][name]] for name in ("kept", "superseded"))
    assert kept.datetime == superseded.datetime
    for name in ("platform", "grid:code", "sat:relative_orbit", "sat:absolute_orbit"):
        assert kept.properties[name] == superseded.properties[name]
    assert kept.properties["s2:generation_time"] > superseded.properties["s2:generation_time"]
    scenes = Counter((i.datetime, i.properties["grid:code"]) for i in of(items, CARD_2A))
    assert [scene for scene, number in scenes.items() if number > 1] == [
        (kept.datetime, kept.properties["grid:code"])
    ]
    # No plane may mix offsets: the other tiles of that acquisition lie in another zone.
    assert country.truth["tiles"][kept.properties["grid:code"][5:]] == "EPSG:32633"
    assert list(country.truth["tiles"].values()).count("EPSG:32633") == 1


def test_optical_repeat(items):
    dates = sorted({(i.datetime, i.properties["platform"]) for i in of(items, CARD_2A)})
    days = np.array([when.date().toordinal() for when, _ in dates])
    assert (np.diff(days) == 5).all()
    assert all(a[1] != b[1] for a, b in pairwise(dates))
    clouds = [i.properties["eo:cloud_cover"] for i in of(items, CARD_2A)]
    assert min(clouds) == 0.0
    assert max(clouds) == 100.0
    assert np.histogram(clouds, bins=[0, 1, 30, 70, 99, 101])[0].min() >= 1


def radar_times(items, product, orbit):
    found = {
        (i.datetime, i.properties["platform"])
        for i in of(items, product)
        if i.properties["sat:relative_orbit"] == orbit
    }
    return sorted(found)


def test_one_pass_of_one_orbit_is_missing(country, items):
    missing = country.truth["missing"]
    when = datetime.fromisoformat(missing["datetime"])
    gaps = {}
    for orbit in (44, 168):
        times = radar_times(items, CARD_BS, orbit)
        assert len({platform for _, platform in times}) == 2
        days = np.array([moment.date().toordinal() for moment, _ in times])
        gaps[orbit] = np.diff(days)
        assert times[0][0] < when < times[-1][0]
    assert missing["relative_orbit"] == 168
    assert (gaps[44] == 6).all()
    assert sorted(gaps[168])[-2:] == [6, 12]
    between = radar_times(items, CARD_BS, 168)[int(np.argmax(gaps[168]))][0]
    assert when.date() - between.date() == timedelta(days=6)


def test_both_passes_of_a_day_are_there(items):
    days = Counter()
    for item in of(items, CARD_BS):
        days[item.datetime.date(), item.properties["proj:code"]] += 1
    assert max(days.values()) == 2
    day = max(days, key=days.get)[0]
    same = [i.properties for i in of(items, CARD_BS) if i.datetime.date() == day]
    assert {p["sat:orbit_state"] for p in same} == {"ascending", "descending"}
    assert len({(p["platform"], p["sat:absolute_orbit"]) for p in same}) == 2


def test_coherence_pairs_are_neighbours_in_one_track(items):
    for orbit in (44, 168):
        taken = [moment for moment, _ in radar_times(items, CARD_BS, orbit)]
        wanted = {(a, b) for a, b in pairwise(taken) if b.date() - a.date() == timedelta(days=6)}
        found = set()
        for item in of(items, CARD_COH6):
            facts = item.properties
            if facts["sat:relative_orbit"] == orbit:
                first = datetime.fromisoformat(facts["insar:reference_datetime"])
                second = datetime.fromisoformat(facts["insar:secondary_datetime"])
                assert second == item.datetime
                assert facts["insar:temporal_baseline"] == 6
                found.add((first, second))
        assert found == wanted


def test_absolute_orbits_lie_on_their_relative_orbits():
    # Relations published for each satellite: the constants of its phase in the cycle.
    phase = {
        "sentinel-1a": (-73, 175),
        "sentinel-1b": (-27, 175),
        "sentinel-2a": (2, 143),
        "sentinel-2b": (-27, 143),
    }
    chosen = recipe("medium", 0)
    passes = [*optical_passes(chosen), *(p for track in radar_tracks(chosen) for p in track)]
    for one in passes:
        shift, cycle = phase[one.platform]
        assert (one.absolute_orbit + shift) % cycle + 1 == one.relative_orbit
    assert missing_pass(chosen) in passes
