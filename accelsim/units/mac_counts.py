"""What one pass of a MAC array makes its parts do, in events and bits.

Registers are taken as clock-gated by valid: a register is charged when it takes a valid value, in
the rows and columns that the pass uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import FORMAT_INDEX, FORMAT_NAMES, get
from accelsim.program.opcodes import Flag, Opcode
from accelsim.program.table import Shapes
from accelsim.units.base import Counts, stored_format
from accelsim.units.dataflow import Dataflow

if TYPE_CHECKING:
    from accelsim.units.mac_array import MacArray


def counts(array: MacArray, shapes: Shapes) -> dict[str, Counts]:
    """Action name -> count for each shape row; MacArray.actions names them."""
    m, n, k = (shapes.extents[:, axis].astype(np.float64) for axis in range(3))
    matmul = shapes.opcode == Opcode.MATMUL
    output = shapes.extents[:, 3] == Dataflow.OUTPUT_STATIONARY
    fused = Flag.FUSED | Flag.LAST_K
    finished = matmul & ((shapes.flags & fused) == fused)
    macs = np.where(matmul, m * n * k, 0.0)
    along_k, along_n = array.lanes(shapes)
    steps = array.used(shapes)[2]
    slots = array.cost(shapes).interval * array.rows * array.columns * (along_k * along_n)
    held = matmul & output
    kept = (
        shapes.format_out == FORMAT_INDEX[stored_format(array.accumulator)]
    )  # sums are stored as they are
    result: dict[str, Counts] = {
        "register_bits": _register_bits(array, shapes, matmul),
        # the first product of a sum is written, each later one is read, added and written
        "accumulator_bits": np.where(held, (2 * steps - 1) * m * n, 0.0) * array.accumulator.bits,
        "requantize": np.where(finished & ~kept, m * n, 0.0),
        "idle_slots": np.where(matmul, slots - macs, 0.0),
    }
    pair = shapes.format_a * len(FORMAT_NAMES) + shapes.format_b
    for number in sorted(set(pair.tolist())):
        a, b = divmod(number, len(FORMAT_NAMES))
        name = array.multiplication(FORMAT_NAMES[a], FORMAT_NAMES[b])
        result[name] = result.get(name, 0.0) + np.where(pair == number, macs, 0.0)
    return result


def _register_bits(array: MacArray, shapes: Shapes, matmul: NDArray[np.bool_]) -> Counts:
    """Register bits of MATMULs and PRELOADs, which are often asked for apart."""
    if matmul.all():
        return _pass_bits(array, shapes)
    if not matmul.any():
        return _preload_bits(array, shapes)
    return np.where(matmul, _pass_bits(array, shapes), _preload_bits(array, shapes))


def _bits(array: MacArray, shapes: Shapes) -> tuple[Counts, Counts]:
    """Width of the operands' registers of each shape: the multiplier's, to which narrower operands are
    extended at the array's edge."""
    pair = shapes.format_a * len(FORMAT_NAMES) + shapes.format_b
    wide = np.zeros((2, len(pair)))
    for number in set(pair.tolist()):
        a, b = divmod(number, len(FORMAT_NAMES))
        rate = array.rate(FORMAT_NAMES[a], FORMAT_NAMES[b])
        wide[:, pair == number] = [[get(rate.input).bits], [get(rate.weight).bits]]
    return wide[0], wide[1]


def _pass_bits(array: MacArray, shapes: Shapes) -> Counts:
    """Register bits of a MATMUL.

    Systolic: a streamed value crosses every used column (and, where outputs are stationary, the
    weights every used row through hop_registers registers); a partial sum takes row_latency
    registers in each row down to the exit; a stationary sum moves from its row to the exit.
    Broadcast: an operand is registered once at the edge; products and every tree level (one bit
    wider each) are registered.
    """
    m, n, k = (shapes.extents[:, axis].astype(np.float64) for axis in range(3))
    bits_a, bits_b = _bits(array, shapes)
    rows, columns, _ = array.used(shapes)
    leaves = array.exit_rows(shapes)
    output = shapes.extents[:, 3] == Dataflow.OUTPUT_STATIONARY
    weight = shapes.extents[:, 3] == Dataflow.WEIGHT_STATIONARY
    wide = array.accumulator.bits
    drain = n * (rows * leaves - rows * (rows - 1) / 2) * wide
    stream_a, stream_b = m * k * bits_a, k * n * bits_b
    if array.structure == "broadcast":
        leaf, width = rows * float(array.dot), bits_a + bits_b
        tree = leaf * width
        for _ in range(array.tree_levels):
            leaf, width = np.ceil(leaf / 2), np.minimum(width + 1, wide)
            tree = tree + leaf * width
        moved = np.where(weight, stream_a, stream_b) + m * n * tree
        return np.asarray(np.where(output, stream_a + stream_b + drain, moved), np.float64)
    across = np.where(weight, stream_a, stream_b) * columns
    down = m * n * leaves * array.row_latency * wide
    held = stream_a * columns + stream_b * rows * array.hop_registers + drain
    return np.asarray(np.where(output, held, across + down), np.float64)


def _preload_bits(array: MacArray, shapes: Shapes) -> Counts:
    """Register bits of a PRELOAD: the value for row i (from 0) passes i + 1 slots on its way
    down; on a broadcast array it is written straight into its row."""
    m, n, k = (shapes.extents[:, axis].astype(np.float64) for axis in range(3))
    weight = shapes.extents[:, 3] == Dataflow.WEIGHT_STATIONARY
    bits_a, bits_b = _bits(array, shapes)
    bits = np.where(weight, n * bits_b, m * bits_a)
    if array.structure == "broadcast":
        return np.asarray(k * bits, np.float64)
    along_k, _ = array.lanes(shapes)
    full = np.floor((k - 1) / along_k)  # full rows above the last used one
    passed = along_k * full * (full + 1) / 2 + (k - along_k * full) * (full + 1)
    return np.asarray(passed * bits, np.float64)
