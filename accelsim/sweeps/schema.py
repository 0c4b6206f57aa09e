"""JSON Schema of sweep files, for completion in editors."""

from __future__ import annotations

from typing import Any

from accelsim.config.reader import rules_of
from accelsim.config.schema import TEXT, document, mapping_to, record
from accelsim.config.sweep_axes import SEARCHES
from accelsim.config.sweep_ranges import MOST_STEPS
from accelsim.config.versions import RULE
from accelsim.job.record import Job
from accelsim.mapping.homes import MODES
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

NUMBER = {"type": ["number", "string"], "description": "a number, or a quantity like 10 MHz"}
SETS = {
    "type": "object",
    "description": "keys of the chip file, like units.array.rows, and their values",
}


def _list(of: Any, least: int = 1) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": least}


def _one_or_more(of: Any) -> dict[str, Any]:
    return {"anyOf": [of, _list(of)]}


def _whole(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


def _axis() -> dict[str, Any]:
    """Of an entry of vary."""
    span = {"from": NUMBER, "to": NUMBER}
    return {
        **record(
            key={**TEXT, "description": "a key of the chip file, or search, homes, weights, batch"},
            keys=_list(TEXT, 2),
            values=_list({}),
            range=record(("from", "to"), **span, step=NUMBER),
            log=record(("from", "to"), **span, points=_whole(2, MOST_STEPS)),
            tie=_one_or_more(TEXT),
            bases=_one_or_more(TEXT),
            when=SETS,
        ),
        "allOf": [
            {"oneOf": [{"required": ["key"]}, {"required": ["keys"]}]},
            {"oneOf": [{"required": [name]} for name in ("values", "range", "log")]},
        ],
    }


def _workload() -> dict[str, Any]:
    """Of an entry of workloads."""
    kinds = {"gemm": {"type": "boolean"}, "edges": _whole(2, 16)}
    return record(
        ("workload",),
        workload=TEXT,
        batch=_one_or_more(_whole(1, 1 << 20)),
        **{key: kinds.get(key, {"type": "object"}) for key in WORK_KEYS},
    )


def _values() -> dict[str, Any]:
    """Of the values that runs compute."""
    said: dict[str, Any] = {
        key: {"enum": list(rules_of(Job)[key].choices)} if rules_of(Job)[key].choices else TEXT
        for key in VALUE_KEYS
    }
    return record(
        ("input",),
        input=TEXT,
        images=_whole(1, 1 << 24),
        ages=_one_or_more(NUMBER),
        temperatures=_one_or_more(TEXT),
        **said | {"percentile": {"type": "number"}},
    )


def sweep_schema() -> dict[str, Any]:
    """JSON Schema of a sweep file."""
    names: dict[str, Any] = {"enum": list(dict.fromkeys([*GROUPS, *MAIN, *MEASURES]))}
    seed = _whole(0, LARGEST_SEED)
    sampled = record(**{name: _whole(1, MOST_SAMPLES) for name in SAMPLINGS}, seed=seed)
    bound = {**TEXT, "description": "like: area <= 40 mm2, top1 >= 0.95, fits"}
    sections = {
        "format": RULE,
        "name": TEXT,
        "question": TEXT,
        "answer": {"type": ["string", "null"]},
        "bases": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"anyOf": [TEXT, record(chip=TEXT, base=TEXT, set=SETS)]},
        },
        "workloads": _list({"anyOf": [TEXT, _workload()]}),
        "vary": _list(_axis()),
        "exclude": {"anyOf": [SETS, _list(SETS)]},
        "sample": {"anyOf": [{"const": "grid"}, sampled]},
        "search": {"enum": list(SEARCHES)},
        "homes": {"enum": list(MODES)},
        "measures": _one_or_more(names),
        "values": _values(),
        "seed": seed,
        "repeats": _whole(1, MOST_REPEATS),
        "constraints": _one_or_more(bound),
        "objectives": _one_or_more(names),
        "objective": record(
            ("of", "by"),
            of=names,
            over={"const": "workloads"},
            by={"enum": list(RULES)},
            weights=mapping_to({"type": "number"}),
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
    return document("sweep", sections, KEYS, REQUIRED)
