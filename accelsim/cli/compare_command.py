"""accelsim compare CHIP CHIP... -w WORKLOAD."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from accelsim.cli.job_options import CHIPS, job_options
from accelsim.cli.memory import memory_option

if TYPE_CHECKING:
    from accelsim.energy.bands import Ratio
    from accelsim.job import Job
    from accelsim.results.comparison import Comparison, Matching, Side


@click.command("compare")
@job_options("compare", CHIPS)
@click.option(
    "--out", metavar="DIR", help="Write comparison.json, tables and pictures to this folder."
)
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@memory_option
def command(job: Job, out: str | None, force: bool, as_json: bool) -> None:
    """Compare chips, digital or PCM, on one workload: the first is the measure of the others.

    Equal useful multiply-accumulates and batch; energy at the device, core and chip boundary, each
    ratio with its band; weights cold and in place side by side; figures a square millimetre;
    accuracy or signal-to-noise at the ages asked for; what writing the weights costs. --match
    compares the same chips made alike too.
    """
    from accelsim import verbs
    from accelsim.results import comparison as sides
    from accelsim.results import files

    if out is not None:
        files.refuse_occupied(Path(out), force)
    found = verbs.compare(job)
    if out is not None:
        from accelsim.reports.comparison import draw

        made = verbs.compared_files(found, job)
        files.write_folder(made, out, force, lambda folder: draw(found, folder))
    if as_json:
        click.echo(json.dumps(sides.to_dict(found), indent=1))
        return
    show(found)
    if out is not None:
        click.echo(f"written to {out}")


def show(found: Comparison) -> None:
    """Tables of a comparison."""
    first = found.sides[0].main
    click.echo(
        f"{first.workload.name}, {first.workload.macs:,} multiply-accumulates, batch {found.batch}; "
        f"ratios are {found.sides[0].chip.name} over the chip, in brackets what the constants' bands allow"
    )
    _block(found)
    for matched in found.matched:
        _matched(matched)
    if not found.matched and not found.alike:
        click.echo(
            "  weights and memories differ between these chips: --match memory makes them alike"
        )
    if any(side.aged for side in found.sides):
        from accelsim.cli.tables import plain_table

        click.echo()
        plain_table(
            ["chip", "age", "K", "top-1 %", "signal to noise dB"],
            [row for side in found.sides for row in _values(side)],
        )
    click.echo(
        "energy of the cells is what the supply delivers; every figure's assumptions: --json"
    )


def _matched(matched: Matching) -> None:
    """What was made alike, key by key, and the tables of that."""
    sides = matched.comparison.sides
    model = sides[matched.model].chip.name
    click.echo(f"\nmade like {model} by {', '.join(matched.by)}:")
    click.echo(f"  {matched.by[-1]}: {matched.text}")
    for number, side in enumerate(sides):
        if number != matched.model and not side.changed:
            click.echo(f"  {side.chip.name}: nothing to change")
        for key, before, after in side.changed:
            click.echo(f"  {side.chip.name}: {key} {before} -> {after}")
        if side.reached:
            click.echo(f"  {side.chip.name}: {', '.join(side.reached)}")
    click.echo()
    _block(matched.comparison)


def _block(found: Comparison) -> None:
    """Figures, ratios, and weights cold and in place, of every side."""
    from accelsim.cli.tables import plain_table

    plain_table(
        [
            "chip",
            "at",
            "weights",
            "cycles",
            "ms",
            "a second",
            "device uJ",
            "core uJ",
            "chip uJ",
            "mW",
            "mm2 >=",
            "a second/mm2",
            "uJ/mm2",
        ],
        [_row(found, side) for side in found.sides],
        (0, 1, 2),
    )
    click.echo()
    plain_table(
        ["chip", "x device", "x core", "x chip", "x a second", "x a second/mm2", "x chip uJ/mm2"],
        [_ratios(found, side) for side in found.sides],
    )
    click.echo()
    plain_table(
        [
            "chip",
            "both cold uJ",
            "ms",
            "x chip",
            "both resident uJ",
            "ms",
            "x chip",
            "writing uJ",
            "ms",
            "pays back after",
            "both resident",
        ],
        [_weights(found, side) for side in found.sides],
    )
    for side in found.sides:
        if side.why:
            click.echo(f"  {side.chip.name}: {side.why}")


def _row(found: Comparison, side: Side) -> list[str]:
    main, technology = side.main, side.chip.technology
    energies = [main.energy.boundary(name) for name in ("device", "core", "chip")]
    rate, square = found.batch / main.seconds, side.area * 1e6
    return [
        side.chip.name,
        f"{technology.node * 1e9:g} nm {technology.voltage:g} V",
        side.chip.weights_said,
        f"{main.cycles:,}",
        f"{main.seconds * 1e3:,.4g}",
        f"{rate:,.4g}",
        *(f"{x * 1e6:,.4g}" for x in energies),
        f"{main.joules / main.seconds * 1e3:,.4g}",
        f"{square:,.3g}",
        f"{rate / square:,.4g}" if square else "-",
        f"{main.joules * 1e6 / found.batch / square:,.4g}" if square else "-",
    ]


def _ratios(found: Comparison, side: Side) -> list[str]:
    ratios = [found.ratio(side, name) for name in ("device", "core", "chip")]
    return [
        side.chip.name,
        *(_banded(one) for one in ratios),
        f"{found.rate_ratio(side):.3g}",
        *(
            _banded(one) if side.area else "-"
            for one in (found.rate_by_area(side), found.energy_by_area(side))
        ),
    ]


def _banded(found: Ratio | None) -> str:
    """A ratio with its band."""
    return "-" if found is None else f"{found.value:.3g} [{found.low:.3g}, {found.high:.3g}]"


def _weights(found: Comparison, side: Side) -> list[str]:
    cells = [side.chip.name]
    for weights in ("cold", "resident"):
        result = side.run(weights)
        if result is None:
            cells += ["does not fit", "-", "-"]
            continue
        cells += [
            f"{result.joules * 1e6:,.4g}",
            f"{result.seconds * 1e3:,.4g}",
            _banded(found.ratio(side, "chip", weights)),
        ]
    if not side.writing[0]:
        return [*cells, "-", "-", "-", "-"]
    cells += [f"{side.writing[0] * 1e6:,.4g}", f"{side.writing[1] * 1e3:,.4g}"]
    if not side.analog:
        return [*cells, "-", "-"]
    return [
        *cells,
        _inferences(found.pays_back(side)),
        _inferences(found.pays_back(side, "resident")),
    ]


def _inferences(after: float | None) -> str:
    if after is None:
        return "-"
    return f"{after:,.0f} inferences" if after < 1e15 else "never"


def _values(side: Side) -> list[list[str]]:
    rows = []
    for aged in side.aged:
        top1 = [x for x in aged.top1 if x is not None]
        rows.append(
            [
                side.chip.name,
                _age(aged.age) if side.analog else "any",
                f"{aged.temperature:g}" if side.analog else "any",
                _spread([100 * x for x in top1]),
                _spread(aged.decibels),
            ]
        )
    return rows


def _spread(values: list[float]) -> str:
    """Mean, and the standard deviation of several."""
    if not values:
        return "-"
    mean = sum(values) / len(values)
    if len(values) == 1:
        return f"{mean:.2f}"
    spread = (sum((x - mean) ** 2 for x in values) / (len(values) - 1)) ** 0.5
    return f"{mean:.2f} +- {spread:.2f}"


def _age(seconds: float) -> str:
    for unit, size in (("years", 31536000.0), ("days", 86400.0), ("h", 3600.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
