"""Trials of whole seasons: real plans, real images of the demo's country, real workers."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.faults import casts, survey
from benchmarks.faults.kills import KillReport, Plan, disturb
from benchmarks.faults.proxy import run_proxy
from benchmarks.faults.store_trials import BROKEN, counter, killed
from benchmarks.faults.trials import Scale, end, finished, start
from benchmarks.faults.units import several_parts
from cbmcube.demo import Country, make_country, open_country
from cbmcube.observations.store import open_store, verify

JOB = (sys.executable, "-m", "benchmarks.faults.season_job")
SHORT_PERIOD = "2024-03-01/2024-03-20"


def kills(scale: Scale, folder: Path) -> tuple[str, bool | None]:
    """Kill all kinds of processes of a season's run, on separate processes and a LocalCluster."""
    country = _country(folder)
    options = [str(country.folder), "--parcels", str(scale.parcels)]
    options += ["--period", SHORT_PERIOD] if scale.name == "short" else []
    options += ["--records", "150" if scale.name == "short" else "2500"]
    clean = finished([*JOB, str(folder / "season-clean"), *options])
    total, roots, problems, records = KillReport(), [], 0, 0
    for kind in ("separate", "local"):
        left = scale.kills
        while left > 0:  # a run may be done before its last kill
            store = folder / f"season-{len(roots)}"
            roles = casts.cast(kind, [*JOB, str(store), *options])
            plan = Plan(left, 0.3, seed=10 + len(roots), weights={"client": 0.7}, limit=5400)
            found = disturb(roles, plan, counter(store, clean["units"]))
            left -= found.kills.total()
            total += found
            roots.append(found.answers[-1]["root"])
            records += found.answers[-1]["rows"]
            held = open_store(store)
            problems += several_parts(held) + len(verify(held, rows=True).problems)
            problems += abs(found.answers[-1]["units"] - clean["units"])
    return killed(total, records, roots, clean["root"], problems)


def everything_broken(scale: Scale, folder: Path) -> tuple[str, bool | None]:
    """Read images over HTTP and write to S3, both through proxies that break requests."""
    from tests.services.nginx import run_nginx  # noqa: PLC0415
    from tests.services.processes import MissingServiceError  # noqa: PLC0415
    from tests.services.s3 import run_s3  # noqa: PLC0415

    country = _country(folder)
    options = [str(country.folder), "--records", "500"]
    options += ["--period", SHORT_PERIOD] if scale.name == "short" else []
    expected = finished([*JOB, str(folder / "files"), *options])["root"]
    try:
        with (
            run_nginx("none") as web,
            run_s3() as s3,
            run_proxy(web.url, seed=2) as reads,
            run_proxy(s3.endpoint, seed=3) as writes,
        ):
            (web.data / "CARD-BS").symlink_to(country.folder / "CARD-BS")
            options += ["--base", f"{reads.url}/public"]
            access = {
                "AWS_ACCESS_KEY_ID": s3.key,
                "AWS_SECRET_ACCESS_KEY": s3.secret,
                "AWS_ENDPOINT_URL_S3": writes.url,
            }
            clean = finished([*JOB, f"s3://{s3.bucket}/clean", *options], **access)["root"]
            usual = reads.counts()["requests"] + writes.counts()["requests"]
            for proxy in (reads, writes):
                proxy.forget()
            reads.set(**BROKEN, wrong_range=0.01, stall_seconds=1.0)
            writes.set(**BROKEN, lost_commit=1.0, stall_seconds=1.0)
            begin = time.monotonic()
            done = end(start([*JOB, f"s3://{s3.bucket}/broken", *options], **access))
            seconds, counts = time.monotonic() - begin, reads.counts() + writes.counts()
    except MissingServiceError as missing:
        return f"not run: {missing}", None
    ratio, kinds = counts["requests"] / usual, (*BROKEN, "wrong_range", "lost")
    told = ", ".join(f"{counts[f'fault {kind}']} {kind.replace('_', ' ')}" for kind in kinds)
    same = {clean, done.answer.get("root")} == {expected}
    text = (
        f"{counts['requests']:,} requests ({ratio:.2f} times as many as undisturbed), {told}; "
        f"{seconds:.0f} s; statuses {done.answer.get('statuses')}, root hash "
        f"{'equal' if same else 'differs: ' + done.error[:200]}"
    )
    return text, same and ratio <= 2


def corrupt(_: Scale, folder: Path) -> tuple[str, bool | None]:
    """Read 200 damaged files, without and with a look at the checksums of their items."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        today, peak = survey.survey(Path(place), "none")
        verified, _ = survey.survey(Path(place), "checksum")
    silent = [sum(one.outcome == survey.SILENT for one in found) for found in (today, verified)]
    said = sum(one.outcome == survey.SAID for one in verified)
    marked = all(one.recorded for one in today)
    text = (
        f"{len(verified)} files: with checksums {said} errors and {silent[1]} silent wrong; "
        f"without, {silent[0]} silent wrong (see below); marked exactly if asked to go on: "
        f"{'all' if marked else 'NOT all'}; peak {peak / 2**20:.0f} MiB"
    )
    return text, silent[1] == 0 and marked and peak < survey.MEMORY


def _country(folder: Path) -> Country:
    place = folder / "country"
    return open_country(place, size="tiny") or make_country(place, size="tiny")
