"""accelsim diff RUN_A RUN_B."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from accelsim.results.result import Result

JOULES = ("change", "by_count", "by_constant")


@click.command("diff")
@click.argument("run_a", metavar="RUN_A")
@click.argument("run_b", metavar="RUN_B")
@click.option("--terms", default=12, show_default=True, type=click.IntRange(1, 10_000),
              help="Terms shown; the rest is added up in one line.")  # fmt: skip
@click.option("--out", metavar="DIR", help="Write all terms as CSV and the waterfall as pictures.")
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
def command(run_a: str, run_b: str, terms: int, out: str | None, force: bool) -> None:
    """Say what changed from RUN_A to RUN_B, in terms that add up exactly.

    Both are folders that `accelsim run --out` wrote.
    """
    from pathlib import Path

    from accelsim.results import files
    from accelsim.results.load import load_run

    if out is not None:
        files.refuse_source(Path(out), (run_a, run_b))
        files.refuse_occupied(Path(out), force)
    a, b = load_run(run_a), load_run(run_b)
    for letter, run in (("A", a), ("B", b)):
        click.echo(f"{letter}: {run.workload.name} on {run.chip.name} ({run.folder})")
    _cycles(a, b, terms)
    _joules(a, b, terms)
    _commands(a, b)
    if out is not None:
        from accelsim.report.waterfall import draw_waterfall, waterfall_csv

        files.write_folder(waterfall_csv(a, b), out, force, lambda folder: draw_waterfall(a, b, folder))
        click.echo(f"written to {out}")


def _cycles(a: Result, b: Result, terms: int) -> None:
    from accelsim.cli.tables import plain_table
    from accelsim.results.difference import cycle_terms, exact_cycles

    before, after = exact_cycles(a), exact_cycles(b)
    clocks = [run.chip.clocks[run.chip.core.clock] for run in (a, b)]
    click.echo(f"\ncycles {_number(before)} -> {_number(after)}: {_signed(after - before)}"
               + (f" (at {clocks[0] / 1e6:g} and {clocks[1] / 1e6:g} MHz; time "
                  f"{a.seconds * 1e3:.4g} -> {b.seconds * 1e3:.4g} ms)" if clocks[0] != clocks[1]
                  else f" ({_percent(after, before)})"))  # fmt: skip
    found = cycle_terms(a, b)
    rows = [[term.operator, term.cause, _signed(term.change)] for term in found[:terms]]
    rest = sum((term.change for term in found[terms:]), Fraction(0))
    if len(found) > terms:
        rows.append([f"{len(found) - terms} others", "", _signed(rest)])
    rows.append(["sum", "", _signed(sum((t.change for t in found), Fraction(0)))])
    plain_table(["operator", "cause", "change of the array's cycles"], rows, left=(0, 1))


def _joules(a: Result, b: Result, terms: int) -> None:
    from accelsim.cli.tables import plain_table
    from accelsim.results.difference import exact_joules, joule_terms, moved_constants

    before, after = exact_joules(a), exact_joules(b)
    click.echo(f"\nuJ {_micro(before)} -> {_micro(after)}: {_micro(after - before, '+')} "
               f"({_percent(after, before)})")  # fmt: skip
    found = joule_terms(a, b)
    rows = [[t.operator, f"{t.unit} {t.action}", _micro(t.change, "+"), _micro(t.by_count, "+"),
             _micro(t.by_constant, "+")] for t in found[:terms]]  # fmt: skip
    sums = [sum((getattr(t, key) for t in found[terms:]), Fraction(0)) for key in JOULES]
    if len(found) > terms:
        rows.append([f"{len(found) - terms} others", "", *(_micro(x, "+") for x in sums)])
    total = [sum((getattr(t, key) for t in found), Fraction(0)) for key in JOULES]
    rows.append(["sum", "", *(_micro(x, "+") for x in total)])
    plain_table(["operator", "action", "change uJ", "by count", "by constant"], rows, left=(0, 1))
    for item in moved_constants(a, b):
        click.echo(f"  constant of {item.unit} {item.action}: {item.before * 1e12:.4g} -> "
                   f"{item.after * 1e12:.4g} pJ ({item.source_before}"
                   + (f" -> {item.source_after})" if item.source_before != item.source_after
                      else ", scaled)"))  # fmt: skip


def _commands(a: Result, b: Result) -> None:
    from accelsim.results.difference import command_text, first_difference

    row = first_difference(a.program, b.program)
    if row is None:
        click.echo(f"\nthe same {len(a.program):,} commands")
        return
    click.echo(f"\nthe first command that differs, of {len(a.program):,} and {len(b.program):,}")
    click.echo(f"  A: {command_text(a.program, row)}")
    click.echo(f"  B: {command_text(b.program, row)}")


def _number(value: Fraction) -> str:
    return f"{int(value):,}" if value.denominator == 1 else f"{float(value):,.3f}"


def _signed(value: Fraction) -> str:
    return ("+" if value > 0 else "-" if value < 0 else "") + _number(abs(value))


def _micro(value: Fraction, sign: str = "") -> str:
    return f"{float(value) * 1e6:{sign},.4f}"


def _percent(after: Fraction, before: Fraction) -> str:
    return f"{float(after / before - 1):+.1%}" if before else "from nothing"
