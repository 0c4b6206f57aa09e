"""accelsim format show NAME."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("format")
def command() -> None:
    """Show number formats."""


@command.command("show")
@click.argument("name", metavar="NAME|FORMAT.yaml")
@click.option("--picture", metavar="FILE.png", help="Also draw its number line.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def show_command(name: str, picture: str | None, force: bool) -> None:
    """Range, precision, special values and choices of a format; NAME or a file of one's own."""
    from accelsim.cli.new_file import refuse_picture, write_new
    from accelsim.formats import get

    if picture is not None:
        refuse_picture(Path(picture), force)
    if name.endswith((".yaml", ".yml")):
        from accelsim.config.format_file import load_format

        record = load_format(name)
    else:
        record = get(name)
    from accelsim.reports.number_line import draw, facts

    for key, value in facts(record):
        click.echo(f"{key:18s} {value}")
    if picture is not None:
        write_new(Path(picture), draw(record), force)
        click.echo(f"written to {picture}")
