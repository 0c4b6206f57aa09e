"""Chips and workloads back to YAML, as the importers convert them. Reading it gives an equal one."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import yaml

from accelsim.chip import Chip
from accelsim.chip.chip import COMMANDS_AHEAD
from accelsim.chip.cores import local, scope_of
from accelsim.fields import Table
from accelsim.mapping.tensors import read_constants
from accelsim.units.base import Quantity
from accelsim.units.link import Link
from accelsim.workload import Conv2d, Gemm, VectorOperator, Workload
from accelsim.workload.vector_kinds import VECTOR_KINDS

#: unit -> (written unit, its size), largest first; the first that divides is taken
_WRITTEN = {
    "B": (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)),
    "bit": (("bit", 1),),
    "Hz": (("GHz", 10**9), ("MHz", 10**6), ("Hz", 1)),
}
_SCALED = {
    "B/s": (("GB/s", 1e9), ("MB/s", 1e6)),
    "s": (("ns", 1e-9),),
    "m": (("nm", 1e-9),),
    "J": (("pJ", 1e-12),),
}


def written(value: float, unit: str) -> str:
    """A quantity that reads back as exactly this number."""
    for name, size in _WRITTEN.get(unit, ()):
        if value % size == 0:
            return f"{int(value) // size} {name}"
    for name, scale in _SCALED.get(unit, ()):
        short = f"{value / scale:.12g}"
        if float(short) * scale == value:
            return f"{short} {name}"
    short = f"{value:.12g}"
    return f"{short} {unit}" if float(short) == value else f"{value!r} {unit}"


def _fields(item: Any, skip: tuple[str, ...] = (), every: bool = False) -> dict[str, Any]:
    """A dataclass's values that differ from their defaults, or every one; quantities with units."""
    hints = get_type_hints(type(item), include_extras=True)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(item):
        value = getattr(item, field.name)
        if not field.init or field.name in skip or (value == field.default and not every):
            continue
        unit = (
            next(
                (mark.unit for mark in get_args(hints[field.name]) if isinstance(mark, Quantity)),
                "",
            )
            if get_origin(hints[field.name]) is Annotated
            else ""
        )
        if unit and value is not None:
            found[field.name] = written(value, unit)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            found[field.name] = _fields(value, every=every)
        elif isinstance(value, Table):
            found[field.name] = dict(value)
        elif isinstance(value, tuple):
            found[field.name] = [
                _fields(part) if dataclasses.is_dataclass(part) else part for part in value
            ]
        else:
            found[field.name] = value
    return found


def chip_yaml(chip: Chip, note: str = "") -> str:
    """The chip file of a Chip."""
    return _text(chip_values(chip), note)


def chip_values(chip: Chip, every: bool = False) -> dict[str, Any]:
    """The content of the chip file of a Chip. every: keys that have their default too."""
    whole: dict[str, Any] = {"name": chip.name}
    if chip.description:
        whole["description"] = chip.description
    whole["technology"] = _fields(chip.technology, every=every)
    whole["clocks"] = {name: written(hz, "Hz") for name, hz in chip.clocks.items()}
    if chip.operating_points:
        whole["operating_points"] = {
            point.name: {
                "voltage": written(point.voltage, "V"),
                **(
                    {"clocks": {n: written(hz, "Hz") for n, hz in point.clocks.items()}}
                    if point.clocks
                    else {}
                ),
            }
            for point in chip.operating_points
        }
    whole["precision"] = {"input": chip.precision.input, "weight": chip.precision.weight}
    whole["weights"] = dict(chip.core_weights) or chip.weights
    if every or chip.commands_ahead != COMMANDS_AHEAD:
        whole["commands_ahead"] = chip.commands_ahead
    return whole | _core(chip, "", every)


def _core(chip: Chip, scope: str, every: bool) -> dict[str, Any]:
    """The keys of a core, or of the chip itself: what stands in it, by the names that it has there."""
    found: dict[str, Any] = {}
    for section, items in (("memories", chip.memories), ("units", chip.units)):
        mine = {
            local(name): {"kind": item.kind, **_fields(item, ("name", *item.given), every), **near}
            for name, item in items.items()
            if scope_of(name) == scope
            for near in (_near(item),)
        }
        if mine or not scope:
            found[section] = mine
    inner = {}
    for template in chip.templates.values():
        if scope_of(template.name) == scope:
            often: dict[str, Any] = {} if template.count == 1 else {"count": template.count}
            if template.grid is not None:
                often = {"grid": list(template.grid)}
            inner[local(template.name)] = often | _core(chip, template.name, every)
    links = {
        local(name): {
            "kind": link.kind,
            **_fields(link, ("name", *link.given), every),
            **_joins(link),
        }
        for name, link in chip.links.items()
        if scope_of(name) == scope
    }
    return found | ({"cores": inner} if inner else {}) | ({"links": links} if links else {})


def _near(item: Any) -> dict[str, str]:
    """Names of memories as the core has them where the item stands: the nearest of that name outwards."""
    keys = ("input", "weight", "output", "memory", "behind")
    named = {key: getattr(item, key, "") for key in keys}
    return {
        key: local(name) for key, name in named.items() if isinstance(name, str) and "." in name
    }


