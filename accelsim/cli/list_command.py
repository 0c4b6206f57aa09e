"""accelsim list KIND."""

from __future__ import annotations

import click


def _formats() -> list[str]:
    from accelsim.formats import FORMATS

    return [
        f"{f.name}: {f.kind}, {f.bits} bits, {f.lowest:.6g}..{f.largest:.6g}, smallest {f.smallest:.4g}"
        for f in FORMATS.values()
    ]


def _shipped(kind: str) -> list[str]:
    from accelsim import shipped

    return list(shipped.names(kind))


def _dataflows() -> list[str]:
    from accelsim.units.dataflows import dataflows

    return [f"{flow.name}: {flow.streams} streams" for flow in dataflows().values()]


def _families() -> list[str]:
    from accelsim.constants.rows import families

    return list(families())


def _engines() -> list[str]:
    from accelsim.timing import ENGINES

    return list(ENGINES)


def _devices() -> list[str]:
    from accelsim.devices import device_named, device_names

    found = []
    for name in device_names():
        device = device_named(name)
        found.append(
            f"{name}: {device.kind}, {device.g_min * 1e6:.3g}..{device.g_max * 1e6:.4g} uS"
        )
    return found


def _claims() -> list[str]:
    from accelsim.claims import CLAIMS

    return [f"{name.replace('_', '-')}: {text}" for name, text in CLAIMS.items()]


KINDS = {
    "chips": lambda: _shipped("chip"),
    "workloads": lambda: _shipped("workload"),
    "sweeps": lambda: _shipped("sweep"),
    "formats": _formats,
    "dataflows": _dataflows,
    "energy-families": _families,
    "engines": _engines,
    "devices": _devices,
    "claims": _claims,
}


@click.command("list")
@click.argument("kind", type=click.Choice(list(KINDS)), required=False)
def command(kind: str | None) -> None:
    """List what there is of KIND; without one, the kinds."""
    for line in KINDS if kind is None else KINDS[kind]():
        click.echo(line)
