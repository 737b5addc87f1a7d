"""Each plane is one acquisition, and its pixels are those of its files and no others."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

import cbmcube as cbm
from cbmcube.catalog import group_acquisitions

RADAR = {"collection": "CARD-BS", "s2__processing_baseline": None, "platform": "sentinel-1a"}


def mosaic(cube, items, band, convert):
    """What NumPy makes of the files on the grid of `cube`: the first id that sees wins."""
    transform = cube.odc.geobox.affine
    plane = np.full(cube.odc.geobox.shape, np.nan, "float32")
    for item in sorted(items, key=lambda item: item.id, reverse=True):
        with rasterio.open(item.assets[band].href) as source:
            values = convert(source.read(1), item)
            column, row = ~transform * (source.transform.c, source.transform.f)
        window = np.s_[round(row) : round(row) + values.shape[0],
                       round(column) : round(column) + values.shape[1]]  # fmt: skip
        plane[window] = np.where(np.isnan(values), plane[window], values)
    return plane


@pytest.fixture
def noise():
    rng = np.random.default_rng(5)

    def make(rows=37, columns=41):
        values = rng.integers(1, 9000, (rows, columns)).astype("uint16")
        values[rng.random((rows, columns)) < 0.2] = 0
        return values

    return make


@pytest.mark.trap("T18")
@pytest.mark.trap("T13")
def test_two_zones_overlaps_and_two_baselines_equal_their_files(scenes, noise, reflectance):
    """Seven tiles: two zones, overlapping, with and without the offset, on two dates."""

    def convert(numbers, item):
        raised = item.properties["s2:processing_baseline"] >= "04.00"
        return reflectance(numbers, -1000 if raised else 0)

    items = [
        scenes.item(
            f"z{zone}_{number}",
            {"B04": noise()},
            day=5 * (number % 2),
            epsg=zone,
            origin=(x + 130 * number, 5_400_000 - 90 * number),
            s2__processing_baseline="05.10" if number % 3 else "02.08",
        )
        for zone, x, count in ((32632, 719_000, 4), (32633, 278_000, 3))
        for number in range(count)
    ]
    cubes = cbm.load_native(items, cbm.CARD_2A, bands="B04", block=16)
    assert sorted(cubes.children) == ["EPSG32632_10m", "EPSG32633_10m"]
    for name, cube in cubes.children.items():
        assert cube.sizes["time"] == 2
        for plane in range(2):
            ids = cube["items"].values[plane].split()
            assert {f"z{name[4:9]}"} == {one.split("_")[0] for one in ids}
            mine = [item for item in items if item.id in ids]
            expected = mosaic(cube.to_dataset(), mine, "B04", convert)
            np.testing.assert_array_equal(cube.B04[plane], expected)


@pytest.mark.trap("T14")
@pytest.mark.trap("T15")
@pytest.mark.trap("T16")
def test_passes_of_a_day_stay_apart_in_time_order(scenes):
    """Ascending and descending on each of three days, given in shuffled order."""
    rng = np.random.default_rng(3)
    items = []
    for day in (12, 0, 6):
        for state, orbit, hour in (("ascending", 15, 0.29), ("descending", 139, -0.19)):
            power = rng.random((12, 14)).astype("float32")
            items.append(
                scenes.item(f"{state}{day}", {"VV": power}, day=day + hour,
                            sat__orbit_state=state, sat__relative_orbit=orbit, **RADAR)
            )  # fmt: skip
    cube = cbm.load(items, cbm.CARD_BS, bands="VV")
    assert cube.orbit_state.values.tolist() == ["descending", "ascending"] * 3
    assert cube.relative_orbit.values.tolist() == [139, 15] * 3
    assert np.all(np.diff(cube.time.values) > np.timedelta64(0))
    for plane, name in enumerate(cube["items"].values):
        with rasterio.open(scenes.folder / f"{name}_VV.tif") as source:
            np.testing.assert_array_equal(cube.VV[plane], source.read(1))


@pytest.mark.trap("T7")
def test_two_halves_of_a_tile_fill_one_plane(scenes, noise, reflectance):
    """One datatake and tile in two datastrips, each without data where the other sees."""
    halves = {"w": noise(), "e": noise()}
    halves["w"][:, 25:] = 0
    halves["e"][:, :20] = 0
    items = [
        scenes.item(
            name,
            {"B04": values},
            grid__code="MGRS-13TDE",
            s2__datatake_id="GS2B_20240530T174909_037770_N05.10",
            s2__datastrip_id=f"S2B_OPER_MSI_L2A_DS_2BPS_20240531T000000_S{start}_N05.10",
            s2__processing_baseline="05.10",
        )
        for (name, values), start in zip(
            halves.items(), ("20240530T180249", "20240530T175011"), strict=True
        )
    ]
    cube = cbm.load(items, cbm.CARD_2A, bands="B04")
    assert cube["items"].values.tolist() == ["e w"]
    expected = mosaic(cube, items, "B04", lambda numbers, _: reflectance(numbers, -1000))
    np.testing.assert_array_equal(cube.B04[0], expected)
    east, west = (reflectance(halves[name]) for name in "ew")
    assert np.isfinite(expected).sum() == (np.isfinite(east) | np.isfinite(west)).sum()


@pytest.mark.realdata
@pytest.mark.trap("T7")
def test_a_real_split_tile_is_one_plane_of_two_items(real_items):
    pair = [
        item
        for item in real_items("100-sentinel-2-items.parquet")
        if item.id.startswith("S2B_MSIL2A_20240530T174909_R141_T13TDE_")
    ]
    assert len(pair) == 2
    cube = cbm.load(pair, cbm.CARD_2A, bands="B04")
    assert cube["items"].item().split() == sorted(item.id for item in pair)


@pytest.mark.realdata
@pytest.mark.trap("T14")
def test_one_orbit_that_turns_from_ascending_to_descending_is_two_passes(real_items):
    """All but the last item run south; relative and absolute orbit are the same for all."""
    items = real_items("SENTINEL1_GRD")
    assert {item.properties["sat:relative_orbit"] for item in items} == {158}
    passes = group_acquisitions(items)
    assert [(one.orbit_state, len(one.items)) for one in passes] == [
        ("ascending", 1),
        ("descending", 9),
    ]


@pytest.mark.realdata
@pytest.mark.trap("T18")
def test_a_real_answer_of_two_zones_is_two_grids(real_items):
    items = real_items("microsoft.com__sentinel-2-l2a")
    cubes = cbm.load_native(items, cbm.CARD_2A, bands=["B04", "SCL"])
    assert sorted(cubes.children) == [f"EPSG326{z}_{r}m" for z in (59, 60) for r in (10, 20)]


def test_bands_that_differ_are_named_in_the_radiometry(scenes, noise):
    item = scenes.item("a", {"B04": noise(), "B08": noise()}, s2__processing_baseline="05.10")
    item.assets["B08"].extra_fields["raster:offset"] = -0.05
    cube = cbm.load([item], cbm.CARD_2A, bands=["B04", "B08"])
    assert cube.radiometry.item() == (
        "B04: scale 0.0001, offset -0.1 (rule 4: processing baseline 05.10); "
        "B08: scale 0.0001, offset -0.05 (rule 3: declared by the asset)"
    )


@pytest.mark.trap("T20")
def test_north_up_and_south_up_give_the_same_parcel_means(scenes, noise):
    """One raster written both ways; a parcel in no symmetric place."""
    import geopandas as gpd
    import shapely

    values = noise()
    north = scenes.item("n", {"B04": values})
    south = scenes.item("s", {"B04": values[::-1]}, origin=(500_000, 5_400_000 - 370),
                        steps={"B04": (10, 10)})  # fmt: skip
    field = shapely.Polygon([(500_043, 5_399_981), (500_222, 5_399_902), (500_101, 5_399_817)])
    parcels = gpd.GeoDataFrame(geometry=[field], index=["field"], crs=32632)
    upright, flipped = (
        cbm.reduce_parcels(cbm.load([item], cbm.CARD_2A, bands="B04", block=16), parcels)
        for item in (north, south)
    )
    np.testing.assert_allclose(
        upright.B04.isel(parcel=0, time=0), flipped.B04.isel(parcel=0, time=0), rtol=1e-6
    )
    assert float(upright.B04.sel(statistic="count").squeeze()) > 50


def test_where_tiles_overlap_the_first_by_id_wins_whatever_its_time(scenes, reflectance):
    """A second apart, the later item first by id."""
    early = scenes.item("z", {"B04": np.full((9, 9), 1000, "uint16")})
    late = scenes.item("a", {"B04": np.full((9, 9), 2000, "uint16")}, day=1 / 86400)
    cube = cbm.load([early, late], cbm.CARD_2A, bands="B04")
    np.testing.assert_array_equal(cube.B04[0], reflectance(np.full((9, 9), 2000)))
