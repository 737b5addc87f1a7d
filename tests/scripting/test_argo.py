"""A run as an Argo Workflow: what it promises holds in the YAML, and the check notices faults."""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.exceptions import OptionError, WorkflowError
from cbmcube.scripting import Pods, argo_workflow, parser, read_job
from cbmcube.scripting._argo_check import check_workflow
from cbmcube.scripting._job import parse_job
from tests.scripting.conftest import FULL, MINIMAL

pytest.importorskip("hera.workflows")

PODS = Pods(image="registry.example.org/cbmcube:1", parts=3, mounts=("lpis=/data",))
LOCAL = MINIMAL.replace('"parcels.gpkg"', '"/data/parcels.gpkg"').replace(
    '"season"', '"/data/season"'
)
FULL_THERE = FULL.replace('roots = ["scenes"]', 'roots = ["/data/scenes"]')


@pytest.fixture
def job(write):
    return read_job(write(FULL_THERE, "danish season 2024.toml"))


@pytest.fixture
def manifest(job):
    return yaml.safe_load(argo_workflow(job, PODS, parser=parser()))


def template(manifest, name):
    (found,) = [one for one in manifest["spec"]["templates"] if one["name"] == name]
    return found


def test_plan_then_parts_then_check_and_a_way_out(manifest):
    spec = manifest["spec"]
    assert manifest["metadata"]["generateName"] == "danish-season-2024-"
    assert (spec["entrypoint"], spec["onExit"]) == ("season", "stop")
    assert spec["activeDeadlineSeconds"] == 48 * 3600
    dag = template(manifest, "season")["dag"]
    assert dag["failFast"] is False
    plan, run, verify = dag["tasks"]
    assert "depends" not in plan
    assert (run["depends"], verify["depends"]) == ("plan", "run")
    assert run["withItems"] == ["1/3", "2/3", "3/3"]
    args = {name: template(manifest, name)["container"]["args"] for name in ("plan", "run")}
    assert args["plan"] == ["plan", "/cbmcube/job.toml", "--json"]
    assert args["run"][:4] == ["run", "/cbmcube/job.toml", "--part", "{{inputs.parameters.part}}"]
    stop = template(manifest, "stop")["container"]
    assert stop["command"] + stop["args"] == ["cbmcube", "cluster", "stop", "/cbmcube/job.toml"]


def test_each_pod_has_the_job_the_named_variables_and_bounds(manifest, job):
    for name in ("plan", "run", "verify", "stop"):
        pod = template(manifest, name)
        (artifact,) = pod["inputs"]["artifacts"]
        assert artifact["raw"]["data"] == job.text
        assert artifact["path"] == "/cbmcube/job.toml"
        container = pod["container"]
        assert container["env"] == [
            {"name": one, "valueFrom": {"secretKeyRef": {"name": "cbmcube", "key": one}}}
            for one in job.variables
        ]
        assert container["resources"] == {
            "limits": {"memory": "4Gi"},
            "requests": {"cpu": "2", "memory": "4Gi"},
        }
        assert container["securityContext"] == {"allowPrivilegeEscalation": False}
        assert container["volumeMounts"] == [{"name": "volume-0", "mountPath": "/data"}]
        again = pod["retryStrategy"]
        assert (again["limit"], again["retryPolicy"]) == ("3", "Always")
        final = "[1, 2]" if name == "verify" else "[2]"
        assert again["expression"] == f"asInt(lastRetry.exitCode) not in {final}"
    claim = {"name": "volume-0", "persistentVolumeClaim": {"claimName": "lpis"}}
    assert manifest["spec"]["volumes"] == [claim]


def test_only_a_gateway_needs_a_way_out(write):
    manifest = yaml.safe_load(argo_workflow(read_job(write(LOCAL)), PODS, parser=parser()))
    assert "onExit" not in manifest["spec"]
    assert len(manifest["spec"]["templates"]) == 4
    assert "env" not in template(manifest, "run")["container"]


