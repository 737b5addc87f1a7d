from __future__ import annotations

import warnings

import geopandas as gpd
import numpy as np
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod
from shapely import MultiPolygon, Point, Polygon, box
from shapely.affinity import rotate, scale, translate

from cbmcube.exceptions import OptionError, ParcelsError
from cbmcube.parcels import prepare_parcels, read_parcels
from cbmcube.warnings import RepairedParcelsWarning

X, Y = 500_000.0, 5_500_000.0  # near the middle of zone 32, multiples of 20
BOW_TIE = Polygon([(X, Y), (X + 100, Y + 100), (X + 100, Y), (X, Y + 100)])


def frame(*shapes, crs="EPSG:32632", **columns):
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=crs)


def square(dx=0.0, dy=0.0, size=100.0):
    return box(X + dx, Y + dy, X + dx + size, Y + dy + size)


def one(shape, *, crs="EPSG:32632", **options):
    return prepare_parcels(frame(shape, crs=crs), **options).iloc[0]


class TestShape:
    def test_shape_index_of_known_figures(self):
        circle = Point(X, Y).buffer(200, quad_segs=64)
        strip = box(X, Y, X + 400, Y + 100)
        found = prepare_parcels(frame(circle, square(), strip))["shape_index"]
        assert found.dtype == np.float32
        assert found.to_numpy() == pytest.approx([1.0, 1.128, 1.410], abs=1e-3)

    def test_side_ratio_of_rectangles(self):
        strip = box(X, Y, X + 400, Y + 100)
        turned = rotate(strip, 30)
        triangle = Polygon([(X, Y), (X + 300, Y), (X, Y + 100)])
        found = prepare_parcels(frame(square(), strip, turned, triangle))["side_ratio"]
        assert found.dtype == np.float32
        # The smallest rectangle around a right triangle stands on its legs (or, with the
        # same area, on its hypotenuse).
        hypotenuse = np.hypot(300, 100)
        assert found.to_numpy()[:3] == pytest.approx([1.0, 0.25, 0.25], rel=2e-3)
        assert found.iloc[3] == pytest.approx(1 / 3, rel=2e-3) or found.iloc[3] == pytest.approx(
            (300 * 100 / hypotenuse) / hypotenuse, rel=2e-3
        )

    @given(
        factor=st.floats(0.2, 5.0),
        corners=st.lists(
            st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=4, max_size=12
        ),
    )
    def test_scaling(self, factor, corners):
        hull = shapely.convex_hull(shapely.multipoints(np.array(corners)))
        if hull.geom_type != "Polygon" or hull.minimum_clearance < 5:
            return
        shape = translate(hull, 4_321_000, 3_210_000)  # the centre of EPSG:3035: no distortion
        larger = scale(shape, factor, factor)
        found = prepare_parcels(frame(shape, larger, crs="EPSG:3035"))
        first, second = found.iloc[0], found.iloc[1]
        assert second["area_m2"] == pytest.approx(first["area_m2"] * factor**2, rel=1e-6)
        assert second["perimeter_m"] == pytest.approx(first["perimeter_m"] * factor, rel=1e-6)
        assert second["shape_index"] == pytest.approx(first["shape_index"], rel=1e-5)

    @given(st.floats(0.02, 20.0), st.floats(0, 360))
    def test_scaling_and_turning_leave_the_side_ratio(self, factor, degrees):
        # Not a triangle: around one, the rectangles on all three sides have the same area.
        shape = Polygon([(0, 0), (300, 20), (280, 110), (10, 90)])
        shape = translate(shape, 4_321_000, 3_210_000)
        moved = rotate(scale(shape, factor, factor), degrees)
        found = prepare_parcels(frame(shape, moved, crs="EPSG:3035"))["side_ratio"]
        assert found[1] == pytest.approx(found[0], rel=1e-5)

    @pytest.mark.parametrize(
        ("lon", "lat"), [(9.0, 49.6), (-8.5, 40.0), (25.0, 60.0), (-60.0, -33.0), (140.0, 38.0)]
    )
    def test_area_and_perimeter_on_the_ellipsoid(self, lon, lat):
        shape = shapely.segmentize(box(lon, lat, lon + 0.004, lat + 0.003), 0.0005)
        area, perimeter = Geod(ellps="WGS84").geometry_area_perimeter(shape)
        found = one(shape, crs="OGC:CRS84")
        assert found["area_m2"] == pytest.approx(abs(area), rel=1e-4)
        # Equal area stretches lengths, by up to 2 % at the rim of Europe.
        assert found["perimeter_m"] == pytest.approx(perimeter, rel=0.02)

    def test_measures_do_not_depend_on_the_crs(self):
        fields = frame(square(), rotate(square(300), 20))
        degrees = prepare_parcels(fields.to_crs("EPSG:4326"))
        metres = prepare_parcels(fields)
        for column in ("area_m2", "perimeter_m", "shape_index", "side_ratio"):
            assert degrees[column].to_numpy() == pytest.approx(metres[column].to_numpy(), rel=1e-5)
        assert degrees["area_m2"].iloc[0] == pytest.approx(10_000, rel=2e-3)


