"""The example is a job file, and says nothing that is not so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cbmcube.exceptions import OptionError
from cbmcube.scripting import list_keys, read_job, write_example
from cbmcube.scripting._job import parse_job
from cbmcube.scripting._secrets import looks_secret


def test_it_is_read_as_it_is_and_never_overwrites(tmp_path):
    file = write_example(tmp_path / "mine.toml")
    job = read_job(file)
    assert job.catalog.path == tmp_path / "country" / "season.json"
    assert "cbmcube run mine.toml" in file.read_text()
    with pytest.raises(OptionError, match="already"):
        write_example(file)
    assert write_example(file, overwrite=True) == file
    with pytest.raises(OptionError, match="cannot be written"):
        write_example(tmp_path / "no" / "job.toml")


def test_what_it_has_in_comments_is_right_too(tmp_path):
    """Each commented line is a key of its table, and its value is accepted there."""
    text = write_example(tmp_path / "job.toml").read_text()
    assert not looks_secret(text)
    known = {(table, key) for table, key, *_ in list_keys()}
    table, seen = None, 0
    for line in text.splitlines():
        if found := re.match(r"(?:# )?\[([a-z.]+)\]", line):
            table = found[1]
        elif found := re.match(r"# (\w+) = (.*?)\s*(?:#.*)?$", line):
            seen += 1
            assert (table, found[1]) in known
            assert accepted(table, found[1], found[2]), line
    assert seen >= 14


def accepted(table, key, value):
    """Whether a value can stand there in a job that agrees with it."""
    base = {
        "catalog": {"url": '"https://h/"'},
        "product": {"name": '"CARD-BS"'},
        "parcels": {"path": '"p.gpkg"'},
        "store": {"url": '"s3://b/p"'},
        "cluster": {"kind": '"gateway"'},
    }
    if key == "memory_limit" or value == "4":
        base["cluster"]["kind"] = '"local"'
    if key == "kind":
        base["cluster"] = {"kind": value}
    else:
        base.setdefault(table, {})[key] = value
    lines = [
        f"[{name}]\n" + "\n".join(f"{k} = {v}" for k, v in t.items()) for name, t in base.items()
    ]
    return parse_job("\n".join(lines), Path("/a/job.toml"))
