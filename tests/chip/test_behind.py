"""Memories behind memories: routes along the tree, digests of chips that say nothing of it, refusals."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import accelsim
from accelsim.chip.chip import Chip
from accelsim.errors import InputError
from accelsim.units.sram import Sram

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.stem for path in (ROOT / "configs" / "chips").glob("*.yaml"))
LATER_KEYS = {"behind", "queues", "does", "templates", "links", "core_weights"}
#: shipped chips whose files say nothing of levels, cores and links
SAYING_NOTHING = [
    name
    for name in SHIPPED
    if not any(
        f"{key}:" in (ROOT / "configs" / "chips" / f"{name}.yaml").read_text()
        for key in ("behind", "cores", "links", "queues", "does")
    )
]
EDGE = (ROOT / "configs" / "chips" / "int8_edge.yaml").read_text()
BUFFERS = ("input_buffer", "weight_buffer", "output_buffer")


def levelled(tmp_path: Path, behind: dict[str, str], **sizes: str) -> Chip:
    """int8_edge with memories of the given sizes added, and ``behind`` of any memory."""
    more = [f"  {name}: {{kind: sram, clock: core, size: {size}}}" for name, size in sizes.items()]
    text = EDGE.replace("units:\n", "\n".join([*more, "units:\n"]), 1)
    path = tmp_path / "levelled.yaml"
    path.write_text(text)
    return accelsim.load_chip(
        path, [f"memories.{name}.behind={other}" for name, other in behind.items()]
    )


def test_routes_follow_the_tree(tmp_path: Path) -> None:
    chip = levelled(
        tmp_path,
        {"input_buffer": "l2", "output_buffer": "l2", "l2": "l3"},
        l2="1 MiB",
        l3="4 MiB",
    )
    assert [
        chip.behind(name) for name in ("input_buffer", "l2", "l3", "weight_buffer", "dram")
    ] == [
        "l2",
        "l3",
        "dram",
        "dram",
        None,
    ]
    ways = {
        ("dram", "input_buffer"): ["l3", "l2", "input_buffer"],
        ("output_buffer", "dram"): ["l2", "l3", "dram"],
        ("l3", "output_buffer"): ["l2", "output_buffer"],
        ("dram", "weight_buffer"): ["weight_buffer"],
        ("output_buffer", "input_buffer"): ["input_buffer"],
        ("weight_buffer", "input_buffer"): ["input_buffer"],
        ("l2", "l2"): [],
    }
    for (start, end), stops in ways.items():
        way = chip.route(start, end)
        assert [hop.end for hop in way.hops] == stops
        assert [hop.start for hop in way.hops] == [start, *stops][:-1]
        assert list(way.storages) == stops[:-1]


def test_what_stands_behind_anyway_changes_nothing(tmp_path: Path) -> None:
    plain = accelsim.load_chip("int8_edge")
    said = levelled(tmp_path, dict.fromkeys(BUFFERS, "dram"))
    assert said.digest == plain.digest and said.timing_digest == plain.timing_digest
    assert all(said.behind(name) == "dram" for name in BUFFERS)
    other = levelled(tmp_path, {"input_buffer": "l2"}, l2="1 MiB")
    assert other.timing_digest != plain.timing_digest
    assert other.digest != levelled(tmp_path, {"output_buffer": "l2"}, l2="1 MiB").digest


#: keys of the canonical form before there were levels, cores and links
CHIP_KEYS = {
    "clocks",
    "technology",
    "memories",
    "units",
    "precision",
    "weights",
    "operating_points",
}


def _keys(value: Any) -> set[str]:
    """All keys at any depth of a canonical form."""
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in _keys(item)}
    return {key for item in value for key in _keys(item)} if isinstance(value, list) else set()


@pytest.mark.parametrize("name", SAYING_NOTHING)
def test_shipped_chips_have_the_form_that_they_had(name: str) -> None:
    """Their digests are of nothing but what older files knew: both stay."""
    assert len(SAYING_NOTHING) >= 12
    chip = accelsim.load_chip(name)
    form = chip.canonical()
    assert set(form) == CHIP_KEYS and not _keys(form) & LATER_KEYS
    assert len(chip.timing_form) == 5
    for memory in chip.memories.values():
        if isinstance(memory, Sram):
            known = {item.name for item in fields(memory)} - LATER_KEYS
            assert set(form["memories"][memory.name]) == {"kind", *known}
    vector = {"kind", "name", "clock", "input", "output", "lanes", "latency", "count", "format"}
    assert set(form["units"][chip.vector_unit.name]) == vector
    dma = {"kind", "name", "clock", "memory", "count", "setup", "memory_latency"}
    assert set(form["units"][chip.dma.name]) == dma


@pytest.mark.parametrize(
    ("behind", "words"),
    [
        ({"input_buffer": "l2"}, "there is no memory 'l2'"),
        ({"input_buffer": "input_buffer"}, "input_buffer from input_buffer"),
        ({"input_buffer": "output_buffer", "output_buffer": "input_buffer"}, "filled from itself"),
        ({"dram": "input_buffer"}, "there is no such key here"),
    ],
)
def test_wrong_levels_are_refused(tmp_path: Path, behind: dict[str, str], words: str) -> None:
    with pytest.raises(InputError) as caught:
        levelled(tmp_path, behind)
    assert words in str(caught.value)
    assert f"memories.{next(iter(behind))}.behind" in str(caught.value)


def test_a_memory_that_nothing_is_filled_from_serves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"levelled.yaml:26:3: memories.l2: memory l2 serves"):
        levelled(tmp_path, {}, l2="1 MiB")
    with pytest.raises(InputError) as caught:
        levelled(tmp_path, {"l2": "l3"}, l2="1 MiB", l3="1 MiB")
    assert [problem.path for problem in caught.value.problems] == ["memories.l2", "memories.l3"]


def test_a_memory_is_asked_by_its_name_or_its_instances(tmp_path: Path) -> None:
    chip = accelsim.load_chip("mixed_quad")
    assert chip.behind("input_buffer") == chip.behind("input_buffer.3") == "dram"
    assert [hop.end for hop in chip.route("dram", "input_buffer.2").hops] == ["input_buffer.2"]
    assert chip.route("input_buffer.1", "output_buffer.1").storages == ()
    with pytest.raises(KeyError):
        chip.behind("input_buffer.4")
