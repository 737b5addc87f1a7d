"""What a job file says is read as it is meant, or refused with all its faults at once."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import Error, JobFileError
from cbmcube.scripting import Job, list_keys, read_job
from cbmcube.scripting._job import job_paths, parse_job
from cbmcube.scripting._kinds import read_part
from cbmcube.scripting._tables import TABLES, ClusterTable, RecipeTable, RunTable
from cbmcube.zonal._coverage import PIXEL_RULES
from cbmcube.zonal._reduce import PERCENTILES
from tests.scripting.conftest import FULL, MINIMAL


def faults(write, text):
    """Return what is said of a job file."""
    with pytest.raises(JobFileError) as caught:
        read_job(write(text))
    return str(caught.value)


def changed(old, new, text=MINIMAL):
    assert old in text
    return text.replace(old, new)


def test_what_is_left_out_has_defaults(write, tmp_path):
    job = read_job(write(MINIMAL))
    assert job.file == tmp_path / "job.toml"
    assert job.parcels.path == str(tmp_path / "parcels.gpkg")
    assert job.store.url == str(tmp_path / "season")
    assert job.store.records_per_unit == 50_000
    assert job.product.bands is None
    assert job.product.mask is True
    assert (job.run.retries, job.run.timeout, job.run.part) == (3, 1800.0, None)
    assert job.cluster == ClusterTable()
    assert job.cluster.kind == "threads"
    assert job.recipe == RecipeTable()
    assert job.variables == ()


def test_every_key_is_read(write, tmp_path):
    job = read_job(write(FULL))
    assert job.catalog.period == "2024-03-01"
    assert job.catalog.headers == (("Authorization", "STAC_AUTHORIZATION"),)
    assert job.catalog.access.roots == (tmp_path / "scenes",)
    assert job.catalog.access.prefer == "auto"
    assert job.product.bands == ("B04", "SCL")
    assert job.product.indices == ("NDVI",)
    assert job.product.offset == -0.1
    assert job.parcels.path == "postgresql://reader@db.example.org/lpis"
    assert job.parcels.id == ("year", "number")
    assert job.parcels.where == (("crop", ("wheat", "rye")), ("area_m2", (("min", 5000.0),)))
    assert (job.parcels.buffer, job.parcels.resolutions) == ("half_pixel", (20.0,))
    assert job.recipe.statistics == ("mean", "p2.5")
    assert job.store.endpoint == "https://objects.example.org"
    assert job.cluster.workers == (2, 8)
    assert dict(job.cluster.options)["worker_cores"] == 2
    assert job.cluster.s3[0].bucket == "eodata"
    assert job.prices.gigabyte == 1.0
    assert job.variables == (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DASK_PASSWORD", "DATA_TOKEN"),
        *("EODATA_KEY", "EODATA_SECRET", "LPIS_PASSWORD", "STAC_AUTHORIZATION"),
    )


def test_the_full_example_of_these_tests_leaves_nothing_out():
    """Every key of the reference stands in it, but for those that exclude each other."""
    data = tomllib.loads(FULL)
    rest = {("catalog", "path"), ("parcels", "crop"), ("parcels", "layer"), ("parcels", "sql")}
    rest |= {("cluster", "threads_per_worker"), ("cluster", "memory_limit"), ("run", "part")}
    rest |= {("catalog.access", "schemes")}
    rest |= {("cluster.s3", key) for key in ("endpoint", "region", "token", "requester_pays")}
    for table, key, *_ in list_keys():
        place = data
        for name in table.split("."):
            place = place[name][0] if isinstance(place[name], list) else place[name]
        assert (key in place) != ((table, key) in rest), (table, key)


def test_the_choices_are_those_of_the_engine():
    rows = {row[:2]: row[2] for row in list_keys()}
    assert rows["recipe", "pixels"] == " | ".join(f'"{one}"' for one in PIXEL_RULES)
    assert rows["recipe", "percentiles"] == " | ".join(f'"{one}"' for one in PERCENTILES)


def test_all_faults_are_told_at_once_with_their_places(write):
    said = faults(
        write,
        """
        prodct = 1
        [catalog]
        url = 7
        filtr = "x"
        [product]
        name = "CARD-B"
        retries = 2
        [recipe]
        pixels = "center"
        statistics = ["mode", "mean"]
        [store]
        url = "s"
        records_per_unit = 0
        [run]
        retries = true
        part = "5/4"
        [cluster]
        workers = [3, 2]
        """,
    )
    assert said.splitlines()[0] == "the job file has 12 problems"
    for line in (
        "job.toml: [prodct]: there is no such table",
        "next:    did you mean 'product'?",
        "job.toml: [catalog] url: this must be text",
        "given:   7",
        "job.toml: [catalog] filtr: there is no such key",
        "allowed: url, path, period, filter, headers, access",
        "next:    did you mean 'filter'?",
        "job.toml: [product] name: there is no such choice",
        "allowed: CARD-2A, CARD-BS, CARD-COH6, GFM",
        "next:    did you mean 'CARD-BS'?",
        "job.toml: [product] retries: there is no such key",
        "next:    'retries' belongs to [run]",
        "job.toml: [parcels] path: this key is missing",
        "allowed: exact, centre, all_touched, inside",
        "next:    did you mean 'centre'?",
        "job.toml: [recipe] statistics: there is no such statistic",
        "job.toml: [store] records_per_unit: this number is out of range",
        "allowed: a whole number of at least 1, at most 10000000",
        "job.toml: [run] retries: this must be a whole number",
        "job.toml: [run] part: this is no part",
        "job.toml: [cluster] workers: this is no number of workers",
    ):
        assert line in said, line


@pytest.mark.parametrize(
    ("old", "new", "place", "word"),
    [
        ('url = "https://stac.example.org/api"', "", "[catalog] url", "neither is given"),
        ('/api"', '/api"\npath = "a.json"', "[catalog] url", "both are given"),
        ('url = "https://stac.example.org/api"', 'path = "a.json"\nheaders = {A = "B"}',
         "[catalog] headers", "without headers"),
        ('url = "https:', 'url = "ftp:', "[catalog] url", "no web address"),
        ('"CARD-BS"', '"CARD-BS"\nbands = ["VW"]', "[product] bands", "no such band"),
        ('"parcels.gpkg"', '"parcels.gpkg"\ntable = "a"', "[parcels] table", "database only"),
        ('"parcels.gpkg"', '"postgresql://u@h/d"', "[parcels] table", "a table or a query"),
        ('"parcels.gpkg"', '"postgresql://u@h/d"\ntable = "a"\nlayer = "b"',
         "[parcels] layer", "file only"),
        ('"season"', '"season"\nregion = "eu"', "[store] region", "a folder needs none"),
        ('"season"', '"gs://bucket/x"', "[store] url", "no store can be there"),
        ('"season"', '"season"\n[cluster]\nkind = "address"', "[cluster] address", "missing"),
        ('"season"', '"season"\n[cluster]\nworkers = 2', "[cluster] workers", "no use for this"),
        ('"season"', '"season"\n[cluster]\nkind = "local"\nworkers = [1, 2]',
         "[cluster] workers", "adapt"),
        ('"season"', '"season"\n[cluster]\nkind = "gateway"\nusername = "me"',
         "[cluster] auth", "for basic"),
        ('"season"', '"season"\n[[cluster.s3]]\nkey = "A"', "[cluster.s3] key", "together"),
        ('"season"', '"season"\n[cluster]\nkind = "local"\nmemory_limit = "4 bytes"',
         "[cluster] memory_limit", "no amount of memory"),
        ('"parcels.gpkg"', '"parcels.gpkg"\nbuffer = nan', "[parcels] buffer", "no number"),
        ('"season"', f'"season"\n[run]\ntimeout = 1{"0" * 400}', "[run] timeout", "no number"),
        ('"parcels.gpkg"', '"parcels.gpkg"\nwhere = {a = {mid = 1}}',
         "[parcels] where.a", "no condition"),
        ('"parcels.gpkg"', '"/vsizip/a.zip"', "[parcels] path", "no path"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place(write, old, new, place, word):
    said = faults(write, changed(old, new))
    assert said.startswith("the job file has 1 problem\n"), said
    assert place in said
    assert word in said


SECRETS = (
    "https://me:canary@stac.example.org/api",
    "https://stac.example.org/api?token=canary",
    "https://stac.example.org/api?X-Amz-Signature=canary",
    "https://stac.example.org/api?sv=1&sig=canary",
)


@pytest.mark.parametrize("secret", SECRETS)
def test_an_address_with_a_secret_is_refused_and_not_repeated(write, secret):
    said = faults(write, changed("https://stac.example.org/api", secret))
    assert "looks like a secret" in said
    assert "environment variable" in said
    assert "canary" not in said


@pytest.mark.parametrize(
    "lines",
    [
        '[catalog.headers]\nAuthorization = "Bearer canary-canary"',
        '[catalog.headers]\nAuthorization = "canary"',
        'cluster.bearer = {"data.example.org" = "eyJcanarycanary.canarycanary"}',
        'cluster.kind = "gateway"\ncluster.options = {api_token = "canary"}',
        'cluster.env = {AWS_SECRET_ACCESS_KEY = "canary"}',
        '[[cluster.s3]]\nkey = "canary"\nsecret = "canary/canary+canary"',
        '[[cluster.s3]]\nkey = "AKIACANARYCANARYCANA"\nsecret = "B"',
        'cluster.kind = "gateway"\ncluster.auth = "basic"\ncluster.password = "canary"',
        'ghp_canarycanarycanarycanary = "x"',
        'run.timeout = "https://x/?password=canary"',
        'cluster.kind = "address"\ncluster.address = "tls://me:canary@host:1"',
        'recipe.statistics = ["ghp_canarycanarycanarycanary"]',
    ],
)
def test_a_literal_secret_is_refused_and_not_repeated(write, lines):
    """Tables in dotted form stand before the others."""
    text = f"{MINIMAL}\n{lines}\n" if lines.startswith("[") else f"{lines}\n{MINIMAL}"
    said = faults(write, text)
    assert "canary" not in said.lower()


def test_a_file_that_is_none(write, tmp_path):
    for path, word in (
        (tmp_path / "absent.toml", "No such file"),
        (tmp_path, "directory"),
        (write("= 1", "a.toml"), "no TOML"),
        (write("a = " + "[" * 5000, "b.toml"), "no TOML"),
        (write("#" * 300_000, "c.toml"), "too large"),
        ("bad\0name", "cannot be read"),
    ):
        with pytest.raises(JobFileError, match=word):
            read_job(path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(JobFileError, match="not UTF-8"):
        read_job(binary)


def test_a_mark_at_the_beginning_and_both_line_ends_are_read(tmp_path):
    file = tmp_path / "job.toml"
    file.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert read_job(file).text == MINIMAL


def test_paths_start_from_the_folder_of_the_file_or_are_absolute(write, monkeypatch):
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/home/me")
    job = read_job(write(changed('"parcels.gpkg"', '"/data/parcels.gpkg"')))
    assert job.parcels.path == "/data/parcels.gpkg"
    job = read_job(write(changed('"season"', '"~/season"')))
    assert job.store.url == "/home/me/season"
    assert dict(job_paths(parse_job(job.text, Path("/elsewhere/job.toml")))) == {
        "[parcels] path": Path("/elsewhere/parcels.gpkg"),
        "[store] url": Path("/home/me/season"),
    }


def test_parts_count_from_one():
    assert read_part("1/1") == (1, 1)
    assert read_part("4/4") == (4, 4)
    assert RunTable().part is None


def test_the_repr_of_a_job_is_short_and_its_records_cannot_change(write):
    job = read_job(write(FULL))
    assert "[catalog]" not in repr(job)
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.run.retries = 1


names = st.sampled_from(
    [*TABLES, *(key for _, key, *_ in list_keys()), "access", "s3", "Authorization", "x"]
)
scalars = (
    st.none().map(lambda _: "")
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.dates()
    | st.datetimes()
    | st.sampled_from(
        ["CARD-2A", "gateway", "A_VARIABLE", "s3://b/p", "https://h/p", "1/2", "4GiB"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def toml(value):
    """Write a value as TOML; tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        safe = value.encode("utf-8", "replace").decode().replace("\x7f", "")
        return json.dumps(safe, ensure_ascii=True).replace("\\ud", "\\\\ud")
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


@given(st.dictionaries(st.sampled_from(list(TABLES)), st.dictionaries(names, values, max_size=6)))
def test_any_tables_give_a_job_or_an_error_of_ours(data):
    text = "\n".join(f"{key} = {toml(value)}" for key, value in data.items())
    tomllib.loads(text)
    check(text)


@given(st.sampled_from([row[:2] for row in list_keys()]), values)
def test_any_value_of_any_key_gives_a_job_or_an_error_of_ours(key, value):
    """Each key of a job that is otherwise right is overwritten in turn."""
    data = tomllib.loads(FULL)
    place = data
    for name in key[0].split("."):
        place = place[name][0] if isinstance(place[name], list) else place[name]
    place[key[1]] = value
    check("\n".join(f"{name} = {toml(table)}" for name, table in data.items()))


@given(st.text(max_size=200))
def test_any_text_gives_a_job_or_an_error_of_ours(text):
    check(text)


def check(text):
    try:
        job = parse_job(text, Path("/a/job.toml"))
    except Error as error:
        said = str(error)
    else:
        assert isinstance(job, Job)
        assert hash(job.cluster) is not None
        return
    # What is wrong, and at least the place or the next step.
    assert "\n" in said
