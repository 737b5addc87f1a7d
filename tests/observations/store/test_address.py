"""Addresses of stores, and the names of what is in them."""

from __future__ import annotations

import pytest

from cbmcube.exceptions import OptionError
from cbmcube.observations.store._address import parse_address
from cbmcube.observations.store._names import canonical_json, checked


@pytest.mark.parametrize(
    ("url", "path", "bucket"),
    [
        ("/data/season", "/data/season", None),
        ("file:///data/my%20season", "/data/my season", None),
        ("file://localhost/data", "/data", None),
        ("s3://season/dk-2018", "dk-2018", "season"),
        ("s3://season.eu/a/b_c=1.x/", "a/b_c=1.x", "season.eu"),
    ],
)
def test_addresses_that_are_understood(url, path, bucket):
    address = parse_address(url)
    assert (address.path, address.bucket) == (path, bucket)


def test_relative_folders_are_made_absolute(tmp_path, monkeypatch):
    """Workers have another current folder."""
    monkeypatch.chdir(tmp_path)
    assert parse_address("season").path == str(tmp_path / "season")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3://AKIA:c4n4ry@season/dk",
        "s3://c4n4ry@season/dk",
        "s3://season/dk?X-Amz-Signature=c4n4ry",
        "s3://season/dk#c4n4ry",
        "https://user:c4n4ry@host/dk",
        "gs://season/dk",
        "s3://season",
        "s3://season/",
        "s3://season/a/../b",
        "s3://season/a//b",
        "s3://season/./b",
        "s3://Season/b",
        "s3://s/b",
        "s3://season/ä",
        "file://elsewhere/data",
        "nul\0",
    ],
)
def test_addresses_that_are_refused_do_not_show_keys(url):
    with pytest.raises(OptionError) as caught:
        parse_address(url)
    assert "c4n4ry" not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    ["127.0.0.1:9000", "ftp://host", "https://user:c4n4ry@host", "https://host?c4n4ry", "https://"],
)
def test_endpoints_that_are_refused(endpoint):
    with pytest.raises(OptionError) as caught:
        parse_address("s3://season/dk", endpoint=endpoint)
    assert "c4n4ry" not in str(caught.value)


def test_endpoints():
    assert parse_address("s3://season/dk", endpoint="https://h:1/").endpoint == "https://h:1"
    with pytest.raises(OptionError, match="no endpoint"):
        parse_address("/data", endpoint="https://host")


ZERO = "0" * 64


@pytest.mark.parametrize(
    "name",
    [
        "store.json",
        f"blobs/items/{ZERO}.json",
        f"parts/00/{ZERO}-{'0' * 16}.parquet",
        f"packs/00/{ZERO}.parquet",
        f"commits/00/{ZERO}.json",
        "snapshots/000000000001.json",
        "runs/run-1/host-1-1.jsonl",
        f"probe/{'0' * 32}",
    ],
)
def test_names_of_objects(name):
    assert checked(name) == name
    for other in (f"../{name}", f"/{name}", f"{name}/..", f"{name}\n", f"{name}.tmp\0", f"x{name}"):
        with pytest.raises(OptionError):
            checked(other)


@pytest.mark.parametrize("name", ["", ".", "..", "tmp/x", "runs/../store.json", "runs/r/.ssh"])
def test_names_of_nothing(name):
    with pytest.raises(OptionError):
        checked(name)


def test_canonical_json_has_one_spelling():
    assert canonical_json({"b": 1, "a": [None, "å"]}) == '{"a":[null,"å"],"b":1}'.encode()
