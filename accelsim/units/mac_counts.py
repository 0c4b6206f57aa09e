"""What one pass of a MAC array makes its parts do, in events and bits.

Registers are taken as clock-gated by valid: a register is charged when it takes a valid value, in
the rows and columns that the pass uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from accelsim.formats import FORMAT_INDEX, FORMAT_NAMES
from accelsim.program.opcodes import Flag, Opcode
from accelsim.program.table import Shapes
from accelsim.units.base import Counts, stored_format

if TYPE_CHECKING:
    from accelsim.units.mac_array import MacArray


def counts(array: MacArray, shapes: Shapes) -> dict[str, Counts]:
    """Action name -> count for each shape row; MacArray.actions names them."""
    m, n, k = (shapes.extents[:, axis].astype(np.float64) for axis in range(3))
    matmul = shapes.opcode == Opcode.MATMUL
    fused = Flag.FUSED | Flag.LAST_K
    finished = matmul & ((shapes.flags & fused) == fused)
    macs = np.where(matmul, m * n * k, 0.0)
    along_k, along_n = array.lanes(shapes)
    registers, words, pads = np.zeros((3, len(macs)))
    for flow, rows, some in array.by_dataflow(shapes):
        passes = matmul[rows]
        registers[rows] = np.where(
            passes, flow.pass_bits(array, some), flow.preload_bits(array, some)
        )
        words[rows] = np.where(passes, flow.accumulations(array, some), 0.0)
        loads, kept = (flow.scratchpad_bits(array, some, preload) for preload in (False, True))
        pads[rows] = np.where(passes, loads, kept)
    slots = array.cost(shapes).interval * array.rows * array.columns * (along_k * along_n)
    kept = (
        shapes.format_out == FORMAT_INDEX[stored_format(array.accumulator)]
    )  # sums are stored as they are
    result: dict[str, Counts] = {
        "register_bits": registers,
        "accumulator_bits": words * array.accumulator.bits,
        "requantize": np.where(finished & ~kept, m * n, 0.0),
        "idle_slots": np.where(matmul, slots - macs, 0.0),
    }
    if array.scratchpads is not None:
        result["scratchpad_bits"] = pads
    pair = shapes.format_a * len(FORMAT_NAMES) + shapes.format_b
    for number in sorted(set(pair.tolist())):
        a, b = divmod(number, len(FORMAT_NAMES))
        name = array.multiplication(FORMAT_NAMES[a], FORMAT_NAMES[b])
        result[name] = result.get(name, 0.0) + np.where(pair == number, macs, 0.0)
    return result