def test_no_value_of_a_variable_is_in_it(job, monkeypatch):
    for number, name in enumerate(job.variables):
        monkeypatch.setenv(name, f"canary-{number}")
    assert "canary" not in argo_workflow(job, PODS, parser=parser())


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (MINIMAL, r"no pod sees this folder: \[parcels\] path"),
        (LOCAL.replace("/data/season", "/other/season"), r"\[store\] url"),
        (LOCAL.replace("/data/season", "/data/../season"), r"\[store\] url"),
        (LOCAL.replace("/data/season", "/database/season"), r"\[store\] url"),
        (LOCAL + '[run]\npart = "1/2"', "leave out"),
        (LOCAL + "# {{workflow.name}}", "double braces"),
        (LOCAL + "# AKIACANARYCANARYCANA", "looks like a secret"),
        (FULL, r"\[catalog.access\] roots"),
    ],
)
def test_a_job_that_no_pod_could_do(write, text, word):
    with pytest.raises(OptionError, match=word):
        argo_workflow(read_job(write(text)), PODS, parser=parser())


def test_relative_paths_are_those_in_the_pod(write):
    """The job lies in /cbmcube there, so a volume below it holds what the job names beside it."""
    text = LOCAL.replace("/data/", "data/")
    pods = Pods(image="i", mounts=("lpis=/cbmcube/data",))
    assert argo_workflow(read_job(write(text)), pods, parser=parser())
    with pytest.raises(OptionError, match="no pod sees"):
        argo_workflow(read_job(write(text)), PODS, parser=parser())


@pytest.mark.parametrize(
    "values",
    [
        {"image": ""}, {"image": "a b"}, {"image": "a;rm"}, {"parts": 0}, {"parts": 1001},
        {"name": "Season"}, {"name": "a" * 41}, {"name": "-a"}, {"name": ""},
        {"namespace": "a.b"}, {"secret": "A"}, {"service_account": "a_b"},
        {"mounts": ("lpis",)}, {"mounts": ("lpis=data",)}, {"mounts": ("LPIS=/data",)},
        {"mounts": ("lpis=/",)}, {"mounts": ("lpis=/cbmcube",)}, {"mounts": ("a=/x/../y",)},
        {"mounts": ("lpis=/data", "b=/data/")},
        {"cpu": "two"}, {"memory": "4"}, {"retries": -1}, {"hours": 0}, {"hours": float("nan")},
    ],
)  # fmt: skip
def test_pods_that_kubernetes_would_refuse(job, values):
    given = {"image": "i", "mounts": ("lpis=/data",)} | values
    with pytest.raises(OptionError):
        argo_workflow(job, Pods(**given), parser=parser())


def test_any_name_of_a_job_file_becomes_one_of_kubernetes(write):
    for stem in ("Sæson", "…", "9" * 80, "a.b_c", "-x-"):
        text = argo_workflow(read_job(write(LOCAL, f"{stem}.toml")), PODS, parser=parser())
        name = yaml.safe_load(text)["metadata"]["generateName"]
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}-", name)