def _joins(link: Link) -> dict[str, Any]:
    """Nodes and places of a link by the names that its core has for them."""
    scope = scope_of(link.name)

    def near(name: str) -> str:
        around = scope
        while around and not name.startswith(f"{around}."):
            around = scope_of(around)
        return name.removeprefix(f"{around}.") if around else name

    found: dict[str, Any] = {"nodes": [near(node) for node in link.nodes]}
    if link.placed:
        found["places"] = {
            near(node): [list(spot) for spot in spots] for node, spots in link.placed.items()
        }
    return found


def workload_yaml(workload: Workload, note: str = "", more: dict[str, Any] | None = None) -> str:
    """The layer trace of a Workload. more: further keys."""
    inputs = {
        name: list(spec.shape) for name, spec in workload.tensors.items() if spec.role == "input"
    }
    whole: dict[str, Any] = {"name": workload.name}
    if workload.description:
        whole["description"] = workload.description
    whole |= {
        key: count
        for key, count in (("batch", workload.batch), ("tokens", workload.tokens))
        if count
    }
    whole["inputs"] = inputs
    read = read_constants(workload)
    constants = {name: list(spec.shape) for name, spec in workload.tensors.items() if name in read}
    if constants:
        whole["constants"] = constants
    integers = {
        name: spec.format
        for name, spec in workload.tensors.items()
        if spec.holds == "integers" and spec.format
    }
    if integers:
        whole["integers"] = integers
    whole["operators"] = [_operator(op, workload) for op in workload.operators]
    made = {op.output for op in workload.operators}
    used = {
        name
        for op in workload.operators
        for name in (op.inputs if isinstance(op, VectorOperator) else (op.input, op.weight))
    }
    outputs = [name for name, spec in workload.tensors.items() if spec.role == "output"]
    if set(outputs) != made - used:
        whole["outputs"] = outputs
    return _text({**whole, **(more or {})}, note)


def _vector_keys(op: VectorOperator, workload: Workload) -> dict[str, Any]:
    """Keys of a vector operator that its kind does not already say."""
    found: dict[str, Any] = {
        key: list(getattr(op, key)) for key in ("offset", "factors") if getattr(op, key)
    }
    if op.updates:
        found["updates"] = op.updates
    if op.kind == "transpose":
        found["order"] = list(op.order)
    if op.kind == "concat":
        differing = [
            axis for axis, size in enumerate(op.output_shape) if size != op.input_shape[axis]
        ]
        found["axis"] = differing[0] if differing else 0
    if (
        VECTOR_KINDS[op.kind].access in ("view", "move", "reduce")
        and not found.keys() & {"order", "axis"}
        and op.kind not in ("append", "flatten", "global_average_pool")
    ) or VECTOR_KINDS[op.kind].shaped:
        found["shape"] = list(op.output_shape)
    usual = tuple(f"{op.name}.{suffix}" for suffix in VECTOR_KINDS[op.kind].parameters)
    if op.parameters != usual:
        found["parameters"] = {name: list(workload.tensors[name].shape) for name in op.parameters}
    return found


def _operator(op: Any, workload: Workload) -> dict[str, Any]:
    found: dict[str, Any] = {"name": op.name, "kind": op.kind}
    if isinstance(op, VectorOperator):
        found["input"] = list(op.inputs) if len(op.inputs) > 1 else op.inputs[0]
        if "kernel" in VECTOR_KINDS[op.kind].keys:
            found |= {"kernel": list(op.kernel), "stride": list(op.stride)}
            if any(op.padding):
                found["padding"] = list(op.padding)
            if op.dilation != (1, 1):
                found["dilation"] = list(op.dilation)
        found |= _vector_keys(op, workload)
    else:
        found["input"] = op.input
        if isinstance(op, Conv2d):
            found |= {"filters": op.filters, "kernel": list(op.kernel), "stride": list(op.stride)}
            if any(op.padding):
                found["padding"] = list(op.padding)
            if op.dilation != (1, 1):
                found["dilation"] = list(op.dilation)
        elif isinstance(op, Gemm):
            found["n"] = op.n
        if op.groups != 1:
            found["groups"] = op.groups
        found["weight"] = op.weight
        if op.weight_transposed:
            found["weight_transposed"] = True
        if op.bias is not None:
            found["bias"] = op.bias
        for key in ("input_format", "weight_format"):
            if getattr(op, key) is not None:
                found[key] = getattr(op, key)
    found["output"] = op.output
    if op.activation != "none":
        found["activation"] = op.activation
    if op.role != "forward":
        found["role"] = op.role
    return found


def _text(whole: dict[str, Any], note: str) -> str:
    lines = [f"# {line}" for line in note.splitlines()]
    for key, value in whole.items():
        flow = None if isinstance(value, dict | list) else False  # leaves in one line each
        body = yaml.dump(
            {key: value},
            Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
            sort_keys=False,
            allow_unicode=True,
            width=1000,
            default_flow_style=flow,
        )
        lines.append(body.rstrip())
    return "\n".join(lines) + "\n"
