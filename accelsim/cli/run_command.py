"""accelsim run CHIP WORKLOAD."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from accelsim.cli.dimensions import dims_of
from accelsim.cli.memory import memory_option
from accelsim.cli.quantisation import quantisation_options


@click.command("run")
@click.argument("chip")
@click.argument("workload")
@click.option(
    "--input",
    "input_file",
    metavar="FILE",
    help="Values of the input tensors (and labels), .npz, .npy or a picture: outputs.",
)
@quantisation_options
@click.option("--snr", is_flag=True, help="Show the signal to noise of every layer's outputs.")
@click.option("--out", metavar="DIR", help="Write results and pictures to this folder.")
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
@click.option("--batch", type=click.IntRange(1, 1 << 20), help="Images or rows at a time.")
@click.option(
    "--dim",
    "dims",
    multiple=True,
    metavar="NAME=N",
    help="Value of a symbolic dimension of an ONNX model, like batch=1.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replace a value of the chip file, like units.array.rows=64.",
)
@click.option(
    "--engine",
    default="auto",
    type=click.Choice(["auto", "plain", "compiled", "simpy"]),
    show_default=True,
    help="Timing engine; all give the same times.",
)
@click.option("--point", metavar="NAME", help="Operating point of the chip file.")
@click.option(
    "--weights",
    type=click.Choice(["cold", "resident"]),
    help="Where weights are at the start; default: what the chip file says.",
)
@click.option("--mapping", "mapping_file", metavar="FILE", help="Explicit mappings (YAML).")
@click.option(
    "--search",
    type=click.Choice(["cycles", "energy", "edp"]),
    help="Search mappings that make this small, instead of the default ones.",
)
@click.option(
    "--budget",
    default=12,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Engine runs an operator for --search.",
)
@click.option(
    "--rounding",
    default="single",
    type=click.Choice(["single", "gemmlowp", "float32"]),
    show_default=True,
    help="How sums become codes.",
)
@click.option("--gemm", is_flag=True, help="A topology .csv has M, N, K lines.")
@click.option(
    "--reports",
    type=click.Choice(["scalesim"]),
    help="Write SCALE-Sim's three reports, in its own timing, instead of ours.",
)
@click.option(
    "--no-fold", is_flag=True, help="Plan and time every one of equal layers; same figures."
)
@click.option("--throughput", is_flag=True, help="Also measure runs back to back.")
@click.option(
    "--save-trace",
    "trace_folder",
    metavar="DIR",
    help="Save the codes of every tensor to this folder, for replay.",
)
@click.option(
    "--reference",
    metavar="TRACE",
    help="Say which operator's outputs first differ from this trace of values.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@memory_option
def command(
    chip: str,
    workload: str,
    input_file: str | None,
    out: str | None,
    force: bool,
    batch: int | None,
    dims: tuple[str, ...],
    overrides: tuple[str, ...],
    engine: str,
    point: str | None,
    weights: str | None,
    mapping_file: str | None,
    search: str | None,
    budget: int,
    rounding: str,
    gemm: bool,
    reports: str | None,
    no_fold: bool,
    throughput: bool,
    trace_folder: str | None,
    reference: str | None,
    as_json: bool,
    snr: bool,
    **quantisation: Any,
) -> None:
    """Simulate WORKLOAD on CHIP (files, or names that `accelsim list` shows).

    SCALE-Sim's .cfg and topology .csv files and .onnx models are read as they are.
    An input file holds one array for each input tensor, or "images" for a single one, and
    optionally "labels"; its first dimension sets the batch when --batch does not.
    """
    from accelsim import api
    from accelsim.cli.quantisation import Quantisation
    from accelsim.results import files

    if out is not None:
        files.refuse_occupied(Path(out), force)
    if trace_folder is not None or reference is not None:
        from accelsim.cli.traced import refuse_without_values

        refuse_without_values(trace_folder, reference, input_file, reports, force)
    if reports is not None:
        from accelsim.cli.scalesim import run_reports

        run_reports(chip, workload, gemm, out, force)
        return
    asked = Quantisation(input_file, **quantisation)
    made_chip = api.load_chip(chip, overrides)
    if point is not None:
        made_chip = at_point(made_chip, point)
    made_workload = asked.applied(
        api.load_workload_for(workload, batch, asked.held, gemm, dims_of(dims))
    )
    mappings = None
    if mapping_file is not None:
        from accelsim.config.mapping_file import load_mappings

        mappings = load_mappings(mapping_file, made_chip, made_workload)
    inputs, labels = asked.inputs(made_workload)
    result = api.run(
        made_chip,
        made_workload,
        inputs,
        labels=labels,
        engine=engine,
        weights=weights,
        mappings=mappings,
        rounding=rounding,
        search=search,
        budget=budget,
        progress=progress(),
        fold=not no_fold,
        calibration=asked.calibration,
        samples=asked.samples(made_workload),
        reference_check=asked.reference_check,
        keep=trace_folder is not None or reference is not None,
    )
    if throughput:
        from accelsim.explore.throughput import steady_seconds

        result.steady_seconds = steady_seconds(result.chip, made_workload, result.plan)
    compared = None
    if reference is not None:
        from accelsim.cli.traced import compared_with

        compared = compared_with(result, reference)
    if out is not None:
        from accelsim.reports import draw

        files.save(result, out, force, draw)
    if trace_folder is not None:
        from accelsim.traces import save_trace

        save_trace(result, trace_folder, force)
    if as_json:
        whole = files.to_dict(result)
        click.echo(
            json.dumps(whole if compared is None else {**whole, "reference": compared[1]}, indent=1)
        )
    else:
        from accelsim.cli.tables import show, show_noise

        show(result)
        if snr:
            show_noise(result)
        if compared is not None:
            click.echo(compared[0])
        for folder in (out, trace_folder):
            if folder is not None:
                click.echo(f"written to {folder}")


def at_point(chip: Any, name: str) -> Any:
    from accelsim.errors import InputError, Problem

    names = [item.name for item in chip.operating_points]
    if name not in names:
        listed = ", ".join(names) or "the chip file names none"
        raise InputError(
            Problem(
                "run.point",
                f"no operating point {name!r}",
                f"write one of: {listed}",
                file="--point",
            )
        )
    return chip.at(name)


def progress() -> Any:
    """Progress on a terminal's standard error; silent elsewhere."""
    from accelsim.escaping import raw

    if not sys.stderr.isatty():
        return None

    def show(stage: str, done: int, total: int) -> None:
        end = "\n" if done == total else ""
        click.echo(f"\r{stage}: {done} of {total} operators", raw(sys.stderr), nl=False)
        if end:
            click.echo("", err=True)

    return show
