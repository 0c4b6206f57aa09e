"""accelsim convert FILE OUT."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("convert")
@click.argument("source", metavar="FILE")
@click.argument("out", metavar="OUT.yaml")
@click.option("--gemm", is_flag=True, help="A topology .csv has M, N, K lines.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(source: str, out: str, gemm: bool, force: bool) -> None:
    """Convert SCALE-Sim's .cfg or topology .csv FILE into a chip file or a layer trace."""
    from accelsim.cli.new_file import write_new
    from accelsim.config.writer import chip_yaml, workload_yaml
    from accelsim.errors import InputError, Problem

    note = f"Converted from {Path(source).name}."
    if source.endswith(".cfg"):
        from accelsim.config.scalesim_cfg import ASSUMED, chip_of, load_cfg

        chip = chip_of(load_cfg(source), compatible=False)
        text, unused = chip_yaml(chip, f"{note}\nAssumed: {ASSUMED}."), chip.notes["unused"]
    elif source.endswith(".csv"):
        from accelsim.config.scalesim_topology import load_topology

        work = load_topology(source, gemm)
        text, unused = workload_yaml(work, note), work.notes["unused"]
    else:
        raise InputError(Problem("convert.kind", "is neither a .cfg nor a .csv file",
                                 "give SCALE-Sim's .cfg or topology .csv", file=source))  # fmt: skip
    write_new(Path(out), text, force)
    for line in unused:
        click.echo(f"  not used: {line}")
    click.echo(f"written to {out}")
