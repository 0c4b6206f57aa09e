"""What a store says about itself: context.json, enough to read and caption its points without the sweep."""

from __future__ import annotations

from typing import Any

from accelsim.store import SweepSpec
from accelsim.store.record import VERSION
from accelsim.sweeps.identity import Identity


def context_of(
    spec: SweepSpec,
    identity: Identity,
    sets: tuple[str, ...] = (),
    job: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of context.json. sets: --set of the sweep's own keys. job: what else the job said."""
    return {
        **_job(job),
        "format": VERSION,
        **_fields(spec, "name", "question", "answer", "source"),
        "set": list(sets),
        "model": identity.model,
        "settings": identity.settings,
        "bases": [
            {**_fields(base, "name", "source", "analog", "digest"), "set": dict(base.sets)}
            for base in spec.bases
        ],
        "works": [
            {**_fields(work, "name", "source", "batch", "digest"), **_job(work.job)}
            for work in spec.works
        ],
        "axes": [
            {
                "keys": list(axis.keys),
                "values": [list(step) for step in axis.values],
                "numbers": list(axis.numbers),
                "bases": list(axis.bases),
                "when": dict(axis.when),
            }
            for axis in spec.axes
        ],
        **_fields(spec, "sampling", "points", "seed", "repeats", "search", "homes"),
        "measures": list(spec.measures),
        "constraints": [list(bound) for bound in spec.constraints],
        "objectives": list(spec.objectives),
        "joint": None
        if spec.joint is None
        else {"of": spec.joint.of, "by": spec.joint.by, "weights": dict(spec.joint.weights)},
        "values": None
        if spec.values is None
        else {
            "input": spec.values.input,
            "images": spec.values.images,
            "ages_s": list(spec.values.ages),
            "temperatures_K": list(spec.values.temperatures),
            **_job(spec.values.job),
        },
    }


def _fields(record: object, *names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _job(job: dict[str, Any] | None) -> dict[str, Any]:
    """What else a job said, where it said anything."""
    return {"job": job} if job else {}
