"""Commands that pages show are ones that there are, and those of scripting do what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cbmcube.__main__ import main
from tests.pages.fences import ROOT, Block, find_blocks, find_pages
from tests.pages.shell import commands, problems

pytestmark = pytest.mark.filterwarnings("ignore::cbmcube.warnings.RepairedParcelsWarning")

BLOCKS = [one for page in find_pages() for one in find_blocks(page) if one.language == "sh"]
OURS = [(one, words[1:]) for one in BLOCKS for words in commands(one.text) if words[0] == "cbmcube"]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_every_command_is_one(block):
    assert problems(block) == []


def shell(text):
    return Block(Path("page.md"), 3, "sh", text)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("cbmcube plan job.toml --quickly", "unrecognized arguments: --quickly"),
        ("cd a && sh -c 'cbmcube rum job.toml' > log 2>&1", "invalid choice: 'rum'"),
        ("0 2 * * * cbmcube run", "required: job"),
        ("pip install 'cbmcube[fast]'", "no extra fast"),
        ("pip install -e '.[test]' --group nobody", "no dependency group nobody"),
        ("pip install 'cbmcube[test'", "Expected"),
        ("python -m benchmarks.nothing", "No module named"),
        ("python -m benchmarks.faults --only nothing", "invalid choice: 'nothing'"),
        ("if true; then", "syntax error"),
        ("podman run cbmcube", "nobody knows"),
    ],
)
def test_the_check_sees_what_is_wrong(text, word):
    [found] = problems(shell(text))
    assert found.startswith("page.md:3: ")
    assert word in found


def test_commands_are_found_wherever_they_stand():
    text = (
        "# no\n0 2 * * * cd /a && . ./e && flock -n .l sh -c 'b 1 && c 2 >> o' >> n.log 2>&1\n"
        "d \\\n e | f\n"
    )
    assert [*commands(text)] == [
        *(["cd", "/a"], [".", "./e"], ["b", "1"], ["c", "2"]),
        *(["d", "e"], ["f"]),
    ]


def test_the_demo_is_run_by_the_gate():
    """It takes two minutes, so that it is the one command of ours that is not run here."""
    gate = (ROOT / ".ci" / "run").read_text()
    marks = {one.mark: one for one in BLOCKS if one.mark}
    for mark in ("demo", "test"):
        assert f"readme_command {mark}" in gate
        assert f"command: {mark}" in marks
    demos = [words for _, words in OURS if words[0] == "demo"]
    assert len(demos) == 2
    assert all(words == ["demo"] for words in demos)


@pytest.mark.usefixtures("stage")
def test_commands_of_pages_run_in_their_order(capsys):
    """From `init` to the nightly run; and the page's own job as a workflow of Argo."""
    told = {}
    for block, words in OURS:
        if words[0] == "demo":
            continue
        if words[0] == "workflow":
            [job] = [one for one in find_blocks(block.page) if one.language == "toml"]
            Path("job.toml").write_text(job.text)
        assert main(words) == 0, words
        told.setdefault(words[0], []).append(capsys.readouterr().out)
    assert {*told} == {"init", "plan", "run", "status", "verify", "workflow"}
    assert "country" in told["init"][0]  # a commented example, and the country that it runs on
    for word in ("scenes", "units", "records", "memory"):
        assert word in told["plan"][0]
    first, again = (int(re.search(r"(\d+) units", text)[1]) for text in told["run"])
    assert first > 0
    assert again == 0  # the night after, nothing is left
    workflow = Path("season.yaml").read_text()
    assert [f"{part}/8" in workflow for part in range(1, 9)] == [True] * 8
    # What programs read has the keys that the page shows.
    page = next(block.page for block, words in OURS if words[0] == "init")
    [shown] = [one.text for one in find_blocks(page) if one.language == "text"]
    lines = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    keys = [re.findall(r'"(\w+)":', line) for line in shown.splitlines()]
    assert [line["event"] for line in lines] == ["begin", "progress", "end"]
    assert [*lines[0]] == keys[0]
    assert [*lines[1]] == keys[1]
    assert [*lines[2]] == [*dict.fromkeys(keys[2])]  # "ok" is a status as well
