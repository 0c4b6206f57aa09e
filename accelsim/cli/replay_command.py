"""accelsim replay CHIP TRACE."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from accelsim.cli.memory import memory_option

if TYPE_CHECKING:
    from accelsim.chip import Chip
    from accelsim.traces import LayerRun, Trace


@click.command("replay")
@click.argument("chip")
@click.argument("trace")
@click.option(
    "--layer",
    "layers",
    multiple=True,
    metavar="NAME",
    help="A layer, or a pattern like 'conv*'; default: all.",
)
@click.option(
    "--model",
    metavar="FILE.onnx",
    help="The model that the trace was recorded of, for operators that only it says.",
)
@click.option(
    "--dim", "dims", multiple=True, metavar="NAME=N", help="A symbolic dimension of --model."
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Replace a value of the chip file, like units.array.rows=64.",
)
@click.option("--point", metavar="NAME", help="Operating point of the chip file.")
@click.option(
    "--weights",
    type=click.Choice(["cold", "resident"]),
    help="Where weights are at the start; default: what the chip file says.",
)
@click.option(
    "--engine",
    default="auto",
    type=click.Choice(["auto", "plain", "compiled", "simpy"]),
    show_default=True,
    help="Timing engine; all give the same times.",
)
@click.option("--out", metavar="DIR", help="Write replay.json and layers.csv to this folder.")
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@memory_option
def command(
    chip: str,
    trace: str,
    layers: tuple[str, ...],
    model: str | None,
    dims: tuple[str, ...],
    overrides: tuple[str, ...],
    point: str | None,
    weights: str | None,
    engine: str,
    out: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Run the layers of TRACE on CHIP, each alone and from its own recorded inputs.

    TRACE is a folder that `accelsim run --save-trace` wrote, or a layer trace of yours with recorded
    values. Outputs are held against the recorded ones: code for code where the chip has their
    formats, as signal to noise elsewhere.
    """
    from accelsim import api
    from accelsim.cli.dimensions import dims_of
    from accelsim.cli.run_command import at_point, progress
    from accelsim.results.files import refuse_occupied, write_folder
    from accelsim.traces import load_trace, model_evaluator, replay

    if out is not None:
        refuse_occupied(Path(out), force)
    made = api.load_chip(chip, overrides)
    if point is not None:
        made = at_point(made, point)
    loaded = load_trace(trace)
    evaluate = None if model is None else model_evaluator(loaded, model, dims_of(dims))
    rows = replay(
        made, loaded, layers, weights=weights, engine=engine, evaluate=evaluate, progress=progress()
    )
    whole = json.dumps(_plain(made, loaded, rows), indent=1) + "\n"
    if out is not None:
        write_folder({"replay.json": whole.encode(), "layers.csv": _csv(rows)}, out, force)
    if as_json:
        click.echo(whole, nl=False)
        return
    _show(made, loaded, rows)
    if out is not None:
        click.echo(f"written to {out}")


def _show(chip: Chip, trace: Trace, rows: list[LayerRun]) -> None:
    from accelsim.cli.tables import plain_table

    lines = [
        [
            row.name,
            row.kind,
            f"{row.cycles:,}",
            f"{100 * row.utilisation:.1f}" if row.macs else "-",
            f"{row.joules['chip'] * 1e6:,.4g}",
            row.difference.said() if row.difference else row.note,
        ]
        for row in rows
    ]
    plain_table(["layer", "kind", "cycles", "util %", "uJ", "against the record"], lines, (0, 1, 5))
    made_on = trace.recorded.chip.get("name")
    click.echo(
        f"{trace.workload.name}{f' recorded on {made_on}' if made_on else ''}, replayed on {chip.name}: "
        f"{len(rows)} layers, each alone; together {sum(row.cycles for row in rows):,} cycles, "
        f"{1e6 * sum(row.joules['chip'] for row in rows):,.4g} uJ"
    )
    known = [row for row in rows if row.difference is not None]
    apart = [row for row in known if row.difference is not None and not row.difference.equal]
    if apart and apart[0].difference is not None:
        click.echo(
            f"{len(apart)} of {len(known)} differ; first that differs: {apart[0].name}: "
            f"{apart[0].difference.said()}"
        )
    elif known:
        click.echo(f"equal to the record: {len(known)} of {len(known)}")
    if len(known) < len(rows):
        click.echo(f"without values: {len(rows) - len(known)}")


def _plain(chip: Chip, trace: Trace, rows: list[LayerRun]) -> dict[str, Any]:
    from accelsim import __version__
    from accelsim.cli.traced import plain

    first = next((row.name for row in rows if row.difference and not row.difference.equal), None)
    return {
        "accelsim": __version__,
        "chip": {"name": chip.name, "digest": chip.digest},
        "trace": {"workload": trace.workload.name, "recorded_on": trace.recorded.chip},
        "first_that_differs": first,
        "layers": [
            {
                "name": row.name,
                "kind": row.kind,
                "macs": row.macs,
                "cycles": row.cycles,
                "seconds": row.seconds,
                "utilisation": row.utilisation,
                "energy_joules": row.joules,
                "against_the_record": plain(row.difference) if row.difference else row.note,
            }
            for row in rows
        ],
    }


def _csv(rows: list[LayerRun]) -> bytes:
    import io

    from accelsim.escaping import CsvWriter

    text = io.StringIO()
    lines: list[list[Any]] = [
        [
            "layer",
            "kind",
            "macs",
            "cycles",
            "seconds",
            "utilisation",
            "device_joules",
            "core_joules",
            "chip_joules",
            "outputs",
            "differing",
            "largest",
            "largest_codes",
            "signal_to_noise_db",
            "note",
        ]
    ]
    for row in rows:
        d = row.difference
        apart = (
            ["", "", "", "", ""]
            if d is None
            else [
                d.elements,
                d.differing,
                repr(d.largest),
                "" if d.largest_codes is None else d.largest_codes,
                f"{d.noise_db:.4f}",
            ]
        )
        lines.append(
            [
                row.name,
                row.kind,
                row.macs,
                row.cycles,
                repr(row.seconds),
                repr(row.utilisation),
                *(repr(row.joules[name]) for name in ("device", "core", "chip")),
                *apart,
                row.note,
            ]
        )
    CsvWriter(text).writerows(lines)
    return text.getvalue().encode()
