"""The parcels have the faults of real declarations, and only those that are recorded."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from cbmcube.demo._country import _simulate
from cbmcube.demo._sizes import recipe


@pytest.fixture(scope="module")
def parcels(country):
    return gpd.read_file(country.parcels).set_index("field_id")


def named(frame, mask):
    return sorted(frame.index[mask])


def test_columns_and_crs(country, parcels):
    assert gpd.list_layers(country.parcels)["name"].tolist() == ["parcels"]
    assert parcels.crs.to_epsg() == 3035
    assert len(parcels) == country.n_parcels
    assert parcels.index.is_unique
    assert parcels["crop_code"].dtype == np.int64
    assert parcels["crop"].nunique() == 8
    codes = parcels.dropna(subset="crop").groupby("crop")["crop_code"].unique()
    assert (codes.str.len() == 1).all()


def test_recorded_faults_are_the_faults(country, parcels):
    faults = country.truth["faults"]
    geometry = parcels.geometry
    assert named(parcels, ~geometry.is_valid) == faults["invalid"]
    assert named(parcels, shapely.get_num_geometries(geometry) > 1) == faults["multipart"]
    holes = geometry[geometry.geom_type == "Polygon"].interiors.str.len()
    assert sorted(holes.index[holes > 0]) == faults["hole"]
    assert named(parcels, parcels["crop"].isna().to_numpy()) == faults["no_crop"]
    assert (parcels.loc[faults["no_crop"], "crop_code"] == 0).all()
    assert all(faults[kind] for kind in ("invalid", "multipart", "hole", "no_crop", "overlap"))


def test_invalid_parcels_cross_and_touch_themselves(country, parcels):
    reasons = parcels.loc[country.truth["faults"]["invalid"]].geometry.is_valid_reason()
    assert {reason.split("[")[0] for reason in reasons} == {
        "Self-intersection",
        "Ring Self-intersection",
    }


def test_slivers_are_long_and_a_few_metres_wide(country, parcels):
    slivers = parcels.loc[country.truth["faults"]["sliver"]].geometry
    assert len(slivers) >= 2
    # Area over half the outline is the width of a strip.
    assert (2 * slivers.area / slivers.length).between(1.0, 6.0).all()
    assert (slivers.length > 60).all()


def test_overlaps_lie_over_neighbours(country, parcels):
    valid = parcels.geometry.make_valid()
    left, right = valid.sindex.query(valid, predicate="intersects")
    pairs = left < right
    left, right = left[pairs], right[pairs]
    shared = shapely.area(shapely.intersection(valid.values[left], valid.values[right]))
    deep = shared > 20.0
    involved = set(parcels.index[left[deep]]) | set(parcels.index[right[deep]])
    overlaps = set(country.truth["faults"]["overlap"])
    assert overlaps <= involved
    invalid = set(country.truth["faults"]["invalid"])
    for a, b in zip(parcels.index[left[deep]], parcels.index[right[deep]], strict=True):
        assert {a, b} & (overlaps | invalid)


def test_parcels_lie_on_both_sides_of_the_zone_border(parcels):
    longitude = parcels.geometry.make_valid().to_crs(4326).bounds
    assert (longitude["maxx"] < 12).sum() >= 15
    assert (longitude["minx"] > 12).sum() >= 15
    assert ((longitude["minx"] < 12) & (longitude["maxx"] > 12)).any()


@pytest.mark.parametrize(
    ("size", "seed"), [("tiny", 3), ("long", 0), ("small", 0), ("medium", 0), ("medium", 5)]
)
def test_every_size_is_a_farmed_country(size, seed):
    ground, season, _ = _simulate(recipe(size, seed))
    parcels = ground.declared
    hectares = parcels.geometry.area / 1e4
    bounds = {"tiny": (35, 85), "long": (35, 85), "small": (120, 190), "medium": (380, 480)}
    low, high = bounds[size]
    assert low <= len(parcels) <= high
    assert 1.5 < hectares.mean() < 3.7
    assert (
        hectares.drop(parcels.index[parcels["field_id"].isin(ground.faults["sliver"])]).min() > 0.07
    )
    assert named(parcels.set_index("field_id"), ~parcels.is_valid) == ground.faults["invalid"]
    assert parcels["crop"].nunique() == 8
    assert season.kind.size == ground.geometry.size


@pytest.mark.parametrize(("size", "seed"), [("tiny", 0), ("medium", 0), ("medium", 1)])
def test_each_parcel_lies_whole_in_the_tiles_of_its_zone(size, seed):
    ground, _, zones = _simulate(recipe(size, seed))
    valid = ground.declared.set_geometry(ground.declared.geometry.make_valid())
    longitude = valid.to_crs(32632).centroid.to_crs(4326).x
    for zone, inside in zip(zones, (longitude < 12, longitude >= 12), strict=True):
        boxes = []
        for tile in zone.tiles:
            place = zone.transform(tile.window, 10)
            east = place.c + place.a * tile.window.columns
            south = place.f + place.e * tile.window.rows
            boxes.append(shapely.box(place.c, south, east, place.f))
        own = valid[inside].to_crs(zone.epsg)
        assert own.within(shapely.union_all(boxes)).all()


def test_misdeclared_parcels_are_recorded(country, parcels):
    wrong = country.truth["faults"]["misdeclared"]
    assert len(wrong) == 2
    events = pd.read_csv(country.events)
    grass = parcels.index[parcels["crop"].isin(["permanent grassland", "temporary grassland"])]
    mown = set(events.loc[events["event"] == "mowing", "field_id"])
    nameless = set(country.truth["faults"]["no_crop"])
    assert mown - set(grass) <= set(wrong) | nameless


def test_the_long_country_has_the_fields_of_the_tiny_one():
    (tiny, _, _), (long, _, _) = (_simulate(recipe(size, 0)) for size in ("tiny", "long"))
    assert long.declared.equals(tiny.declared)
