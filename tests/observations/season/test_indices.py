"""Indices in a season: the numbers of a user's own script, kept like bands."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

import cbmcube as cbm
from cbmcube.exceptions import OptionError, StoreExistsError, UnknownBandError
from cbmcube.indices import INDICES, Index, add_indices
from cbmcube.observations.season import open_plan
from cbmcube.observations.season._groups import pixel_bytes
from cbmcube.observations.season._recipe import recipe_from_json
from tests.observations.season.conftest import PERIOD
from tests.observations.season.test_season import stored_rows

WATER = Index("NDWI", "(B03 - B08) / (B03 + B08)", "open water", bounds=(-0.9, 0.9))


@pytest.mark.parametrize(
    ("indices", "bands", "kept"),
    [
        (["NDVI", "NDMI"], None, ["NDMI", "NDVI"]),  # on grids of 10 and of 20 m
        ("NDVI", ["B04", "SCL"], ["B04", "NDVI"]),
        ([WATER], ["SCL"], ["NDWI"]),
    ],
)
def test_rows_are_those_of_a_script_bit_for_bit(make_plan, country, fields, indices, bands, kept):
    season = make_plan(product=cbm.CARD_2A, indices=indices, bands=bands)
    assert season.run(progress=False).ok

    catalogue = cbm.open_catalog(country.catalogue)
    items = cbm.search(catalogue, cbm.CARD_2A, aoi=fields, period=PERIOD)
    read = ["B03", "B04", "B08", "B11", "SCL"]
    cubes = cbm.mask(cbm.load_native(items, cbm.CARD_2A, bands=read), cbm.CARD_2A)
    whole = cbm.to_observations(cbm.reduce_parcels(add_indices(cubes, indices), fields))
    whole = whole.set_index(["acquisition", "parcel", "band"]).sort_index()

    stored = stored_rows(season)
    assert len(stored) == season.records
    assert sorted(stored.index.unique("band")) == kept
    pd.testing.assert_frame_equal(stored, whole.loc[stored.index], check_exact=True)


def test_what_is_read_is_what_is_needed(make_plan):
    season = make_plan(product=cbm.CARD_2A, indices=["NDVI", "NDMI"])
    assert season.recipe.bands == ("SCL",)
    assert season.recipe.read == ("SCL", "B08", "B04", "B11")
    assert season.recipe.rows_per_parcel == 2
    # Four bands of which one is of bytes, and two indices more than those of bytes alone.
    alone = replace(season.recipe, indices=())
    assert pixel_bytes(season.recipe) - pixel_bytes(alone) == 3 * 4 + 2 * 4 + 2 * (4 - 1)


def test_a_store_of_an_index_feeds_the_markers(make_plan):
    season = make_plan(product=cbm.CARD_2A, indices=["NDVI"])
    season.run(progress=False)
    observations = cbm.open_observations(season.store.url)
    assert observations.bands == ("NDVI",)
    stats = observations.cube()
    assert stats["NDVI"].attrs["formula"] == INDICES["NDVI"].formula
    assert stats["NDVI"].attrs["units"] == "1"
    assert {"SCL_fraction", "observed"} <= {*stats.data_vars}
    assert len(cbm.markers.mowing(stats)) >= stats.sizes["parcel"]


def test_the_formula_is_part_of_the_recipe(make_plan):
    season = make_plan(product=cbm.CARD_2A, indices=[WATER], bands=["SCL"])
    told = json.loads(json.dumps(season.recipe.to_json()))
    assert told["indices"][0]["formula"] == WATER.formula
    assert recipe_from_json(told, None) == season.recipe
    assert open_plan(season.store.url).recipe.indices == (WATER,)
    other = replace(WATER, bounds=None)
    with pytest.raises(StoreExistsError):
        make_plan(product=cbm.CARD_2A, indices=[other], bands=["SCL"])


def test_recipes_without_indices_are_as_they_were(make_plan):
    assert "indices" not in make_plan(product=cbm.CARD_2A, bands=["B04", "SCL"]).recipe.to_json()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"indices": ["NDVY"]}, OptionError, "NDVI"),
        ({"indices": [Index("X", "B4 / B08")]}, UnknownBandError, "B04"),
        ({"indices": [Index("X", "SCL / B08")]}, OptionError, "codes of classes"),
        ({"indices": [Index("B04", "B03 / B08")]}, OptionError, "another name"),
        ({"indices": ["NDVI"], "bands": ["B04"]}, OptionError, "needs the band SCL"),
        ({"bands": ["B04"]}, OptionError, "mask=False"),
        ({"indices": ["NDVI", "NDVI"]}, OptionError, "once"),
        ({"indices": ["RVI"]}, OptionError, "."),
    ],
)
def test_nonsense_is_refused_before_a_store_is_made(make_plan, tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        make_plan("none", product=cbm.CARD_2A, **changes)
    assert not (tmp_path / "none").exists()
