"""accelsim sweep SWEEP.yaml."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import click

from accelsim.cli.job_options import SWEEP, collected, job_options
from accelsim.cli.memory import memory_option

if TYPE_CHECKING:
    from accelsim.job import Job
    from accelsim.store import Point, SweepSpec
    from accelsim.sweeps.drive import SweepRun
    from accelsim.sweeps.executors import Executor
    from accelsim.sweeps.summary import Summary

MOST_POINTS = 1_000_000_000
FIRST = 5  # points that --dry-run shows


class HowOptions(TypedDict):
    """The options that are fields of sweeps.asked.How."""

    store: str | None
    workers: int | None
    executor: str | None
    address: str | None
    fail_fast: bool
    fresh: bool
    limit: int | None
    evaluator: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What is done with the points, beside running them."""

    dry_run: bool
    export: str | None
    as_json: bool


@click.command("sweep")
@job_options("sweep", SWEEP)
@click.option("--store", metavar="DIR", help="Keep the points here; default: sweep_NAME.")
@click.option(
    "--workers", type=click.IntRange(1, 100_000), help="Worker processes; default: all cores."
)
@click.option(
    "--executor",
    metavar="NAME",
    help="serial, local, dask, slurm, lsf, pbs, kubernetes, or "
    "one of an installed package; default: what the file says, else local.",
)
@click.option(
    "--dask", "address", metavar="ADDRESS", help="Run on the Dask cluster of this scheduler."
)
@click.option(
    "--dry-run", is_flag=True, help="Say how many points, about how long, and the first few."
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first point that fails.")
@click.option("--fresh", is_flag=True, help="Take away the points that the store holds.")
@click.option(
    "--limit", type=click.IntRange(1, MOST_POINTS), metavar="N", help="Only the first N points."
)
@click.option("--export", metavar="FILE", help="Also write the points to a .csv or .parquet file.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option(
    "--evaluator",
    hidden=True,
    default="accelsim.sweeps.evaluate:Evaluator",
    help="module:callable in place of the simulator, for tests.",
)
@memory_option
@collected("asked", Asked)
def command(job: Job, asked: Asked, **how: Unpack[HowOptions]) -> None:
    """Run the points of SWEEP (a file, or a name that `accelsim list` shows) that the store lacks.

    What a job says (dimensions, bits, inputs, calibration) is of every workload of the file that says nothing
    else itself. Interrupt it at any time: the same command goes on where it stopped. Several may run at once
    on one store and share the work.
    """
    from accelsim import verbs
    from accelsim.store.export import refuse_export, write_points
    from accelsim.sweeps.asked import How, asked_of

    made = How(**how)
    if asked.export is not None:
        refuse_export(asked.export)
    if asked.dry_run:
        one = asked_of(verbs.job_for("sweep", job), made)
        _dry(one.spec, one.points, one.folder, one.executor, made.evaluator)
        return
    done = verbs.sweep(job, made)
    spec, run = done.spec, done.run
    if asked.export is not None:
        assert run.columns is not None
        write_points(run.folder, run.columns, asked.export, set(run.keys))
    _say(spec, run, done.summary, asked.as_json)
    if asked.export is not None and not asked.as_json:
        click.echo(f"points written to {asked.export}")
    if run.stopped:
        words = [word for word in sys.argv[1:] if word != "--fresh"]
        left = len(run.keys) - run.held - run.done
        lost = f" ({run.dropped} chunks in work were dropped)" if run.dropped else ""
        click.echo(
            f"interrupted with {left:,} points to go{lost}; to go on: accelsim {' '.join(words)}",
            err=True,
        )
        sys.exit(130)


def _dry(
    spec: SweepSpec, points: list[Point], folder: str, executor: Executor, evaluator: str
) -> None:
    """What would be run."""
    from accelsim.errors import InputError
    from accelsim.store.folder import context
    from accelsim.store.view import index
    from accelsim.sweeps.drive import label
    from accelsim.sweeps.estimate import estimate
    from accelsim.sweeps.executors.local import cores
    from accelsim.sweeps.identity import identity
    from accelsim.sweeps.progress import duration

    known = identity(spec)
    try:
        context(Path(folder))
        held = index(Path(folder)).settled()
    except InputError:
        held = set()
    left = [point for point in points if known.key(point) not in held]
    bases, works = (", ".join(item.name for item in items) for items in (spec.bases, spec.works))
    click.echo(
        f"{spec.name}: {len(points):,} points of {bases} on {works}; {len(points) - len(left):,} are "
        f"in {folder}"
    )
    if left:
        workers = 1 if executor.name == "serial" else executor.workers or cores()
        found = estimate(spec, left, workers, evaluator)
        click.echo(
            f"about {duration(found.total)} with {workers} workers, from {found.tried} points that were "
            f"run: {found.point_seconds * 1e3:.3g} ms of CPU a point"
        )
    for point in left[:FIRST]:
        click.echo(f"  {label(point)}")
    if len(left) > FIRST:
        click.echo(f"  and {len(left) - FIRST:,} more")


def _joint_rows(spec: SweepSpec, summary: Summary, against: str) -> list[list[str]]:
    """Lines of the joint objective."""
    from accelsim.store.joint import TEXTS

    assert spec.joint is not None
    rule, found = TEXTS[spec.joint.by], summary.joint
    if found is None:
        return [
            [
                f"best {rule} of {spec.joint.of.removeprefix('-')}",
                "-",
                "no design has every workload",
            ]
        ]
    values = ", ".join(f"{name} {value:.5g}" for name, value in found.values.items())
    return [
        [f"best {rule} of {found.measure}", f"{found.value:.5g}", f"{found.design} ({values})"],
        [f"Pareto front, {rule}", f"{len(found.front):,}", f"{against}, over all workloads"],
    ]


def _say(spec: SweepSpec, run: SweepRun, summary: Summary, as_json: bool) -> None:
    for note in run.notes:
        click.echo(f"note: {note}", err=True)
    if as_json:
        plain: dict[str, Any] = {
            "name": spec.name,
            "store": str(run.folder),
            "total": len(run.keys),
            "held": run.held,
            "run": run.done,
            "stopped": run.stopped,
            "seconds": run.seconds,
            **summary.plain(),
        }
        click.echo(json.dumps(plain, indent=1))
        return
    from accelsim.cli.tables import plain_table
    from accelsim.sweeps.progress import duration

    rows = [
        [
            "points",
            f"{len(run.keys):,}",
            f"{run.held:,} from the store, {run.done:,} run in {duration(run.seconds)}",
        ],
        ["measured", f"{summary.measured:,}", ""],
        ["not fitting", f"{summary.misfits:,}", ""],
        [
            "failed",
            f"{summary.failed:,}",
            ", ".join(f"{code} {count:,}" for code, count in summary.failures.items()),
        ],
    ]
    if spec.constraints:
        rows.append(["within constraints", f"{summary.allowed:,}", ""])
    rows += [
        [f"best {best.measure} on {best.workload}", f"{best.value:.5g}", best.point]
        for best in summary.best
    ]
    against = " against ".join(name.removeprefix("-") for name in spec.objectives)
    rows += [
        [f"Pareto front on {work}", f"{len(keys):,}", against]
        for work, keys in summary.fronts.items()
    ]
    if spec.joint is not None:
        rows += _joint_rows(spec, summary, against)
    plain_table([spec.name, "", ""], rows, (0, 2))
    click.echo(f"kept in {run.folder}; to draw it: accelsim report {run.folder}")
