"""JSON Schemas of chip and workload files, for completion in editors; made from the same rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from accelsim.chip import Precision, Technology
from accelsim.chip.cores import MOST_CORES
from accelsim.config import chip_file, workload_file
from accelsim.config.quantities import example
from accelsim.config.reader import FieldRule, rules_of
from accelsim.config.versions import RULE
from accelsim.constants.rows import families
from accelsim.formats import FORMAT_NAMES
from accelsim.units.kinds import link_kinds, memory_kinds, unit_kinds

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def _of_rule(rule: FieldRule) -> dict[str, Any]:
    if rule.choices:
        return {"enum": list(rule.choices)}
    if rule.unit:
        return {
            "type": ["string", "number"],
            "description": f"a quantity like {example(rule.unit)}",
        }
    if isinstance(rule.kind, tuple) and rule.kind[0] == "table":
        return {"type": "object", "additionalProperties": {"type": ["number", "string"]}}
    if isinstance(rule.kind, tuple):
        inner = rule.kind[1]
        return {
            "type": "array",
            "items": _of_class(inner)
            if dataclasses.is_dataclass(inner)
            else {"type": _TYPES.get(inner, "string")},
        }
    if dataclasses.is_dataclass(rule.kind):
        return _of_class(rule.kind)
    found: dict[str, Any] = {"type": _TYPES.get(rule.kind, "string")}
    if rule.kind in (int, float):
        found |= {
            key: value
            for key, value in (("minimum", rule.low), ("maximum", rule.high))
            if value is not None
        }
    return found


def _of_class(cls: Any, kind: str = "") -> dict[str, Any]:
    rules = rules_of(cls)
    hidden = ("name", *cls.given) if kind else ()
    properties = {name: _of_rule(rule) for name, rule in rules.items() if name not in hidden}
    required = [name for name, rule in rules.items() if rule.required and name not in hidden]
    if kind:
        properties, required = {"kind": {"const": kind}, **properties}, ["kind", *required]
    doc = (cls.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")
    return {
        "type": "object",
        "description": doc,
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def chip_schema() -> dict[str, Any]:
    """JSON Schema of a chip file."""
    technology = _of_class(Technology)
    technology["properties"]["family"] = {"enum": list(families())}
    clock = {"type": ["string", "number"], "description": "a frequency like 1 GHz"}
    named = {"type": "object", "additionalProperties": clock}
    sections = {
        "format": RULE,
        "name": {"type": "string"},
        "description": {"type": "string"},
        "technology": technology,
        "clocks": named,
        "operating_points": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"voltage": {"type": "string"}, "clocks": named},
                "required": ["voltage"],
                "additionalProperties": False,
            },
        },
        "precision": _of_class(Precision),
        "weights": {
            "oneOf": [
                {"enum": list(chip_file.WEIGHTS)},
                {"type": "object", "additionalProperties": {"enum": list(chip_file.WEIGHTS)}},
            ]
        },
        "commands_ahead": {
            "type": "integer",
            "minimum": chip_file.AHEAD.low,
            "maximum": chip_file.AHEAD.high,
        },
        **_core(),
    }
    return {
        "$schema": DRAFT,
        "title": "accelsim chip",
        "type": "object",
        "properties": {key: sections[key] for key in chip_file.KEYS},
        "required": list(chip_file.REQUIRED),
        "additionalProperties": False,
        "$defs": {
            "core": {
                "type": "object",
                "properties": {
                    "count": {"type": "integer", "minimum": 1, "maximum": MOST_CORES},
                    "grid": {"type": "array", "items": {"type": "integer", "minimum": 1}},
                    "use": {"type": "string"},
                    **_core(),
                },
                "additionalProperties": False,
            }
        },
    }


def _core() -> dict[str, Any]:
    """What may stand in a chip, and in a core of it."""
    links = _kinds(link_kinds())
    names = {"type": "array", "items": {"type": "string"}}
    place = {"type": "array", "items": {"type": ["integer", "array"]}}
    for option in links["additionalProperties"]["oneOf"]:
        option["properties"]["nodes"] = names
        option["required"] = [*option["required"], "nodes"]
        if link_kinds()[option["properties"]["kind"]["const"]].dimensions > 1:
            option["properties"]["places"] = {"type": "object", "additionalProperties": place}
    return {
        "memories": _kinds(memory_kinds()),
        "units": _kinds(unit_kinds()),
        "links": links,
        "cores": {"type": "object", "additionalProperties": {"$ref": "#/$defs/core"}},
    }


def _kinds(kinds: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": {"oneOf": [_of_class(cls, kind) for kind, cls in kinds.items()]},
    }


def workload_schema() -> dict[str, Any]:
    """JSON Schema of a layer trace."""
    whole = {"type": ["integer", "string"], "minimum": 1}  # text: an expression of parameters
    pair = {
        "oneOf": [
            {"type": ["integer", "string"], "minimum": 0},
            {"type": "array", "items": {"type": ["integer", "string"], "minimum": 0}},
        ]
    }
    text = {"type": "string"}
    keys: dict[str, Any] = {
        "name": text,
        "output": text,
        "weight": text,
        "input": {"oneOf": [text, {"type": "array"}]},
        "bias": {"type": ["boolean", "string"]},
        "activation": {"enum": ["none", "relu"]},
        "input_format": {"enum": list(FORMAT_NAMES)},
        "weight_format": {"enum": list(FORMAT_NAMES)},
        "groups": whole,
        "n": whole,
        "filters": whole,
        "kernel": pair,
        "stride": pair,
        "padding": pair,
        "dilation": pair,
        "weight_transposed": {"type": "boolean"},
        "shape": {"type": "array", "items": {"type": ["integer", "string"], "minimum": -1}},
        "order": {"type": "array", "items": {"type": "integer", "minimum": 0}},
        "axes": pair,
        "axis": {"type": "integer", "minimum": 0},
        "parameters": {"type": "object"},
    }
    operators = []
    for kind in workload_file.KINDS:
        mine = workload_file.KIND_KEYS[kind]
        operators.append(
            {
                "type": "object",
                "properties": {
                    key: {"const": kind} if key == "kind" else keys[key] for key in mine
                },
                "required": ["name", "kind", "input", *workload_file.REQUIRED.get(kind, ())],
                "additionalProperties": False,
            }
        )
    repeated = {
        "type": "object",
        "properties": {"repeat": {"type": "object"}, "each": {}},
        "required": ["repeat", "each"],
        "additionalProperties": False,
    }
    shape = {"type": "array", "items": whole, "minItems": 1, "maxItems": 6}
    recorded = {
        "type": "object",
        "required": ["version"],
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1},
            **{key: text for key in ("file", "workload", "made_by")},
            "rounding": {"enum": ["single", "gemmlowp"]},
            "model": {"type": "array", "items": text},
            "formats": {"type": "object", "additionalProperties": text},
            "chip": {
                "type": "object",
                "properties": {"name": text, "digest": text},
                "additionalProperties": False,
            },
        },
    }
    sections = {
        "format": RULE,
        "batch": whole,
        "tokens": whole,
        "name": text,
        "description": text,
        "source": text,
        "values": text,
        "recorded": recorded,
        "parameters": {
            "type": "object",
            "additionalProperties": {
                "oneOf": [
                    {"type": "integer", "minimum": 0},
                    {"type": "array", "items": {"type": "integer", "minimum": 0}},
                ]
            },
        },
        "inputs": {"type": "object", "additionalProperties": {"oneOf": [shape, repeated]}},
        "constants": {"type": "object", "additionalProperties": shape},
        "outputs": {"oneOf": [text, {"type": "array", "items": text}]},
        "integers": {
            "type": "object",
            "additionalProperties": {"enum": list(workload_file.INTEGERS)},
        },
        "operators": {"type": "array", "items": {"oneOf": [*operators, repeated]}},
    }
    return {
        "$schema": DRAFT,
        "title": "accelsim workload",
        "type": "object",
        "properties": {key: sections[key] for key in workload_file.KEYS},
        "required": ["name", "inputs", "operators"],
        "additionalProperties": False,
    }
