"""accelsim reproduce CLAIM."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command("reproduce")
@click.argument("claim", metavar="CLAIM")
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0, 1 << 31), help="Of all noise."
)
@click.option("--out", metavar="DIR", help="Write figures and pictures to this folder.")
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(claim: str, seed: int, out: str | None, force: bool, as_json: bool) -> None:
    """Compute a published CLAIM.

    \b
    PCM:      levels, multiplication, energy33, digits-three
    numbers:  swamping, chunked-inference, stochastic-update, limited-precision
    chips:    area, int4-inference, memory

    Prints the claim, what came out, assumptions, tolerance and what it does not show.
    """
    from accelsim.claims import CLAIMS, reproduce
    from accelsim.cli.tables import plain_table
    from accelsim.errors import InputError, Problem
    from accelsim.results import files

    name = claim.replace("-", "_")
    if name not in CLAIMS:
        listed = ", ".join(key.replace("_", "-") for key in CLAIMS)
        raise InputError(
            Problem(
                "reproduce.claim",
                f"there is no claim {claim!r}",
                f"write one of: {listed}",
                file="reproduce",
            )
        )
    if out is not None:
        files.refuse_occupied(Path(out), force)
    found = reproduce(name, seed)
    plain = {
        "claim": found.claim,
        "verdict": found.verdict,
        "seed": seed,
        "figures": found.figures,
        "assumptions": found.assumptions,
        "tolerance": found.tolerance,
        "not_shown": found.not_shown,
    }
    if out is not None:
        text = json.dumps(plain, indent=1) + "\n"
        files.write_folder({f"{name}.json": text.encode()}, out, force, found.draw)
    if as_json:
        click.echo(json.dumps(plain, indent=1))
        return
    click.echo(f"claim: {found.claim}")
    for table in found.tables:
        click.echo(f"\n{table.title}")
        plain_table(table.head, table.rows)
    click.echo(f"\ncomputed: {found.verdict}")
    click.echo(f"tolerance: {found.tolerance}")
    for line in found.assumptions:
        click.echo(f"  assumes: {line}")
    for line in found.not_shown:
        click.echo(f"  does not show: {line}")
    if out is not None:
        click.echo(f"written to {out}")
