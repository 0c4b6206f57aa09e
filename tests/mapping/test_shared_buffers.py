"""Weights that stay in a buffer in which the vector unit works too are left alone."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.chip import Chip
from accelsim.program.opcodes import Opcode

ROOT = Path(__file__).parents[2]


def shared(folder: Path, buffer: str) -> Chip:
    """int8_edge whose weights stay in another buffer than their own."""
    text = (ROOT / "configs/chips/int8_edge.yaml").read_text()
    text = re.sub(r"  weight_buffer: .*\n", "", text).replace(
        "weight: weight_buffer", f"weight: {buffer}"
    )
    (folder / "shared.yaml").write_text(text)
    return accelsim.load_chip(folder / "shared.yaml", ["memories.output_buffer.size=256 KiB"])


@pytest.mark.parametrize("buffer", ["input_buffer", "output_buffer"])
@pytest.mark.parametrize("name", ["digits_residual", "digits_cnn"])
def test_weights_stay(buffer: str, name: str, tmp_path: Path) -> None:
    chip, work = shared(tmp_path, buffer), accelsim.load_workload(name, 8)
    found = accelsim.run(chip, work, weights="resident")  # validates what is resident at the end
    p = found.program
    index = [row.name for row in p.memories].index(buffer)
    end = max(row.address + row.span for row in p.residents if row.memory == index)
    units = np.isin(p.commands.opcode, [int(Opcode.VECTOR)])
    entries = np.concatenate(
        [
            np.arange(p.operands.start[row], p.operands.start[row + 1])
            for row in np.flatnonzero(units)
        ]
    )
    inside = entries[p.operands.memory[entries] == index]
    assert len(inside) and (p.operands.address[inside] >= end).all()


def test_values_are_those_of_buffers_of_their_own(tmp_path: Path) -> None:
    work = accelsim.load_workload("digits_residual", 4)
    with np.load(ROOT / "workloads" / "digits.npz") as file:
        images = file["images"][:4] / 16
    inputs = {"x": images.reshape(work.tensors["x"].shape)}
    one, other = (
        accelsim.run(chip, work, inputs, weights="resident")
        for chip in (
            shared(tmp_path, "input_buffer"),
            accelsim.load_chip("int8_edge", ["memories.weight_buffer.size=1 MiB"]),
        )
    )
    assert one.values and other.values
    for tensor, codes in one.values.outputs.items():
        assert np.array_equal(codes, other.values.outputs[tensor])