BREAK = {
    "an unknown key": lambda m: m["spec"].update(entrypiont="season"),
    "an unknown key of a container": lambda m: container(m).update(comand=["x"]),
    "another spelling of a key": lambda m: m["spec"].update(active_deadline_seconds=3),
    "a number for a text": lambda m: retry(m).update(retryPolicy=3),
    "no templates": lambda m: m["spec"].pop("templates"),
    "another kind": lambda m: m.update(kind="CronWorkflow"),
    "a name with capitals": lambda m: m["spec"]["volumes"][0].update(name="Volume"),
    "a template's name with a dot": lambda m: rename(m, "verify", "veri.fy"),
    "the same template twice": lambda m: m["spec"]["templates"].append(m["spec"]["templates"][0]),
    "no name": lambda m: m["metadata"].update(generateName="A-"),
    "an entry that is not there": lambda m: m["spec"].update(entrypoint="saeson"),
    "an exit that is not there": lambda m: m["spec"].update(onExit="stopp"),
    "a template that nothing uses": lambda m: m["spec"].pop("onExit"),
    "a task without template": lambda m: task(m, "run").update(template="rnu"),
    "a task that waits for none": lambda m: task(m, "run").update(depends="plann"),
    "one more task of nothing": lambda m: tasks(m).append({"name": "more", "template": "none"}),
    "an argument that nothing takes": lambda m: task(m, "run")["arguments"]["parameters"].append(
        {"name": "more", "value": "x"}
    ),
    "a circle": lambda m: task(m, "plan").update(depends="verify.Succeeded"),
    "a task that waits for itself": lambda m: task(m, "plan").update(depends="plan"),
    "the same task twice": lambda m: tasks(m).append(copy.deepcopy(tasks(m)[0])),
    "a missing argument": lambda m: task(m, "run").pop("arguments"),
    "an argument of nothing": lambda m: argument(m).update(value="{{items}}"),
    "no items": lambda m: task(m, "run").pop("withItems"),
    "an unknown input": lambda m: put(m, 3, "{{inputs.parameters.prat}}"),
    "an unknown option": lambda m: put(m, 4, "--quiet"),
    "a part that is none": lambda m: task(m, "run").update(withItems=["1/3", "4/3"]),
    "another command": lambda m: container(m).update(command=["sh"]),
    "no image": lambda m: container(m).update(image=""),
    "another file": lambda m: put(m, 1, "/cbmcube/other.toml"),
    "another job": lambda m: artifact(m)["raw"].update(data="x = 1"),
    "no job": lambda m: pod(m)["inputs"].pop("artifacts"),
    "a literal variable": lambda m: container(m)["env"].append({"name": "A", "value": "b"}),
    "a variable with a value beside its secret": lambda m: container(m)["env"][0].update(value="b"),
    "a variable too few": lambda m: container(m)["env"].pop(),
    "a key of another variable": lambda m: reference(m).update(key="OTHER"),
    "a secret without name": lambda m: reference(m).pop("name"),
    "a whole secret": lambda m: container(m).update(envFrom=[{"secretRef": {"name": "a"}}]),
    "a secret in a label": lambda m: m["metadata"]["labels"].update(a="AKIACANARYCANARYCANA"),
    "a wrong account": lambda m: m["spec"].update(serviceAccountName="A_B"),
}


def pod(manifest):
    return template(manifest, "run")


def container(manifest):
    return pod(manifest)["container"]


def retry(manifest):
    return pod(manifest)["retryStrategy"]


def artifact(manifest):
    return pod(manifest)["inputs"]["artifacts"][0]


def reference(manifest):
    return container(manifest)["env"][0]["valueFrom"]["secretKeyRef"]


def tasks(manifest):
    return template(manifest, "season")["dag"]["tasks"]


def task(manifest, name):
    (found,) = [one for one in tasks(manifest) if one["name"] == name]
    return found


def argument(manifest):
    return task(manifest, "run")["arguments"]["parameters"][0]


def put(manifest, position, text):
    container(manifest)["args"][position] = text


def rename(manifest, old, new):
    template(manifest, old)["name"] = new
    task(manifest, old)["template"] = new


@pytest.mark.parametrize("fault", BREAK)
def test_the_check_notices(manifest, job, fault):
    check_workflow(yaml.safe_dump(manifest), job, parser=parser())
    BREAK[fault](manifest)
    with pytest.raises(WorkflowError):
        check_workflow(yaml.safe_dump(manifest), job, parser=parser())


@pytest.mark.parametrize("text", ["a: [", "[]", "x", "", "{spec: 1}"])
def test_the_check_takes_any_yaml(job, text):
    with pytest.raises(WorkflowError):
        check_workflow(text, job, parser=parser())


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.just("\t"), max_size=60))
def test_whatever_stands_in_comments_the_job_arrives_as_it_is(comment):
    """YAML is a trap of its own: leading blanks, tabs, quotes, colons, lines of other scripts."""
    text = f"# {comment}\n{LOCAL}"
    job = parse_job(text, Path("/a/job.toml"))
    try:
        manifest = yaml.safe_load(argo_workflow(job, PODS, parser=parser()))
    except OptionError:
        return
    assert artifact(manifest)["raw"]["data"] == text


def test_without_hera_the_way_to_it_is_told(job, monkeypatch):
    monkeypatch.setitem(sys.modules, "hera.workflows", None)
    with pytest.raises(ImportError, match=r"pip install 'cbmcube\[argo\]'"):
        argo_workflow(job, PODS, parser=parser())
