"""Observations in a real PostGIS: the published layout, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import sqlalchemy
import xarray as xr

from cbmcube.exceptions import OptionError, ReadError
from cbmcube.observations.export import to_postgis
from cbmcube.observations.reading import (
    Observations,
    open_observations,
    stac_collection,
    write_stac,
)
from cbmcube.observations.store import compact, create_store
from cbmcube.testing import vector_cube
from tests.observations.reading.conftest import GROUPS, HOLES, unfinished
from tests.observations.reading.stores import make_store, recipe_of
from tests.services.pgstac import free_port
from tests.services.processes import MissingServiceError, skip_or_fail

pytestmark = pytest.mark.services

NUMBERS = ["count", "mean", "std", "min", "max", "p25", "p50", "p75"]


def programs() -> Path:
    """Find a PostgreSQL with PostGIS."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        share = Path("/usr/share/postgresql") / folder.parent.name / "extension"
        if (folder / "initdb").is_file() and (share / "postgis.control").is_file():
            return folder
    message = "no PostgreSQL server with PostGIS: install postgresql-15-postgis-3"
    raise MissingServiceError(message)


@contextlib.contextmanager
def run_postgis(tools: Path) -> Iterator[str]:
    """Run an empty database with PostGIS; yield its address."""
    folder = Path(tempfile.mkdtemp(prefix="postgis-"))
    folder.chmod(0o711)
    port, data = free_port(), folder / "pg" / "data"
    data.parent.mkdir(mode=0o700)
    prefix: list[str] = []
    if os.geteuid() == 0:  # initdb refuses to run as root
        shutil.chown(data.parent, "postgres", "postgres")
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    def run(program: str, *arguments: str) -> None:
        # No pipes: the server keeps them open after pg_ctl ends.
        with tempfile.TemporaryFile() as output:
            command = [*prefix, str(tools / program), *arguments]
            subprocess.run(
                command, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    log = str(data.parent / "log")
    run("pg_ctl", "-D", str(data), "-w", "-s", "-l", log, "-o", settings, "start")
    try:
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        with _connect(url) as connection:
            connection.exec_driver_sql("CREATE EXTENSION postgis")
        yield url
    finally:
        run("pg_ctl", "-D", str(data), "-w", "-s", "-m", "fast", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _connect(url: str) -> Iterator[sqlalchemy.Connection]:
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    try:
        tools = programs()
    except MissingServiceError as missing:
        skip_or_fail(missing)
    with run_postgis(tools) as url:
        yield url


@pytest.fixture(scope="module")
def stats():
    found = vector_cube("CARD-2A", parcels=8, days=40).compute()
    return found.assign_coords(time=found.time.values.astype("M8[us]").astype("M8[ns]"))


@pytest.fixture(scope="module")
def observations(stats, tmp_path_factory) -> Observations:
    store = make_store(tmp_path_factory.mktemp("export") / "s", stats, GROUPS, HOLES)
    return open_observations(store)


def rows(url: str, query: str) -> pd.DataFrame:
    with _connect(url) as connection:
        return pd.read_sql(sqlalchemy.text(query), connection)


def tables(url: str) -> set[str]:
    found = rows(
        url, "SELECT table_name FROM information_schema.tables WHERE table_schema='public'"
    )
    return set(found["table_name"])


def test_the_published_layout(database, observations):
    with unfinished():
        written = to_postgis(observations, database, "sigs")
        expected = observations.table(states=["OK", "PARTIAL"])
    columns = rows(
        database,
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_name = 'sigs' ORDER BY ordinal_position",
    )
    assert columns["column_name"].tolist() == ["pid", "obsid", "band", *NUMBERS]
    assert columns["data_type"].tolist() == ["integer", "integer", "text", *["real"] * 8]
    assert written == len(expected) == rows(database, "SELECT count(*) n FROM sigs")["n"][0]


def test_every_number_arrives(database, observations):
    """Joined as the archives are: signatures, parcels by pid, images by obsid; bit for bit."""
    with unfinished():
        to_postgis(observations, database, "every", states=None)
        expected = observations.table()
    got = rows(
        database,
        "SELECT p.parcel, c.obstime AS time, c.reference AS acquisition, s.* FROM every s "
        "JOIN every_parcels p USING (pid) JOIN every_catalogue c ON c.id = s.obsid",
    )
    got["time"] = got["time"].dt.tz_localize("UTC")
    got["band"] = got["band"].replace({"B4": "B04", "B8": "B08"})
    keys = ["time", "parcel", "band"]
    expected["time"] = expected["time"].astype("datetime64[us, UTC]")
    got, expected = (t.sort_values(keys, ignore_index=True) for t in (got, expected))
    assert len(got) == len(expected)
    for name in (*keys, "acquisition", "state"):
        assert got[name].tolist() == expected[name].tolist()
    for name in NUMBERS:
        one = got[name].to_numpy("float32")
        other = expected[name].to_numpy("float32", na_value=np.nan)
        assert one.tobytes() == other.tobytes()


def test_parcels_and_catalogue_are_spatial(database, observations, stats):
    with unfinished():
        to_postgis(observations, database, "place")
    url = database.replace("postgresql://", "postgresql+psycopg://")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    parcels = gpd.read_postgis("SELECT * FROM place_parcels ORDER BY pid", engine, "wkb_geometry")
    assert parcels.crs == "EPSG:32632"
    assert parcels["pid"].tolist() == list(range(1, 9))
    assert parcels["parcel"].tolist() == stats.parcel.values.tolist()
    assert all(a.equals(b) for a, b in zip(parcels.geometry, stats.geometry.values, strict=True))
    images = gpd.read_postgis("SELECT * FROM place_catalogue ORDER BY id", engine, "footprint")
    assert images.crs == "EPSG:4326"
    names = [str(name) for name in stats.acquisition.values]
    assert images["reference"].tolist() == [n for t, n in enumerate(names) if t != 6]
    status = dict(zip(images["reference"], images["status"], strict=True))
    assert {name for name, said in status.items() if said == "incomplete"} == {
        names[t] for t in (1, 3, 5)
    }
    assert set(images["sensor"]) == {"2A", "2B"}
    assert set(images["card"]) == {"s2"}
    assert images["items"].tolist() == [stats["items"].values[t] for t in range(16) if t != 6]
    inside = rows(
        database,
        "SELECT count(*) n FROM place_parcels p, place_catalogue c WHERE c.id = 1 AND "
        "ST_Intersects(ST_Transform(p.wkb_geometry, 4326), c.footprint)",
    )
    assert inside["n"][0] >= 7


def test_whole_numbers_and_radar_are_spelled_as_published(database, tmp_path):
    stats = vector_cube("CARD-COH6", parcels=list(range(70, 75)), days=10).compute()
    found = open_observations(make_store(tmp_path / "s", stats, [[0, 1, 2, 3, 4]]))
    to_postgis(found, database, "public.c6")
    pids = rows(database, "SELECT DISTINCT pid FROM c6 ORDER BY pid")["pid"].tolist()
    assert pids == [70, 71, 72, 73, 74]
    kind = rows(
        database,
        "SELECT data_type, character_maximum_length n FROM information_schema.columns "
        "WHERE table_name = 'c6' AND column_name = 'band'",
    )
    assert kind.loc[0].tolist() == ["character", 2]
    assert set(rows(database, "SELECT DISTINCT card FROM c6_catalogue")["card"]) == {"c6"}


def test_a_table_that_exists_is_refused_or_replaced(database, observations):
    with unfinished():
        to_postgis(observations, database, "twice", parcels="P1")
        before = rows(database, "SELECT count(*) n FROM twice")["n"][0]
        with pytest.raises(OptionError, match="the table exists"):
            to_postgis(observations, database, "twice")
        assert rows(database, "SELECT count(*) n FROM twice")["n"][0] == before
        to_postgis(observations, database, "twice", if_exists="replace")
    assert rows(database, "SELECT count(*) n FROM twice")["n"][0] > before
    with pytest.raises(OptionError, match="fail, replace"):
        to_postgis(observations, database, "twice", if_exists="append")


@pytest.mark.parametrize("replace", [False, True])
def test_a_failure_halfway_leaves_what_was_there(database, observations, monkeypatch, replace):
    """Also the tables that would have been replaced are as they were."""
    with unfinished():
        if replace:
            to_postgis(observations, database, "half", parcels="P1")
        before = tables(database)
        plain = Observations.batches

        def fail(self, *args, **options):
            yield next(iter(plain(self, *args, **{**options, "rows": 10})))
            raise OSError("the disk is gone")

        monkeypatch.setattr(Observations, "batches", fail)
        with pytest.raises(OSError, match="the disk is gone"):
            to_postgis(observations, database, "half", if_exists="replace")
    assert tables(database) == before
    if replace:
        assert set(rows(database, "SELECT DISTINCT pid FROM half")["pid"]) == {2}


def test_names_are_names_whatever_they_hold(database, observations):
    """A quote in a name is part of the name, and no SQL."""
    name = 'si"gs; DROP TABLE x'
    with unfinished():
        to_postgis(observations, database, name, parcels="P1")
    assert {name, f"{name}_parcels", f"{name}_catalogue"} <= tables(database)


def test_no_password_is_ever_shown(database, observations):
    port = database.rpartition(":")[2].split("/")[0]
    url = f"postgresql://nobody:c4n4ry@127.0.0.1:{port}/nowhere"
    with pytest.raises(ReadError) as caught:
        to_postgis(observations, url)
    assert "nowhere" in str(caught.value)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert "c4n4ry" not in repr(seen)
        seen = seen.__cause__ or seen.__context__


def test_a_store_in_a_bucket_reads_as_one_in_a_folder(s3, observations, stats):
    """Table, cube, dataset and description; and no graph carries a key."""
    url = f"s3://{s3.bucket}/reading"
    store = create_store(url, recipe_of(stats), endpoint=s3.endpoint)
    make_store(store, stats, GROUPS, HOLES)
    compact(store, acquisitions=5)
    with unfinished():
        expected = observations.table()
        for number in (1, 2):
            found = open_observations(url, snapshot=number, endpoint=s3.endpoint)
            pd.testing.assert_frame_equal(found.table(), expected)
            one = found.table("P3", "2024-03-10/..", bands="NDVI")
            pd.testing.assert_frame_equal(
                one, observations.table("P3", "2024-03-10/..", bands="NDVI")
            )
        cube = found.cube()
        xr.testing.assert_identical(cube.compute(), observations.cube().compute())
        lazy = found.to_dask(rows=100)
        assert len(lazy.compute(scheduler="synchronous")) == len(expected)
        for graph in (cube.__dask_graph__(), lazy):
            sent = pickle.dumps(graph)
            assert s3.secret.encode() not in sent
            assert s3.key.encode() not in sent
    assert found.dataset().count_rows() == observations.dataset().count_rows()
    assert write_stac(found) == f"{url}/collection.json"
    body = s3.client().get_object(Bucket=s3.bucket, Key="reading/collection.json")["Body"].read()
    assert json.loads(body) == stac_collection(found)
    assert s3.secret.encode() not in body


def test_many_rows_stream_by(database, tmp_path):
    """Several pieces, of which one alone is held."""
    from cbmcube.observations.export import _postgis

    stats = vector_cube("CARD-BS", parcels=3000, days=40).compute()
    found = open_observations(make_store(tmp_path / "s", stats, [range(1500), range(1500, 3000)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_postgis, "_ROWS", 5000)
        written = to_postgis(found, database, "many", states=None)
    assert written == len(found) == rows(database, "SELECT count(*) n FROM many")["n"][0]
    total = rows(database, "SELECT sum(mean::float8) s FROM many")["s"][0]
    assert total == pytest.approx(float(found.table()["mean"].astype("float64").sum()), rel=1e-12)
