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
        **({"job": job} if job else {}),
        "format": VERSION,
        "name": spec.name,
        "question": spec.question,
        "answer": spec.answer,
        "source": spec.source,
        "set": list(sets),
        "model": identity.model,
        "settings": identity.settings,
        "bases": [
            {
                "name": base.name,
                "source": base.source,
                "analog": base.analog,
                "digest": base.digest,
                "set": dict(base.sets),
            }
            for base in spec.bases
        ],
        "works": [
            {
                "name": work.name,
                "source": work.source,
                "batch": work.batch,
                "digest": work.digest,
                **({"job": work.job} if work.job else {}),
            }
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
        "sampling": spec.sampling,
        "points": spec.points,
        "seed": spec.seed,
        "repeats": spec.repeats,
        "search": spec.search,
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
            **({"job": spec.values.job} if spec.values.job else {}),
        },
    }
