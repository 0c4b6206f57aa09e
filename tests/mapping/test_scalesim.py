"""Workloads as SCALE-Sim plans them: how layers share Programs."""

from __future__ import annotations

import pytest

from accelsim.config.scalesim_cfg import ScaleSimConfig, chip_of
from accelsim.errors import InputError
from accelsim.mapping import scalesim
from accelsim.mapping.scalesim import compile_folds
from accelsim.workload import Gemm, TensorSpec, Workload

CHIP = chip_of(ScaleSimConfig("layers", 4, 4, 64, 64, 64, "os"), True)


def workload(sizes: tuple[int, ...]) -> Workload:
    """Layers of size x 4 x 4: a fold for every four."""
    layers = tuple(Gemm(f"l{i}", f"x{i}", f"w{i}", f"y{i}", m, 4, 4) for i, m in enumerate(sizes))
    tensors = {}
    for op in layers:
        tensors[op.input] = TensorSpec(op.input, op.input_shape, "input")
        tensors[op.weight] = TensorSpec(op.weight, op.weight_shape, "weight")
        tensors[op.output] = TensorSpec(op.output, op.output_shape, "output")
    return Workload("layers", layers, tensors)


def test_layers_share_a_program_up_to_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scalesim, "MOST_FOLDS", 5)
    parts = list(compile_folds(CHIP, workload((8, 12, 4, 40, 4, 16))))
    assert [[op.name for op in work.operators] for work, _ in parts] == [
        ["l0", "l1"],
        ["l2"],
        ["l3"],
        ["l4", "l5"],
    ]
    assert [len(program) for _, program in parts] == [5, 1, 10, 5]


def test_a_layer_of_too_many_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scalesim, "LARGEST", 9)
    with pytest.raises(InputError, match="l1 takes 10 folds, at most 9 fit"):
        list(compile_folds(CHIP, workload((36, 40))))
