"""accelsim check FILE..."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from accelsim.chip import Chip


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--gemm", is_flag=True, help="Topology .csv files have M, N, K lines.")
@click.option(
    "--dim",
    "dims",
    multiple=True,
    metavar="NAME=N",
    help="Value of a symbolic dimension of an ONNX model, like batch=1.",
)
def command(files: tuple[str, ...], gemm: bool, dims: tuple[str, ...]) -> None:
    """Say what each FILE (or shipped name) is, or everything that is wrong with it (exit status 2).

    For an ONNX model, also what of it runs where.
    """
    from accelsim.cli.dimensions import dims_of
    from accelsim.errors import InputError, Problem

    problems: list[Problem] = []
    for name in files:
        try:
            click.echo(f"{name}: {_describe(_found(name), gemm, dims_of(dims))}")
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)


def _found(name: str) -> str:
    """The file of a shipped name where no file is called so; other names as they are."""
    from accelsim import shipped

    if os.path.exists(name):
        return name
    kinds = [kind for kind in shipped.FOLDERS if name in shipped.names(kind)]
    return str(shipped.find(kinds[0], name)) if kinds else name


def _describe(name: str, gemm: bool, dims: dict[str, int]) -> str:
    from accelsim.importers.library import library

    if os.path.isfile(Path(name) / "trace.yaml"):
        return _recorded(name)
    importer = library().foreign(Path(name))
    if importer is not None:
        from accelsim import api
        from accelsim.cli.placed import placed

        work = api.load_workload(name, None, gemm, dims if "dims" in importer.takes else None)
        return importer.line(work) or placed(work)
    if Path(name).suffix == ".npz":
        from accelsim.config.values_file import load_npz

        arrays = load_npz(name)
        return f"values: {len(arrays)} arrays, {sum(a.size for a in arrays.values()):,} numbers"
    if name.endswith(".cfg"):
        from accelsim.config.scalesim_cfg import load_cfg

        config = load_cfg(name)
        return (
            f"SCALE-Sim chip {config.name}: {config.rows} x {config.columns}, "
            f"{config.dataflow}, {len(config.ignored)} keys without meaning here"
        )
    from accelsim.config.yaml_source import load_yaml

    root = load_yaml(name)
    keys = set(root.value) if root.is_map else set()
    if "recorded" in keys:
        return _recorded(name)
    if "operators" in keys or "inputs" in keys:
        from accelsim.config.workload_file import load_workload
        from accelsim.importers.library import OWN

        return library().importers[OWN].line(load_workload(name))
    if keys & {"chip", "workload", "sweep"} and not keys & {"bases", "vary", "workloads"}:
        from accelsim.job import job_of, plain_job

        made = job_of(root, Path(name).parent)
        return "job: " + ", ".join(f"{key} {value}" for key, value in plain_job(made).items())
    if keys & {"bases", "vary", "workloads"}:
        from accelsim.sweeps.validate import checked_sweep

        spec, checked = checked_sweep(name)
        return (
            f"sweep {spec.name}: {checked.points:,} points of {checked.designs:,} chips, "
            f"{checked.built:,} of them built without a problem"
        )
    from accelsim.config.chip_file import read_chip

    return _chip(read_chip(root, name))


def _chip(chip: Chip) -> str:
    """Peak rates of a chip's arrays and crossbars."""
    found = []
    arrays: Any = chip.parts("mac_array")
    for array in arrays:
        lanes = array.count * array.rows * array.columns * array.dot * array.simd
        lanes *= chip.standing(array.name)
        found += [
            f"{2 * lanes * rate.factor * chip.clocks[array.clock] / 1e12:,.4g} T "
            f"{rate.input} x {rate.weight}"
            for rate in array.rates
        ]
    for unit in chip.parts("crossbar"):
        crossbar: Any = chip.unit_of_kind(unit.name)
        many = crossbar.count * chip.standing(crossbar.name)
        rate = 2 * many * crossbar.rows * crossbar.outputs / crossbar.interval_seconds
        found.append(f"{rate / 1e12:,.4g} T in {many} crossbars of {crossbar.device}")
    peaks = ", ".join(found)
    return (
        f"chip {chip.name}: peaks in operations a second (a multiply-accumulate is two) {peaks}; "
        f"digest {chip.digest[:12]}"
    )


def _recorded(name: str) -> str:
    """A trace of values, every array of it checked."""
    from accelsim.traces import check_arrays, load_trace

    trace = load_trace(name)
    check_arrays(trace, trace.workload.operators)
    headers = trace.archive.headers.values()
    made = trace.recorded.chip.get("name")
    return (
        f"trace of {trace.workload.name}{f' recorded on {made}' if made else ''}: "
        f"{len(trace.workload.operators)} operators, {len(headers)} arrays, "
        f"{sum(header.bytes for header in headers):,} bytes"
    )
