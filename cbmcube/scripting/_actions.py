"""What the commands do: plan, run, status and verify of a job."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from cbmcube.exceptions import OptionError, StoreNotFoundError
from cbmcube.observations import season
from cbmcube.observations.season import Estimate, Plan, Prices, Progress, RunReport, SeasonStatus
from cbmcube.observations.store import Store, VerifyReport, open_store, verify
from cbmcube.scripting._exit import Cancelled, Stop, stopped_by_signals
from cbmcube.scripting._inputs import job_catalog, job_parcels, job_product, require_variables
from cbmcube.scripting._job import Job
from cbmcube.scripting._left import remember_cluster
from cbmcube.scripting._progress import Reporter, Reporters
from cbmcube.scripting._question import check_question, remember_question
from cbmcube.scripting._workers import job_workers


def plan_job(job: Job) -> Plan:
    """Search, read the parcels, and plan the units of a job in its store.

    Planning again finds new scenes; units that were done stay done.

    Parameters
    ----------
    job
        What `read_job` returned.

    Returns
    -------
    cbmcube.observations.season.Plan
        Its ``run`` does what is left.

    Raises
    ------
    Error
        As in `open_catalog`, `read_parcels`, `prepare_parcels` and `cbmcube.plan`.

    Examples
    --------
    >>> from cbmcube.scripting import plan_job, read_job
    >>> file = getfixture("tmp_path") / "job.toml"
    >>> _ = file.write_text(f'''
    ... catalog.path = "{country.catalogue}"
    ... product.name = "CARD-BS"
    ... parcels = {{path = "{country.parcels}", id = "field_id"}}
    ... store.url = "season"
    ... ''')
    >>> job = read_job(file)
    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):  # some of its parcels are repaired
    ...     plan = plan_job(job)
    >>> len(plan.left()) == len(plan.units)
    True
    """
    with _environment(job):
        made = _plan(job, job.store.url)
    # From here on the store itself knows where it lies, also on workers.
    plan = season.open_plan(_open(job), plan=made.name)
    remember_question(job, plan.store, plan.name)
    return plan


@contextmanager
def planned(job: Job, *, dry_run: bool) -> Iterator[Plan]:
    """Yield the plan of a job; a dry run keeps nothing of it after the block."""
    if not dry_run:
        yield plan_job(job)
        return
    with TemporaryDirectory(prefix="cbmcube-plan-") as folder:
        yield _plan(job, folder)


def _plan(job: Job, url: str) -> Plan:
    return season.plan(
        job_catalog(job),
        job_product(job),
        job_parcels(job),
        period=job.catalog.period,
        filter=job.catalog.filter,
        bands=job.product.bands,
        indices=job.product.indices,
        mask=job.product.mask,
        statistics=job.recipe.statistics,
        pixels=job.recipe.pixels,
        percentiles=job.recipe.percentiles,
        offset=job.product.offset,
        store=url,
        records_per_unit=job.store.records_per_unit,
    )


def done_already(job: Job, plan: Plan) -> int:
    """Return how many units of a dry plan the job's own store has."""
    try:
        done = _open(job).committed()
    except StoreNotFoundError:
        return 0
    return int(plan.units["key"].isin(done).sum())


def estimate_job(job: Job, plan: Plan, *, probe: int) -> Estimate:
    """Compute some units of a plan on the job's workers, keep nothing, and estimate the rest."""
    prices = Prices(core_hour=job.prices.core_hour, gigabyte=job.prices.gigabyte)
    with job_workers(job) as client:
        return plan.expect(client, probe=probe, prices=prices)


def run_job(
    job: Job, *, part: tuple[int, int] | None = None, reporter: Reporter | None = None
) -> RunReport:
    """Do what is left of a job's plan, on the workers that it asks for; plan it if nothing is.

    SIGINT, SIGTERM and SIGHUP let the units at work end, and publish what is there; the
    second one ends the run at once. Either leaves a store that the next run goes on with.

    Parameters
    ----------
    job
        What `read_job` returned.
    part
        ``(i, n)``: only part i of n, counted from 1, for several runs side by side.
    reporter
        Takes the events of the run.

    Returns
    -------
    cbmcube.observations.season.RunReport
        What was done, failed and is left.

    Raises
    ------
    OptionError
        The job was changed since it was planned.
    KeyboardInterrupt
        As `Cancelled`, if a signal ended the run.
    Error
        As in `plan_job` and ``Plan.run``.

    Examples
    --------
    >>> from cbmcube.scripting import run_job, read_job
    >>> file = getfixture("tmp_path") / "job.toml"
    >>> _ = file.write_text(f'''
    ... catalog.path = "{country.catalogue}"
    ... product.name = "CARD-BS"
    ... parcels = {{path = "{country.parcels}", id = "field_id"}}
    ... store.url = "season"
    ... ''')

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):  # some of its parcels are repaired
    ...     report = run_job(read_job(file))
    >>> report.ok
    True
    """
    tell = (reporter if reporter is not None else Reporters()).tell
    plan = _plan_in_store(job)
    names = None if part is None else "/".join(map(str, part))
    tell("begin", {"store": plan.store.url, "plan": plan.name, "part": names}, repr(plan))
    try:
        with job_workers(job) as client, stopped_by_signals() as stop:
            remember_cluster(job, plan.store, client)
            report = plan.run(
                client,
                progress=lambda state: _tell_progress(tell, state),
                part=part,
                tries=job.run.retries + 1,
                timeout=job.run.timeout,
                stop=stop.asked,
            )
    except BaseException as error:
        event = "error" if isinstance(error, Exception) else "cancelled"
        tell(event, {"reason": type(error).__name__})
        raise
    return _ended(report, stop, tell)


def _tell_progress(tell: Any, state: Progress) -> None:
    tell("progress", state.to_dict(), str(state))


def _ended(report: RunReport, stop: Stop, tell: Any) -> RunReport:
    """Return the report of a run, unless a signal ended it before it was done."""
    if report.stopped and stop.number is not None:
        tell("cancelled", {"reason": "stopped", **report.to_dict()})
        raise Cancelled(stop.number)
    tell("end", report.to_dict())
    return report


def _plan_in_store(job: Job) -> Plan:
    try:
        store = _open(job)
        plan = season.open_plan(store)
    except (StoreNotFoundError, OptionError):
        # Also where planning was killed half way; planning says what else may be wrong.
        return plan_job(job)
    check_question(job, store, plan.name)
    return plan


def season_status(target: Job | Mapping[str, Any]) -> SeasonStatus:
    """Return what is done, left and failed of a job, or of the store at an address."""
    return season.status(_open(target))


def verify_season(target: Job | Mapping[str, Any]) -> VerifyReport:
    """Read every part of the store of a job, or at an address, and compare it with its hash."""
    return verify(_open(target))


def _open(target: Job | Mapping[str, Any]) -> Store:
    if isinstance(target, Job):
        table = target.store
        require_variables(table.environment)
        return open_store(table.url, endpoint=table.endpoint, region=table.region)
    return open_store(**target)


@contextmanager
def _environment(job: Job) -> Iterator[None]:
    """Say where a new store lies in the way in which object stores are found without a word."""
    require_variables(job.store.environment)
    given = {"AWS_ENDPOINT_URL": job.store.endpoint, "AWS_REGION": job.store.region}
    before = {name: os.environ.get(name) for name in given}
    os.environ.update({name: value for name, value in given.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
