"""accelsim sensitivity CHIP WORKLOAD."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from accelsim.cli.dimensions import dims_of
from accelsim.cli.memory import memory_option
from accelsim.cli.quantisation import quantisation_options
from accelsim.escaping import CsvWriter

if TYPE_CHECKING:
    from accelsim.sensitivities import Line


@click.command("sensitivity")
@click.argument("chip")
@click.argument("workload")
@click.option(
    "--input",
    "input_file",
    metavar="FILE",
    required=True,
    help="Values of the input tensors (and labels), .npz, .npy or a picture.",
)
@click.option(
    "--to",
    "narrow",
    default=4,
    show_default=True,
    type=click.IntRange(2, 8),
    help="Bits of the layer in question.",
)
@quantisation_options
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
    help="Replace a value of the chip file, like precision.weight=int8.",
)
@click.option("--out", metavar="DIR", help="Write sensitivity.json and layers.csv to this folder.")
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
@click.option("--json", "as_json", is_flag=True, help="Print the listing as JSON.")
@memory_option
def command(
    chip: str,
    workload: str,
    input_file: str,
    narrow: int,
    batch: int | None,
    dims: tuple[str, ...],
    overrides: tuple[str, ...],
    out: str | None,
    force: bool,
    as_json: bool,
    **quantisation: Any,
) -> None:
    """Say which layer of WORKLOAD costs most accuracy in few bits on CHIP.

    One layer at a time has --to bits, the others what the chip (or --bits, --edges) says. The worst stands
    first: by top-1 where the inputs have labels, by signal to noise at the output elsewhere.
    """
    from accelsim import api
    from accelsim.cli.quantisation import Quantisation
    from accelsim.results.files import refuse_occupied, write_folder
    from accelsim.sensitivities import sensitivity

    if out is not None:
        refuse_occupied(Path(out), force)
    asked = Quantisation(input_file, **quantisation)
    work = asked.applied(api.load_workload_for(workload, batch, asked.held, dims=dims_of(dims)))
    inputs, labels = asked.inputs(work)
    made = api.load_chip(chip, overrides)
    said: list[str] = []
    lines, real = sensitivity(
        made,
        work,
        inputs,
        labels,
        narrow,
        asked.calibration,
        asked.samples(work),
        reference_check=asked.reference_check,
        said=said,
    )
    whole = (
        json.dumps(
            {
                "chip": made.name,
                "workload": work.name,
                "bits": narrow,
                "top1_float": real,
                "lines": [_plain(line) for line in lines],
            },
            indent=1,
        )
        + "\n"
    )
    if out is not None:
        write_folder({"sensitivity.json": whole.encode(), "layers.csv": _csv(lines)}, out, force)
    if as_json:
        click.echo(whole, nl=False)
        return
    _show(lines, real, narrow)
    for line in said:
        click.echo(line)
    if out is not None:
        click.echo(f"written to {out}")


def _show(lines: list[Line], real: float | None, bits: int) -> None:
    from accelsim.cli.tables import plain_table

    rows = [
        [
            _named(line),
            line.kind or "-",
            f"{line.parameters:,}",
            line.narrow,
            "-" if line.top1 is None else f"{100 * line.top1:.2f}",
            f"{line.snr_db:.1f}",
            "-" if line.layer_snr_db is None else f"{line.layer_snr_db:.1f}",
        ]
        for line in lines
    ]
    head = [
        f"in {bits} bits",
        "kind",
        "weights",
        "narrow",
        "top-1 %",
        "output SNR dB",
        "own SNR dB",
    ]
    plain_table(head, rows, (0, 1, 3))
    if real is not None:
        click.echo(f"float: top-1 {100 * real:.2f} %")


def _named(line: Line) -> str:
    return {"": "no layer", "*": "every layer"}.get(line.layer, line.layer)


def _plain(line: Line) -> dict[str, Any]:
    """A line for JSON, which has no infinity: exact outputs have null."""
    return {
        key: None if isinstance(value, float) and math.isinf(value) else value
        for key, value in asdict(line).items()
    }


def _csv(lines: list[Line]) -> bytes:
    import io

    text = io.StringIO()
    writer = CsvWriter(text)
    columns = list(asdict(lines[0]))
    writer.writerow(columns)
    writer.writerows([line[column] for column in columns] for line in map(asdict, lines))
    return text.getvalue().encode()
