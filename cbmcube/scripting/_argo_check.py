"""A workflow for Argo held against its models and its own promises, without any server."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from typing import Any

from cbmcube.exceptions import WorkflowError
from cbmcube.scripting._job import Job
from cbmcube.scripting._secrets import looks_secret

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_FILLED = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_INPUT = re.compile(r"inputs\.parameters\.([a-z0-9-]+)")
_DEPENDS = re.compile(r"([A-Za-z0-9-]+)(?:\.[A-Za-z]+)?")


def check_workflow(text: str, job: Job, *, parser: argparse.ArgumentParser) -> None:
    """Check a manifest strictly; no server is asked.

    Its YAML must survive the way through the models of Argo's interface unchanged, so that no
    key is unknown to Argo. Names must be names of Kubernetes. Templates, inputs and
    dependencies must resolve, without a circle. Every command must be one of the command line.
    Variables come from secrets only, and are those that the job names.

    Parameters
    ----------
    text
        The manifest, YAML.
    job
        The job that it runs.
    parser
        The parser of the command line.

    Raises
    ------
    WorkflowError
        With everything that is wrong.
    """
    import yaml  # noqa: PLC0415 - comes with the extra

    try:
        manifest = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise WorkflowError("the workflow is no YAML", given=str(error)) from error
    problems = list(_unknown_to_argo(manifest))
    if not problems:
        spec = manifest["spec"]
        templates = {one.get("name"): one for one in spec["templates"]}
        problems += _bad_names(manifest, templates)
        problems += _dangling(spec, templates)
        for template in templates.values():
            problems += _bad_container(template, templates, job, parser)
        problems += _secrets(manifest, job)
    if problems:
        raise WorkflowError("the workflow would not run", given="; ".join(problems))


def _unknown_to_argo(manifest: object) -> Iterator[str]:
    """Yield what Argo's models do not know: it is gone after a way through them."""
    from hera.workflows.models import Workflow  # noqa: PLC0415 - an extra
    from pydantic import ValidationError  # noqa: PLC0415 - comes with the extra

    if not isinstance(manifest, dict):
        yield "it is no mapping"
        return
    try:
        # By alias alone: the API knows no other spelling, though hera's models do.
        model = Workflow.model_validate(manifest, by_alias=True, by_name=False, extra="forbid")
    except ValidationError as error:
        yield from (
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_url=False, include_input=False)
        )
        return
    again = model.model_dump(by_alias=True, exclude_none=True, mode="json")
    yield from _differences(manifest, again, "")
    if (manifest.get("apiVersion"), manifest.get("kind")) != ("argoproj.io/v1alpha1", "Workflow"):
        yield "it is no Workflow of argoproj.io/v1alpha1"
    elif not manifest["spec"].get("templates"):
        yield "it has no templates"


