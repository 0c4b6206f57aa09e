"""accelsim validate [CHIP | FOLDER ...]."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from accelsim.validation.tiers import TIERS

WIDE = 78  # of a line of progress


@click.command("validate")
@click.argument("names", nargs=-1, metavar="[CHIP|FOLDER]...")
@click.option("--tier", type=click.Choice(TIERS), help="Only figures of one tier.")
@click.option("--out", metavar="DIR", help="Write the figures and a picture to this folder.")
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(
    names: tuple[str, ...], tier: str | None, out: str | None, force: bool, as_json: bool
) -> None:
    """Hold the program against published chips: all that are shipped, some of them, or folders of your own with an
    expected.yaml (docs/validation.md)."""
    from accelsim.cli.tables import plain_table
    from accelsim.results import files
    from accelsim.validation import load_cases, outcomes, summaries
    from accelsim.validation import table as tables

    if out is not None:
        files.refuse_occupied(Path(out), force)
    cases = load_cases(names)
    found = [each for case in cases for each in outcomes(case, tier or "", _said())]
    totals = summaries(found)
    if out is not None:
        from accelsim.validation.picture import draw

        files.write_folder(
            {
                "validation.json": tables.as_json(found, totals),
                "validation.csv": tables.as_csv(found),
            },
            out,
            force,
            lambda folder: draw(found, folder / "validation.png"),
        )
    if as_json:
        click.echo(tables.as_json(found, totals).decode())
        return
    plain_table(tables.HEAD, tables.rows(found), (0, 1, 2, 6))
    click.echo("")
    plain_table(tables.TOTALS, tables.total_rows(totals), (0,))
    for line in tables.notes(found, totals):
        click.echo(line)
    if out is not None:
        click.echo(f"written to {out}")


def _said() -> Callable[[str], None] | None:
    """What is computed, on a terminal's standard error; silent elsewhere."""
    from accelsim.escaping import raw

    if not sys.stderr.isatty():
        return None

    def say(text: str) -> None:
        click.echo(f"\r{text[:WIDE]:{WIDE}}\r", raw(sys.stderr), nl=False)

    return say
