"""Let the task that reduces a block read it, too.

Dask fuses chains of tasks, not the several reads that meet in one reduction. Left apart, a
cluster may run many reads before the first reduction, and hold all their pixels; as one
task, a worker holds one block, and the scheduler sees a third of the tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dask.array as da
from dask._task_spec import GraphNode, Task, TaskRef, convert_legacy_graph
from dask.blockwise import optimize_blockwise
from dask.highlevelgraph import HighLevelGraph

Key = Any


def fuse_reads(
    inputs: Sequence[da.Array], tasks: Mapping[Key, Any], blocks: Iterable[Key]
) -> dict[Key, Any]:
    """Return `tasks` with all that they need, each task of `blocks` with its own reads in it.

    Parameters
    ----------
    inputs
        The arrays whose chunks the tasks read.
    tasks
        A graph as a plain mapping.
    blocks
        Keys of the tasks that take in every task that serves no other.
    """
    needed = _needed_chunks(inputs, tasks)
    sources = HighLevelGraph.merge(*(array.__dask_graph__() for array in inputs))
    culled = optimize_blockwise(sources, keys=list(needed)).cull(needed)
    # What a cluster holds already must stay as it is: converted, it would be let go.
    held = {key: task for key, task in culled.items() if isinstance(task, TaskRef)}
    known = {**culled, **tasks}
    graph = convert_legacy_graph(
        {key: task for key, task in known.items() if key not in held}, all_keys=set(known)
    )
    for block, reads in _own_reads(graph, blocks).items():
        graph[block] = GraphNode.fuse(graph[block], *(graph.pop(read) for read in reads))
    return {**held, **graph}


def _needed_chunks(inputs: Sequence[da.Array], tasks: Mapping[Key, Any]) -> set[Key]:
    names = {array.name for array in inputs}
    found: set[Key] = set()
    pending: list[Any] = list(tasks.values())
    while pending:
        part = pending.pop()
        if isinstance(part, tuple) and part and isinstance(part[0], str) and part[0] in names:
            found.add(part)
        elif isinstance(part, list | tuple):
            pending.extend(part)
    return found


def _own_reads(graph: Mapping[Key, GraphNode], blocks: Iterable[Key]) -> dict[Key, list[Key]]:
    """Return, for each block, the tasks that serve it and nothing else."""
    takers: dict[Key, list[Key]] = {}
    for key, node in graph.items():
        for dependency in node.dependencies:
            takers.setdefault(dependency, []).append(key)
    reads: dict[Key, list[Key]] = {}
    for block in blocks:
        inside = {block}
        # What is turned away because another taker is not yet inside comes again with that one.
        pending = list(graph[block].dependencies)
        while pending:
            key = pending.pop()
            task = graph.get(key)
            if key not in inside and isinstance(task, Task) and inside.issuperset(takers[key]):
                inside.add(key)
                pending.extend(task.dependencies)
        reads[block] = [key for key in inside if key != block]
    return reads
