"""A Result as tables in the terminal."""

from __future__ import annotations

import sys
from fractions import Fraction

import click

from accelsim.chip import Chip
from accelsim.energy.joules import BOUNDARIES
from accelsim.escaping import raw, visible
from accelsim.results import fidelity, roles
from accelsim.results.homes import in_words
from accelsim.results.result import OperatorRow, Result, peak_macs_per_cycle
from accelsim.results.rounding import column, decimals_of
from accelsim.results.text_table import table_lines
from accelsim.workload import Workload


def show(result: Result) -> None:
    """Operators, totals and assumptions; rich on a terminal, plain text elsewhere."""
    if sys.stdout.isatty():
        _rich(result)
    else:
        _plain(result)
    _totals(result)


def _rows(result: Result) -> tuple[list[str], list[list[str]]]:
    """Head and lines; each column but the shares adds up, as printed, to the line of the total."""
    head = ["operator", "MACs", "cycles", "util %", "waits %", "DRAM KiB", "uJ"]
    shown = [row for row in result.operators if row.ran]
    shared = result.energy.total - sum(row.joules for row in shown)
    rest = result.cycles - sum(row.cycles for row in shown)
    traffic = column(
        [Fraction(row.dram_read_bytes + row.dram_written_bytes, 1024) for row in shown], 1
    )
    joules = column(
        [1e6 * x for x in (*(row.joules for row in shown), shared)],
        decimals_of(1e6 * result.energy.total),
    )
    rows = [
        [
            row.name,
            f"{row.macs:,}" if row.macs else "-",
            f"{row.cycles:,}",
            _share(row, row.utilisation),
            _share(row, row.waiting),
            kib,
            micro,
        ]
        for row, kib, micro in zip(shown, traffic[:-1], joules[:-2], strict=True)
    ]
    computing = sum(row.computing_cycles for row in shown)
    rows += [
        ["(whole run)", "-", f"{rest:,}" if rest else "-", "-", "-", "-", joules[-2]],
        [
            "total",
            f"{result.workload.macs:,}",
            f"{result.cycles:,}",
            f"{100 * result.utilisation:.1f}",
            f"{100 * max(0.0, 1 - computing / max(1, result.cycles)):.1f}",
            traffic[-1],
            joules[-1],
        ],
    ]
    return head, rows


def _share(row: OperatorRow, share: float | None) -> str:
    """A share of an operator's cycles in percent; none for vector work and for operators that add none."""
    return "-" if share is None or not row.macs else f"{100 * share:.1f}"


def _plain(result: Result) -> None:
    plain_table(*_rows(result))


def plain_table(head: list[str], rows: list[list[str]], left: tuple[int, ...] = (0,)) -> None:
    """A table; columns in ``left`` stand to the left, the others to the right."""
    for line in table_lines(head, rows, left):
        click.echo(line)