class TestPixels:
    @pytest.mark.parametrize(
        ("dx", "dy", "buffer", "full"),
        [(0, 0, 0.0, 100), (5, 0, 0.0, 90), (0, 0, -5.0, 64), (5, 5, -5.0, 81), (5, 5, 0.0, 81)],
    )
    def test_a_square_of_100_m(self, dx, dy, buffer, full):
        found = one(square(dx, dy), buffer=buffer)
        assert found["n_full_10"] == full
        assert found["buffer_m"] == buffer

    @pytest.mark.parametrize(
        ("dx", "buffer", "full"), [(0, 0.0, 25), (10, 0.0, 20), (0, -5.0, 9), (-5, 5.0, 25)]
    )
    def test_cells_of_20_m(self, dx, buffer, full):
        assert one(square(dx), buffer=buffer)["n_full_20"] == full

    def test_a_quarter_turn_on_the_lattice(self):
        shape = Polygon([(3, 4), (155, 21), (140, 97), (61, 142), (8, 80)])
        about = translate(shape, X, Y)
        turned = rotate(about, 90, origin=(X, Y))
        found = prepare_parcels(frame(about, turned))
        assert found["n_full_10"].nunique() == 1
        assert found["n_full_20"].nunique() == 1

    @given(
        st.lists(st.tuples(st.floats(0, 150), st.floats(0, 150)), min_size=4, max_size=8),
        st.floats(-12, 12),
    )
    def test_counts_agree_with_the_cells_that_shapely_finds(self, corners, buffer):
        shape = shapely.convex_hull(shapely.multipoints(np.array(corners)))
        if shape.geom_type != "Polygon" or shape.area < 1:
            return
        shape = translate(shape, X, Y)
        found = one(shape, buffer=buffer)
        buffered = shapely.buffer(shape, buffer)
        shapely.prepare(buffered)
        for spacing in (10, 20):
            low = np.arange(-3, 20) * spacing
            x, y = (c.ravel() for c in np.meshgrid(X + low, Y + low))
            cells = shapely.box(x, y, x + spacing, y + spacing)
            # A cell short of 4 cm2 in 400 m2 is whole to single precision: a corner cut by 2 cm.
            certain = shapely.contains_properly(buffered, cells).sum()
            possible = shapely.covers(shapely.buffer(buffered, 2.1e-2), cells).sum()
            assert certain <= found[f"n_full_{spacing}"] <= possible

    def test_the_classes(self):
        whole = {0: "NONE", 1: "POOR", 2: "POOR", 3: "LIMITED", 7: "LIMITED", 8: "GOOD", 30: "GOOD"}
        strips = [box(X, Y, X + 10 * max(n, 0.5), Y + 10) for n in whole]
        found = prepare_parcels(frame(*strips))
        assert list(found["n_full_10"]) == list(whole)
        assert list(found["class_10m"]) == list(whole.values())
        assert list(found["class_20m"]) == ["NONE"] * len(whole)
        assert (found["class_10m"] >= "LIMITED").sum() == 4

    def test_each_hemisphere_and_zone_has_its_lattice(self):
        fields = [
            gpd.GeoSeries([square(3, 4)], crs=code).to_crs("OGC:CRS84").iloc[0]
            for code in ("EPSG:32632", "EPSG:32720", "EPSG:32755")
        ]
        found = prepare_parcels(frame(*fields, crs="OGC:CRS84"))
        assert list(found["n_full_10"]) == [81, 81, 81]
        moved = prepare_parcels(frame(*fields, crs="OGC:CRS84"), grid_crs="EPSG:3857")
        assert (moved["n_full_10"] > 81).all()  # Mercator enlarges

    def test_parcels_are_counted_in_portions(self, monkeypatch):
        shapes = [square(37 * i, 13 * i, 40 + 3 * i) for i in range(23)]
        whole = prepare_parcels(frame(*shapes), buffer=-5.0)
        monkeypatch.setattr("cbmcube.parcels._pixels._AT_ONCE", 5)
        assert_geodataframe_equal(prepare_parcels(frame(*shapes), buffer=-5.0), whole)

    def test_the_grid_of_a_neighbouring_zone(self):
        field = gpd.GeoSeries([square(0, 0)], crs="EPSG:32633").to_crs("EPSG:32632")
        fields = gpd.GeoDataFrame(geometry=field)
        there = prepare_parcels(fields, grid_crs=32633).iloc[0]
        assert there["n_full_10"] in range(81, 101)  # aligned but for rounding

    def test_south_west_norway_is_in_zone_32(self):
        # Bergen, 5.3 E: zone 31 by longitude.
        field = box(300_000, 6_700_000, 300_100, 6_700_100)
        degrees = gpd.GeoSeries([field], crs=32632).to_crs("OGC:CRS84")
        assert 3 < degrees.iloc[0].centroid.x < 6
        assert one(translate(field, 5, 5))["n_full_10"] == 81

    @pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:2263"])  # degrees, feet
    def test_the_grid_must_be_in_metres(self, crs):
        with pytest.raises(OptionError, match="metres"):
            prepare_parcels(frame(square()), grid_crs=crs)


