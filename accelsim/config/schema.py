"""JSON Schemas of chip and workload files, for completion in editors; made from the same rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from accelsim.chip import Precision, Technology
from accelsim.chip.chip import WEIGHTS
from accelsim.chip.cores import MOST_CORES
from accelsim.config import chip_file, workload_file
from accelsim.config.quantities import example
from accelsim.config.reader import FieldRule, rules_of
from accelsim.config.versions import RULE
from accelsim.constants.rows import families
from accelsim.formats import FORMAT_NAMES
from accelsim.units.kinds import link_kinds, memory_kinds, unit_kinds

DRAFT = "https://json-schema.org/draft/2020-12/schema"
TEXT = {"type": "string"}
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
    named = mapping_to({"type": ["string", "number"], "description": "a frequency like 1 GHz"})
    point = record(("voltage",), voltage=TEXT, clocks=named)
    sections = {
        "format": RULE,
        "name": TEXT,
        "description": TEXT,
        "technology": technology,
        "clocks": named,
        "operating_points": mapping_to(point),
        "precision": _of_class(Precision),
        "weights": {
            "oneOf": [
                {"enum": list(WEIGHTS)},
                {"type": "object", "additionalProperties": {"enum": list(WEIGHTS)}},
            ]
        },
        "commands_ahead": {
            "type": "integer",
            "minimum": chip_file.AHEAD.low,
            "maximum": chip_file.AHEAD.high,
        },
        **_core(),
    }
    core = record(
        count={"type": "integer", "minimum": 1, "maximum": MOST_CORES},
        grid={"type": "array", "items": {"type": "integer", "minimum": 1}},
        use=TEXT,
        **_core(),
    )
    whole = document("chip", sections, chip_file.KEYS, chip_file.REQUIRED)
    return {**whole, "$defs": {"core": core}}


def record(required: Iterable[str] = (), /, **properties: Any) -> dict[str, Any]:
    """Schema of a mapping of these keys and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
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


def mapping_to(value: Any) -> dict[str, Any]:
    """Schema of a mapping from names of one's own."""
    return {"type": "object", "additionalProperties": value}


def document(
    what: str, sections: Mapping[str, Any], keys: Iterable[str], required: Iterable[str]
) -> dict[str, Any]:
    """Schema of a whole file. sections: of its keys."""
    properties = {key: sections[key] for key in keys}
    return {"$schema": DRAFT, "title": f"accelsim {what}", **record(required, **properties)}


def _kinds(kinds: Mapping[str, Any]) -> dict[str, Any]:
    return mapping_to({"oneOf": [_of_class(cls, kind) for kind, cls in kinds.items()]})


def _whole(least: int) -> dict[str, Any]:
    return {"type": ["integer", "string"], "minimum": least}  # text: an expression of parameters


def _list(of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _operators() -> list[dict[str, Any]]:
    """A schema a kind of operator."""
    pair = {"oneOf": [_whole(0), _list(_whole(0))]}
    keys: dict[str, Any] = {
        **dict.fromkeys(("name", "output", "weight"), TEXT),
        "input": {"oneOf": [TEXT, {"type": "array"}]},
        "bias": {"type": ["boolean", "string"]},
        "activation": {"enum": ["none", "relu"]},
        **{key: {"enum": list(FORMAT_NAMES)} for key in ("input_format", "weight_format")},
        **dict.fromkeys(("groups", "n", "filters"), _whole(1)),
        **dict.fromkeys(("kernel", "stride", "padding", "dilation", "axes"), pair),
        "weight_transposed": {"type": "boolean"},
        "shape": _list(_whole(-1)),
        "order": _list({"type": "integer", "minimum": 0}),
        "axis": {"type": "integer", "minimum": 0},
        "parameters": {"type": "object"},
    }
    found = []
    for kind in workload_file.KINDS:
        required = ["name", "kind", "input", *workload_file.REQUIRED.get(kind, ())]
        own = keys | {"kind": {"const": kind}}
        found.append(record(required, **{key: own[key] for key in workload_file.KIND_KEYS[kind]}))
    return found


def workload_schema() -> dict[str, Any]:
    """JSON Schema of a layer trace."""
    repeated = record(("repeat", "each"), repeat={"type": "object"}, each={})
    shape = {**_list(_whole(1)), "minItems": 1, "maxItems": 6}
    texts = dict.fromkeys(("file", "workload", "made_by"), TEXT)
    recorded = {
        "type": "object",
        "required": ["version"],
        "additionalProperties": False,
        "properties": {
            "version": {"const": 1},
            **texts,
            "rounding": {"enum": ["single", "gemmlowp"]},
            "model": _list(TEXT),
            "formats": mapping_to(TEXT),
            "chip": {
                "type": "object",
                "properties": {"name": TEXT, "digest": TEXT},
                "additionalProperties": False,
            },
        },
    }
    number = {"type": "integer", "minimum": 0}
    sections = {
        "format": RULE,
        **dict.fromkeys(("batch", "tokens"), _whole(1)),
        **dict.fromkeys(("name", "description", "source", "values"), TEXT),
        "recorded": recorded,
        "parameters": mapping_to({"oneOf": [number, _list(number)]}),
        "inputs": mapping_to({"oneOf": [shape, repeated]}),
        "constants": mapping_to(shape),
        "outputs": {"oneOf": [TEXT, _list(TEXT)]},
        "integers": mapping_to({"enum": list(workload_file.INTEGERS)}),
        "operators": _list({"oneOf": [*_operators(), repeated]}),
    }
    return document("workload", sections, workload_file.KEYS, ("name", "inputs", "operators"))
