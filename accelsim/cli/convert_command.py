"""accelsim convert FILE OUT."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("convert")
@click.argument("source", metavar="FILE")
@click.argument("out", metavar="OUT.yaml")
@click.option("--gemm", is_flag=True, help="A topology .csv has M, N, K lines.")
@click.option(
    "--dim",
    "dims",
    multiple=True,
    metavar="NAME=N",
    help="Value of a dimension of an ONNX or ONNXim model, like batch=1.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(source: str, out: str, gemm: bool, dims: tuple[str, ...], force: bool) -> None:
    """Convert another program's FILE into a chip file or a layer trace.

    SCALE-Sim's .cfg, and every kind of file that an importer reads (docs/adding_an_importer.md). Prints what
    was assumed and what was dropped.
    """
    from accelsim.cli.dimensions import dims_of
    from accelsim.cli.new_file import refuse_source, write_new
    from accelsim.config.writer import chip_yaml, workload_yaml
    from accelsim.errors import InputError, Problem
    from accelsim.importers.library import library

    refuse_source(Path(out), Path(source))
    note = f"Converted from {Path(source).name}."
    if source.endswith(".cfg"):
        from accelsim.config.scalesim_cfg import ASSUMED, chip_of, load_cfg

        chip = chip_of(load_cfg(source), compatible=False)
        text, unused = chip_yaml(chip, f"{note}\nAssumed: {ASSUMED}."), chip.notes["unused"]
    elif (importer := library().foreign(Path(source))) is not None:
        from accelsim.api import load_workload

        work = load_workload(source, None, gemm, dims_of(dims))
        assumed = [f"assumed: {text}" for text in work.notes.get("assumed", ())]
        text, unused = (
            workload_yaml(work, "\n".join([note, *assumed])),
            work.notes.get("unused", importer.dropped),
        )
        for line in assumed:
            click.echo(f"  {line}")
    else:
        raise InputError(
            Problem(
                "convert.kind",
                "is neither a .cfg nor a .csv file, nor another known one",
                "give one of: " + _convertible(),
                file=source,
            )
        )
    write_new(Path(out), text, force)
    for line in unused:
        click.echo(f"  not used: {line}")
    click.echo(f"written to {out}")


def _convertible() -> str:
    from accelsim.importers.library import OWN, library

    known = {name: one for name, one in library().importers.items() if name != OWN}
    return ", ".join(f"{one.name} ({' '.join(one.suffixes)})" for one in known.values())
