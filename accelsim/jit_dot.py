"""Exact products of 16-bit integers with 32-bit sums, as fast as a machine multiplies pairs of them.

A multiply of two pairs and the sum of both is one instruction since SSE2 (pmaddwd, vpdpwssd), twice as
many multiplies a cycle as float32 has; compilers miss it in plain loops, so that the tile of 4 x 4 sums
is written as such here. Sums must stay below 2^31: the caller has seen to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit

WIDTH = 16  # elements at a time
TILE = 4  # rows and columns of sums that stay in registers


def padded(values: NDArray[Any]) -> NDArray[np.int16]:
    """Rows of integers as 16-bit ones, zeros behind them to whole tiles."""
    rows, deep = values.shape
    found = np.zeros((-(-rows // TILE) * TILE, max(-(-deep // WIDTH), 1) * WIDTH), np.int16)
    found[:rows, :deep] = values
    return found


def product(a: NDArray[np.int16], b: NDArray[np.int16]) -> NDArray[np.int32]:
    """a @ b.T of padded rows, both of the same length."""
    found = np.empty((a.shape[0], b.shape[0]), np.int32)
    jit.compiled_with(tiles, "tile_of_sums", _emit)(a, b, found)
    return found


def tile_of_sums(a: Any, i: int, b: Any, j: int, found: Any) -> None:
    """Sums of rows i .. i + 3 of a with rows j .. j + 3 of b; what the emitted instructions do."""
    found[i : i + TILE, j : j + TILE] = (
        a[i : i + TILE].astype(np.int32) @ b[j : j + TILE].astype(np.int32).T
    )


def tiles(a: Any, b: Any, found: Any) -> None:
    """found = a @ b.T, tile by tile."""
    for i in range(0, a.shape[0], TILE):
        for j in range(0, b.shape[0], TILE):
            tile_of_sums(a, i, b, j, found)


def _emit(typing: Any, a: Any, i: Any, b: Any, j: Any, found: Any) -> tuple[Any, Any]:
    """Signature and instructions of tile_of_sums."""
    del typing
    return jit.procedure(a, i, b, j, found), _instructions


def _instructions(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    from llvmlite import ir

    whole = ir.IntType(64)
    wide = ir.VectorType(ir.IntType(32), WIDTH)
    sums = ir.VectorType(ir.IntType(32), WIDTH // 2)

    def array(place: int) -> Any:
        return context.make_array(signature.args[place])(context, builder, value=values[place])

    def row(block: Any, first: Any, more: int) -> Any:
        number = builder.add(first, ir.Constant(whole, more))
        return builder.gep(block.data, [builder.mul(number, builder.extract_value(block.shape, 1))])

    a, b, found = array(0), array(2), array(4)
    left = [row(a, values[1], r) for r in range(TILE)]
    right = [row(b, values[3], c) for c in range(TILE)]
    before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    at = builder.phi(whole)
    at.add_incoming(ir.Constant(whole, 0), before)
    totals = [[builder.phi(sums) for _ in range(TILE)] for _ in range(TILE)]

    def loaded(start: Any) -> Any:
        place = builder.bitcast(
            builder.gep(start, [at]), ir.VectorType(ir.IntType(16), WIDTH).as_pointer()
        )
        return builder.sext(builder.load(place, align=2), wide)

    def halves(values: Any) -> tuple[Any, Any]:
        picks = [ir.Constant(sums, list(range(first, WIDTH, 2))) for first in (0, 1)]
        return tuple(builder.shuffle_vector(values, values, pick) for pick in picks)

    x, y = [loaded(start) for start in left], [loaded(start) for start in right]
    more = [
        [
            builder.add(totals[r][c], builder.add(*halves(builder.mul(x[r], y[c]))))
            for c in range(TILE)
        ]
        for r in range(TILE)
    ]
    following = builder.add(at, ir.Constant(whole, WIDTH))
    at.add_incoming(following, loop)
    for r in range(TILE):
        for c in range(TILE):
            totals[r][c].add_incoming(ir.Constant(sums, [0] * (WIDTH // 2)), before)
            totals[r][c].add_incoming(more[r][c], loop)
    more_rows = builder.icmp_signed("<", following, builder.extract_value(a.shape, 1))
    builder.cbranch(more_rows, loop, after)
    builder.position_at_end(after)
    name = f"llvm.vector.reduce.add.v{WIDTH // 2}i32"
    adds = builder.module.globals.get(name) or ir.Function(
        builder.module, ir.FunctionType(ir.IntType(32), [sums]), name
    )
    for r in range(TILE):
        for c in range(TILE):
            place = builder.gep(
                row(found, values[1], r), [builder.add(values[3], ir.Constant(whole, c))]
            )
            builder.store(builder.call(adds, [more[r][c]]), place)
    return context.get_dummy_value()
