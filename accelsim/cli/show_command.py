"""accelsim show chip CHIP."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("show")
def command() -> None:
    """Show what a file describes."""


@command.command("chip")
@click.argument("name", metavar="CHIP|FILE.yaml")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change one value.")
@click.option("--picture", metavar="FILE.png", help="Also draw it.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def chip_command(name: str, sets: tuple[str, ...], picture: str | None, force: bool) -> None:
    """Memories, links and units of a chip, how often each stands, how wide it is and what it is joined to."""
    from accelsim.api import load_chip
    from accelsim.cli.new_file import refuse_picture, refuse_source, write_new
    from accelsim.cli.tables import plain_table
    from accelsim.reports.chip_picture import draw, rows, summary

    if picture is not None:
        refuse_picture(Path(picture), force)
    chip = load_chip(name, list(sets))
    plain_table(["name", "kind", "times", "what", "joined to"], rows(chip), (0, 1, 3, 4))
    click.echo(summary(chip))
    if picture is not None:
        refuse_source(Path(picture), Path(chip.source))
        write_new(Path(picture), draw(chip), force)
        click.echo(f"written to {picture}")