class TestBuffer:
    def test_no_buffer(self):
        found = one(square())
        assert found["buffer_status"] == "NONE"
        assert found["n_parts_lost"] == 0

    def test_a_narrow_strip_is_emptied_not_restored(self):
        strip = rotate(box(X, Y, X + 150, Y + 20), 33)
        found = one(strip, buffer=-10.0)
        assert found["buffer_status"] == "EMPTIED"
        assert found["n_full_10"] == 0
        assert found["class_10m"] == "NONE"
        assert found["geometry"].equals(strip)

    def test_lost_parts_are_counted(self):
        parts = MultiPolygon([square(), square(200, 0, 8), square(300, 0, 9), square(400, 0, 40)])
        found = prepare_parcels(frame(parts, square(0, 500)), buffer=-5.0)
        assert list(found["n_parts_lost"]) == [2, 0]
        assert list(found["buffer_status"]) == ["OK", "OK"]
        assert prepare_parcels(frame(parts), buffer=5.0)["n_parts_lost"].iloc[0] == 0

    @pytest.mark.parametrize("buffer", [np.nan, np.inf, -np.inf])
    def test_must_be_a_number(self, buffer):
        with pytest.raises(OptionError, match="finite"):
            prepare_parcels(frame(square()), buffer=buffer)


class TestHalfPixel:
    def test_each_resolution_has_its_own(self):
        """A square from 5 to 105 m: whole 20 m pixels to 100 m after -5 m, to 80 m after -10 m."""
        found = one(square(5, 5), buffer="half_pixel")
        assert (found["n_full_10"], found["n_full_20"]) == (81, 9)
        assert one(square(5, 5), buffer=-5.0)["n_full_20"] == 16
        assert found["buffer_m"] == -5.0

    @given(st.floats(0, 20), st.floats(0, 20), st.floats(5, 150), st.sampled_from([10, 20, 60]))
    def test_equals_the_number_of_metres(self, dx, dy, size, spacing):
        shape = square(dx, dy, size)
        half = one(shape, buffer="half_pixel", resolutions=[spacing])
        metres = one(shape, buffer=-spacing / 2, resolutions=[spacing])
        columns = ["buffer_m", "buffer_status", "n_parts_lost", f"n_full_{spacing}"]
        assert half[columns].to_list() == metres[columns].to_list()

    def test_the_finest_decides_what_the_reduction_applies(self):
        for order in ([20, 10], [10, 20]):
            found = one(square(), buffer="half_pixel", resolutions=order)
            assert found["buffer_m"] == -5.0
        assert one(square(), buffer="half_pixel", resolutions=[20])["buffer_m"] == -10.0

    def test_other_words(self):
        with pytest.raises(OptionError, match="'half_pixel'"):
            prepare_parcels(frame(square()), buffer="half")


