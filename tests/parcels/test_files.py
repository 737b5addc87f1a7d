from __future__ import annotations

import zipfile

import geopandas as gpd
import pytest
from shapely import box

from cbmcube.exceptions import ParcelsError, ParcelsTooLargeError, ReadError
from cbmcube.parcels import ReadLimits, parcels_report, read_parcels


def squares(n=3):
    shapes = [box(100 * i, 0, 100 * i + 90, 50) for i in range(n)]
    return gpd.GeoDataFrame({"number": range(n)}, geometry=shapes, crs="EPSG:32632")


def pack(path, **members):
    """Write an archive of files under other names."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in members.items():
            archive.write(file, name)
    return path


@pytest.fixture
def package(tmp_path):
    squares().to_file(tmp_path / "real.gpkg", layer="fields")
    return tmp_path / "real.gpkg"


class TestPaths:
    def test_an_exclamation_mark_is_refused(self, tmp_path, package, monkeypatch):
        """The file library would open another file: what follows the mark."""
        squares(2).to_file(tmp_path / "c.gpkg")
        package.rename(tmp_path / "b!c.gpkg")
        monkeypatch.chdir(tmp_path)
        assert len(gpd.read_file(tmp_path / "b!c.gpkg")) == 2
        with pytest.raises(ReadError, match="meaning of its own"):
            read_parcels(tmp_path / "b!c.gpkg", id="number")

    def test_a_link_is_followed_before_the_look(self, tmp_path, package):
        (tmp_path / "link.gpkg").symlink_to(package)
        assert len(read_parcels(tmp_path / "link.gpkg", id="number")) == 3
        (tmp_path / "link.shp").symlink_to(package)
        assert len(read_parcels(tmp_path / "link.shp", id="number")) == 3

    @pytest.mark.parametrize("name", ["sp ace", "brä{ce}s", "a+b:c?d=1&e", "x.zip.d", "100%"])
    def test_other_odd_names_are_read(self, tmp_path, package, name):
        (tmp_path / name).mkdir()
        archive = pack(tmp_path / name / f"{name}.zip", **{f"{name}/{name}.gpkg": package})
        plain = package.rename(tmp_path / name / f"{name}.gpkg")
        assert len(read_parcels(archive, id="number")) == 3
        assert len(read_parcels(plain, id="number")) == 3

    def test_a_relative_path(self, tmp_path, package, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert len(read_parcels(package.name, id="number")) == 3

    def test_a_folder_named_like_a_geodatabase(self, tmp_path, package):
        (tmp_path / "p.gdb").mkdir()
        with pytest.raises(ReadError, match="folder is read only if"):
            read_parcels(tmp_path / "p.gdb")
        package.rename(tmp_path / "p.gdb" / "a00000001.gdbtable")
        with pytest.raises(ReadError, match="file geodatabase"):
            read_parcels(tmp_path / "p.gdb", id="number")

    def test_the_index_of_a_shapefile(self, tmp_path):
        squares().to_file(tmp_path / "p.shp")
        with pytest.raises(ReadError, match="vector formats"):
            read_parcels(tmp_path / "p.shx", id="number")


class TestArchives:
    def test_several_data_sets_must_be_chosen_between(self, tmp_path, package):
        squares(2).to_file(tmp_path / "two.geojson")
        archive = pack(
            tmp_path / "a.zip", **{"x/one.gpkg": package, "two.geojson": tmp_path / "two.geojson"}
        )
        with pytest.raises(ParcelsError, match=r"several data sets(?s:.*)two.geojson, x/one.gpkg"):
            read_parcels(archive, id="number")
        assert len(read_parcels(archive, id="number", layer="two")) == 2
        chosen = read_parcels(archive, id="number", layer="one")
        assert len(chosen) == 3
        assert parcels_report(chosen).read["layer"] == "fields"

    def test_a_layer_of_the_only_data_set(self, tmp_path, package):
        squares(2).to_file(package, layer="more")
        archive = pack(tmp_path / "a.zip", **{"one.gpkg": package})
        assert len(read_parcels(archive, id="number", layer="more")) == 2

    def test_descriptions_are_no_data(self, tmp_path, package):
        (tmp_path / "m.xml").write_text('<gmd:MD xmlns:gml="http://www.opengis.net/gml"/>')
        (tmp_path / "m.json").write_text('{"type": "Feature", "geometry": null}')
        extra = {f"one.gpkg.{kind}": tmp_path / f"m.{kind}" for kind in ("xml", "json")}
        archive = pack(tmp_path / "a.zip", **{"one.gpkg": package}, **extra)
        assert len(read_parcels(archive, id="number")) == 3

    def test_a_pointer_beside_the_data(self, tmp_path, package):
        (tmp_path / "p.txt").write_text("<OGRVRTDataSource/>")
        archive = pack(tmp_path / "a.zip", **{"one.gpkg": package, "note.txt": tmp_path / "p.txt"})
        with pytest.raises(ReadError, match="points at other data"):
            read_parcels(archive, id="number")

    def test_two_members_of_one_name(self, tmp_path, package):
        (tmp_path / "p.txt").write_text("nothing")
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(tmp_path / "p.txt", "p.gpkg")
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.write(package, "p.gpkg")
        with pytest.raises(ReadError, match=r"repeated(?s:.*)'p.gpkg'"):
            read_parcels(tmp_path / "a.zip", id="number")

    @pytest.mark.parametrize("name", ["../p.gpkg", "a/../../p.gpkg", "/p.gpkg"])
    def test_a_member_outside_of_the_archive(self, tmp_path, package, name):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, package.read_bytes())
        with pytest.raises(ReadError, match="outside of it"):
            read_parcels(tmp_path / "a.zip", id="number")

    def test_too_many_members(self, tmp_path, package):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.write(package, "p.gpkg")
            for number in range(10_000):
                archive.writestr(str(number), b"")
        with pytest.raises(ParcelsTooLargeError, match="too many files"):
            read_parcels(tmp_path / "a.zip", id="number")

    def test_an_archive_in_an_archive_is_not_opened(self, tmp_path, package):
        inner = pack(tmp_path / "i.zip", **{"p.gpkg": package})
        outer = pack(tmp_path / "o.zip", **{"i.zip": inner})
        with pytest.raises(ReadError, match="vector formats"):
            read_parcels(outer, id="number")

    def test_unpacked_size_counts(self, tmp_path):
        """A small archive of a large file: the size in its directory is checked, unread."""
        (tmp_path / "p.geojson").write_text('{"type": "FeatureCollection"}' + " " * 3_000_000)
        archive = pack(tmp_path / "a.zip", **{"p.geojson": tmp_path / "p.geojson"})
        assert archive.stat().st_size < 10_000
        with pytest.raises(ParcelsTooLargeError, match=r"3,000,029(?s:.*)unpacked"):
            read_parcels(archive, limits=ReadLimits(bytes=1_000_000))
