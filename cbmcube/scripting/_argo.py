"""The same run as an Argo Workflow: a plan, parts side by side, a check, and a way out."""

from __future__ import annotations

import argparse
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cbmcube.exceptions import OptionError
from cbmcube.scripting._argo_check import check_workflow
from cbmcube.scripting._job import Job, job_paths, parse_job
from cbmcube.scripting._secrets import looks_secret

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._:/@-]{0,511}")
_MOUNT = re.compile(r"([a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?)=(/[A-Za-z0-9._/-]+)")
_CPU = re.compile(r"\d+(?:\.\d+)?|\d+m")
_MEMORY = re.compile(r"\d+(?:Mi|Gi|Ti|M|G|T)")

_FOLDER = "/cbmcube"
_FILE = f"{_FOLDER}/job.toml"
"""Where pods find the job file."""

_FINAL = {"verify": "[1, 2]"}
"""Exit statuses after which a step is not tried again; damage stays. Otherwise a user's error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pods:
    """What the pods of a workflow are made of.

    Examples
    --------
    >>> from cbmcube.scripting import Pods
    >>> Pods(image="registry.example.org/cbmcube:1", parts=8).memory
    '4Gi'
    """

    image: str
    """Container image that has cbmcube."""
    parts: int = 1
    """Pods side by side, each of which does a part of the units."""
    name: str | None = None
    """Beginning of the workflow's name; by default from the job file's."""
    namespace: str | None = None
    """Namespace of Kubernetes; by default that of whoever submits."""
    secret: str = "cbmcube"  # noqa: S105  # a name
    """Secret of Kubernetes whose keys are the variables that the job names."""
    mounts: tuple[str, ...] = ()
    """Volume claims and where they are mounted, as ``"claim=/folder"``."""
    service_account: str | None = None
    """Account that the pods run as."""
    cpu: str = "2"
    """Processors of a pod."""
    memory: str = "4Gi"
    """Memory of a pod."""
    retries: int = 3
    """How often a pod is tried again."""
    hours: float = 48.0
    """When the workflow is ended, whatever is left; the store stays resumable."""


def argo_workflow(job: Job, pods: Pods, *, parser: argparse.ArgumentParser) -> str:
    """Return the run of a job as a manifest for Argo Workflows, checked without any server.

    The workflow plans, runs the parts side by side, verifies the store, and at the end, however
    it came, stops the clusters that it left at a gateway. The job file is part of it; of
    secrets it holds the names of variables only.

    Parameters
    ----------
    job
        What `read_job` returned. Files that it names lie on mounted volumes.
    pods
        Image, number and size of the pods.
    parser
        The parser of the command line, with which every command in the manifest is checked.

    Returns
    -------
    str
        YAML for ``argo submit`` or ``kubectl create``.

    Raises
    ------
    OptionError
        `pods` has a value that Kubernetes does not take, or the job names a file that no pod
        would see.
    ImportError
        hera is not installed.

    Examples
    --------
    >>> from cbmcube.scripting import Pods, argo_workflow, parser, read_job
    >>> file = getfixture("tmp_path") / "job.toml"
    >>> _ = file.write_text('''
    ... catalog.url = "https://stac.eodc.eu/api/v1"
    ... product.name = "CARD-BS"
    ... parcels.path = "/data/parcels.gpkg"
    ... store.url = "/data/season"
    ... ''')
    >>> pods = Pods(image="registry.example.org/cbmcube:1", parts=3, mounts=("lpis=/data",))
    >>> text = argo_workflow(read_job(file), pods, parser=parser())
    >>> "kind: Workflow" in text
    True
    """
    name = _name(job, pods)
    _check_pods(pods)
    mounts = _mounts(pods)
    _check_job(job, [folder for _, folder in mounts])
    text = _manifest(job, pods, name, mounts)
    check_workflow(text, job, parser=parser)
    return text


def _manifest(job: Job, pods: Pods, name: str, mounts: list[tuple[str, str]]) -> str:
    flows = _hera()
    stop = job.cluster.kind == "gateway"
    with flows.Workflow(
        generate_name=f"{name}-",
        namespace=pods.namespace,
        entrypoint="season",
        on_exit="stop" if stop else None,
        service_account_name=pods.service_account,
        active_deadline_seconds=math.ceil(pods.hours * 3600),
        labels={"app.kubernetes.io/name": "cbmcube"},
        volumes=[
            flows.ExistingVolume(name=f"volume-{number}", claim_name=claim, mount_path=folder)
            for number, (claim, folder) in enumerate(mounts)
        ]
        or None,
    ) as workflow:
        plan = _container(job, pods, mounts, "plan", [_FILE, "--json"])
        part = ["--part", "{{inputs.parameters.part}}", "--no-progress", "--json-progress", "-"]
        run = _container(job, pods, mounts, "run", [_FILE, *part], parameter="part")
        verify = _container(job, pods, mounts, "verify", [_FILE, "--json"])
        if stop:
            _container(job, pods, mounts, "stop", [_FILE], command=["cluster", "stop"])
        # One part that fails must not keep the others from what they can do.
        with flows.DAG(name="season", fail_fast=False):
            parts = [f"{one}/{pods.parts}" for one in range(1, pods.parts + 1)]
            flows.Task(name="plan", template=plan)
            flows.Task(
                name="run",
                template=run,
                depends="plan",
                arguments={"part": "{{item}}"},
                with_items=parts,
            )
            flows.Task(name="verify", template=verify, depends="run")
    return str(workflow.to_yaml())


def _container(
    job: Job,
    pods: Pods,
    mounts: list[tuple[str, str]],
    name: str,
    arguments: list[str],
    *,
    command: list[str] | None = None,
    parameter: str | None = None,
) -> Any:
    flows = _hera()
    models = flows.models
    return flows.Container(
        name=name,
        image=pods.image,
        command=["cbmcube"],
        args=[*(command or [name]), *arguments],
        inputs=[
            flows.RawArtifact(name="job", path=_FILE, data=job.text),
            *([flows.Parameter(name=parameter)] if parameter else []),
        ],
        env=[
            flows.SecretEnv(name=one, secret_name=pods.secret, secret_key=one)
            for one in job.variables
        ],
        volume_mounts=[
            models.VolumeMount(name=f"volume-{number}", mount_path=folder)
            for number, (_, folder) in enumerate(mounts)
        ]
        or None,
        resources=flows.Resources(
            cpu_request=pods.cpu, memory_request=pods.memory, memory_limit=pods.memory
        ),
        retry_strategy=flows.RetryStrategy(
            limit=str(pods.retries),
            retry_policy="Always",
            # A pod that is lost has no status of its own: -1.
            expression=f"asInt(lastRetry.exitCode) not in {_FINAL.get(name, '[2]')}",
            backoff=models.Backoff(duration="30s", factor="2", max_duration="30m"),
        ),
        security_context=models.SecurityContext(allow_privilege_escalation=False),
    )


def _hera() -> Any:
    try:
        import hera.workflows as flows  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(
            "workflows for Argo are written with hera: pip install 'cbmcube[argo]'"
        ) from error
    return flows


def _name(job: Job, pods: Pods) -> str:
    given = pods.name
    name = given if given is not None else re.sub(r"[^a-z0-9]+", "-", job.file.stem.lower())
    name = name if given is not None else (name.strip("-")[:40].strip("-") or "season")
    # Argo adds a dash and five letters, and names pods after it.
    if not _LABEL.fullmatch(name) or len(name) > 40:
        raise OptionError(
            "the name of the workflow is no name of Kubernetes",
            given=repr(name),
            allowed="up to 40 lower-case letters, digits and -",
            hint="choose one with --name",
        )
    return name


def _check_pods(pods: Pods) -> None:
    """Refuse what Kubernetes would refuse, while somebody looks."""
    rules = (
        ("image", pods.image, _IMAGE, "registry/name:tag"),
        ("namespace", pods.namespace, _LABEL, "lower-case letters, digits and -"),
        ("secret", pods.secret, _SUBDOMAIN, "lower-case letters, digits, - and ."),
        ("service_account", pods.service_account, _SUBDOMAIN, "lower-case letters, digits, -, ."),
        ("cpu", pods.cpu, _CPU, "such as 2 or 500m"),
        ("memory", pods.memory, _MEMORY, "such as 4Gi"),
    )
    for name, value, rule, allowed in rules:
        if value is not None and not rule.fullmatch(value):
            raise OptionError(
                f"{name} is nothing that Kubernetes takes", given=repr(value), allowed=allowed
            )
    limits = (
        ("parts", pods.parts, 1, 1000),
        ("retries", pods.retries, 0, 100),
        ("hours", pods.hours, 0.01, 24 * 365),
    )
    for name, number, least, most in limits:
        if not least <= number <= most:
            raise OptionError(f"{name} is out of range", given=number, allowed=f"{least} to {most}")


def _mounts(pods: Pods) -> list[tuple[str, str]]:
    found = []
    for mount in pods.mounts:
        match = _MOUNT.fullmatch(mount)
        if match is None or ".." in match[2].split("/") or match[2].rstrip("/") in ("", _FOLDER):
            raise OptionError(
                "this is no mount of a volume claim", given=repr(mount), allowed="claim=/folder"
            )
        found.append((match[1], match[2].rstrip("/")))
    if len({folder for _, folder in found}) < len(found):
        raise OptionError("two volumes are mounted at one folder", given=", ".join(pods.mounts))
    return found


def _check_job(job: Job, folders: list[str]) -> None:
    """Refuse a job that works here and in no pod, or that Argo would rewrite."""
    if "{{" in job.text:
        raise OptionError(
            "Argo would fill in what stands in double braces in the job file",
            hint="write it without {{",
        )
    if looks_secret(job.text):
        raise OptionError(
            "something in the job file looks like a secret, maybe in a comment",
            given=str(job.file),
            hint="take it out: workflows are kept and shown",
        )
    if job.run.part is not None:
        raise OptionError("the workflow shares out the parts itself", hint="leave out [run] part")
    for place, path in job_paths(parse_job(job.text, Path(_FILE))):
        real = Path(os.path.normpath(path))
        if not any(real.is_relative_to(folder) for folder in folders):
            raise OptionError(
                f"no pod sees this folder: {place}",
                given=str(path),
                allowed=", ".join(folders) or "a mounted volume, or an address",
                hint="mount a volume claim with --mount claim=/folder, and name the file there",
            )
