"""The loop nests of golden.json on our side: chip, workload, mapping file, Program."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import accelsim
from accelsim.chip import Chip
from accelsim.config.mapping_file import load_mappings
from accelsim.mapping.compile import compile_program, plan
from accelsim.mapping.homes import Homes, Stand
from accelsim.mapping.mapping import Mapping
from accelsim.program.table import Program
from accelsim.workload import Conv2d, Gemm, TensorSpec, VectorOperator, Workload
from tests.zigzag.moved import Moved, moved

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())
CASES: dict[str, dict[str, Any]] = {case["name"]: case for case in GOLDEN["cases"]}
ROOT = Path(__file__).parents[2]
BUFFERS = ("input_buffer", "weight_buffer", "output_buffer")
#: memories, outermost first, those beside one another together
TREE = (("dram",), BUFFERS, ("array.registers",))
TREE_L2 = (("dram",), ("l2",), *TREE[1:])
EVEN = ("memories.dram.burst=1 B",)  # transfers as long as what is asked for
L2 = "  l2: {kind: sram, clock: core, size: 1 MiB, banks: 8, width: 128 bit}\n"


def chip_of(case: dict[str, Any], settings: tuple[str, ...] = EVEN, l2: bool = False) -> Chip:
    """int8_edge with the case's array. l2: and with an L2 behind its buffers of inputs and outputs."""
    text = (ROOT / "configs" / "chips" / "int8_edge.yaml").read_text()
    behind = []
    if l2:
        text = text.replace("units:\n", f"{L2}units:\n", 1)
        behind = [f"memories.{name}.behind=l2" for name in ("input_buffer", "output_buffer")]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "chip.yaml"
        path.write_text(text)
        return accelsim.load_chip(
            path,
            [
                *behind,
                f"units.array.rows={case['rows']}",
                f"units.array.columns={case['columns']}",
                f"units.array.dataflow={case['stays']}_stationary",
                *settings,
            ],
        )


def workload_of(case: dict[str, Any]) -> Workload:
    """The case's operator, alone. Its result has the array's output format, int8."""
    o = case["operator"]
    if o["kind"] == "gemm":
        m, n, k = o["m"], o["n"], o["k"]
        op: Gemm | Conv2d = Gemm("layer", "x", "w", "y", m, k, n)
        shapes = {"x": (m, k), "w": (k, n), "y": (m, n)}
    else:
        batch, channels, size, pad, kernel = (
            o[key] for key in ("batch", "channels", "height", "padding", "kernel")
        )
        op = Conv2d(
            "layer",
            "x",
            "w",
            "y",
            batch,
            channels,
            size,
            size,
            o["n"],
            (kernel, kernel),
            (o["stride"], o["stride"]),
            (pad, pad, pad, pad),
            groups=o["groups"],
        )
        shapes = {
            "x": (batch, channels, size, size),
            "w": (o["n"], channels // o["groups"], kernel, kernel),
            "y": (batch, o["n"], op.out_height, op.out_width),
        }
    roles = {"x": "input", "w": "weight", "y": "output"}
    tensors = {name: TensorSpec(name, shape, roles[name], "int8") for name, shape in shapes.items()}
    return Workload(case["name"], (op,), tensors)


def outputs(case: dict[str, Any]) -> int:
    """Elements of the result."""
    o = case["operator"]
    if o["kind"] == "gemm":
        return int(o["m"] * o["n"])
    side = (o["height"] + 2 * o["padding"] - o["kernel"]) // o["stride"] + 1
    return int(o["batch"] * o["n"] * side * side)


def mapping_text(case: dict[str, Any]) -> str:
    """The mapping file of a case."""
    tile, resident = case["tile"], case["resident"]
    m = {"height": tile["m"]} if "m" in tile else {"batch": tile["batch"], "height": tile["height"]}
    keys = {
        **m,
        "n": tile["n"],
        "k": tile["k"],
        "dataflow": f"{case['stays']}_stationary",
        "order": case["order"],
        **{f"{name}_resident": "true" for name in resident},
    }
    return "operators:\n  layer: {" + ", ".join(f"{k}: {v}" for k, v in keys.items()) + "}\n"


def network_of(case: dict[str, Any]) -> Workload:
    """The case's operator between two others, so that its input and its result are at home in some memory."""
    alone = workload_of(case)
    x, w, y = (alone.tensors[name] for name in "xwy")
    before = VectorOperator("before", "relu", ("x0",), "x", (x.shape,), x.shape)
    after = VectorOperator("after", "relu", ("y",), "y1", (y.shape,), y.shape)
    tensors = [replace(x, name="x0"), replace(x, role="intermediate"), w]
    tensors += [replace(y, role="intermediate"), replace(y, name="y1")]
    operators = before, *alone.operators, after
    return Workload(alone.name, operators, {tensor.name: tensor for tensor in tensors})


def mappings_of(case: dict[str, Any], chip: Chip, workload: Workload) -> dict[str, Mapping]:
    """The case's mapping file, read."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mapping.yaml"
        path.write_text(mapping_text(case))
        return load_mappings(path, chip, workload)


def program_of(case: dict[str, Any], settings: tuple[str, ...] = EVEN) -> Program:
    """The Program of a case under its mapping file, its tensors off chip."""
    chip, workload = chip_of(case, settings), workload_of(case)
    return compile_program(chip, workload, mappings_of(case, chip, workload))


def program_at_home(case: dict[str, Any]) -> Program:
    """The Program of a case whose input and result stand in the L2."""
    chip, workload = chip_of(case, l2=True), network_of(case)
    x, y = (workload.tensors[name].elements for name in "xy")  # bytes: all are int8
    homes = Homes({"x": Stand("l2", 0, x), "y": Stand("l2", x, y)})
    far = plan(chip, workload, mappings_of(case, chip, workload))
    return compile_program(chip, workload, chosen=replace(far, homes=homes))


@lru_cache(maxsize=len(CASES))
def even(name: str) -> Moved:
    """What a case moves on TREE where transfers are as long as what is asked for; nothing but arrays and DMA works."""
    got, finishing = moved(program_of(CASES[name]), TREE, "layer")
    assert not finishing
    return got
