"""Words that stand for nothing are refused wherever a function takes one, with the choices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import accelsim
from accelsim.api import prepare
from accelsim.errors import InputError
from accelsim.explore.planned import run_counts, run_plan
from accelsim.mapping import compile_program, plan
from accelsim.numerics.calibrate import build_network
from accelsim.timing import simulate

CHIP, WORK = accelsim.load_chip("int8_edge"), accelsim.load_workload("digits_mlp")
INPUTS = {"x": np.zeros(WORK.tensors["x"].shape)}
CALLS: dict[str, tuple[Callable[[Any], object], str]] = {
    "engine": (lambda word: accelsim.run(CHIP, WORK, engine=word), "compiled"),
    "engine of a Program": (lambda word: simulate(_program(), CHIP, word), "compiled"),
    "engine of a Plan": (lambda word: run_plan(CHIP, WORK, plan(CHIP, WORK), word), "compiled"),
    "engine of counts": (lambda word: run_counts(CHIP, WORK, plan(CHIP, WORK), word), "compiled"),
    "form": (lambda word: run_plan(CHIP, WORK, plan(CHIP, WORK), form=word), "counts"),
    "weights": (lambda word: accelsim.run(CHIP, WORK, weights=word), "resident"),
    "weights of a chip": (lambda word: replace(CHIP, weights=word), "resident"),
    "weights of a core": (lambda word: replace(CHIP, core_weights={"core": word}), "resident"),
    "point": (lambda word: accelsim.load_chip("ibm_quad_like").at(word), "peak_speed"),
    "rounding": (lambda word: accelsim.run(CHIP, WORK, rounding=word), "gemmlowp"),
    "rounding of values": (lambda word: prepare(CHIP, WORK, INPUTS, word), "gemmlowp"),
    "rounding of a network": (lambda word: build_network(WORK, CHIP, {}, word), "gemmlowp"),
    "reference_check": (lambda word: accelsim.run(CHIP, WORK, reference_check=word), "off"),
    "search": (lambda word: accelsim.run(CHIP, WORK, search=word), "energy"),
    "homes": (lambda word: accelsim.run(CHIP, WORK, homes=word), "on_chip"),
    "boundary": (lambda word: accelsim.run(CHIP, WORK).energy.boundary(word), "device"),
    "boundary of a band": (lambda word: accelsim.run(CHIP, WORK).energy.band_of(word), "device"),
    "field": (lambda word: accelsim.run(CHIP, WORK).energy.by(word), "unit"),
}


def _program() -> Any:
    return compile_program(CHIP, WORK, chosen=plan(CHIP, WORK))


@pytest.mark.parametrize("name", CALLS)
def test_unknown_words(name: str) -> None:
    call, known = CALLS[name]
    what = name.split()[0]
    with pytest.raises(
        InputError, match=f"'{known}x' is no choice of {what}; write one of .*{known}"
    ):
        call(f"{known}x")
    try:
        call(known)
    except InputError as error:  # the network's weights are not given
        assert name == "rounding of a network" and "holds no tensor" in str(error)


def test_fewer_than_no_entries() -> None:
    """A run from a table took them for no bound, one whose rows pass for one entry."""
    with pytest.raises(InputError, match="-5 entries are no command memory"):
        replace(CHIP, commands_ahead=-5)
    assert replace(CHIP, commands_ahead=0).commands_ahead == 0
