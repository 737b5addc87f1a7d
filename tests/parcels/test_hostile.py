"""Files of parcels made to read what they should not, to take more than there is, or to lie.

Each is refused by name, or read as what it harmlessly is; the table says which. Outside of the
files' folder lie canaries (a GeoPackage, a text, a schema) and a server with a log: neither is
touched. All of it happens in a process that may hold 2 GiB and is watched by a clock.
"""

from __future__ import annotations

import os
import re
import warnings

import geopandas as gpd
import pyarrow as pa
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj.exceptions import CRSError
from shapely import box

from cbmcube.exceptions import ReadError
from cbmcube.parcels import _traps, read_parcels
from cbmcube.parcels._traps import levels, refuse_nesting
from tests.file_server import serve_files
from tests.parcels.hostile_archives import ARCHIVES, PATHS
from tests.parcels.hostile_binary import FLATGEOBUFS, PARQUETS, SHAPEFILES
from tests.parcels.hostile_place import HARMLESS, Place, pointer, squares
from tests.parcels.hostile_tables import GEOPACKAGES, nested
from tests.parcels.hostile_text import ELSEWHERE, FEATURE, GEOJSON, GMLS, LINK, POINTERS, crs, gml
from tests.parcels.reader import MEMORY, Reader

CANARY = "canary-8c2e"


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outside")
    secret = squares().assign(word=CANARY)
    secret.to_file(folder / "canary.gpkg", layer="real")
    secret.to_file(folder / "canary.shp")
    secret.to_parquet(folder / "canary.parquet")
    (folder / "canary.txt").write_text(f"{CANARY}\n")
    (folder / "canary.xsd").write_text(f"<!-- {CANARY} -->")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root = tmp_path_factory.mktemp("server")
    (root / "inside").mkdir()
    with serve_files(root / "inside", root / "log") as server:
        (root / "inside" / "canary.wkt").write_text(CANARY)
        yield server


@pytest.fixture(scope="module")
def reader():
    reader = Reader()
    yield reader
    reader.end()


@pytest.fixture
def place(tmp_path, outside, server):
    server.forget()
    return Place(tmp_path, outside, server)


def untouched(place):
    """Set the time of reading far back; a file system tells by it who read a file."""
    files = sorted(place.outside.iterdir())
    for path in files:
        os.utime(path, (1, path.stat().st_mtime))

    def check():
        assert [path.name for path in files if path.stat().st_atime != 1] == []
        assert place.server.requests() == []

    return check


GROUPS = {
    "pointer": POINTERS,
    "geojson": GEOJSON,
    "gml": GMLS,
    "zip": ARCHIVES,
    "gpkg": GEOPACKAGES,
    "parquet": PARQUETS,
    "shp": SHAPEFILES,
    "fgb": FLATGEOBUFS,
    "path": PATHS,
}
CASES = {
    f"{group}: {name}": case for group, cases in GROUPS.items() for name, case in cases.items()
}


@pytest.mark.parametrize(("make", "match"), CASES.values(), ids=CASES)
def test_a_hostile_file(make, match, place, reader):
    path = make(place)
    check = untouched(place)
    found = reader.read(path)
    check()
    assert found.ours, found.text
    assert CANARY not in found.text
    assert not (place.folder / "exploded").exists()
    assert found.peak < MEMORY
    if match is HARMLESS or (not found.error and "HARMLESS" in match):
        assert found.error == ""
        assert 0 < found.rows <= 2
    else:
        assert found.error, "it was read"
        assert re.search(match, found.text), found.text


def test_there_are_enough_of_them():
    assert len(CASES) >= 60


class TestTheGuardsAreNeeded:
    """What they guard against does happen with the file library alone."""

    def test_a_crs_by_link_is_asked_for(self, place):
        path = crs(LINK)(place)
        gpd.read_file(path)
        assert place.server.requests() != []

    def test_a_schema_that_includes_an_address_is_asked_for(self, place):
        path = gml(beside='<xs:include schemaLocation="URL/canary.xsd"/>')(place)
        gpd.read_file(path, DOWNLOAD_SCHEMA="NO", WRITE_GFS="NO")
        assert place.server.requests() != []

    def test_an_init_file_is_read(self, place):
        check = untouched(place)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            with pytest.raises(CRSError):
                gpd.GeoSeries(crs=f"+init={place.outside}/canary.txt:x")
        with pytest.raises(AssertionError, match="canary.txt"):
            check()

    def test_the_time_of_reading_tells(self, place):
        check = untouched(place)
        (place.outside / "canary.txt").read_text()
        with pytest.raises(AssertionError, match="canary.txt"):
            check()


class TestNesting:
    @given(
        st.recursive(
            st.just(box(0, 0, 1, 1)) | st.just(shapely.Point(3, 3)) | st.just(shapely.Polygon()),
            lambda inner: st.lists(inner, max_size=4).map(shapely.GeometryCollection),
            max_leaves=12,
        ),
        st.sampled_from([0, 1]),
        st.booleans(),
    )
    def test_levels_are_those_of_the_geometry(self, shape, order, high):
        def depth(one):
            inner = [depth(member) for member in getattr(one, "geoms", ())]
            return int(hasattr(one, "geoms")) + max(inner, default=0)

        shape = shapely.force_3d(shape) if high else shape
        for flavor in ("iso", "extended"):
            wkb = shapely.to_wkb(shape, byte_order=order, flavor=flavor, output_dimension=3)
            assert levels(wkb) == depth(shape)

    @given(st.binary(max_size=200))
    def test_garbage_ends(self, wkb):
        assert levels(wkb) <= 33

    @pytest.mark.parametrize("deep", [1, 31, 32, 33])
    def test_the_limit(self, deep):
        column = pa.array([nested(deep), box(0, 0, 1, 1).wkb, None], pa.binary())
        if deep > 32:
            with pytest.raises(ReadError, match="32 levels"):
                refuse_nesting(column, "p.parquet")
        else:
            refuse_nesting(column, "p.parquet")

    def test_one_among_many_collections(self):
        """As many headers as values, but in one of them."""
        plain = [shapely.MultiPolygon([box(0, 0, 1, 1)]).wkb] * 300
        refuse_nesting(pa.array(plain, pa.binary()), "p.parquet")
        column = pa.array([*plain, nested(40), *plain], pa.large_binary())
        with pytest.raises(ReadError, match="32 levels"):
            refuse_nesting(column, "p.parquet")
        with pytest.raises(ReadError, match="32 levels"):
            refuse_nesting(column.slice(250, 60), "p.parquet")
        refuse_nesting(column.slice(0, 300), "p.parquet")

    def test_numbers_that_look_like_headers_do_no_harm(self):
        """3.0 is 00 00 00 00 00 00 08 40, of which a part is a header of nine members."""
        ring = [(3.0, 3.0), (5.0, 3.0), (5.0, 5.0)] * 200
        shapes = shapely.polygons([ring] * 50)
        refuse_nesting(pa.array(shapely.to_wkb(shapes, byte_order=0), pa.binary()), "p.parquet")


def test_a_word_that_is_cut_between_two_reads_is_found(monkeypatch, place):
    monkeypatch.setattr(_traps, "_CHUNK", 4096)
    monkeypatch.setattr(_traps, "_CRS_BYTES", 256)
    for blanks in range(3900, 4300, 7):
        text = f'{{"type":"FeatureCollection",{" " * blanks}"crs":{LINK},"features":[{FEATURE}]}}'
        path = pointer(text, "p.geojson")(place)
        with pytest.raises(ReadError, match=ELSEWHERE):
            read_parcels(path, id="row")
    assert place.server.requests() == []
