"""The page keeps the rows of trials that were not run anew."""

from __future__ import annotations

from benchmarks.faults.__main__ import TRIALS, page
from benchmarks.faults.trials import Row

EMPTY = "before\n<!-- table: begin -->\n\n<!-- table: end -->\nafter\n"


def row(trial, result, *, kept=True):
    return Row(trial.figure, trial.must, result, kept, "command")


def test_rows_come_in_the_order_of_the_trials_and_replace_their_own_alone():
    first, second, third = TRIALS[:3]
    once = page(EMPTY, [row(third, "old"), row(first, "old")])
    twice = page(once, [row(second, "new", kept=False), row(third, "new")])
    lines = [line.split(" | ") for line in twice.splitlines() if line.startswith("| ")][2:]
    assert [line[0] for line in lines] == [f"| {t.figure}" for t in (first, second, third)]
    assert [line[2] for line in lines] == ["old", "new", "new"]
    assert [line[3] for line in lines] == ["yes", "**no**", "yes"]
    assert twice.startswith("before\n")
    assert twice.endswith("\nafter\n")


def test_a_result_does_not_break_the_table():
    text = page(EMPTY, [row(TRIALS[0], "a | b")])
    assert "a / b" in text
