"""What a run was made from, as plain values and back: inputs.json of a result folder."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping as Dict
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from accelsim.chip import Chip
from accelsim.mapping import Mapping
from accelsim.mapping.crossbars import CrossbarMapping
from accelsim.units.crossbar import Crossbar
from accelsim.units.dma import Dma
from accelsim.units.dram import Dram
from accelsim.units.fold_array import FoldArray
from accelsim.units.mac_array import MacArray
from accelsim.units.sram import Sram
from accelsim.units.vector_unit import VectorUnit
from accelsim.workload import Conv2d, Gemm, TensorSpec, VectorOperator, Workload

KINDS: dict[str, Any] = {cls.kind: cls for cls in (Sram, Dram, MacArray, FoldArray, Crossbar, VectorUnit, Dma)}
OPERATORS: dict[str, Any] = {"gemm": Gemm, "conv2d": Conv2d}
VERSION = 1


def plain(value: Any) -> Any:
    """Dataclasses as objects (with their kind), tuples as lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        items = {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.init}
        kind = getattr(type(value), "kind", None)
        return {"kind": kind, **items} if isinstance(kind, str) else items
    if isinstance(value, Dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def dump(chip: Chip, workload: Workload, mappings: Dict[str, Mapping | CrossbarMapping]) -> dict[str, Any]:
    """Chip, workload and mappings as plain values."""
    operators = [{"type": "vector" if isinstance(op, VectorOperator) else op.kind, **plain(op)}
                 for op in workload.operators]  # fmt: skip
    whole = plain(dataclasses.replace(workload, operators=()))
    return {"version": VERSION, "chip": plain(chip), "workload": {**whole, "operators": operators},
            "mappings": plain(mappings)}  # fmt: skip


def load(whole: Dict[str, Any]) -> tuple[Chip, Workload, dict[str, Mapping | CrossbarMapping]]:
    """The inverse of dump(). KeyError, TypeError or ValueError for anything else."""
    if whole["version"] != VERSION:
        raise ValueError(f"version {whole['version']}, not {VERSION}")
    chip = dict(whole["chip"])
    for section in ("memories", "units"):
        chip[section] = {name: _build(KINDS[item["kind"]], item)
                         for name, item in chip[section].items()}  # fmt: skip
    work = dict(whole["workload"])
    work["operators"] = tuple(
        _build(VectorOperator if item["type"] == "vector" else OPERATORS[item["type"]], item)
        for item in work["operators"]
    )
    work["tensors"] = {name: _build(TensorSpec, item) for name, item in work["tensors"].items()}
    mappings = {name: _build(CrossbarMapping if "replicas" in item else Mapping, item)
                for name, item in whole["mappings"].items()}  # fmt: skip
    made: Chip = _build(Chip, chip)
    return made, _build(Workload, work), mappings


@lru_cache(maxsize=64)
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _build(cls: Any, data: Dict[str, Any]) -> Any:
    hints = _hints(cls)
    return cls(**{f.name: _value(hints[f.name], data[f.name]) for f in dataclasses.fields(cls)
                  if f.init and f.name in data})  # fmt: skip


def _value(hint: Any, value: Any) -> Any:
    """A JSON value as the type that a field wants."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _value(arguments[0], value)
    if origin in (Union, types.UnionType):
        inner = [item for item in arguments if item is not type(None)]
        return None if value is None else _value(inner[0], value)
    if dataclasses.is_dataclass(hint):
        return value if dataclasses.is_dataclass(value) else _build(hint, value)
    if origin is tuple:
        if Ellipsis in arguments:
            return tuple(_value(arguments[0], item) for item in value)
        return tuple(_value(hint, item) for hint, item in zip(arguments, value, strict=True))
    return value
