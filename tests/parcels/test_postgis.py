from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import geopandas as gpd
import pytest
from geopandas.testing import assert_geodataframe_equal
from shapely import box

from cbmcube.exceptions import (
    DuplicateIdError,
    MissingCRSError,
    OptionError,
    ParcelsError,
    ParcelsTooLargeError,
    ReadError,
)
from cbmcube.parcels import ReadLimits, parcels_report, read_parcels

PASSWORD = "c@na/ry:%31"  # noqa: S105  # of a server that lives as long as the tests
QUOTED = "c%40na%2Fry%3A%2531"


def squares(n=3):
    columns = {"id": range(7, 7 + n), "code": list("abcdefgh"[:n])}
    shapes = [box(100 * i, 0, 100 * i + 90, 50) for i in range(n)]
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:32632")


def find_server():
    """Return the folder of the server's programs, or say what is missing."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        shared = Path("/usr/share/postgresql") / folder.parent.name / "extension"
        if (folder / "initdb").is_file() and (shared / "postgis.control").is_file():
            return folder
    if os.environ.get("CBMCUBE_REQUIRE_SERVICES") == "1":
        pytest.fail("no PostgreSQL server with PostGIS: install postgresql-15-postgis-3")
    return pytest.skip("no PostgreSQL server with PostGIS: install postgresql-15-postgis-3")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(folder):
    """Run a server of our own that asks for a password; yield its port."""
    programs, port, prefix = find_server(), free_port(), []
    data, secret = folder / "pg" / "data", folder / "pg" / "secret"
    folder.chmod(0o711)  # the server may run as another user
    data.parent.mkdir(mode=0o700)
    secret.write_text(PASSWORD)
    if os.geteuid() == 0:  # the server refuses to run as root
        for path in (data.parent, secret):
            shutil.chown(path, "postgres", "postgres")
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    def run(program, *arguments):
        command = [*prefix, str(programs / program), "-D", str(data), *arguments]
        # A file, not a pipe: the server keeps the descriptor open.
        with (folder / "log").open("a") as log:
            subprocess.run(command, cwd="/", stdout=log, stderr=log, check=True)

    run("initdb", "-U", "keeper", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "-N")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    run("pg_ctl", "-w", "-s", "-l", str(data.parent / "log"), "-o", options, "start")
    try:
        yield port
    finally:
        run("pg_ctl", "-w", "-s", "-m", "fast", "stop")


@pytest.fixture(scope="module")
def url():
    """The address of a database with the tables of the tests."""
    pytest.importorskip("psycopg")
    sqlalchemy = pytest.importorskip("sqlalchemy")
    folder = Path(tempfile.mkdtemp(prefix="postgis-"))
    try:
        with running(folder) as port:
            address = f"postgresql://keeper:{QUOTED}@127.0.0.1:{port}/postgres"
            engine = sqlalchemy.create_engine(
                address.replace("postgresql", "postgresql+psycopg"), poolclass=sqlalchemy.NullPool
            )
            with engine.begin() as connection:
                fill(connection)
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


TABLES = (
    "CREATE EXTENSION postgis",
    'CREATE SCHEMA "Land use"',
    'CREATE TABLE "Land use"."2024" (id integer PRIMARY KEY, code text, geometry geometry)',
    "CREATE TABLE twins (farm integer, lot integer, geom geometry)",
    "CREATE TABLE mixed (id integer, geom geometry)",
    "CREATE TABLE none (id integer, geom geometry(Polygon, 32632))",
    "CREATE TABLE bare (id integer)",
    "CREATE TABLE blank (id integer, geom geometry)",
    "CREATE SEQUENCE counter",
    "INSERT INTO twins VALUES (1, 1, ST_MakeEnvelope(0, 0, 90, 50, 32632))",
    "INSERT INTO twins SELECT farm, 2, geom FROM twins",
    "INSERT INTO mixed SELECT lot, ST_SetSRID(geom, 32631 + lot) FROM twins",
    "INSERT INTO blank SELECT 1, ST_MakeEnvelope(0, 0, 90, 50)",
)


def fill(connection):
    for statement in TABLES:
        connection.exec_driver_sql(statement)
    for row in squares().itertuples():
        connection.exec_driver_sql(
            'INSERT INTO "Land use"."2024" VALUES (%s, %s, ST_GeomFromText(%s, 32632))',
            (row.id, row.code, row.geometry.wkt),
        )


@pytest.mark.services
class TestTables:
    def test_a_table_equals_the_file(self, url, tmp_path):
        squares().to_file(tmp_path / "p.gpkg")
        parcels = read_parcels(url, table="Land use.2024", crop="code")  # the key is named id
        expected = read_parcels(tmp_path / "p.gpkg", id="id", crop="code")
        assert_geodataframe_equal(
            parcels.sort_index(), expected, check_dtype=False, check_index_type=False
        )
        read = parcels_report(parcels).read
        assert read["format"] == "PostGIS"
        assert read["layer"] == "Land use.2024"
        assert "canary" not in str(parcels.attrs)

    def test_a_query(self, url):
        sql = """SELECT id AS "a:b%", code, ST_Force3D(geometry, 5) AS "g%" FROM "Land use"."2024"
                 WHERE code LIKE '%b%' OR id = 9 ORDER BY id DESC; """
        parcels = read_parcels(url, sql=sql, id="a:b%")
        assert list(parcels.index) == [9, 8]
        assert list(parcels.area) == [4500.0, 4500.0]
        assert not parcels.has_z.any()
        assert parcels.crs.to_epsg() == 32632

    def test_ids_that_repeat(self, url):
        with pytest.raises(DuplicateIdError):
            read_parcels(url, table="twins", id="farm")
        assert list(read_parcels(url, table="twins", id=["farm", "lot"]).index) == ["1/1", "1/2"]
        with pytest.raises(OptionError, match="have no order"):
            read_parcels(url, table="twins", id="row")

    @pytest.mark.parametrize(
        ("table", "error", "message"),
        [
            ("none", ParcelsError, "no rows"),
            ("bare", ParcelsError, "0 columns hold geometries"),
            ("mixed", ParcelsError, r"several coordinate(?s:.*)\[32632, 32633\]"),
            ("blank", MissingCRSError, "ST_SRID"),
            ("absent", ReadError, 'relation "absent" does not exist'),
            ('x"; DROP TABLE twins; --', ReadError, "does not exist"),
        ],
    )
    def test_tables_that_cannot_be_used(self, url, table, error, message):
        with pytest.raises(error, match=message):
            read_parcels(url, table=table, id="id")
        assert len(read_parcels(url, table="twins", id="lot")) == 2

    def test_several_geometries_or_columns_of_one_name(self, url):
        with pytest.raises(ParcelsError, match="2 columns hold geometries"):
            read_parcels(url, sql="SELECT lot, geom, ST_Buffer(geom, 1) AS wide FROM twins")
        with pytest.raises(ParcelsError, match="columns of one name: lot"):
            read_parcels(url, sql="SELECT lot, lot, geom FROM twins")

    @pytest.mark.parametrize(
        "sql",
        [
            "DELETE FROM twins RETURNING *",
            "SELECT * FROM twins; DELETE FROM twins",
            "WITH gone AS (DELETE FROM twins RETURNING *) SELECT * FROM gone",
        ],
    )
    def test_nothing_is_written(self, url, sql):
        with pytest.raises(ReadError):
            read_parcels(url, sql=sql, id="lot")
        assert len(read_parcels(url, table="twins", id="lot")) == 2

    def test_a_function_cannot_write_either(self, url):
        sql = "SELECT lot, geom, nextval('counter') AS n FROM twins"
        with pytest.raises(ReadError, match="read-only transaction"):
            read_parcels(url, sql=sql, id="lot")

    @pytest.mark.parametrize(("what", "enough"), [("features", 3), ("vertices", 15)])
    def test_limits(self, url, what, enough):
        sql = 'SELECT * FROM "Land use"."2024"'
        assert len(read_parcels(url, sql=sql, limits=ReadLimits(**{what: enough}))) == 3
        with pytest.raises(ParcelsTooLargeError, match=f"too many {what}"):
            read_parcels(url, sql=sql, limits=ReadLimits(**{what: enough - 1}))
        with pytest.raises(ParcelsTooLargeError, match="too many bytes"):
            read_parcels(url, sql=sql, limits=ReadLimits(bytes=100))


@pytest.mark.services
class TestSecrets:
    def whole_story(self, caught):
        """Everything that a log of the error could hold."""
        error, story = caught.value, ""
        while error is not None:
            story += "".join(traceback.format_exception(error)) + repr(error)
            error = error.__cause__ or error.__context__
        return story

    def test_a_wrong_password(self, url):
        wrong = url.replace(QUOTED, QUOTED + "x")
        with pytest.raises(ReadError, match="authentication failed") as caught:
            read_parcels(wrong, table="twins")
        for secret in (PASSWORD, QUOTED):
            assert secret not in self.whole_story(caught)

    @pytest.mark.parametrize("option", ["sql", "table"])
    def test_a_failing_query(self, url, option):
        with pytest.raises(ReadError) as caught:
            read_parcels(url, **{option: "nonsense"})
        for secret in (PASSWORD, QUOTED):
            assert secret not in self.whole_story(caught)

    def test_a_query_that_quotes_the_password(self, url):
        with pytest.raises(ReadError, match=r"\*\*\*") as caught:
            read_parcels(url, sql=f"SELECT '{PASSWORD}'::integer")
        assert "c@na/ry" not in str(caught.value).replace("***", "")

    def test_no_server(self):
        pytest.importorskip("psycopg")
        address = f"postgresql://keeper:{QUOTED}@127.0.0.1:{free_port()}/postgres"
        with pytest.raises(ReadError, match="127.0.0.1") as caught:
            read_parcels(address, table="twins")
        for secret in (PASSWORD, QUOTED):
            assert secret not in self.whole_story(caught)


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            f"postgresql://keeper:{PASSWORD}@h@ost:port/x",
            f"postgresql://keeper:{PASSWORD}@host:port/x",
            f"postgresql://keeper:{PASSWORD}@[host/x",
        ],
    )
    def test_one_that_cannot_be_parsed_is_not_repeated(self, address):
        pytest.importorskip("psycopg")
        with pytest.raises(OptionError, match="cannot be parsed") as caught:
            read_parcels(address, table="t")
        story = "".join(traceback.format_exception(caught.value))
        assert PASSWORD not in story
        assert "c@na" not in str(caught.value)

    @pytest.mark.parametrize("options", [{}, {"table": "t", "sql": "SELECT 1"}])
    def test_a_table_or_a_query(self, options):
        pytest.importorskip("psycopg")
        with pytest.raises(OptionError, match="either a table or a query"):
            read_parcels("postgresql://host/base", **options)

    @pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
    def test_without_the_packages(self, monkeypatch, scheme):
        monkeypatch.setitem(sys.modules, "psycopg", None)
        with pytest.raises(ImportError, match=r"pip install 'cbmcube\[postgis\]'"):
            read_parcels(f"{scheme}://host/base", table="t")

    @pytest.mark.parametrize("address", ["mysql://host/base", "PG:host=h password=c@nary"])
    def test_other_databases(self, address):
        with pytest.raises(ReadError):
            read_parcels(address)
