"""The loop nests of golden.json on our side: chip, workload, mapping file, Program."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import accelsim
from accelsim.chip import Chip
from accelsim.config.mapping_file import load_mappings
from accelsim.mapping.compile import compile_program
from accelsim.program.table import Program
from accelsim.workload import Conv2d, Gemm, TensorSpec, Workload
from tests.zigzag.moved import Moved, moved

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())
CASES: dict[str, dict[str, Any]] = {case["name"]: case for case in GOLDEN["cases"]}
#: memories of a chip without L2, outermost first
BUFFERS = ("input_buffer", "weight_buffer", "output_buffer")
TREE = (("dram",), BUFFERS, ("array.registers",))
EVEN = ("memories.dram.burst=1 B",)  # transfers as long as what is asked for


def chip_of(case: dict[str, Any], settings: tuple[str, ...] = EVEN) -> Chip:
    """int8_edge with the case's array."""
    return accelsim.load_chip(
        "int8_edge",
        [
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


def program_of(case: dict[str, Any], settings: tuple[str, ...] = EVEN) -> Program:
    """The Program of a case under its mapping file."""
    chip, workload = chip_of(case, settings), workload_of(case)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mapping.yaml"
        path.write_text(mapping_text(case))
        mappings = load_mappings(path, chip, workload)
    return compile_program(chip, workload, mappings)


@lru_cache(maxsize=len(CASES))
def even(name: str) -> Moved:
    """What a case moves on TREE where transfers are as long as what is asked for; nothing but arrays and DMA works."""
    got, finishing = moved(program_of(CASES[name]), TREE)
    assert not finishing
    return got
