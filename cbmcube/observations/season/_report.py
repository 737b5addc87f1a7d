"""What a run did, and what a store holds of its plan."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from cbmcube._html import html_bar, html_facts, html_fold, html_frame, html_panel
from cbmcube.observations.season._journal import latest_run, read_lines
from cbmcube.observations.season._progress import duration
from cbmcube.observations.season._work import Outcome
from cbmcube.observations.store import Snapshot, Store

if TYPE_CHECKING:
    from cbmcube.observations.season._plan import Plan


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did."""

    run: str
    """Id of the run; its log lies in the store below ``runs/``."""
    outcomes: tuple[Outcome, ...]
    """What became of each unit."""
    left: int
    """Units of the plan that are not committed, here or by another run."""
    seconds: float
    """How long it took."""
    snapshot: Snapshot | None
    """What was published; ``None`` if nothing is there yet."""
    stopped: bool = False
    """Whether it was asked to end early."""

    @property
    def done(self) -> int:
        """Units committed."""
        return sum(one.status != "failed" for one in self.outcomes)

    @property
    def records(self) -> int:
        """Rows written."""
        return sum(one.rows for one in self.outcomes)

    @property
    def ok(self) -> bool:
        """Whether nothing of what was asked for is left."""
        return not self.failed and not self.stopped

    @property
    def failed(self) -> int:
        """Units that a later run will try again."""
        return sum(one.status == "failed" for one in self.outcomes)

    @property
    def problems(self) -> pd.DataFrame:
        """One row for each unit that is not whole: ``key, status, tries, reason``."""
        rows = [(one.key, one.status, one.tries, one.reason) for one in self.outcomes if one.reason]
        return pd.DataFrame(rows, columns=["key", "status", "tries", "reason"])

    def to_dict(self) -> dict[str, Any]:
        """Return the report, ready for JSON."""
        return {
            "run": self.run,
            "ok": self.ok,
            "done": self.done,
            "failed": self.failed,
            "left": self.left,
            "records": self.records,
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
            "statuses": _counts([one.status for one in self.outcomes]),
            "snapshot": None if self.snapshot is None else self.snapshot.number,
            "root": None if self.snapshot is None else self.snapshot.root,
            "problems": [asdict(one) for one in self.outcomes if one.reason],
        }

    def __repr__(self) -> str:
        rate = self.records / self.seconds if self.seconds else 0.0
        did = f"{self.done:,} units, {self.records:,} records in {duration(self.seconds)}"
        lines = [
            f"<Run {self.run}: {did} ({rate:,.0f} a second)",
            f"  left:     {self.left:,} units" + (", stopped early" if self.stopped else ""),
        ]
        if self.snapshot is not None:
            lines.append(f"  snapshot: {self.snapshot.number}, root {self.snapshot.root[:12]}")
        lines += [f"  {name}: {n:,} units" for name, n in _unusual(self.outcomes).items()]
        lines += [f"    {one.reason}" for one in self.outcomes if one.reason][:3]
        return "\n".join(lines) + ">"

    def _repr_html_(self) -> str:
        rate = self.records / self.seconds if self.seconds else 0.0
        facts = {
            "units": f"{self.done:,} done, {self.failed:,} failed, {self.left:,} left"
            + (", stopped early" if self.stopped else ""),
            "records": f"{self.records:,} ({rate:,.0f} a second)",
            "time": duration(self.seconds),
            **{
                name: f"{n:,} unit{'' if n == 1 else 's'}"
                for name, n in _unusual(self.outcomes).items()
            },
            "snapshot": _published(self.snapshot),
        }
        problems = self.problems
        more = [] if problems.empty else [html_fold(_problem_count(problems), html_frame(problems))]
        return html_panel(f"Run {self.run}", html_facts(facts), *more)


@dataclass(frozen=True, slots=True)
class SeasonStatus:
    """What a store holds of its latest plan."""

    store: str
    """Where it lies."""
    plan: str
    """Name of the plan."""
    units: int
    """Units of the plan."""
    done: int
    """Committed ones."""
    records: int
    """Rows of these."""
    failed: int
    """Units that the latest run could not do."""
    reasons: tuple[str, ...] = field(default=(), repr=False)
    """Distinct reasons of these, at most ten."""
    snapshot: int | None = None
    """Number of the latest snapshot."""
    root: str | None = None
    """Its root hash."""

    @property
    def left(self) -> int:
        """Units that are not committed."""
        return self.units - self.done

    def to_dict(self) -> dict[str, Any]:
        """Return the status, ready for JSON."""
        return asdict(self) | {"left": self.left}

    def __repr__(self) -> str:
        done = f"{self.done:,} of {self.units:,} units, {self.records:,} records"
        lines = [
            f"<Season in {self.store}: {done}",
            f"  left:     {self.left:,} units, {self.failed:,} of them failed in the latest run",
            f"  snapshot: {self.snapshot if self.snapshot is not None else 'none yet'}",
            *(f"    {reason}" for reason in self.reasons),
        ]
        return "\n".join(lines) + ">"

    def _repr_html_(self) -> str:
        facts = [
            ("plan", self.plan),
            ("records", f"{self.records:,}"),
            ("left", f"{self.left:,} units, {self.failed:,} of them failed in the latest run"),
            *(("", reason) for reason in self.reasons),
            ("snapshot", "none yet" if self.snapshot is None else f"{self.snapshot}"),
        ]
        share = self.done / self.units if self.units else 1.0
        bar = html_bar(share, f"{self.done:,} of {self.units:,} units")
        return html_panel(f"Season in {self.store}", bar, html_facts(facts))


def season_status(plan: Plan) -> SeasonStatus:
    """Return what the store of a plan holds of it."""
    store, units = plan.store, plan.units
    done = units["key"].isin(store.committed())
    left = set(units["key"][~done])
    lines = [line for line in _last_lines(store) if line.get("key") in left]
    numbers = store.snapshots()
    snapshot = store.snapshot() if numbers else None
    return SeasonStatus(
        store=store.url,
        plan=plan.name,
        units=len(units),
        done=int(done.sum()),
        records=int(units["records"][done].sum()),
        failed=len({line["key"] for line in lines}),
        reasons=tuple(sorted({line["reason"] for line in lines}))[:10],
        snapshot=None if snapshot is None else snapshot.number,
        root=None if snapshot is None else snapshot.root,
    )


def _last_lines(store: Store) -> list[dict[str, Any]]:
    run = latest_run(store)
    return [] if run is None else [x for x in read_lines(store, run) if x.get("status") == "failed"]


def _published(snapshot: Snapshot | None) -> str:
    return "none yet" if snapshot is None else f"{snapshot.number}, root {snapshot.root[:12]}"


def _problem_count(problems: pd.DataFrame) -> str:
    return f"{len(problems):,} {'unit is' if len(problems) == 1 else 'units are'} not whole"


def _counts(names: list[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}


def _unusual(outcomes: tuple[Outcome, ...]) -> dict[str, int]:
    return _counts([one.status for one in outcomes if one.status != "ok"])
