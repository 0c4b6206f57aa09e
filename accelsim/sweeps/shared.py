"""What a job says of all workloads and values of a sweep, put into the sweep's document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accelsim.config.overrides import node_of
from accelsim.config.yaml_source import Node, Place
from accelsim.job.reader import plain_job
from accelsim.job.record import Job, options
from accelsim.sweeps.settings import VALUE_KEYS
from accelsim.sweeps.works import WORK_KEYS

OF_RUNS = ("search", "homes")


def shared(job: Job) -> dict[str, Any]:
    """What of a job goes to every workload and to the values of a sweep, as plain values."""
    given = plain_job(job)
    return {
        key: value
        for key, value in given.items()
        if key in (*WORK_KEYS, *VALUE_KEYS, *OF_RUNS, "batch", "input")
    }


def with_job(root: Node, job: Job) -> Node:
    """The document of a sweep with what a job says: of every workload that says nothing else itself, of its
    values, of its search and homes."""
    given = shared(job)
    if not given or not root.is_map:
        return root
    nodes = {key: _node(job, key, value) for key, value in given.items()}
    items = dict(root.value)
    items |= {key: (nodes[key].place, nodes[key]) for key in OF_RUNS if key in nodes}
    values = {key: node for key, node in nodes.items() if key in (*VALUE_KEYS, "input")}
    if values:
        place, old = items.get("values", (next(iter(values.values())).place, Node({}, root.place)))
        if old.is_map:
            more = {key: (node.place, node) for key, node in values.items()}
            items["values"] = (place, Node({**old.value, **more}, old.place))
    own = {key: node for key, node in nodes.items() if key in (*WORK_KEYS, "batch")}
    if own and "workloads" in items and items["workloads"][1].is_list:
        place, listed = items["workloads"]
        made = [_entry(entry, own) for entry in listed.value]
        items["workloads"] = (place, Node(made, listed.place))
    return Node(items, root.place)


def _node(job: Job, key: str, value: Any) -> Node:
    file, line, column = job.places.get(key, (options()[key].option or key, 0, 0))
    return node_of(value, Place(file, line, column))


def _entry(entry: Node, own: Mapping[str, Node]) -> Node:
    """A workload of the list with what the job says of all."""
    named = entry.value if entry.is_map else {"workload": (entry.place, entry)}
    more = {key: (node.place, node) for key, node in own.items() if key not in named}
    return Node({**named, **more}, entry.place)
