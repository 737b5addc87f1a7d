"""What a plan will take: memory, bytes, time and money, before it runs."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from distributed import Client

from cbmcube._html import html_table
from cbmcube._text import byte_size
from cbmcube.exceptions import OptionError
from cbmcube.observations.season._blobs import windows_from_json
from cbmcube.observations.season._groups import block_side, pixel_bytes
from cbmcube.observations.season._progress import duration
from cbmcube.observations.season._work import compute_unit

if TYPE_CHECKING:
    from cbmcube.observations.season._plan import Plan

BASE_MEMORY = 450 * 2**20
"""Bytes that a worker takes before it does anything: libraries, compiled kernels, GDAL's cache."""
RECORD_BYTES = 28
"""Bytes of a record with eight statistics in the store, about."""


@dataclass(frozen=True, slots=True)
class Prices:
    """What a provider of computers asks for, in any currency.

    Examples
    --------
    >>> from cbmcube.observations import Prices
    >>> Prices(core_hour=0.03, gigabyte=0.02).core_hour
    0.03
    """

    core_hour: float = 0.0
    """For one core, one hour."""
    gigabyte: float = 0.0
    """For a gigabyte that is stored, once."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is left of a plan will take."""

    units: int
    """Units left."""
    records: int
    """Rows they give at most."""
    decoded_bytes: int
    """Bytes of their pixels, decoded."""
    stored_bytes: int
    """Size of the rows in the store, about."""
    worker_bytes: int
    """Memory that a worker with one thread needs."""
    threads: int
    """Threads that would do it."""
    seconds: float | None
    """Time with these threads, from a probe; ``None`` without one."""
    cost: float | None
    """Price of it, where prices are given."""

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate, ready for JSON."""
        return asdict(self)

    def __repr__(self) -> str:
        lines = [
            f"<Estimate: {self.units:,} units, {self.records:,} records",
            f"  read:   {byte_size(self.decoded_bytes)} decoded",
            f"  write:  {byte_size(self.stored_bytes)}",
            f"  memory: {byte_size(self.worker_bytes)} for each thread",
        ]
        if self.seconds is not None:
            lines.append(f"  time:   {duration(self.seconds)} with {self.threads} threads")
        if self.cost is not None:
            lines.append(f"  cost:   {self.cost:,.2f}")
        return "\n".join(lines) + ">"

    def _repr_html_(self) -> str:
        facts = {
            "units": f"{self.units:,}",
            "records": f"{self.records:,}",
            "read": f"{byte_size(self.decoded_bytes)} decoded",
            "write": byte_size(self.stored_bytes),
            "memory": f"{byte_size(self.worker_bytes)} for each thread",
        }
        if self.seconds is not None:
            facts["time"] = f"{duration(self.seconds)} with {self.threads} threads"
        if self.cost is not None:
            facts["cost"] = f"{self.cost:,.2f}"
        return html_table("Estimate of what is left", facts)


def expect(
    plan: Plan, client: Client | None, *, probe: int, prices: Prices | None = None
) -> Estimate:
    """Estimate what is left of a plan; see `Plan.expect`."""
    if probe < 0:
        raise OptionError("probe counts units", given=probe, allowed="0 or more")
    left = plan.left()
    threads = 1 if client is None else max(1, sum(client.nthreads().values()))
    seconds = None
    if probe and len(left):
        seconds = _probed(plan, client, probe) * float(left["pixels"].sum()) / threads
    records = int(left["records"].sum())
    stored = records * RECORD_BYTES
    cost = None
    if prices is not None and seconds is not None:
        cost = seconds * threads / 3600 * prices.core_hour + stored / 1e9 * prices.gigabyte
    return Estimate(
        units=len(left),
        records=records,
        decoded_bytes=int(left["pixels"].sum()) * 4,
        stored_bytes=stored,
        worker_bytes=unit_memory(plan),
        threads=threads,
        seconds=seconds,
        cost=cost,
    )


def _probed(plan: Plan, client: Client | None, probe: int) -> float:
    """Return seconds for each decoded pixel, of a few units of middling size.

    The first time a unit of a group is computed, its pixel index is built, which a season does
    once for many; so each is computed twice and the second time counts.
    """
    left = plan.left()
    some = left.iloc[np.argsort(left["pixels"].to_numpy(), kind="stable")]
    places = np.linspace(0, len(some) - 1, min(probe, len(some)) + 2)[1:-1].round().astype(int)
    chosen = some.iloc[np.unique(places)]
    took = 0.0
    for unit in plan.tasks(chosen):
        task = (plan.store, plan.recipe, unit)
        if client is None:
            compute_unit(*task)
            took += _timed(*task)
        else:
            took += client.submit(_timed_again, *task, pure=False).result()
    return took / float(chosen["pixels"].sum())


def _timed_again(*task: Any) -> float:
    compute_unit(*task)
    return _timed(*task)


def _timed(*task: Any) -> float:
    begin = time.perf_counter()
    compute_unit(*task)
    return time.perf_counter() - begin


def unit_memory(plan: Plan) -> int:
    """Return the bytes that a worker needs for the largest unit of a plan, with one thread."""
    return BASE_MEMORY + max(group_memory(plan, group) for group in plan.facts["groups"])


def group_memory(plan: Plan, group: dict[str, Any]) -> int:
    """Return the bytes that a unit of a group takes beside what a worker always needs."""
    windows = windows_from_json(group)
    side = block_side(windows, group["count"])
    pixels = max(min(side, box.shape[0]) * min(side, box.shape[1]) for box in windows.values())
    rows = group["count"] * plan.recipe.rows_per_parcel
    return int(pixels * pixel_bytes(plan.recipe) + rows * 400)


def describe(facts: dict[str, Any]) -> str:
    """Return a plan as text."""
    lines = [
        f"<Plan of {facts['product']} for {facts['parcels']:,} parcels"
        + (f", {facts['outside']:,} of them outside" if facts["outside"] else ""),
        f"  scenes:  {facts['items']:,} items in {facts['acquisitions']:,} acquisitions",
        f"  grids:   {', '.join(facts['grids'])}",
        f"  units:   {_unit_text(facts)}",
        f"  records: {facts['records']:,}",
        f"  read:    {byte_size(facts['decoded_bytes'])} decoded",
        f"  write:   about {byte_size(facts['stored_bytes'])}",
        f"  memory:  {byte_size(facts['worker_bytes'])} for each thread of a worker",
        f"  store:   {facts['store']}",
        "  next:    .expect(client) for time and cost, .run(client)>",
    ]
    return "\n".join(lines)


def _unit_text(facts: dict[str, Any]) -> str:
    """Return how many units there are, and how many are left."""
    text = f"{facts['units']:,}, one task each, in {facts['groups']:,} groups of parcels"
    if facts["left"] < facts["units"]:
        text += f"; {facts['left']:,} left"
    return text


def describe_html(facts: dict[str, Any]) -> str:
    """Return a plan as a table."""
    rows = {
        "parcels": f"{facts['parcels']:,}"
        + (f", {facts['outside']:,} of them outside" if facts["outside"] else ""),
        "scenes": f"{facts['items']:,} items in {facts['acquisitions']:,} acquisitions",
        "grids": ", ".join(facts["grids"]),
        "units": _unit_text(facts),
        "records": f"{facts['records']:,}",
        "read": f"{byte_size(facts['decoded_bytes'])} decoded",
        "write": f"about {byte_size(facts['stored_bytes'])}",
        "memory": f"{byte_size(facts['worker_bytes'])} for each thread of a worker",
        "store": facts["store"],
        "next": ".expect(client) for time and cost, .run(client)",
    }
    return html_table(f"Plan of {facts['product']}", rows)
