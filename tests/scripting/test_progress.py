"""Progress is told to people on one line, to programs as JSON lines."""

from __future__ import annotations

import io
import json
import math
from datetime import UTC, datetime

import numpy as np
import pytest

from cbmcube.exceptions import OptionError
from cbmcube.scripting import _progress as progress
from cbmcube.scripting._progress import HumanLine, JsonLines, Reporters, json_lines, plain


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_each_event_is_a_line_that_programs_can_read():
    stream = io.StringIO()
    lines = JsonLines(stream)
    lines.tell("begin", {"part": None}, "for people")
    lines.tell("progress", {"rate": math.nan, "left": np.int64(3), "share": np.float32(0.5)})
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["event"] == "begin"
    assert datetime.fromisoformat(first["time"]).tzinfo == UTC
    assert "for people" not in stream.getvalue()
    assert second | {"time": 0} == {
        "event": "progress", "time": 0, "rate": None, "left": 3, "share": 0.5
    }  # fmt: skip


def test_progress_that_comes_too_fast_is_left_out_but_never_the_last(clock):
    seen = []

    class Notes:
        def tell(self, event, facts, text):
            seen.append((event, facts.get("left"), text))

    reporters = Reporters(Notes(), Notes())
    for left in (5, 4, 3):
        reporters.tell("progress", {"left": left}, "x")
        clock[0] += 0.6
    reporters.tell("progress", {"left": 0})
    reporters.tell("progress", {"left": 2})
    reporters.tell("cancelled", {"left": 2})
    reporters.tell("end", {})
    assert [one[:2] for one in seen[::2]] == [
        *(("progress", 5), ("progress", 3), ("progress", 0), ("cancelled", 2), ("end", None)),
    ]
    assert seen[::2] == seen[1::2]


def test_a_terminal_has_one_line_which_the_end_leaves():
    stream = Terminal()
    human = HumanLine(stream)
    human.tell("begin", {}, "the plan")
    human.tell("progress", {"left": 2}, "one")
    human.tell("progress", {"left": 1}, "two")
    human.tell("end", {})
    human.tell("end", {})
    assert stream.getvalue() == "the plan\n\r\x1b[Kone\r\x1b[Ktwo\n"


def test_a_log_has_a_line_now_and_then_and_the_last(clock):
    stream = io.StringIO()
    human = HumanLine(stream)
    for left, text in ((3, "a"), (2, "b"), (1, "c"), (0, "d")):
        human.tell("progress", {"left": left}, text)
        clock[0] += 6
    assert stream.getvalue() == "a\nc\nd\n"


def test_a_file_is_added_to(tmp_path, capsys):
    target = tmp_path / "progress.jsonl"
    for number in range(2):
        with json_lines(str(target)) as (reporter,):
            reporter.tell("begin", {"number": number})
    assert [json.loads(line)["number"] for line in target.read_text().splitlines()] == [0, 1]
    with json_lines("-") as (reporter,):
        reporter.tell("end", {})
    assert json.loads(capsys.readouterr().out)["event"] == "end"
    with json_lines(None) as none:
        assert none == []
    with pytest.raises(OptionError, match="cannot be written"), json_lines(str(tmp_path)):
        pass


def test_what_json_cannot_hold_is_turned_into_what_it_can():
    found = plain({1: {"a": (1, 2)}, "t": datetime(2024, 3, 1, tzinfo=UTC), "n": -math.inf})
    assert found == {"1": {"a": [1, 2]}, "t": "2024-03-01T00:00:00+00:00", "n": None}
    assert json.dumps(found, allow_nan=False)
