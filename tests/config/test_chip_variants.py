"""Variants gives the chips, and the problems, that load_chip gives with --set; and quicker."""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accelsim import shipped
from accelsim.config import load_chip
from accelsim.config.chip_variants import Variants
from accelsim.config.yaml_source import Node, Place, parse_yaml
from accelsim.errors import InputError

CHIPS = shipped.names("chip")
WORDS: list[Any] = [
    0,
    1,
    2,
    7,
    64,
    0.5,
    -3,
    1e9,
    True,
    "int8",
    "int4",
    "cold",
    "none",
    "64 KiB",
    "100 MHz",
    "1 ns",
    "0.7 V",
    "2 pJ",
    "15 nm",
    "sar",
    None,
    [],
    [1],
    {"bits": 8},
]


def variants(name: str) -> Variants:
    path = shipped.find("chip", name)
    return Variants(path.read_text(), str(path))


def keys(node: Node, path: str = "") -> Iterator[str]:
    """Every key of a document, sections too."""
    for key, (_, inner) in node.value.items():
        here = f"{path}.{key}" if path else key
        yield here
        if inner.is_map:
            yield from keys(inner, here)


def outcome(make: Callable[[], Any]) -> str | list[str]:
    """A chip's digest and fields, or its problems."""
    try:
        chip = make()
    except InputError as error:
        return [str(problem) for problem in error.problems]
    return f"{chip.digest} {chip.timing_digest} {chip!r}"


@pytest.mark.parametrize("name", CHIPS)
def test_same_as_load_chip(name: str) -> None:
    made, path, rng = variants(name), shipped.find("chip", name), random.Random(name)
    before = copy.deepcopy(made.root)
    every = [
        *keys(made.root),
        "units.nothing.rows",
        "technology.constants.dram/lpddr4/bit",
        "technology.constants.vector/requantize",
        "technology.constants.no/such",
        "name.more",
    ]
    good = 0
    for trial in range(150):
        sets = [(rng.choice(every), rng.choice(WORDS)) for _ in range(1 + trial % 3)]
        if trial % 2:  # values of other chips: more of them are right
            other = parse_yaml(shipped.find("chip", rng.choice(CHIPS)).read_text(), "x")
            shared = [key for key in keys(other) if key in every]
            sets = [(key, at(other, key)) for key in rng.sample(shared, 1 + trial % 3)]
        wanted = outcome(lambda: load_chip(path, [f"{k}={json.dumps(v)}" for k, v in sets]))  # noqa: B023
        assert outcome(lambda: made.chip(sets)) == wanted, sets  # noqa: B023
        good += isinstance(wanted, str)
    assert 20 < good < 145
    assert made.root == before and outcome(made.chip) == outcome(lambda: load_chip(path))


def at(node: Node, key: str) -> Any:
    for step in key.split("."):
        node = node.value[step][1]
    return node.plain()


def test_problems_name_the_place_of_the_value() -> None:
    made = variants("int8_edge")
    rows = Node(-4, Place("sweep.yaml", 12, 9))
    with pytest.raises(InputError, match=r"sweep.yaml:12:9: units.array.rows: -4 is outside"):
        made.chip([("units.array.rows", rows)])
    with pytest.raises(
        InputError, match=r"sweep.yaml:12:9: units.aray.rows: there is no key 'aray'"
    ):
        made.chip([("units.aray.rows", rows)])
    dram = Node("ddr9", Place("sweep.yaml", 3, 4))
    with pytest.raises(InputError, match=r"sweep.yaml:3:4: memories.dram.standard: no energy row"):
        made.chip([("memories.dram.standard", dram)])


def test_a_base_with_sets() -> None:
    path = shipped.find("chip", "int8_edge")
    made = Variants(path.read_text(), str(path), [("units.array.rows", 8)])
    assert (
        made.chip([("units.array.columns", 4)]).digest
        == load_chip(path, ["units.array.rows=8", "units.array.columns=4"]).digest
    )
    with pytest.raises(InputError, match=r"--set units.array.rows: 0 is outside"):
        Variants(path.read_text(), str(path), [("units.array.rows", 0)])


def test_one_constant_by_its_key() -> None:
    made = variants("int8_edge")
    key = "technology.constants.dram/lpddr4/bit"
    (own,) = made.chip([(key, "5 pJ")]).technology.constants
    assert (own.key, own.value, own.confidence) == ("dram/lpddr4/bit", 5e-12, "mem")
    given = {"value": "5 pJ", "source": "a data sheet", "confidence": "pub"}
    first = made.chip([(key, given)])
    assert first.technology.constants[0].source == "a data sheet"
    path = shipped.find("chip", "int8_edge")
    beside = Variants(path.read_text(), str(path), [(key, given)]).chip(
        [(key, "7 pJ"), ("technology.constants.vector/requantize", "1 pJ")]
    )
    known = [(own.key, own.value, own.source) for own in beside.technology.constants]
    assert known[0] == ("dram/lpddr4/bit", 7e-12, "a data sheet")
    assert known[1][:2] == ("vector/requantize", 1e-12)


@pytest.mark.parametrize(
    ("name", "key", "values"),
    [
        ("pcm_8level", "units.tiles.adc.bits", [8, 7, 6]),
        ("int8_edge", "technology.constants.dram/lpddr4/bit", ["1 pJ", "2 pJ"]),
    ],
)
def test_quicker_than_loading(name: str, key: str, values: list[Any]) -> None:
    path, made = shipped.find("chip", name), variants(name)

    def cost(make: Callable[[int], Any]) -> float:
        best = 1.0
        for _ in range(5):
            begin = time.process_time()
            for number in range(40):
                make(number)
            best = min(best, (time.process_time() - begin) / 40)
        return best

    slow = cost(lambda i: load_chip(Path(path), [f"{key}={json.dumps(values[i % len(values)])}"]))
    assert cost(lambda i: made.chip([(key, values[i % len(values)])])) < 0.6 * slow
