"""Trials of the store alone, with units whose rows are made from numbers."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults import casts, units
from benchmarks.faults.kills import KillReport, Plan, disturb
from benchmarks.faults.proxy import run_proxy
from benchmarks.faults.trials import Scale, end, finished, start

BROKEN = {"error": 0.2, "stall": 0.05, "reset": 0.05, "truncate": 0.05}
"""Shares of requests that meet each fault."""


PAUSE = 0.1
"""Seconds that a unit takes where processes are killed, besides writing it."""
ROW_BYTES = 30
"""Bytes that a row of the synthetic units takes on disk, about."""


def size(scale: Scale) -> list[str]:
    """Return the options that say how large the job is."""
    return ["--units", str(scale.units), "--rows", str(scale.rows)]


def counter(store: Path, total: int) -> Callable[[], tuple[int, int]]:
    """Return what counts the commits of a local store."""
    return lambda: (sum(1 for _ in store.glob("commits/*/*.json")), total)


def clean_root(scale: Scale, folder: Path, count: int | None = None) -> str:
    """Return the root hash of an undisturbed run."""
    store = folder / f"clean-{count or scale.units}"
    options = ["--units", str(count or scale.units), "--rows", str(scale.rows)]
    root: str = finished([*casts.JOB, str(store), *options])["root"]
    return root


def kills(scale: Scale, folder: Path) -> tuple[str, bool | None]:
    """Kill all kinds of processes of a job, with separate processes and with a LocalCluster."""
    expected, total = clean_root(scale, folder), KillReport()
    roots, problems, records = [], 0, 0
    # Two workers would be done in units * PAUSE / 2 seconds: the kills fit into a part of that.
    mean = 0.6 * scale.units * PAUSE / 2 / scale.kills
    for kind in ("separate", "local", "alone"):
        left = scale.kills
        while left > 0:  # a run may be done before its last kill
            number = len(roots)
            store = folder / f"killed-{number}"
            command = [*casts.JOB, str(store), *size(scale), "--order", str(number)]
            roles = casts.cast(kind, [*command, "--pause", str(PAUSE)])
            plan = Plan(left, mean, seed=number, weights={"client": 0.7}, limit=3600)
            found = disturb(roles, plan, counter(store, scale.units))
            left -= found.kills.total()
            total += found
            roots.append(found.answers[-1]["root"])
            records += found.answers[-1]["rows"]
            audit = units.audit(units.make_store(str(store)), scale.units, scale.rows)
            problems += sum(audit.values())
    return killed(total, records, roots, expected, problems)


def killed(
    report: KillReport, records: int, roots: list[str], expected: str, problems: int
) -> tuple[str, bool]:
    """Return the words for what was killed and what came of it."""
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(report.kills.items()))
    same = sum(root == expected for root in roots)
    text = (
        f"{report.kills.total()} SIGKILLs ({kinds}; {report.working} of them amid the work) over "
        f"{records:,} records in {len(roots)} runs: {problems} units lost, twice or wrong, "
        f"{same} of {len(roots)} root hashes equal"
    )
    if report.hung:
        text += f"; {report.hung} clients hung: {'; '.join(report.messages)}"
    return text, same == len(roots) and not problems and not report.hung


def at_once(scale: Scale, folder: Path) -> tuple[str, bool | None]:
    """Let two, then four runs work on one store, each in an order of its own."""
    expected, told, kept = clean_root(scale, folder), [], True
    for runs in (2, 4):
        store = folder / f"at-once-{runs}"
        running = [
            start([*casts.JOB, str(store), *size(scale), "--order", str(n), "--pause", "0.01"])
            for n in range(runs)
        ]
        done = [end(process) for process in running]
        roots = {one.answer.get("root") or one.error[:150] for one in done}
        problems = sum(units.audit(units.make_store(str(store)), scale.units, scale.rows).values())
        kept &= roots == {expected} and not problems
        same = "one root hash" if roots == {expected} else f"NOT one root hash: {roots}"
        told.append(f"{runs} runs: {same}, {problems} problems")
    return "; ".join(told), kept


def twice(scale: Scale, folder: Path) -> tuple[str, bool | None]:
    """Do every unit twice."""
    expected, store = clean_root(scale, folder), folder / "twice"
    found = finished([*casts.JOB, str(store), *size(scale), "--twice"])
    problems = sum(units.audit(units.make_store(str(store)), scale.units, scale.rows).values())
    same = found["root"] == expected
    text = f"{2 * scale.units} units done for {scale.units}: root hash equal, {problems} problems"
    return text if same else text.replace("equal", "differs"), same and not problems


def object_store(scale: Scale, folder: Path) -> tuple[str, bool | None]:
    """Write to S3 through a proxy that breaks requests and loses every commit's response.

    A unit without images is two requests, its part and its commit. A commit whose response is
    lost is three: the repetition, and a look at what is there. So twice is out of reach here.
    """
    from tests.services.processes import MissingServiceError  # noqa: PLC0415
    from tests.services.s3 import run_s3  # noqa: PLC0415

    expected = clean_root(scale, folder, scale.requests)
    options = ["--units", str(scale.requests), "--rows", str(scale.rows)]
    try:
        with run_s3() as s3, run_proxy(s3.endpoint, seed=1, stall_seconds=1.0) as proxy:
            keys = {"AWS_ACCESS_KEY_ID": s3.key, "AWS_SECRET_ACCESS_KEY": s3.secret}

            def job(prefix: str) -> list[str]:
                url = f"s3://{s3.bucket}/{prefix}"
                return [*casts.JOB, url, *options, "--endpoint", proxy.url]

            clean = finished(job("clean"), **keys)["root"]
            usual = proxy.counts()["requests"]
            proxy.forget()
            proxy.set(**BROKEN, lost_commit=1.0, stall_seconds=1.0)
            errors, begin = [], time.monotonic()
            done = end(start(job("broken"), **keys))
            while done.code != 0 and len(errors) < 10:
                errors.append(done.error[:100])
                done = end(start(job("broken"), **keys))
            seconds, counts = time.monotonic() - begin, proxy.counts()
    except MissingServiceError as missing:
        return f"not run: {missing}", None
    ratio = counts["requests"] / usual
    faults = {kind: counts[f"fault {kind}"] for kind in ("error", "stall", "reset", "truncate")}
    told = ", ".join(f"{number} {kind}" for kind, number in faults.items())
    lost = counts["fault lost commit"]
    same = {clean, done.answer.get("root")} == {expected}
    text = (
        f"{counts['requests']:,} requests ({ratio:.2f} times as many as undisturbed), {told}, "
        f"{lost} responses to commits lost; {seconds:.0f} s; root hash "
        f"{'equal' if same else 'differs: ' + done.error}"
    )
    text += f"; runs that ended early: {'; '.join(errors)}" if errors else ""
    return text, same and not errors and lost >= scale.requests


def outage(scale: Scale, folder: Path) -> tuple[str, bool | None]:
    """Let the object store be gone in the middle of a run, and come back."""
    from tests.services.processes import MissingServiceError  # noqa: PLC0415
    from tests.services.s3 import run_s3  # noqa: PLC0415

    expected = clean_root(scale, folder, scale.requests)
    options = ["--units", str(scale.requests), "--rows", str(scale.rows), "--pause", "0.05"]
    try:
        with run_s3() as s3, run_proxy(s3.endpoint) as proxy:
            keys = {"AWS_ACCESS_KEY_ID": s3.key, "AWS_SECRET_ACCESS_KEY": s3.secret}
            job = [*casts.JOB, f"s3://{s3.bucket}/away", *options, "--endpoint", proxy.url]
            running = start(job, **keys)
            while proxy.counts()["requests commit"] < scale.requests // 4:
                time.sleep(0.05)
            proxy.outage(600)
            first = end(running)
            committed = proxy.counts()["answers 200"] > 0
            proxy.outage(0)
            second = end(start(job, **keys))
    except MissingServiceError as missing:
        return f"not run: {missing}", None
    said = first.error.partition(":")[0]
    same = second.answer.get("root") == expected
    text = f"the run ended with {said} (exit code {first.code}); the next one did "
    text += f"{second.answer.get('computed')} of {scale.requests} units, root hash "
    text += "equal" if same else f"differs: {second.error[:200]}"
    return text, committed and same and "StoreUnavailableError" in said


def disk_full(scale: Scale, folder: Path) -> tuple[str, bool | None]:
    """Fill a small file system, then make room."""
    expected = clean_root(scale, folder)
    try:
        room = f"{scale.units * scale.rows * ROW_BYTES // 3 // 1024}k"
        with tempfile.TemporaryDirectory() as small, _tmpfs(Path(small), room):
            store = Path(small, "store")
            job = [*casts.JOB, str(store), *size(scale)]
            first = end(start(job))
            held = units.make_store(str(store))
            kept = len(held.committed())
            readable = len(held.commits()) == kept
            _mount("-o", "remount,size=512m", small)
            second = end(start(job))
    except (OSError, subprocess.CalledProcessError) as error:
        return f"not run: no file system can be mounted here ({type(error).__name__})", None
    same = second.answer.get("root") == expected
    text = f"{first.error.partition(':')[0]} after {kept} of {scale.units} units, all of them "
    text += "readable" if readable else "NOT readable"
    text += f"; with room, root hash {'equal' if same else 'differs: ' + second.error}"
    return text, same and readable and first.code != 0 and "StoreFullError" in first.error


@contextmanager
def _tmpfs(folder: Path, room: str) -> Iterator[None]:
    _mount("-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)  # noqa: S603, S607
