"""What an error proposes for weights that find no crossbar works: taken at its word, the chip takes them."""

from __future__ import annotations

import re

import pytest

from accelsim import load_chip, load_workload
from accelsim.errors import InputError
from accelsim.mapping.compile import plan


def refusal(workload: str, *sets: str) -> str:
    with pytest.raises(InputError) as stop:
        plan(load_chip("pcm_8level", sets), load_workload(workload))
    return stop.value.problems[0].fix


def test_a_count_or_writing_anew() -> None:
    few = "units.tiles.count=20"
    fix = refusal("resnet18", few)
    count = re.search(r"count: (\d+)", fix)
    anew = re.search(r"unmapped: reprogram and count: (\d+)", fix)
    assert count and anew and int(anew[1]) < int(count[1]) and "or a unit of kind mac_array" in fix
    plan(load_chip("pcm_8level", [f"units.tiles.count={count[1]}"]), load_workload("resnet18"))
    sets = ["units.tiles.unmapped=reprogram", f"units.tiles.count={anew[1]}"]
    plan(load_chip("pcm_8level", sets), load_workload("resnet18"))
    enough = refusal("resnet18", "units.tiles.count=130")
    assert "or unmapped: reprogram or" in enough  # every operator finds room among 130
    one_less = ["units.tiles.unmapped=reprogram", f"units.tiles.count={int(anew[1]) - 1}"]
    assert refusal("resnet18", *one_less).startswith(f"write count: {anew[1]} or ")
    assert refusal("resnet18", "units.tiles.count=100").startswith("write count: 655 or ")


def test_no_count_beyond_what_a_chip_may_have() -> None:
    """LLaMA-7B takes 348,912 crossbars of pcm_8level, and far more small ones than a chip may have."""
    fix = refusal("llama_7b_decode")
    assert "unmapped: reprogram and count: 6032" in fix and "348912" not in fix
    fix = refusal("llama_7b_decode", "units.tiles.unmapped=reprogram")
    assert fix.startswith("write count: 6032 or") and "reprogram" not in fix and "348912" not in fix
    fix = refusal(
        "llama_7b_decode",
        "units.tiles.unmapped=reprogram",
        "units.tiles.rows=16",
        "units.tiles.columns=12",
    )
    assert "rows and columns for" in fix and "count: 1048576" in fix


def test_buffers_as_large_as_said_are_enough() -> None:
    sets = ["units.tiles.unmapped=reprogram", "units.tiles.count=6032", "memories.dram.size=16 GiB"]
    fix = refusal("llama_7b_decode", *sets)
    size = re.fullmatch(r"write memories.output_buffer.size: at least (\d+) B", fix)
    assert size is not None
    plan(
        load_chip("pcm_8level", [*sets, f"memories.output_buffer.size={size[1]} B"]),
        load_workload("llama_7b_decode"),
    )
