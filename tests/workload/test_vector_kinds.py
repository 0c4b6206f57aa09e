"""Every kind of vector operator: its work, its bytes, its rules, on small and large buffers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from accelsim import api
from accelsim.config.writer import workload_yaml
from accelsim.mapping.rows.vector_tiles import read_inputs
from accelsim.program.opcodes import Opcode
from accelsim.workload import TensorSpec, VectorOperator, Workload
from accelsim.workload.vector_kinds import POOLS, VECTOR_KINDS

CHIPS = ("int8_edge", "int8_128")
WIDER = ("resize", "interpolate", "unfold", "expand", "pad", "col2im")
SETS = ["memories.dram.burst=1 B", "units.vector.format=int8"]  # bytes as they are


def example(kind: str, rng: np.random.Generator) -> VectorOperator:
    """An operator of that kind with random sizes."""
    n, c, h, w = (int(rng.integers(1, high)) for high in (3, 9, 14, 40))
    shape, out = (n, c, h, w), (n, c, h, w)
    shapes = [shape] * VECTOR_KINDS[kind].inputs[0]
    order: tuple[int, ...] = ()
    keys: dict[str, tuple[int, ...]] = {}
    if kind in POOLS:
        shapes, keys = [(n, c, 2 * h, 2 * w)], {"kernel": (2, 2), "stride": (2, 2)}
    elif kind == "flatten":
        out = (n, c * h * w)
    elif kind == "reshape":
        out = (n * c, h, w)
    elif kind == "transpose":
        order = tuple(rng.permutation(4).tolist())
        out = tuple(shape[axis] for axis in order)
    elif kind == "concat":
        shapes, out = [(n, c, h, w), (n, 2 * c, h, w)], (n, 3 * c, h, w)
    elif kind == "append":
        shapes, out = [(n, c, 4 * h, w), (n, c, h, w)], (n, c, 5 * h, w)
    elif kind in ("lstm_cell", "lstm_output"):
        shapes, out = [(n, 4 * c), (n, c)], (n, c)
    elif kind == "gru_cell":
        shapes, out = [(n, 3 * c), (n, 3 * c), (n, c)], (n, c)
    elif kind in ("max_pool_gradient", "average_pool_gradient"):
        out, keys = (n, c, 2 * h, 2 * w), {"kernel": (2, 2), "stride": (2, 2)}
        shapes[1:] = [out] * (len(shapes) - 1)
    elif kind in ("slice", "gather"):
        shapes = [(n, c, 3 * h, w)]
    elif kind in ("pad", "expand", "resize", "interpolate", "unfold"):
        out = (n, c, 2 * h, 3 * w)
    elif VECTOR_KINDS[kind].access == "reduce":
        out = (n, c, 1, 1) if kind == "global_average_pool" else (n, 1, h, 1)
    elif VECTOR_KINDS[kind].access == "same" and len(shapes) == 2:
        shapes[1] = (c, 1, w)
    names = tuple(f"x{i}" for i in range(len(shapes)))
    factors = (0.5,) * len(VECTOR_KINDS[kind].factors)
    return VectorOperator(
        "y", kind, names, "y", tuple(shapes), out, order=order, factors=factors, **keys
    )  # type: ignore[arg-type]


def alone(op: VectorOperator) -> Workload:
    tensors = {
        name: TensorSpec(name, shape, "input")
        for name, shape in zip(op.inputs, op.input_shapes, strict=True)
    }
    return Workload(
        "one", (op,), {**tensors, "y": TensorSpec("y", op.output_shape, "output", "int8")}
    )


@pytest.mark.parametrize("kind", VECTOR_KINDS)
def test_work_and_bytes_of_every_kind(kind: str) -> None:
    rng = np.random.default_rng(sum(kind.encode()))
    for chip in (api.load_chip(name, SETS) for name in CHIPS):
        op = example(kind, rng)
        result = api.run(chip, alone(op))  # validates, checks bounds and conservation
        commands = result.program.commands
        rows = commands.opcode == Opcode.VECTOR
        shapes = result.program.shapes.extents[commands.shape[rows]]
        if op.is_view:
            assert len(commands.opcode) == 0
            continue
        assert shapes[:, 1].sum() == op.work > 0
        made = int(np.prod(op.input_shapes[1] if kind == "append" else op.output_shape))
        assert shapes[:, 0].sum() == made
        row = result.operators[0]
        assert row.dram_written_bytes == made
        least = sum(int(np.prod(op.input_shapes[which])) for which in read_inputs(op))
        if kind in ("slice", "gather"):
            least = made
        if VECTOR_KINDS[kind].per == "window" or kind in WIDER:
            assert row.dram_read_bytes >= least  # neighbouring windows share rows
        elif len(set(op.input_shapes)) == 1:
            assert row.dram_read_bytes == least
        else:
            assert least <= row.dram_read_bytes <= least + made * len(op.inputs)


def test_work_follows_the_count_of_the_kind() -> None:
    shapes = ((2, 3, 4, 5),)
    soft = VectorOperator("y", "softmax", ("x",), "y", shapes, shapes[0])
    assert soft.work == 5 * 120
    mean = VectorOperator("y", "reduce_mean", ("x",), "y", shapes, (2, 3, 1, 1))
    assert mean.work == 120
    turned = VectorOperator("y", "transpose", ("x",), "y", shapes, (2, 3, 5, 4), order=(0, 1, 3, 2))
    rows = VectorOperator("y", "transpose", ("x",), "y", shapes, (3, 2, 4, 5), order=(1, 0, 2, 3))
    assert turned.work == 120 and not turned.is_view
    assert rows.work == 0 and rows.is_view


def test_a_trace_with_every_kind_reads_and_writes_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    operators, tensors = [], {}
    for kind in VECTOR_KINDS:
        op = example(kind, rng)
        names = tuple(f"{kind}_{name}" for name in op.inputs)
        operators.append(
            VectorOperator(
                kind,
                kind,
                names,
                kind,
                op.input_shapes,
                op.output_shape,
                op.kernel,
                op.stride,
                op.padding,
                order=op.order,
                factors=op.factors,
            )
        )
        tensors |= {
            name: TensorSpec(name, shape, "input")
            for name, shape in zip(names, op.input_shapes, strict=True)
        }
        tensors[kind] = TensorSpec(kind, op.output_shape, "output")
    work = Workload("all", tuple(operators), tensors)
    (tmp_path / "all.yaml").write_text(workload_yaml(work))
    again = api.load_workload(tmp_path / "all.yaml")
    assert again.operators == work.operators
    text = yaml.safe_load((tmp_path / "all.yaml").read_text())
    assert {item["kind"] for item in text["operators"]} == set(VECTOR_KINDS)
