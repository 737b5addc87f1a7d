"""The page on scripting says what is so: keys, defaults, commands, statuses."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cbmcube.__main__ import _parser
from cbmcube.scripting import ExitStatus, list_keys
from cbmcube.scripting._agree import _BY_KIND
from cbmcube.scripting._job import parse_job

PAGE = (Path(__file__).parents[2] / "docs" / "scripting.md").read_text(encoding="utf-8")


def rows(text):
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("|---"):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_keys_are_those_of_the_reader():
    text = PAGE.split("<!-- keys -->")[1].split("<!-- end of keys -->")[0]
    found, table = [], None
    for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        table = re.match(r"`\[+([a-z0-9.]+)\]+`", part)[1]
        found += [
            (table, key.strip("`"), kind, default.strip("`"), meaning)
            for key, kind, default, meaning in rows(part)
            if key != "key"
        ]
    assert found == list_keys()


def test_the_example_is_a_job():
    (text,) = blocks("toml")
    job = parse_job(text, Path("/a/job.toml"))
    assert job.variables == (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DATA_TOKEN", "STAC_AUTHORIZATION"),
    )


def test_every_command_is_one():
    """Those of the shell blocks as they stand, those of the table with each option."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    words = r"cbmcube (?:init|plan|run|status|verify|workflow)[^&'#]*"
    commands = [found for line in lines for found in re.findall(words, line)]
    assert len(commands) >= 8
    for command in commands:
        _parser().parse_args(shlex.split(command)[1:])


def test_the_table_of_commands_names_their_options():
    section = PAGE.split("## Commands")[1].split("## ")[0]
    listed = {row[0].strip("`").split()[1]: row[0] for row in rows(section) if row[0] != "command"}
    actions = next(one for one in _parser()._actions if one.choices and "run" in one.choices)
    for name, shown in listed.items():
        parser = actions.choices[name]
        options = {
            text for one in parser._actions for text in one.option_strings if text[:2] == "--"
        }
        options -= {"--help", "--debug", "--log"}
        if name == "cluster":
            options = {"--json"}
        if "…" in shown:
            rest = PAGE.split("## Argo Workflows")[1]
            assert all(one in shown or one in rest for one in options), name
        else:
            assert set(re.findall(r"--[a-z-]+", shown)) == options, name
    others = {"demo", "search", "versions"}
    assert set(listed) == set(actions.choices) - others


def test_the_statuses_are_those_of_the_code():
    section = PAGE.split("## Exit statuses")[1].split("## ")[0]
    listed = [row[0] for row in rows(section) if row[0] != "status"]
    assert listed == [*(str(int(one)) for one in ExitStatus), "130, 143, 129", "141"]


@pytest.mark.parametrize("kind", _BY_KIND)
def test_the_page_names_the_keys_of_each_kind_of_cluster(kind):
    sentence = PAGE.split("`[cluster]` takes the keys")[1].split("\n\n")[0]
    common = {"env", "bearer", "s3"}
    every = set().union(*_BY_KIND.values())
    part = sentence.split(f"`{kind}`", 1)[1].split(";")[0].split(". A cluster")[0]
    named = set(re.findall(r"`(\w+)`", part)) & every
    if kind == "gateway":
        assert _BY_KIND[kind] == every - named
    else:
        # "address also `address`" begins with the kind's own name.
        assert named | common == _BY_KIND[kind]