class TestResolutions:
    def test_columns_are_named_after_them(self):
        found = prepare_parcels(frame(square()), resolutions=[2.5, 50])
        assert found["n_full_2.5"].iloc[0] == 40 * 40
        assert found["n_full_50"].iloc[0] == 4
        assert list(found["class_2.5m"]) == ["GOOD"]
        assert "n_full_10" not in found

    def test_earlier_counts_do_not_stay(self):
        once = prepare_parcels(frame(square()))
        again = prepare_parcels(once, resolutions=[20], buffer=-10.0)
        assert [c for c in again if c.startswith(("n_full", "class_"))] == [
            "n_full_20",
            "class_20m",
        ]

    @pytest.mark.parametrize("wrong", [[], [0], [-10], [np.nan], [np.inf]])
    def test_must_be_metres(self, wrong):
        with pytest.raises(OptionError, match="resolutions"):
            prepare_parcels(frame(square()), resolutions=wrong)


class TestDuplicates:
    def test_name_the_first_of_their_kind(self):
        turned = shapely.reverse(square())
        given = frame(square(), square(300), turned, square(300), square(), None, None)
        given.index = list("abcdefg")
        with pytest.warns(RepairedParcelsWarning):
            found = prepare_parcels(given)["duplicate_of"]
        assert found.dropna().to_dict() == {"c": "a", "d": "b", "e": "a"}

    @pytest.mark.parametrize("ids", [[2**60, 2**60 + 1], ["x", "y"], [1.5, 2.5]])
    def test_ids_keep_their_values(self, ids, tmp_path):
        given = frame(square(), square()).set_index(np.array(ids))
        found = prepare_parcels(given)
        assert found["duplicate_of"].isna().tolist() == [True, False]
        assert found["duplicate_of"].iloc[1] == ids[0]
        found.to_parquet(tmp_path / "p.parquet")
        assert gpd.read_parquet(tmp_path / "p.parquet")["duplicate_of"].iloc[1] == ids[0]

    @given(st.permutations(range(6)))
    def test_order_does_not_change_who_is_twice(self, order):
        shapes = [square(), square(), square(300), square(300), square(300), square(600)]
        found = prepare_parcels(frame(*(shapes[i] for i in order)))
        assert found["duplicate_of"].notna().sum() == 3
        first = found["duplicate_of"].dropna()
        assert (
            found.loc[first, "geom_hash"].to_numpy() == found.loc[first.index, "geom_hash"]
        ).all()


class TestIdentities:
    """Formulas that hold for every figure; coordinates about the centre of EPSG:3035."""

    @given(st.floats(10, 2000), st.floats(1, 300))
    def test_a_widened_square(self, size, distance):
        """Steiner: area s² + 4sd + πd², perimeter 4s + 2πd; the arcs are drawn with chords."""
        shape = box(4_321_000, 3_210_000, 4_321_000 + size, 3_210_000 + size)
        wide = shapely.buffer(shape, distance, quad_segs=64)
        found = one(wide, crs="EPSG:3035")
        area = size**2 + 4 * size * distance + np.pi * distance**2
        perimeter = 4 * size + 2 * np.pi * distance
        assert found["area_m2"] == pytest.approx(area, rel=5e-4)
        assert found["perimeter_m"] == pytest.approx(perimeter, rel=5e-4)
        expected = perimeter / (2 * np.sqrt(np.pi * area))
        assert found["shape_index"] == pytest.approx(expected, rel=1e-3)

    @given(st.integers(3, 200))
    def test_the_shape_index_of_regular_polygons(self, n):
        """sqrt((n / π) tan(π / n)): 1.286 for a triangle, 1.128 for a square, towards 1."""
        angles = 2 * np.pi * np.arange(n) / n
        ring = 300 * np.column_stack([np.cos(angles), np.sin(angles)]) + [4_321_000, 3_210_000]
        expected = np.sqrt(n / np.pi * np.tan(np.pi / n))
        assert one(Polygon(ring), crs="EPSG:3035")["shape_index"] == pytest.approx(
            expected, rel=1e-6
        )

    @given(st.integers(0, 6), st.booleans())
    def test_the_order_of_vertices(self, start, backwards):
        ring = np.array([(3, 4), (155, 21), (140, 97), (61, 142), (40, 90), (8, 80), (0, 30)])
        moved = np.roll(ring, start, axis=0)[:: -1 if backwards else 1]
        first, second = (Polygon(r + np.array([X, Y])) for r in (ring, moved))
        found = prepare_parcels(frame(first, second), buffer=-5.0)
        exact = ["n_full_10", "n_full_20", "geom_hash", "class_10m", "buffer_status"]
        assert found[exact].iloc[0].to_list() == found[exact].iloc[1].to_list()
        close = ["area_m2", "perimeter_m", "shape_index", "side_ratio"]
        assert found[close].iloc[0].to_list() == pytest.approx(found[close].iloc[1].to_list())
        assert found["duplicate_of"].isna().tolist() == [True, False]

    @given(st.floats(-12, 12))
    def test_narrowing_never_adds_pixels(self, buffer):
        shape = rotate(square(3, 4, 130), 17)
        narrow, wide = one(shape, buffer=buffer), one(shape, buffer=buffer + 1)
        assert narrow["n_full_10"] <= wide["n_full_10"]
        assert narrow["n_full_20"] <= wide["n_full_20"]


