"""`accelsim run CFG TOPOLOGY --reports scalesim`: SCALE-Sim's report files."""

from __future__ import annotations

import click

from accelsim.errors import InputError, Problem


def run_reports(chip: str, workload: str, gemm: bool, out: str | None, force: bool) -> None:
    """Write the three reports into ``out`` and print a line a layer."""
    from accelsim import api
    from accelsim.cli.tables import plain_table, show_unused
    from accelsim.config.scalesim_cfg import chip_of, load_cfg
    from accelsim.config.scalesim_topology import load_topology
    from accelsim.results.files import write_folder
    from accelsim.results.scalesim_reports import OWN, report_files

    problems = []
    if out is None:
        problems.append(
            Problem("reports.out", "needs a folder to write to", "add --out DIR", file="--reports")
        )
    for name, suffix in ((chip, ".cfg"), (workload, ".csv")):
        if not name.endswith(suffix):
            problems.append(
                Problem(
                    "reports.kind",
                    f"is no {suffix} file",
                    f"give SCALE-Sim's {suffix}, or leave out --reports",
                    file=name,
                )
            )
    if problems or out is None:
        raise InputError(problems)
    config = load_cfg(chip)
    made = chip_of(config, compatible=True)
    work = load_topology(workload, gemm)
    rows = api.run_compatible(made, work)
    texts = report_files(rows)
    write_folder({name: text.encode() for name, text in texts.items()}, out, force)
    plain_table(
        ["layer", "cycles", "stalls", "util %", "mapping %"],
        [
            [
                row.name,
                f"{row.cycles:,}",
                f"{row.stalls:,}",
                f"{row.overall_util:.1f}",
                f"{row.mapping:.1f}",
            ]
            for row in rows
        ],
    )
    total = sum(row.cycles for row in rows)
    click.echo(f"{work.name} on {made.name}, timed as SCALE-Sim 3.0.0 does: {total:,} cycles")
    click.echo("  not right, only comparable: leave out --reports for this program's own timing")
    click.echo(f"  from our own model, its rule is not published: {'; '.join(OWN)}")
    show_unused(made, work)
    click.echo("written to " + ", ".join(f"{out}/{name}" for name in texts))
