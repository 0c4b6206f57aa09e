"""Options behind a plot's name: measures and keys, whole or short."""

from __future__ import annotations

from accelsim.errors import InputError, Problem
from accelsim.reports.sweeps.base import View
from accelsim.reports.sweeps.scale import short_keys
from accelsim.reports.sweeps.table import JOIN
from accelsim.store.measures import members


def measure_named(view: View, word: str) -> str:
    """A measure that points have, by its full or short name ("-" before it is kept). InputError."""
    sign, name = ("-", word[1:]) if word.startswith("-") else ("", word)
    known = list(view.designs.measures)
    found = [one for one in (name, *members(name)) if one in known]
    if not found:
        raise InputError(
            Problem(
                "plot.measure",
                f"no point has a measure {name!r}",
                "write one of " + ", ".join(sorted(known)),
                file="--plot",
            )
        )
    main = _main(name)
    return sign + (main if main in known else found[0])


def _main(name: str) -> str:
    from accelsim.store.measures import MAIN

    return MAIN.get(name, name)


def key_named(view: View, word: str) -> str:
    """A key that varies, whole or as pictures show it. InputError."""
    keys = view.varied()
    short = short_keys(keys)
    for key in keys:
        if word in (key, short[key], *key.split(JOIN), *short[key].split(JOIN)):
            return key
    raise InputError(
        Problem(
            "plot.key",
            f"no key {word!r} varies",
            "write one of " + ", ".join(keys) if keys else "vary two keys",
            file="--plot",
        )
    )