class TestRepair:
    def test_a_bow_tie_keeps_both_triangles(self):
        with pytest.warns(RepairedParcelsWarning, match="1 had an invalid"):
            found = prepare_parcels(frame(BOW_TIE, crs="EPSG:32632"))
        shape = found.geometry.iloc[0]
        assert shape.is_valid
        assert len(shape.geoms) == 2
        assert shape.area == pytest.approx(2 * (100 * 50 / 2))
        assert found["geom_status"].iloc[0] == "REPAIRED_CHANGED"  # its signed area was 0

    def test_a_small_change_is_only_a_repair(self):
        corners = [(0, 0), (100, 0), (100, 100), (50, 100), (50, 150), (50, 100), (0, 100)]
        spike = translate(Polygon(corners), X, Y)
        with pytest.warns(RepairedParcelsWarning):
            found = one(spike)
        assert found["geom_status"] == "REPAIRED"
        assert found["geometry"].geom_type == "Polygon"
        assert found["geometry"].area == 10_000

    def test_overlapping_parts_keep_what_they_share(self):
        with pytest.warns(RepairedParcelsWarning):
            found = one(MultiPolygon([square(), square(50)]))
        assert found["geometry"].area == pytest.approx(15_000)

    def test_every_status_is_counted(self):
        line = Polygon([(X, Y), (X + 9, Y), (X, Y)])
        with np.errstate(invalid="ignore"):
            broken = Polygon([(X, Y), (np.nan, Y), (X + 9, Y + 9)])
        given = frame(square(), BOW_TIE, None, Polygon(), line, broken)
        expected = r"of 6 parcels, 1 had .* \(1 changed .* more than 1%\) and 4 have none"
        with pytest.warns(RepairedParcelsWarning, match=expected):
            found = prepare_parcels(given, buffer=-5.0)
        assert list(found["geom_status"]) == ["VALID", "REPAIRED_CHANGED"] + ["EMPTY"] * 4
        nothing = found.iloc[2:]
        assert (nothing[["area_m2", "perimeter_m", "n_full_10", "n_full_20"]] == 0).all(axis=None)
        assert nothing[["shape_index", "side_ratio", "overlap_frac"]].isna().all(axis=None)
        assert set(nothing["class_10m"]) == {"NONE"}
        assert set(nothing["buffer_status"]) == {"NONE"}

    def test_infinite_coordinates_are_no_geometry(self):
        with np.errstate(invalid="ignore"):
            endless = Polygon([(X, Y), (np.inf, Y), (X + 9, Y + 9)])
        with pytest.warns(RepairedParcelsWarning, match="1 have none"):
            found = prepare_parcels(frame(square(), endless))
        assert list(found["geom_status"]) == ["VALID", "EMPTY"]
        assert list(found["n_full_10"]) == [100, 0]

    def test_nothing_but_empty_geometries(self):
        with pytest.warns(RepairedParcelsWarning, match="2 have none"):
            found = prepare_parcels(frame(None, Polygon()), buffer=-5.0)
        assert list(found["geom_status"]) == ["EMPTY", "EMPTY"]

    def test_the_warning_names_the_caller(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            prepare_parcels(frame(BOW_TIE))
        assert [w.filename for w in caught] == [__file__]

    def test_heights_are_dropped(self):
        assert not one(shapely.force_3d(square(), 7.0))["geometry"].has_z


class TestOverlap:
    def test_shares_of_the_own_area(self):
        given = frame(square(), square(75), square(0, 300), square(0, 300, 50))
        found = prepare_parcels(given)["overlap_frac"]
        assert found.dtype == np.float32
        assert found.to_numpy() == pytest.approx([0.25, 0.25, 0.25, 1.0], abs=1e-3)

    def test_several_overlaps_add_up(self):
        found = prepare_parcels(frame(square(), square(), square()))["overlap_frac"]
        assert found.to_numpy() == pytest.approx([2.0, 2.0, 2.0], abs=1e-6)

    def test_neighbours_do_not_overlap(self):
        tiles = [square(100 * i, 100 * j) for i in range(5) for j in range(5)]
        assert (prepare_parcels(frame(*tiles))["overlap_frac"] < 1e-6).all()


class TestHash:
    def test_depends_on_the_ground_alone(self):
        parts = MultiPolygon([square(), square(200)])
        other = MultiPolygon([shapely.reverse(square(200)), square()])
        start = Polygon(np.roll(np.array(square().exterior.coords)[:-1], 2, axis=0))
        found = prepare_parcels(frame(parts, other, square(), start, square(1)))["geom_hash"]
        assert found[0] == found[1]
        assert found[2] == found[3]
        assert found.nunique() == 3
        assert found.str.fullmatch("[0-9a-f]{16}").all()

    def test_is_the_same_in_every_process(self):
        # BLAKE2b of the normalised little-endian WKB, 8 bytes, made with the command `b2sum`.
        assert one(box(0, 0, 1, 1), crs="EPSG:3035")["geom_hash"] == "6812c934cf6157d1"


class TestTable:
    def test_the_input_stays_and_its_columns_too(self):
        given = frame(BOW_TIE, square(300), crop=["wheat", "maize"])
        before = given.copy(deep=True)
        with pytest.warns(RepairedParcelsWarning):
            found = prepare_parcels(given, buffer=-5.0)
        assert_geodataframe_equal(given, before)
        assert list(found["crop"]) == ["wheat", "maize"]
        assert found.index.name == "parcel"
        assert found.crs == given.crs

    def test_types(self):
        found = prepare_parcels(frame(square()))
        types = {name: str(kind) for name, kind in found.dtypes.items()}
        del types["geometry"], types["geom_hash"]
        assert types == {
            "geom_status": "category",
            "area_m2": "float64",
            "perimeter_m": "float64",
            "shape_index": "float32",
            "side_ratio": "float32",
            "overlap_frac": "float32",
            "duplicate_of": "Int64",
            "buffer_m": "float64",
            "buffer_status": "category",
            "n_parts_lost": "int32",
            "n_full_10": "int32",
            "n_full_20": "int32",
            "class_10m": "category",
            "class_20m": "category",
        }

    def test_preparing_again_changes_nothing_but_the_buffer(self):
        once = prepare_parcels(frame(square(), square(300)))
        assert_geodataframe_equal(prepare_parcels(once), once)
        narrowed = prepare_parcels(once, buffer=-5.0)
        assert list(narrowed["n_full_10"]) == [64, 64]
        assert list(narrowed.columns) == list(once.columns)

    def test_an_active_geometry_of_another_name(self):
        found = prepare_parcels(frame(square()).rename_geometry("outline"))
        assert found.active_geometry_name == "outline"
        assert "geometry" not in found

    @pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3035"])
    @pytest.mark.parametrize("far", [1e9, 1e30])
    def test_coordinates_that_do_not_fit_the_crs(self, crs, far):
        far = frame(square(), box(far, far, 2 * far, 2 * far), crs=crs)
        with pytest.raises(ParcelsError, match="do not fit"):
            prepare_parcels(far)

    def test_survives_geoparquet(self, tmp_path):
        given = prepare_parcels(frame(square(), square(300)), buffer=-5.0)
        given.to_parquet(tmp_path / "p.parquet")
        found = read_parcels(tmp_path / "p.parquet")
        assert list(found["n_full_10"]) == [64, 64]
        assert list(found["class_10m"]) == ["GOOD", "GOOD"]
