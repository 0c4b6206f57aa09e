"""Points of a store run again whole, for pictures that need a Timeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from accelsim import api
from accelsim.config.overrides import node_of
from accelsim.config.sweep_overrides import override_sweep
from accelsim.config.yaml_source import Place
from accelsim.errors import InputError
from accelsim.job import job_of
from accelsim.results.result import Result
from accelsim.store import Point
from accelsim.store.folder import SWEEP
from accelsim.sweeps.evaluate import Evaluator, homes_of
from accelsim.sweeps.file import SweepReader
from accelsim.sweeps.identity import identity
from accelsim.sweeps.shared import with_job

Rerun = Callable[[Point], Result]


def rerun_of(folder: Path, asked: dict[str, Any]) -> tuple[Rerun | None, str]:
    """(what runs a point of the store as `accelsim run` would, "") or (None, why that is not
    possible): the sweep cannot be read any more, or a chip or workload is no longer what it was. asked:
    the store's context."""
    try:
        text = (folder / SWEEP).read_text(encoding="utf-8")
        reader = SweepReader(text, str(asked["source"]))
        reader.root = override_sweep(reader.root, tuple(asked.get("set", ())))
        asked_job = job_of(node_of(dict(asked.get("job", {})), Place("")))
        reader.root = with_job(reader.root, asked_job)
        spec = reader.read()
    except (OSError, UnicodeDecodeError, InputError) as error:
        return None, f"the sweep cannot be read again: {str(error).splitlines()[0]}"
    for part, items in (("bases", spec.bases), ("works", spec.works)):
        old = {item["name"]: item["digest"] for item in asked[part]}
        changed = [item.name for item in items if old.get(item.name) != item.digest]
        if changed:
            return None, f"{', '.join(changed)} changed since the sweep"
    if identity(spec).model != asked["model"]:
        return None, f"the points are of accelsim {asked['model']}, this is {identity(spec).model}"
    evaluator = Evaluator(spec)

    def rerun(point: Point) -> Result:
        chip, own = evaluator.chip(point)
        work = evaluator.works[point.work]
        workload = evaluator.workload(work, own)[0]
        return api.run(chip, workload, search=point.search, homes=homes_of(point))

    return rerun, ""
