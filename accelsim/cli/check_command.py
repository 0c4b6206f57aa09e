"""accelsim check FILE..."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def command(files: tuple[str, ...]) -> None:
    """Say what each FILE is, or everything that is wrong with it (exit status 2)."""
    from accelsim.errors import InputError, Problem

    problems: list[Problem] = []
    for name in files:
        try:
            click.echo(f"{name}: {_describe(name)}")
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)


def _describe(name: str) -> str:
    if Path(name).suffix == ".npz":
        from accelsim.config.values_file import load_npz

        arrays = load_npz(name)
        return f"values: {len(arrays)} arrays, {sum(a.size for a in arrays.values()):,} numbers"
    from accelsim.config.yaml_source import load_yaml

    root = load_yaml(name)
    keys = set(root.value) if root.is_map else set()
    if "operators" in keys or "inputs" in keys:
        from accelsim.config.workload_file import load_workload

        work = load_workload(name)
        return (f"workload {work.name}: {len(work.operators)} operators, {work.macs:,} "
                f"multiply-accumulates, {work.parameters:,} parameters")  # fmt: skip
    from accelsim.config.chip_file import read_chip

    chip = read_chip(root, name)
    array = chip.array
    rate = array.rate(chip.precision.input, chip.precision.weight)
    peak = array.count * array.rows * array.columns * array.dot * array.simd * rate.factor
    speed = peak * chip.clocks[array.clock] / 1e9
    return (f"chip {chip.name}: {peak:,} {rate.input} x {rate.weight} multiply-accumulates a cycle, "
            f"{speed:,.1f} G a second, digest {chip.digest[:12]}")  # fmt: skip
