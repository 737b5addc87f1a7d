"""The harness kills what it should, only what it started, and ends when the job is done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.faults import casts, units
from benchmarks.faults.kills import CLIENT, KillReport, Plan, Role, disturb
from benchmarks.faults.store_trials import killed

WORKER = [sys.executable, str(Path(__file__).with_name("worker.py"))]


def job(folder, count=20, how="plain", **role):
    return Role(CLIENT, [*WORKER, str(folder), str(count), how], **role)


def counting(folder, total=20):
    return lambda: (sum(1 for _ in folder.glob("*.txt")), total)


def test_a_job_is_killed_and_started_again_until_it_is_done(tmp_path):
    report = disturb([job(tmp_path)], Plan(5, 0.02, early=0.0), counting(tmp_path))
    kills = report.kills[CLIENT]  # a busy machine may be done before the last
    assert 1 <= kills <= 5
    # A kill that comes after the last word of a client starts none anew.
    assert report.starts[CLIENT] in (kills, kills + 1)
    # The last one may come when all is written and nothing is answered yet.
    assert report.working in (kills - 1, kills)
    assert report.answers == [{"root": "r", "rows": 20}]
    assert report.messages == {}
    assert len(list(tmp_path.glob("*.txt"))) == 20


def test_without_kills_it_is_one_run(tmp_path):
    report = disturb([job(tmp_path)], Plan(0, 1.0), counting(tmp_path))
    assert (report.kills.total(), report.starts[CLIENT]) == (0, 1)


def test_children_are_killed_as_what_they_are(tmp_path):
    roles = [job(tmp_path, how="child", children="worker")]
    plan = Plan(2, 0.01, weights={CLIENT: 0.0}, early=0.0)
    report = disturb(roles, plan, counting(tmp_path))
    assert set(report.kills) == {"worker"}
    assert report.starts[CLIENT] == 1


def test_other_roles_are_kept_up(tmp_path):
    idle = [sys.executable, "-c", "import time; time.sleep(600)"]
    roles = [Role("scheduler", idle), Role("nanny 1", idle), job(tmp_path)]
    plan = Plan(6, 0.01, weights={CLIENT: 0.0}, early=0.0)
    report = disturb(roles, plan, counting(tmp_path))
    assert set(report.kills) == {"scheduler", "nanny"}
    assert report.starts["scheduler"] + report.starts["nanny 1"] >= 2 + report.kills.total() - 1
    # On a fast machine the job is done before the last kill, and is then asked for again.
    assert len(report.answers) == report.starts[CLIENT]
    assert {answer["rows"] for answer in report.answers} == {20}


def test_a_client_that_fails_is_started_again_and_its_words_are_kept(tmp_path):
    report = disturb([job(tmp_path, how="fails-once")], Plan(0, 1.0), counting(tmp_path))
    assert report.messages == {"ValueError: it was the first time": 1}
    assert report.starts[CLIENT] == 2


def test_a_client_that_hangs_is_noticed(tmp_path):
    plan = Plan(0, 1.0, patience=2.0)
    report = disturb([job(tmp_path, how="hangs-once")], plan, counting(tmp_path))
    assert report.hung == 1
    assert report.starts[CLIENT] == 2


def test_a_run_that_does_not_end_is_given_up_and_nothing_is_left():
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    idle = [sys.executable, "-c", "import time; time.sleep(600)"]
    roles = [Role(CLIENT, idle), Role("scheduler", idle)]
    with pytest.raises(TimeoutError, match="not done within 1 s"):
        disturb(roles, Plan(0, 1.0, limit=1.0), lambda: (0, 1))
    after = {process.pid for process in psutil.Process().children(recursive=True)}
    assert after <= before


def test_what_others_started_is_left_alone(tmp_path):
    bystander = subprocess.Popen([*WORKER, str(tmp_path), "0", "plain"])
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        bystander.wait()
        (tmp_path / "a").mkdir()
        disturb([job(tmp_path / "a")], Plan(5, 0.01, early=0.5), counting(tmp_path / "a"))
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_seeds_repeat_the_order_of_victims():
    """The draws, not the times, which depend on the machine."""
    one, other = (Plan(3, 0.1, seed=seed) for seed in (1, 2))
    assert one != other
    assert one == Plan(3, 0.1, seed=1)


class TestWords:
    """A row is kept only if everything is as it must be."""

    def report(self, **changes):
        report = KillReport(hung=changes.get("hung", 0))
        report.kills.update({"client": 3, "worker": 2})
        return report

    def test_as_it_must_be(self):
        text, kept = killed(self.report(), 1000, ["a", "a"], "a", 0)
        assert kept
        assert "5 SIGKILLs (3 client, 2 worker;" in text
        assert "2 of 2 root hashes equal" in text

    @pytest.mark.parametrize(
        ("hung", "roots", "problems"), [(1, ["a"], 0), (0, ["a", "b"], 0), (0, ["a"], 1)]
    )
    def test_otherwise(self, hung, roots, problems):
        assert not killed(self.report(hung=hung), 1000, roots, "a", problems)[1]


class TestUnits:
    def test_rows_are_the_same_each_time_and_differ_between_units(self):
        assert units.table(3, 100).equals(units.table(3, 100))
        assert not units.table(3, 100).equals(units.table(4, 100))

    def test_all_kinds_of_results_occur(self):
        kinds = [units.status(number)[0] for number in range(100)]
        assert {kind: kinds.count(kind) for kind in set(kinds)} == {
            "ok": 94,
            "corrupt": 3,
            "nodata": 3,
        }

    def test_a_sound_store_passes_and_a_damaged_one_does_not(self, tmp_path):
        store = units.make_store(str(tmp_path / "s"))
        units.do_all(store, range(12), 20)
        found = units.publish(store, 12, 20)
        assert found["units"] == 12
        assert found["rows"] == 10 * 20
        assert units.audit(store, 12, 20) == {"lost": 0, "twice": 0, "wrong": 0}
        # a unit that the plan has and the store has not
        assert units.audit(store, 13, 20)["lost"] == 1

    def test_wrong_rows_are_noticed(self, tmp_path, monkeypatch):
        store = units.make_store(str(tmp_path / "s"))
        own = units.table
        monkeypatch.setattr(units, "table", lambda number, rows: own(number + 1, rows))
        units.do_all(store, range(3), 20)
        units.publish(store, 3, 20)
        monkeypatch.setattr(units, "table", own)
        assert units.audit(store, 3, 20)["wrong"] == 3

    def test_missing_and_surplus_rows_are_noticed(self, tmp_path, monkeypatch):
        own = units.table
        for change, what in ((-2, "lost"), (2, "twice")):
            store = units.make_store(str(tmp_path / what))
            monkeypatch.setattr(units, "table", lambda n, rows, c=change: own(n, rows + c))
            units.do_all(store, range(2), 20)
            units.publish(store, 2, 20)
            monkeypatch.setattr(units, "table", own)
            assert units.audit(store, 2, 20)[what] == 2

    def test_several_parts_of_a_unit_are_noticed(self, tmp_path):
        store = units.make_store(str(tmp_path / "s"))
        units.do_all(store, range(2), 20)
        assert units.several_parts(store) == 0
        part = next((tmp_path / "s" / "parts").glob("*/*.parquet"))
        part.with_name(part.name[:65] + "0" * 16 + ".parquet").touch()
        assert units.several_parts(store) == 1


def test_a_cast_has_every_kind_of_process():
    command = ["job"]
    kinds = [role.kind for role in casts.cast("separate", command)]
    assert kinds == ["scheduler", "nanny", "nanny", "client"]
    assert {role.children for role in casts.cast("separate", command)} == {"", "worker"}
    (alone,) = casts.cast("alone", command)
    assert alone.command == command
    (local,) = casts.cast("local", command)
    assert local.children == "worker"