def _rich(result: Result) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    head, rows = _rows(result)
    table = Table(title=Text(visible(f"{result.workload.name} on {result.chip.name}")))
    for i, name in enumerate(head):
        table.add_column(name, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(
            *(Text(visible(cell)) for cell in row)
        )  # Text: brackets in names are no markup
    Console(file=raw(sys.stdout)).print(table)


def _totals(result: Result) -> None:
    chip = result.chip
    clock = chip.clocks[chip.core.clock]
    click.echo(
        f"{result.workload.name} on {chip.name}: {result.cycles:,} cycles at {clock / 1e6:g} MHz = "
        f"{result.seconds * 1e3:.4g} ms, utilisation {100 * result.utilisation:.1f} % of "
        f"{peak_macs_per_cycle(chip):,} MACs a cycle"
    )
    beside = [row.name for row in result.operators if (row.utilisation or 0.0) > 1]
    if beside:
        more = f" and {len(beside) - 3} more" if len(beside) > 3 else ""
        click.echo(
            f"  above 100 %: {', '.join(beside[:3])}{more} worked beside operators that ended before"
        )
    if len(result.roles) > 1:
        plain_table(*roles.table(result.roles))
    each = 1e6 * result.joules / result.workload.inferences
    click.echo(
        _rates(result, "one by one", result.seconds)
        + f"; {column([each], decimals_of(each))[-1]} uJ a{'n' * (len(result.roles) < 2)} {_sample(result)}"
    )
    if (runs := result.steady) is not None:
        each = 1e6 * runs.energy.total / result.workload.inferences
        how = f"back to back, the first after {runs.first * 1e3:.4g} ms and then one every {runs.seconds * 1e3:.4g} ms"
        click.echo(
            f"{_rates(result, how, runs.seconds)}; {column([each], decimals_of(each))[-1]} uJ an inference"
        )
    if (report := result.search) is not None:
        click.echo(
            f"searched for {report.objective}: {report.default_cycles:,.0f} -> {report.cycles:,.0f} "
            f"cycles, {report.default_joules * 1e6:,.4g} -> {report.joules * 1e6:,.4g} uJ "
            f"({sum(f.tried for f in report.found.values()):,} of "
            f"{sum(f.seen for f in report.found.values()):,} mappings simulated)"
        )
    _energy(result)
    _area(result)
    for line in in_words(result):
        click.echo(line)
    if result.values is not None and result.values.scores:
        scores = result.values.scores
        click.echo(f"top-1 {100 * scores['top1']:.2f} % (float {100 * scores['top1_float']:.2f} %)")
    for line in fidelity.lines(result):
        click.echo(line)
    for note in result.assumptions:
        click.echo(f"  assumes: {note}")
    show_unused(result.chip, result.workload)


def _energy(result: Result) -> None:
    """Joules by boundary, mean watts, joules by family."""
    energy = result.energy
    parts = ", ".join(
        f"{name} {energy.boundary(name) * 1e6:,.4g} +- {energy.band_of(name) * 1e6:,.3g}"
        for name in BOUNDARIES
    )
    click.echo(
        f"energy by boundary, +- from the constants: {parts} uJ; "
        f"{energy.total / result.seconds * 1e3:,.4g} mW"
    )
    spread = ", ".join(f"{name} {joules * 1e6:,.4g}" for name, joules in result.spread.items())
    click.echo(f"by family of digital energy: {spread} uJ")


def _area(result: Result) -> None:
    """Square millimetres of arrays, crossbars and memories."""
    units = ((result.chip.mac_array, "array"), (result.chip.crossbar, "crossbars"))
    kinds = {unit.name: kind for unit, kind in units if unit}
    areas: dict[str, float] = {}
    for row in result.area:
        kind = kinds.get(row.unit, "SRAM")
        areas[kind] = areas.get(kind, 0.0) + row.area * 1e6
    click.echo(
        f"area at least {sum(areas.values()):.3g} mm2: "
        + ", ".join(f"{kind} {area:.3g}" for kind, area in areas.items())
    )


def _sample(result: Result) -> str:
    """What a run has several of."""
    return "sample" if len(result.roles) > 1 else "inference"


def _rates(result: Result, how: str, seconds: float) -> str:
    """Inferences, or samples of a training step, and tokens a second."""
    work, one = result.workload, _sample(result)
    count = f"{work.inferences:,} {one}{'s' * (work.inferences != 1)}"
    tokens = f", {work.tokens / seconds:,.4g} tokens a second" if work.tokens and seconds else ""
    return (
        f"{how}: {count} a run, {work.inferences / seconds if seconds else 0.0:,.4g} {one}s a second"
        + tokens
    )


def show_noise(result: Result) -> None:
    """Signal to noise of every operator's output against the float reference, in order."""
    if result.values is None:
        return
    noise = result.values.signal_to_noise_db
    rows = [
        [op.name, op.kind, f"{noise[op.output]:.1f}", result.workload.tensors[op.output].role]
        for op in result.workload.operators
        if op.output in noise
    ]
    plain_table(["operator", "kind", "SNR dB", "tensor"], rows, (0, 1, 3))


def show_unused(chip: Chip, workload: Workload) -> None:
    """What an imported file says that has no meaning here."""
    for part in (chip, workload):
        for note in part.notes.get("unused", ()):
            click.echo(f"  not used: {part.source}: {note}")
