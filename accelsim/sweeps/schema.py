"""JSON Schema of sweep files, for completion in editors."""

from __future__ import annotations

from typing import Any

from accelsim.config.reader import rules_of
from accelsim.config.schema import DRAFT
from accelsim.config.sweep_axes import SEARCHES
from accelsim.config.sweep_ranges import MOST_STEPS
from accelsim.config.versions import RULE
from accelsim.job.record import Job
from accelsim.store.joint import RULES
from accelsim.store.measures import GROUPS, MAIN, MEASURES
from accelsim.sweeps.file import KEYS, REQUIRED
from accelsim.sweeps.settings import (
    EXECUTORS,
    LARGEST_SEED,
    MOST_REPEATS,
    MOST_SAMPLES,
    SAMPLINGS,
    VALUE_KEYS,
)
from accelsim.sweeps.works import WORK_KEYS

TEXT = {"type": "string"}
NUMBER = {"type": ["number", "string"], "description": "a number, or a quantity like 10 MHz"}
SETS = {
    "type": "object",
    "description": "keys of the chip file, like units.array.rows, and their values",
}


def _object(required: tuple[str, ...] = (), /, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(of: Any, least: int = 1) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": least}


def _one_or_more(of: Any) -> dict[str, Any]:
    return {"anyOf": [of, _list(of)]}


def _whole(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


def sweep_schema() -> dict[str, Any]:
    """JSON Schema of a sweep file."""
    names: dict[str, Any] = {"enum": list(dict.fromkeys([*GROUPS, *MAIN, *MEASURES]))}
    batch = _whole(1, 1 << 20)
    span = {"from": NUMBER, "to": NUMBER}
    axis = {
        **_object(
            key={**TEXT, "description": "a key of the chip file, or search, weights, batch"},
            keys=_list(TEXT, 2),
            values=_list({}),
            range=_object(("from", "to"), **span, step=NUMBER),
            log=_object(("from", "to"), **span, points=_whole(2, MOST_STEPS)),
            tie=_one_or_more(TEXT),
            bases=_one_or_more(TEXT),
            when=SETS,
        ),
        "allOf": [
            {"oneOf": [{"required": ["key"]}, {"required": ["keys"]}]},
            {"oneOf": [{"required": [name]} for name in ("values", "range", "log")]},
        ],
    }
    sampled = _object(
        (), **{name: _whole(1, MOST_SAMPLES) for name in SAMPLINGS}, seed=_whole(0, LARGEST_SEED)
    )
    pairs = {"type": "object"}
    kinds = {"gemm": {"type": "boolean"}, "edges": _whole(2, 16)}
    work = _object(
        ("workload",),
        workload=TEXT,
        batch=_one_or_more(batch),
        **{key: kinds.get(key, pairs) for key in WORK_KEYS},
    )
    said: dict[str, Any] = {
        key: {"enum": list(rules_of(Job)[key].choices)} if rules_of(Job)[key].choices else TEXT
        for key in VALUE_KEYS
    }
    said["percentile"] = {"type": "number"}
    sections = {
        "format": RULE,
        "name": TEXT,
        "question": TEXT,
        "answer": {"type": ["string", "null"]},
        "bases": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"anyOf": [TEXT, _object(chip=TEXT, base=TEXT, set=SETS)]},
        },
        "workloads": _list({"anyOf": [TEXT, work]}),
        "vary": _list(axis),
        "exclude": {"anyOf": [SETS, _list(SETS)]},
        "sample": {"anyOf": [{"const": "grid"}, sampled]},
        "search": {"enum": list(SEARCHES)},
        "measures": _one_or_more(names),
        "values": _object(
            ("input",),
            input=TEXT,
            images=_whole(1, 1 << 24),
            ages=_one_or_more(NUMBER),
            temperatures=_one_or_more(TEXT),
            **said,
        ),
        "seed": _whole(0, LARGEST_SEED),
        "repeats": _whole(1, MOST_REPEATS),
        "constraints": _one_or_more(
            {**TEXT, "description": "like: area <= 40 mm2, top1 >= 0.95, fits"}
        ),
        "objectives": _one_or_more(names),
        "objective": _object(
            ("of", "by"),
            of=names,
            over={"const": "workloads"},
            by={"enum": list(RULES)},
            weights={"type": "object", "additionalProperties": {"type": "number"}},
        ),
        "execution": {
            "anyOf": [
                {"enum": list(EXECUTORS)},
                {
                    "type": "object",
                    "properties": {
                        "executor": {"enum": list(EXECUTORS)},
                        "workers": _whole(1, 100_000),
                        "address": TEXT,
                    },
                    "required": ["executor"],
                },
            ]
        },
    }
    return {
        "$schema": DRAFT,
        "title": "accelsim sweep",
        "type": "object",
        "properties": {key: sections[key] for key in KEYS},
        "required": list(REQUIRED),
        "additionalProperties": False,
    }
