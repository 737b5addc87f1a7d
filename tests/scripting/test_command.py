"""The commands do what the functions do, and their exit statuses say how it went."""

from __future__ import annotations

import json
import os
import shutil
import signal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

import cbmcube as cbm
from cbmcube.__main__ import main
from cbmcube.exceptions import OptionError, StoreNotFoundError
from cbmcube.observations import season
from cbmcube.observations.store import open_store
from cbmcube.scripting import _actions as actions
from cbmcube.scripting import _command as command
from cbmcube.scripting import _left as left
from cbmcube.scripting import plan_job, read_job, run_job, stop_job_clusters
from cbmcube.scripting._question import check_question, question
from tests.scripting.conftest import FULL, MINIMAL

pytestmark = pytest.mark.filterwarnings("ignore::cbmcube.warnings.RepairedParcelsWarning")


@pytest.fixture
def job_file(write, season_text):
    return write(season_text)


def test_a_run_does_all_and_tells_so(done, country):
    file, status, events = done
    assert status == 0
    assert [events[0]["event"], events[-1]["event"]] == ["begin", "end"]
    assert {one["event"] for one in events[1:-1]} == {"progress"}
    last = events[-2]
    assert (last["left"], last["failed"]) == (0, 0)
    assert events[-1]["ok"] is True
    # The oracle: the same numbers from the interactive way, row by row.
    store = open_store(file.parent / "season")
    parts = store.snapshot().parts.to_pylist()
    found = pa.concat_tables(store.read_part(one["part"]) for one in parts).to_pandas()
    assert len(found) == events[-1]["records"] == last["records"]
    expected = interactive(country)
    keys = ["parcel", "acquisition", "band"]
    both = found.merge(expected, on=keys, suffixes=("", "_expected"))
    assert len(both) == len(found)
    for name in ("count", "mean", "p50"):
        # Bit by bit; where nothing was seen both have none.
        np.testing.assert_array_equal(
            both[name].to_numpy("float32"),
            both[f"{name}_expected"].to_numpy("float32", na_value=np.nan),
        )
    seen = set(map(tuple, expected.loc[expected["count"] > 0, keys].to_numpy()))
    assert seen <= set(map(tuple, found[keys].to_numpy()))


def interactive(country):
    parcels = cbm.prepare_parcels(cbm.read_parcels(country.parcels, id="field_id"))
    items = cbm.search(
        cbm.open_catalog(country.catalogue),
        cbm.CARD_BS,
        aoi=parcels,
        period="2024-03",
        filter="platform IN ('sentinel-1a', 'sentinel-1b')",
    )
    cubes = cbm.mask(cbm.load_native(items, cbm.CARD_BS, bands=["VV"]), cbm.CARD_BS)
    stats = cbm.reduce_parcels(cubes, parcels, statistics=["count", "mean", "p50"])
    return cbm.to_observations(stats)


def test_a_second_run_has_nothing_left_to_do(done, capsys):
    file, _, _ = done
    root = open_store(file.parent / "season").snapshot().root
    assert main(["run", str(file)]) == 0
    said = capsys.readouterr()
    assert "0 units" in said.out
    assert "<Plan of CARD-BS" in said.err
    assert open_store(file.parent / "season").snapshot().root == root


