"""The commands ``plan``, ``run``, ``status``, ``verify``, ``workflow`` and ``cluster``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cbmcube.cluster import list_clusters
from cbmcube.exceptions import OptionError
from cbmcube.scripting._actions import (
    done_already,
    estimate_job,
    planned,
    run_job,
    season_status,
    verify_season,
)
from cbmcube.scripting._argo import Pods, argo_workflow
from cbmcube.scripting._exit import ExitStatus
from cbmcube.scripting._job import read_job
from cbmcube.scripting._kinds import read_part
from cbmcube.scripting._left import require_gateway, stop_job_clusters
from cbmcube.scripting._problems import WrongValueError
from cbmcube.scripting._progress import HumanLine, Reporter, Reporters, json_lines, plain
from cbmcube.scripting._workers import gateway_address

Commands = argparse._SubParsersAction  # noqa: SLF001  # argparse names the type nowhere else
Add = Callable[..., argparse.ArgumentParser]


def add_commands(
    commands: Commands[argparse.ArgumentParser], parents: Sequence[argparse.ArgumentParser] = ()
) -> None:
    """Add the commands of this package to those of a parser.

    Parameters
    ----------
    commands
        What ``add_subparsers`` returned.
    parents
        Parsers with options that all commands have.

    Examples
    --------
    >>> import argparse
    >>> from cbmcube.scripting import add_commands
    >>> tool = argparse.ArgumentParser(prog="tool")
    >>> add_commands(tool.add_subparsers())
    >>> tool.parse_args(["status", "job.toml"]).target
    'job.toml'
    """
    add = partial(commands.add_parser, parents=parents)
    _add_plan(add)
    _add_run(add)
    for name, run, text in (
        ("status", _status, "show what is done, left and failed"),
        ("verify", _verify, "read every part of a store again and compare it with its hash"),
    ):
        one = add(name, help=text)
        one.add_argument("target", help="a job file (.toml), or the folder or s3:// of a store")
        one.add_argument("--endpoint", help="address of the object store, without a job file")
        one.add_argument("--region", help="region of the object store, without a job file")
        _add_json(one)
        one.set_defaults(run=run)
    _add_workflow(add)
    actions = add("cluster", help="clusters that a job's runs left behind").add_subparsers(
        dest="action", required=True
    )
    _add_cluster(partial(actions.add_parser, parents=parents))


def _add_plan(add: Add) -> None:
    plan = add("plan", help="plan a job: search, count, estimate, and keep it")
    _add_job(plan)
    plan.add_argument("--dry-run", action="store_true", help="say all of it and keep nothing")
    plan.add_argument(
        "--probe",
        type=int,
        default=0,
        metavar="N",
        help="compute N units to estimate time and cost",
    )
    _add_json(plan)
    plan.set_defaults(run=_plan)


def _add_run(add: Add) -> None:
    run = add("run", help="do what is left of a job; plan it if there is no plan yet")
    _add_job(run)
    run.add_argument("--part", metavar="I/N", type=_part, help="only part I of N, such as 2/4")
    run.add_argument("--no-progress", action="store_true", help="no progress for people")
    run.add_argument(
        "--json-progress", metavar="FILE", help="progress as JSON lines in a file; - is stdout"
    )
    run.set_defaults(run=_run)


def _add_workflow(add: Add) -> None:
    pods = Pods(image="")
    flow = add("workflow", help="write a job as a workflow of other software")
    _add_job(flow)
    flow.add_argument("--argo", action="store_true", required=True, help="for Argo Workflows")
    flow.add_argument("--image", required=True, help="container image that has cbmcube")
    flow.add_argument("--parts", type=int, default=pods.parts, help="pods side by side")
    flow.add_argument("--out", help="file to write (default: standard output)")
    flow.add_argument("--name", help="name of the workflow (default: that of the job file)")
    flow.add_argument("--namespace", help="namespace of Kubernetes")
    flow.add_argument("--secret", default=pods.secret, help="secret that holds the variables")
    flow.add_argument(
        "--mount", action="append", default=[], metavar="CLAIM=/FOLDER", help="volume claim"
    )
    flow.add_argument("--service-account", help="account that the pods run as")
    flow.add_argument("--cpu", default=pods.cpu, help="processors of a pod")
    flow.add_argument("--memory", default=pods.memory, help="memory of a pod")
    flow.add_argument("--retries", type=int, default=pods.retries, help="tries after a failure")
    flow.add_argument("--hours", type=float, default=pods.hours, help="when all must have ended")
    flow.set_defaults(run=_workflow)


def _add_cluster(add: Add) -> None:
    stop = add("stop", help="stop those that runs of the job started")
    stop.set_defaults(run=_stop)
    found = add("list", help="list yours at the job's gateway")
    found.set_defaults(run=_list)
    for one in (stop, found):
        _add_job(one)
        _add_json(one)


def _add_job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", help="job file (.toml)")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _plan(options: argparse.Namespace) -> int:
    job = read_job(options.job)
    with planned(job, dry_run=options.dry_run) as plan:
        shown, facts = repr(plan), plan.to_dict()
        if options.dry_run:
            done = done_already(job, plan)
            shown = shown.replace(
                str(facts["store"]), f"{job.store.url} (dry run: nothing is kept)"
            )
            shown += f"\n{done:,} of its units are done already" if done else ""
            facts |= {"store": job.store.url, "left": facts["units"] - done}
        if options.probe:
            estimate = estimate_job(job, plan, probe=options.probe)
            shown, facts = f"{shown}\n{estimate}", {**facts, **estimate.to_dict()}
        facts["dry_run"] = options.dry_run
        _show(shown, facts, json_wanted=options.json)
    return ExitStatus.DONE


def _run(options: argparse.Namespace) -> int:
    job = read_job(options.job)
    part = options.part or job.run.part
    with json_lines(options.json_progress) as machine:
        human: list[Reporter] = [] if options.no_progress else [HumanLine()]
        report = run_job(job, part=part, reporter=Reporters(*human, *machine))
    if options.json_progress != "-":
        _print(report)
    return ExitStatus.DONE if report.ok else ExitStatus.UNFINISHED


def _status(options: argparse.Namespace) -> int:
    status = season_status(_target(options))
    facts = status.to_dict()
    _show(status, facts, json_wanted=options.json)
    return ExitStatus.UNFINISHED if facts["left"] or facts["failed"] else ExitStatus.DONE


def _verify(options: argparse.Namespace) -> int:
    report = verify_season(_target(options))
    _show(report, report.to_dict(), json_wanted=options.json)
    return ExitStatus.DONE if report.ok else ExitStatus.UNFINISHED


def _workflow(options: argparse.Namespace) -> int:
    pods = Pods(
        image=options.image,
        parts=options.parts,
        name=options.name,
        namespace=options.namespace,
        secret=options.secret,
        mounts=tuple(options.mount),
        service_account=options.service_account,
        cpu=options.cpu,
        memory=options.memory,
        retries=options.retries,
        hours=options.hours,
    )
    text = argo_workflow(read_job(options.job), pods, parser=parser())
    if options.out is None:
        sys.stdout.write(text)
        return ExitStatus.DONE
    try:
        Path(options.out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise OptionError(
            "the workflow cannot be written", given=f"{options.out}: {error.strerror}"
        ) from error
    _print(f"Written: {options.out}")
    return ExitStatus.DONE


def _stop(options: argparse.Namespace) -> int:
    names = stop_job_clusters(read_job(options.job))
    _show(f"Stopped: {', '.join(names) or 'none'}", {"stopped": names}, json_wanted=options.json)
    return ExitStatus.DONE


def _list(options: argparse.Namespace) -> int:
    job = read_job(options.job)
    require_gateway(job)
    found = list_clusters(**gateway_address(job))
    facts = [
        {"name": one.name, "status": one.status, "started": one.started.isoformat()}
        for one in found
    ]
    lines = [f"{one['name']}  {one['status']}  {one['started']}" for one in facts]
    _show("\n".join(lines) or "none", {"clusters": facts}, json_wanted=options.json)
    return ExitStatus.DONE


def _target(options: argparse.Namespace) -> Any:
    """Return the job or the address of the store that a command is about."""
    if Path(options.target).suffix.lower() == ".toml":
        return read_job(options.target)
    return {"url": options.target, "endpoint": options.endpoint, "region": options.region}


def _show(shown: object, facts: Mapping[str, Any], *, json_wanted: bool) -> None:
    _print(json.dumps(plain(facts), allow_nan=False) if json_wanted else shown)


def _print(shown: object) -> None:
    sys.stdout.write(f"{shown}\n")


def _part(text: str) -> tuple[int, int]:
    try:
        return read_part(text)
    except WrongValueError as error:
        raise argparse.ArgumentTypeError(f"{error.what}; allowed: {error.allowed}") from None


def parser() -> argparse.ArgumentParser:
    """Return a parser of these commands alone; commands in workflows are checked with it.

    Examples
    --------
    >>> from cbmcube.scripting import parser
    >>> parser().parse_args(["run", "job.toml"]).command
    'run'
    """
    found = argparse.ArgumentParser(prog="cbmcube", exit_on_error=False)
    add_commands(found.add_subparsers(dest="command", required=True))
    return found
