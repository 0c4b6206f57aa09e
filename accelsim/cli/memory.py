"""--memory SIZE: how much memory a command may take, its workers included."""

from __future__ import annotations

import click


def _allow(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None or ctx.resilient_parsing:
        return
    import os

    from accelsim.config.quantities import QuantityError, quantity
    from accelsim.errors import InputError, Problem
    from accelsim.resources import VARIABLE

    try:
        size = int(quantity(value, "B"))
    except QuantityError as error:
        raise InputError(
            Problem("memory.size", error.args[0], error.args[1], file="--memory")
        ) from None
    if size <= 0:
        raise InputError(
            Problem("memory.size", "must be above 0", "write it like 4 GiB", file="--memory")
        )
    os.environ[VARIABLE] = str(size)  # read by resources.allowed_bytes(), in workers too


memory_option = click.option(
    "--memory",
    metavar="SIZE",
    callback=_allow,
    expose_value=False,
    help="Memory that may be used, like 4 GiB; default: 80 % of what is free.",
)