def test_status_and_verify_of_a_job_or_of_a_store(done, capsys):
    file, _, events = done
    for target in (str(file), str(file.parent / "season")):
        assert main(["status", target, "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert facts["records"] == events[-1]["records"]
        assert facts["left"] == 0
        assert main(["verify", target, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["ok"] is True
    assert main(["status", str(file)]) == 0
    assert "left:     0 units" in capsys.readouterr().out


def test_a_dry_run_says_all_and_keeps_nothing(job_file, done, capsys):
    assert main(["plan", str(job_file), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "<Plan of CARD-BS" in said
    assert "dry run: nothing is kept" in said
    assert not (job_file.parent / "season").exists()
    # Where all is done already, it says that nothing is left.
    assert main(["plan", str(done[0]), "--dry-run", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["dry_run"] is True
    assert (facts["left"], facts["store"]) == (0, str(done[0].parent / "season"))


def test_planning_leaves_work_that_parts_share(job_file, capsys):
    """Two parts do all of it, each its own, and the root is that of one run."""
    assert main(["plan", str(job_file), "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["left"] == planned["units"] > 10
    assert main(["status", str(job_file)]) == 1
    assert main(["verify", str(job_file)]) == 2
    capsys.readouterr()
    counts = []
    for part in ("1/2", "2/2"):
        arguments = ["run", str(job_file), "--part", part, "--json-progress", "-", "--no-progress"]
        assert main(arguments) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert lines[0]["part"] == part
        counts.append(lines[-1]["done"])
    assert sum(counts) == planned["units"]
    assert min(counts) > 0
    assert main(["status", str(job_file)]) == 0


def test_all_ways_lead_to_one_root(done, write, season_text):
    """In another folder, by function instead of command, with other units of work."""
    text = season_text.replace('url = "season"', 'url = "elsewhere"')
    job = read_job(write(text))
    plan_job(job)
    report = run_job(job)
    assert report.snapshot.root == open_store(done[0].parent / "season").snapshot().root


def test_damage_is_found(write, season_text, capsys):
    file = write(season_text.replace("2024-03", "2024-03-01/2024-03-08"))
    assert main(["run", str(file), "--no-progress"]) == 0
    part = next((file.parent / "season" / "parts").rglob("*.parquet"))
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.chmod(0o644)
    part.write_bytes(data)
    capsys.readouterr()
    assert main(["verify", str(file), "--json"]) == 1
    assert part.name in json.loads(capsys.readouterr().out)["problems"][0]["name"]


def test_units_that_fail_give_status_1(job_file, monkeypatch, capsys):
    def broken(_self, *_arguments, **_options):
        return season.RunReport("run-1", (), 3, 1.0, None, stopped=True)

    monkeypatch.setattr(season.Plan, "run", broken)
    assert main(["run", str(job_file)]) == 1
    assert "left:     3 units, stopped early" in capsys.readouterr().out


def test_a_job_that_was_changed_since_is_not_run(done, capsys, tmp_path):
    file, _, _ = done
    other = tmp_path / "other.toml"
    text = file.read_text().replace('"season"', f'"{file.parent / "season"}"')
    other.write_text(text)
    assert main(["run", str(other)]) == 0
    other.write_text(text.replace('period = "2024-03"', 'period = "2024-04"'))
    capsys.readouterr()
    assert main(["run", str(other)]) == 2
    said = capsys.readouterr().err
    assert "asks for something else than the plan" in said
    assert "cbmcube plan other.toml" in said
    other.write_text(text.replace('"VV"', '"VH"'))
    assert main(["plan", str(other)]) == 2
    assert "holds results of another recipe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("[catalog]", "[catalog] # a comment", True),
        ('url = "season"', 'url = "elsewhere"', True),
        ('url = "season"', 'url = "season"\n[run]\nretries = 9', True),
        ('url = "season"', 'url = "season"\n[cluster]\nkind = "local"', True),
        ('url = "season"', 'url = "season"\nrecords_per_unit = 9', False),
        ('period = "2024-03"', 'period = "2024-04"', False),
        ('bands = ["VV"]', 'bands = ["VH"]', False),
        ('id = "field_id"', 'id = "field_id"\nbuffer = -1', False),
        ('"p50"]', '"p75"]', False),
    ],
)
def test_what_counts_as_a_change(write, season_text, old, new, same):
    assert old in season_text
    before = question(read_job(write(season_text)))
    after = question(read_job(write(season_text.replace(old, new))))
    assert (before == after) is same


def test_a_plan_of_a_script_is_run_as_it_is(done, write):
    """Nothing was noted for a plan that no job file made."""
    file, _, _ = done
    store = open_store(file.parent / "season")
    check_question(read_job(write(MINIMAL)), store, "0" * 64 + ".json")
    with pytest.raises(OptionError, match="something else"):
        check_question(read_job(write(MINIMAL)), store, season.open_plan(store).name)


def test_an_estimate_from_a_probe_has_time_and_cost(job_file, capsys):
    job_file.write_text(job_file.read_text() + "[prices]\ncore_hour = 3600\n")
    assert main(["plan", str(job_file), "--dry-run", "--probe", "1", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["seconds"] > 0
    # One core-hour costs 3600, so a second costs 1.
    assert facts["cost"] == pytest.approx(facts["seconds"] * facts["threads"])


def test_planning_that_was_killed_half_way_is_taken_up(job_file, done):
    """The store was made, and no plan in it."""
    store = job_file.parent / "season"
    store.mkdir()
    shutil.copy(done[0].parent / "season" / "store.json", store)
    assert main(["run", str(job_file), "--no-progress"]) == 0
    assert main(["status", str(job_file)]) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_units_at_work_end_and_publishes(
    job_file, monkeypatch, capsys, done, number
):
    """Asked to end after the first unit, a run leaves a store that the next one finishes."""
    reports = []
    original = season.Plan.run

    def run(plan, client, *, progress, **options):
        def watch(state):
            progress(state)
            if state.done and not reports:
                reports.append(state)
                os.kill(os.getpid(), number)

        return original(plan, client, progress=watch, **options)

    monkeypatch.setattr(season.Plan, "run", run)
    target = job_file.parent / "events.jsonl"
    assert main(["run", str(job_file), "--json-progress", str(target)]) == 128 + number
    assert "run it again to go on" in capsys.readouterr().err
    last = json.loads(target.read_text().splitlines()[-1])
    assert last["event"] == "cancelled"
    assert 0 < last["done"] < reports[0].units
    store = open_store(job_file.parent / "season")
    assert store.snapshot().parts.num_rows >= last["done"]
    assert main(["status", str(job_file)]) == 1
    monkeypatch.undo()
    assert main(["run", str(job_file), "--no-progress"]) == 0
    assert store.snapshot().root == open_store(done[0].parent / "season").snapshot().root


def test_secrets_are_not_told(write, monkeypatch, capsys):
    """Whatever fails, with or without --debug, nothing of a named variable is printed."""
    text = MINIMAL.replace('/api"', '/api"\nheaders = {Authorization = "MINE"}')
    monkeypatch.setenv("MINE", "Bearer swordfish")

    # Not in a line of source, which a traceback shows.
    token = f"t{0}ken"

    def fail(href, *, headers, **_more):
        raise RuntimeError(f"GET {href}?sig={token} with {headers}")

    monkeypatch.setattr("cbmcube.scripting._inputs.open_catalog", fail)
    file = write(text)
    for more in ([], ["--debug"], ["--log", "debug"]):
        assert main(["plan", str(file), *more]) == 3
        said = capsys.readouterr().err
        assert "RuntimeError: GET https://stac.example.org/api" in said
        assert ("Traceback" in said) is (more == ["--debug"])
        assert "swordfish" not in said
        assert "t0ken" not in said


def test_a_users_error_is_short_and_debug_shows_more(write, capsys):
    file = write(MINIMAL.replace("CARD-BS", "CARD-B"))
    assert main(["plan", str(file)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("cbmcube plan: the job file has 1 problem\n  job.toml: [product] name")
    assert "Traceback" not in said
    for arguments in (["--debug", "plan", str(file)], ["plan", str(file), "--debug"]):
        assert main(arguments) == 2
        assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "job.toml", "--part", "0/2"],
        ["run", "job.toml", "--part", "half"],
        ["workflow", "job.toml", "--image", "i"],
        ["workflow", "job.toml", "--argo"],
        ["cluster"],
        ["plan", "job.toml", "--parts", "2"],
    ],
)
def test_arguments_that_are_none(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: cbmcube" in capsys.readouterr().err


def test_a_store_that_is_none(tmp_path, capsys):
    for name in ("status", "verify"):
        assert main([name, str(tmp_path)]) == 2
        assert "there is no store of observations" in capsys.readouterr().err


def test_init_writes_what_runs(country, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("cbmcube.__main__.open_country", lambda _folder: country)
    file = tmp_path / "job.toml"
    assert main(["init", str(file)]) == 0
    assert "Written" in capsys.readouterr().out
    (tmp_path / "country").symlink_to(country.folder)
    assert main(["plan", str(file), "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parcels"] == country.n_parcels
    assert main(["init", str(file), "--no-country"]) == 2
    assert "there is a file already" in capsys.readouterr().err


def test_a_workflow_is_written(write, tmp_path, capsys):
    pytest.importorskip("hera.workflows")
    file = write(FULL.replace('roots = ["scenes"]', 'roots = ["/data"]'))
    arguments = ["workflow", "--argo", str(file), "--image", "i", "--mount", "a=/data"]
    assert main([*arguments, "--parts", "4", "--name", "dk", "--hours", "2"]) == 0
    manifest = yaml.safe_load(capsys.readouterr().out)
    assert manifest["metadata"]["generateName"] == "dk-"
    assert manifest["spec"]["activeDeadlineSeconds"] == 7200
    out = tmp_path / "flow.yaml"
    assert main([*arguments, "--out", str(out)]) == 0
    assert yaml.safe_load(out.read_text())["kind"] == "Workflow"
    assert main([*arguments, "--out", str(tmp_path / "no" / "flow.yaml")]) == 2


def test_the_clusters_of_a_job_are_found_again_and_no_others(done, write, monkeypatch, capsys):
    """What a killed run noted in the store is stopped, if it still runs; nothing else is."""
    file, _, _ = done
    text = file.read_text().replace('"season"', f'"{file.parent / "season"}"')
    text += '[cluster]\nkind = "gateway"\naddress = "https://dask.example.org"\n'
    job = read_job(write(text))
    store = open_store(job.store.url)

    class Client:
        def __init__(self, name):
            self.cluster = type("Cluster", (), {"name": name})

    for name in ("ours-1", "ours-2", "ours-1", "../else", None):
        left.remember_cluster(job, store, Client(name))
    left.remember_cluster(job, store, None)
    left.remember_cluster(read_job(file), store, Client("not-of-a-gateway"))
    running = [type("Running", (), {"name": name}) for name in ("theirs", "ours-2", "else")]
    stopped = []

    def stop(*, names, **gateway):
        stopped.append((names, gateway))
        return names

    monkeypatch.setattr(left, "list_clusters", lambda **_gateway: running)
    monkeypatch.setattr(left, "stop_clusters", stop)
    assert main(["cluster", "stop", str(job.file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"stopped": ["ours-2"]}
    gateway = {"address": "https://dask.example.org", "proxy_address": None, "auth": None}
    assert stopped == [(["ours-2"], gateway)]
    running.clear()
    assert stop_job_clusters(job) == []
    with pytest.raises(OptionError, match="only clusters of a gateway"):
        stop_job_clusters(read_job(file))
    for action in ("stop", "list"):
        assert main(["cluster", action, str(file)]) == 2


def test_before_anything_is_planned_no_cluster_is_left(write):
    assert stop_job_clusters(read_job(write(MINIMAL + '[cluster]\nkind = "gateway"'))) == []


def test_clusters_are_listed(write, monkeypatch, capsys):
    started = pd.Timestamp("2024-03-01", tz="UTC").to_pydatetime()
    one = type("Running", (), {"name": "a1", "status": "running", "started": started})
    monkeypatch.setattr(command, "list_clusters", lambda **_gateway: [one])
    file = write(MINIMAL + '[cluster]\nkind = "gateway"')
    assert main(["cluster", "list", str(file)]) == 0
    assert capsys.readouterr().out == "a1  running  2024-03-01T00:00:00+00:00\n"


def test_an_object_store_is_told_to_those_who_ask_the_environment(write, monkeypatch):
    """Only while a plan is made: afterwards the store itself knows."""
    monkeypatch.setenv("AWS_REGION", "before")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    seen = {}

    def plan(*_arguments, store, **_more):
        seen.update(
            store=store, endpoint=os.environ["AWS_ENDPOINT_URL"], region=os.environ["AWS_REGION"]
        )
        raise StoreNotFoundError("far enough")

    monkeypatch.setattr(actions.season, "plan", plan)
    for name in ("job_catalog", "job_parcels"):
        monkeypatch.setattr(actions, name, lambda _job: None)
    job = read_job(
        write(
            MINIMAL.replace(
                '"season"', '"s3://b/p"\nendpoint = "https://objects.example.org"\nregion = "eu"'
            )
        )
    )
    with pytest.raises(StoreNotFoundError, match="far enough"):
        plan_job(job)
    assert seen == {
        "store": "s3://b/p",
        "endpoint": "https://objects.example.org",
        "region": "eu",
    }
    assert os.environ["AWS_REGION"] == "before"
    assert "AWS_ENDPOINT_URL" not in os.environ
