"""The verbs: one plain function of a job for each command that takes one. docs/jobs.md is the guide.

    from accelsim import Job, verbs
    result = verbs.run(Job(chip="int8_edge", workload="resnet18"))

Each raises InputError with everything that is wrong with the job; what stands in a job file is named by its line
and column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelsim import api
from accelsim.chip import Chip
from accelsim.comparison import Question, side_by_side, wanted
from accelsim.config.located import located
from accelsim.config.quantities import quantities
from accelsim.errors import InputError, Problem
from accelsim.job import Job, blamed, checked, job_yaml, options, plain_job
from accelsim.job.made import Made, chips_of
from accelsim.job.record import NEEDED
from accelsim.results import comparison as sides
from accelsim.results import files
from accelsim.results.result import Result
from accelsim.sensitivities import Listing, listing_csv, listing_json
from accelsim.sensitivities import sensitivity as ranked

if TYPE_CHECKING:
    from accelsim.results.comparison import Comparison
    from accelsim.store import SweepSpec
    from accelsim.sweeps.asked import How
    from accelsim.sweeps.drive import SweepRun
    from accelsim.sweeps.summary import Summary
    from accelsim.traces import LayerRun, Trace

EXAMPLES = {
    "chip": "chip: int8_edge",
    "workload": "workload: resnet18",
    "sweep": "sweep: array_size",
    "input": "input: FILE.npz, or values: seeded",
}


def job_for(verb: str, job: Job) -> Job:
    """The job by the rules of job files and of one verb; InputError names everything that is wrong."""
    made = checked(job)
    given = plain_job(made)
    problems = [
        _at(made, name, "job.verb", f"is not of {verb}: {option.but[verb]}", "leave it out")
        for name, option in options().items()
        if name in given and verb in option.but
    ]
    problems += [
        _at(made, name, "job.missing", "is missing", f"add {EXAMPLES[name]}")
        for name in NEEDED[verb]
        if name not in given and not (name == "input" and made.values == "seeded")
    ]
    if verb not in ("compare", "sweep") and len(made.chip) > 1:
        problems.append(
            _at(made, "chip", "job.chips", f"are {len(made.chip)} chips", f"{verb} takes one")
        )
    if problems:
        raise InputError(problems)
    return made


def _at(job: Job, name: str, code: str, message: str, fix: str) -> Problem:
    first = next(iter(job.places.values()), ("", 0, 0))
    file, line, column = job.places.get(name, (first[0], 1 if first[1] else 0, 1))
    return Problem(code, message, fix, name, file, line, column)


@contextmanager
def _of(job: Job) -> Iterator[None]:
    """Problems named by their places in the job's file, else in the file that they know."""
    try:
        yield
    except InputError as error:
        raise located(blamed(job, error)) from None


def run(job: Job, progress: api.Progress | None = None, keep: bool = False) -> Result:
    """Simulate the job's workload on its chip. keep: the Result keeps every tensor's codes, for
    traces.save_trace. files.contents() gives its files, job.yaml among them."""
    job = job_for("run", job)
    with _of(job):
        return Made(job).whole(progress, keep)


def explain(job: Job, layer: str | None = None, why: str | None = None) -> str:
    """Where the cycles and joules of the job's run went, as text. layer, why: as explanation() takes them."""
    from accelsim.reports.explanation import explanation

    job = job_for("explain", job)
    with _of(job):
        return explanation(Made(job).whole(), layer, why)


def report(
    jobs: Sequence[Job], folder: str | Path, formats: Sequence[str] = ("html", "png", "svg")
) -> list[Result]:
    """Write one page with pictures of the runs of some jobs into a folder that is there, and their jobs."""
    from accelsim.reports.page import write_report

    made = [job_for("report", job) for job in jobs]
    results = []
    for job in made:
        with _of(job):
            results.append(Made(job).whole())
    write_report(results, Path(folder), formats)
    for number, job in enumerate(made, 1):
        name = files.JOB if len(made) == 1 else f"job{number}.yaml"
        (Path(folder) / name).write_text(job_yaml(job), "utf-8")
    return results


def compare(job: Job) -> Comparison:
    """The job's chips side by side on its workload; the first is the measure of the others."""
    job = job_for("compare", job)
    with _of(job):
        asked = Question(
            wanted(job.match),
            tuple(quantities(job.ages, "s", "--ages")),
            tuple(quantities(job.temperatures, "K", "--temperatures")),
            job.programmings,
        )
        made = Made(job)
        how = (made.run_on, made.read_again)
        return side_by_side(made.chips, made.workload, how, made.inputs, asked)


def compared_files(found: Comparison, job: Job) -> dict[str, bytes]:
    """comparison.json, and the job."""
    text = json.dumps(sides.to_dict(found), indent=1, sort_keys=True) + "\n"
    return {"comparison.json": text.encode(), files.JOB: job_yaml(job).encode()}


def sensitivity(job: Job) -> Listing:
    """Which layer of the job's workload costs most accuracy in few bits, or on crossbars."""
    job = job_for("sensitivity", job)
    with _of(job):
        made = Made(job)

        def run_one(chip: Chip, workload: Any, on: Mapping[str, str]) -> Result:
            return made.run(chip, workload, made.inputs, on=on)

        return ranked(made.chips[0], made.workload, run_one, job.to)


def listed_files(found: Listing, job: Job) -> dict[str, bytes]:
    """sensitivity.json, layers.csv, and the job."""
    return {
        "sensitivity.json": listing_json(found),
        "layers.csv": listing_csv(found),
        files.JOB: job_yaml(job).encode(),
    }


@dataclass(frozen=True, slots=True)
class Replayed:
    """chip, trace: of the job. rows: a layer each."""

    chip: Chip
    trace: Trace
    rows: list[LayerRun] = field(default_factory=list)


def replay(job: Job, progress: api.Progress | None = None) -> Replayed:
    """The layers of a recorded trace on the job's chip, each alone and from its own inputs."""
    from accelsim.traces import load_trace, model_evaluator
    from accelsim.traces import replay as replayed

    job = job_for("replay", job)
    with _of(job):
        chip = chips_of(job)[0]
        assert job.workload is not None
        trace = load_trace(job.workload)
        evaluate = None
        if job.model is not None:
            evaluate = model_evaluator(trace, job.model, job.dims, job.value)
        rows = replayed(
            chip, trace, job.layers, engine=job.engine, evaluate=evaluate, progress=progress
        )
        return Replayed(chip, trace, rows)


def replayed_files(found: Replayed, job: Job) -> dict[str, bytes]:
    """replay.json, layers.csv, and the job."""
    from accelsim.traces.tables import replay_csv, replay_json

    return {
        "replay.json": replay_json(found.chip, found.trace, found.rows),
        "layers.csv": replay_csv(found.rows),
        files.JOB: job_yaml(job).encode(),
    }


@dataclass(frozen=True, slots=True)
class Swept:
    """spec: the question. run: what was run now, and the store's columns. summary: of the points."""

    spec: SweepSpec
    run: SweepRun
    summary: Summary


def sweep(job: Job, how: How | None = None) -> Swept:
    """The points of the job's sweep that the store lacks. how: where and by what they are run."""
    from accelsim.sweeps import asked
    from accelsim.sweeps.summary import summarise

    job = job_for("sweep", job)
    with _of(job):
        done = asked.run_points(job, how or asked.How())
    assert done.run.columns is not None
    return Swept(done.spec, done.run, summarise(done.run.columns, done.spec, done.run.keys))
