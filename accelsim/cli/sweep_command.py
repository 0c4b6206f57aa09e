"""accelsim sweep SWEEP.yaml."""

from __future__ import annotations

import json
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from accelsim.cli.memory import memory_option

if TYPE_CHECKING:
    from accelsim.store import Point, SweepSpec
    from accelsim.sweeps.drive import SweepRun
    from accelsim.sweeps.executors import Executor
    from accelsim.sweeps.summary import Summary

MOST_POINTS = 1_000_000_000
FIRST = 5  # points that --dry-run shows


@click.command("sweep")
@click.argument("sweep")
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
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replace a key of the sweep file, like sample.random=20.",
)
@click.option("--export", metavar="FILE", help="Also write the points to a .csv or .parquet file.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option(
    "--evaluator", hidden=True, help="module:callable in place of the simulator, for tests."
)
@memory_option
def command(
    sweep: str,
    store: str | None,
    workers: int | None,
    executor: str | None,
    address: str | None,
    dry_run: bool,
    fail_fast: bool,
    fresh: bool,
    limit: int | None,
    overrides: tuple[str, ...],
    export: str | None,
    as_json: bool,
    evaluator: str | None,
) -> None:
    """Run the points of SWEEP (a file, or a name that `accelsim list` shows) that the store lacks.

    Interrupt it at any time: the same command goes on where it stopped. Several may run at once on one store
    and share the work.
    """
    from accelsim import shipped
    from accelsim.store.export import refuse_export, write_points
    from accelsim.sweeps.executors.base import EVALUATOR
    from accelsim.sweeps.summary import summarise

    path = shipped.find("sweep", sweep)
    evaluator = evaluator or EVALUATOR
    spec, folder, points = _read(path, overrides, store, limit)
    if export is not None:
        refuse_export(export)
    chosen = _executor(spec, executor, address, workers)
    if dry_run:
        _dry(spec, points, folder, chosen, evaluator)
        return
    run = _run(spec, points, folder, chosen, fresh, fail_fast, overrides, evaluator)
    assert run.columns is not None
    summary = summarise(run.columns, spec, run.keys)
    if export is not None:
        write_points(Path(folder), run.columns, export, set(run.keys))
    _say(spec, run, summary, as_json)
    if export is not None and not as_json:
        click.echo(f"points written to {export}")
    if run.stopped:
        words = [word for word in sys.argv[1:] if word != "--fresh"]
        left = len(run.keys) - run.held - run.done
        lost = f" ({run.dropped} chunks in work were dropped)" if run.dropped else ""
        click.echo(
            f"interrupted with {left:,} points to go{lost}; to go on: accelsim {' '.join(words)}",
            err=True,
        )
        sys.exit(130)


def _read(
    path: Path, overrides: tuple[str, ...], store: str | None, limit: int | None
) -> tuple[SweepSpec, str, list[Point]]:
    """The sweep, its store's folder and its points in the order to run them."""
    from accelsim.config.sweep_file import load_sweep
    from accelsim.escaping import file_stem
    from accelsim.sweeps.order import ordered
    from accelsim.sweeps.space import count, points
    from accelsim.sweeps.validate import check

    spec = load_sweep(path, overrides)
    folder = store or f"sweep_{file_stem(spec.name)}"
    if _checked(Path(folder), spec, overrides):
        count(spec)
    else:
        check(spec)
    return spec, folder, ordered(spec, islice(points(spec), limit))


def _checked(folder: Path, spec: SweepSpec, overrides: tuple[str, ...]) -> bool:
    """Whether the store was begun by the very same sweep: its chips need not be built again."""
    from accelsim.errors import InputError
    from accelsim.store.folder import SWEEP, context
    from accelsim.sweeps.context import context_of
    from accelsim.sweeps.identity import identity

    try:
        same: bool = context(folder) == json.loads(
            json.dumps(context_of(spec, identity(spec), overrides))
        )
        return same and (folder / SWEEP).read_text("utf-8") == spec.text
    except (InputError, OSError, ValueError):
        return False


def _executor(
    spec: SweepSpec, name: str | None, address: str | None, workers: int | None
) -> Executor:
    """What runs the points: options first, then the file, then all cores of this machine."""
    from accelsim.sweeps.executors import executor_named

    settings = dict(spec.execution)
    own = settings.pop("executor", "local")
    workers = workers or settings.pop("workers", None)
    settings.pop("workers", None)
    wanted = "dask" if address is not None else name or str(own)
    if wanted != own:
        settings = {}
    if address is not None:
        settings["address"] = address
    return executor_named(wanted, workers, settings)


def _run(
    spec: SweepSpec,
    points: list[Point],
    folder: str,
    executor: Executor,
    fresh: bool,
    fail_fast: bool,
    overrides: tuple[str, ...],
    evaluator: str,
) -> SweepRun:
    from accelsim import jit
    from accelsim.sweeps.drive import run_sweep
    from accelsim.sweeps.executors.base import EVALUATOR

    kept = jit.cache_folder()
    cache = None if kept is None else str(kept.parent / "parts")
    prepare = evaluator == EVALUATOR and len(points) > 50
    return run_sweep(
        spec,
        points,
        folder,
        executor,
        fresh_store=fresh,
        fail_fast=fail_fast,
        sets=overrides,
        evaluator=evaluator,
        cache_folder=cache,
        prepare_kernels=prepare,
    )


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
