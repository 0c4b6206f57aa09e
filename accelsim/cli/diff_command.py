"""accelsim diff RUN_A RUN_B."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from accelsim.results.result import Result

PARTS = ("by_count", "by_constant")


@click.command("diff")
@click.argument("run_a", metavar="RUN_A")
@click.argument("run_b", metavar="RUN_B")
@click.option(
    "--terms",
    default=12,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="Terms shown; the rest is added up in one line.",
)
@click.option("--out", metavar="DIR", help="Write all terms as CSV and the waterfall as pictures.")
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
def command(run_a: str, run_b: str, terms: int, out: str | None, force: bool) -> None:
    """Say what changed from RUN_A to RUN_B, in terms that add up exactly.

    Each is a folder that `accelsim run --out` wrote, or a job file, which is run.
    """
    from pathlib import Path

    from accelsim.results import files

    if out is not None:
        files.refuse_source(Path(out), (run_a, run_b))
        files.refuse_occupied(Path(out), force)
    a, b = _run(run_a), _run(run_b)
    for letter, run in (("A", a), ("B", b)):
        click.echo(f"{letter}: {run.workload.name} on {run.chip.name} ({run.folder})")
    _keys(a, b)
    _cycles(a, b, terms)
    _joules(a, b, terms)
    _commands(a, b)
    if out is not None:
        from accelsim.reports.waterfall import draw_waterfall, waterfall_csv

        files.write_folder(
            waterfall_csv(a, b), out, force, lambda folder: draw_waterfall(a, b, folder)
        )
        click.echo(f"written to {out}")


def _run(place: str) -> Result:
    """A saved run, or that of a job file."""
    if not os.path.isfile(place):
        from accelsim.results.load import load_run

        return load_run(place)
    from accelsim import verbs
    from accelsim.job import load_job

    result = verbs.run(load_job(place))
    result.folder = place
    return result


def _keys(a: Result, b: Result) -> None:
    """Keys of the chip files that differ: what the rest follows from."""
    from accelsim.results.difference import changed_keys

    found = changed_keys(a.chip, b.chip)
    click.echo(
        "\nthe chips have equal keys"
        if not found
        else f"\nkeys of the chip that differ: {len(found)}"
    )
    for key, before, after in found:
        click.echo(f"  {key}: {before} -> {after}")


def _cycles(a: Result, b: Result, terms: int) -> None:
    from accelsim.cli.tables import plain_table
    from accelsim.results.difference import cycle_terms

    clocks = [run.chip.clocks[run.chip.core.clock] for run in (a, b)]
    click.echo(
        f"\ncycles {a.cycles:,} -> {b.cycles:,}: {b.cycles - a.cycles:+,}"
        + (
            f" (at {clocks[0] / 1e6:g} and {clocks[1] / 1e6:g} MHz; time "
            f"{a.seconds * 1e3:.4g} -> {b.seconds * 1e3:.4g} ms)"
            if clocks[0] != clocks[1]
            else f" ({_percent(b.cycles, a.cycles)})"
        )
    )
    found = cycle_terms(a, b)
    rows = [[term.operator, term.cause, f"{term.change:+,}"] for term in found[:terms]]
    if len(found) > terms:
        rows.append(
            [f"{len(found) - terms} others", "", f"{sum(term.change for term in found[terms:]):+,}"]
        )
    rows.append(["sum", "", f"{sum(term.change for term in found):+,}"])
    plain_table(["operator", "the array", "change of cycles added"], rows, left=(0, 1))


def _joules(a: Result, b: Result, terms: int) -> None:
    from accelsim.cli.tables import plain_table
    from accelsim.results.difference import exact_joules, joule_terms, moved_constants
    from accelsim.results.rounding import apportioned, decimals_of, text_of

    totals = [1_000_000 * exact_joules(run) for run in (a, b)]
    decimals = max(4, decimals_of(float(max(totals))))
    before, after = (apportioned([total], decimals)[0] for total in totals)
    click.echo(
        f"\nuJ {text_of(before, decimals)} -> {text_of(after, decimals)}: "
        f"{text_of(after - before, decimals, True)} ({_percent(totals[1], totals[0])})"
    )
    found = joule_terms(a, b)
    names = [[term.operator, f"{term.unit} {term.action}"] for term in found[:terms]]
    cells = [x for term in found[:terms] for x in (term.by_count, term.by_constant)]
    if len(found) > terms:
        names.append([f"{len(found) - terms} others", ""])
        cells += [sum((getattr(term, key) for term in found[terms:]), Fraction(0)) for key in PARTS]
    parts = apportioned([1_000_000 * x for x in cells], decimals, after - before)
    pairs = list(zip(parts[::2], parts[1::2], strict=True))
    pairs.append((sum(parts[::2], Fraction(0)), sum(parts[1::2], Fraction(0))))
    rows = [
        [*name, *(text_of(x, decimals, True) for x in (counted + priced, counted, priced))]
        for name, (counted, priced) in zip([*names, ["sum", ""]], pairs, strict=True)
    ]
    plain_table(["operator", "action", "change uJ", "by count", "by constant"], rows, left=(0, 1))
    for item in moved_constants(a, b):
        click.echo(
            f"  constant of {item.unit} {item.action}: {item.before * 1e12:.4g} -> "
            f"{item.after * 1e12:.4g} pJ ({item.source_before}"
            + (
                f" -> {item.source_after})"
                if item.source_before != item.source_after
                else ", scaled)"
            )
        )


def _commands(a: Result, b: Result) -> None:
    from accelsim.results.difference import command_text, first_difference

    row = first_difference(a.program, b.program)
    if row is None:
        click.echo(f"\nthe same {len(a.program):,} commands")
        return
    click.echo(f"\nthe first command that differs, of {len(a.program):,} and {len(b.program):,}")
    click.echo(f"  A: {command_text(a.program, row)}")
    click.echo(f"  B: {command_text(b.program, row)}")


def _percent(after: Fraction | int, before: Fraction | int) -> str:
    return f"{float(Fraction(after, before) - 1):+.1%}" if before else "from nothing"