def _differences(one: Any, other: Any, place: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _differences(one.get(key), other.get(key), f"{place}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, f"{place}[{number}]")
    elif one != other or type(one) is not type(other):
        yield f"Argo's models change {place}"


def _bad_names(manifest: Mapping[str, Any], templates: Mapping[str, Any]) -> Iterator[str]:
    head, spec = manifest["metadata"], manifest["spec"]
    if not _LABEL.fullmatch(f"{head.get('name') or head.get('generateName', '')}x"):
        yield "the workflow has no proper name"
    if len(templates) < len(spec["templates"]):
        yield "two templates have one name"
    tasks = [task for one in templates.values() for task in (one.get("dag") or {}).get("tasks", [])]
    inputs = [one.get("inputs") or {} for one in templates.values()]
    labels = [
        *templates,
        *(task["name"] for task in tasks),
        *(one["name"] for one in spec.get("volumes", [])),
        *(one["name"] for every in inputs for kind in every.values() for one in kind),
    ]
    for name in labels:
        if not isinstance(name, str) or not _LABEL.fullmatch(name):
            yield f"{name!r} is no name of Kubernetes"
    account = spec.get("serviceAccountName")
    if account is not None and not _SUBDOMAIN.fullmatch(account):
        yield f"{account!r} is no name of an account"


def _dangling(spec: Mapping[str, Any], templates: Mapping[str, Any]) -> Iterator[str]:
    """Yield references that lead nowhere, circles, and templates that nothing uses."""
    entries = [spec.get("entrypoint"), *([spec["onExit"]] if "onExit" in spec else [])]
    used = set(entries)
    for name, template in templates.items():
        tasks = {task["name"]: task for task in (template.get("dag") or {}).get("tasks", [])}
        if len(tasks) < len((template.get("dag") or {}).get("tasks", [])):
            yield f"two tasks of {name!r} have one name"
        waits = {}
        for task in tasks.values():
            used.add(task.get("template"))
            waits[task["name"]] = set(_DEPENDS.findall(task.get("depends", "")))
            yield from (
                f"task {task['name']!r} waits for {one!r}, which is none"
                for one in sorted(waits[task["name"]] - set(tasks))
            )
            yield from _bad_arguments(task, templates.get(task.get("template")) or {})
        if _has_circle(waits):
            yield f"the tasks of {name!r} wait for each other"
    yield from (f"there is no template {one!r}" for one in used - set(templates))
    yield from (f"nothing uses template {one!r}" for one in set(templates) - used)


def _has_circle(waits: Mapping[str, set[str]]) -> bool:
    left = dict(waits)
    while left:
        free = [name for name, others in left.items() if not others & set(left)]
        if not free:
            return True
        for name in free:
            del left[name]
    return False


def _bad_arguments(task: Mapping[str, Any], template: Mapping[str, Any]) -> Iterator[str]:
    given = {one["name"] for one in (task.get("arguments") or {}).get("parameters", [])}
    taken = {one["name"] for one in (template.get("inputs") or {}).get("parameters", [])}
    if given != taken:
        yield f"task {task['name']!r} gives {sorted(given)}, its template takes {sorted(taken)}"
    for one in (task.get("arguments") or {}).get("parameters", []):
        for filled in _FILLED.findall(one.get("value", "")):
            if filled != "item" or not task.get("withItems"):
                yield f"task {task['name']!r} is given {filled!r}, which is nothing"


def _bad_container(
    template: Mapping[str, Any],
    templates: Mapping[str, Any],
    job: Job,
    parser: argparse.ArgumentParser,
) -> Iterator[str]:
    container = template.get("container")
    if container is None:
        return
    name = template["name"]
    if container.get("command") != ["cbmcube"] or not container.get("image"):
        yield f"template {name!r} runs something else than cbmcube, or has no image"
    artifacts = (template.get("inputs") or {}).get("artifacts", [])
    if [one.get("raw", {}).get("data") for one in artifacts] != [job.text]:
        yield f"template {name!r} does not carry the job as it is"
    elif artifacts[0].get("path") not in container["args"]:
        yield f"template {name!r} has the job in another place than its command reads"
    known = {one["name"] for one in (template.get("inputs") or {}).get("parameters", [])}
    for values in _inputs_of(template, templates):
        arguments = [_fill(one, values) for one in container["args"]]
        left = {match for one in arguments for match in _FILLED.findall(one)}
        if left:
            yield f"template {name!r} uses {sorted(left)}, and takes {sorted(known)}"
        elif not _parses(parser, arguments):
            yield f"template {name!r} runs a command that is none: {' '.join(arguments)}"


def _inputs_of(
    template: Mapping[str, Any], templates: Mapping[str, Any]
) -> Iterator[dict[str, str]]:
    """Yield the parameters of each pod that a template is started as."""
    if not (template.get("inputs") or {}).get("parameters"):
        yield {}
        return
    for other in templates.values():
        for task in (other.get("dag") or {}).get("tasks", []):
            if task.get("template") != template["name"]:
                continue
            given = (task.get("arguments") or {}).get("parameters", [])
            for item in task.get("withItems") or [None]:
                yield {
                    one["name"]: str(one.get("value")).replace("{{item}}", str(item))
                    for one in given
                }


def _fill(text: str, values: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = _INPUT.fullmatch(match[1])
        return values.get(name[1], match[0]) if name else match[0]

    return _FILLED.sub(value, text)


def _parses(parser: argparse.ArgumentParser, arguments: list[str]) -> bool:
    try:
        parser.parse_args(arguments)
    except (argparse.ArgumentError, SystemExit):
        return False
    return True


def _secrets(manifest: Mapping[str, Any], job: Job) -> Iterator[str]:
    """Yield variables that do not come from a secret, and text that looks like one."""
    for template in manifest["spec"]["templates"]:
        container = template.get("container")
        if container is None:
            continue
        names = []
        for one in container.get("env", []):
            reference = (one.get("valueFrom") or {}).get("secretKeyRef") or {}
            names.append(one["name"])
            if "value" in one or reference.get("key") != one["name"]:
                yield f"variable {one['name']!r} does not come from the secret's key of its name"
            elif not _SUBDOMAIN.fullmatch(reference.get("name") or ""):
                yield f"variable {one['name']!r} comes from a secret without a proper name"
        if tuple(names) != job.variables:
            yield f"template {template['name']!r} has other variables than the job names"
        if container.get("envFrom"):
            yield f"template {template['name']!r} takes more than the variables that the job names"
    if looks_secret(str(manifest)):
        yield "something in it looks like a secret"
