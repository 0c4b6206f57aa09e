"""Products on crossbars: every operator's weights in cells, by group and row block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from accelsim.analog.tile import Block
from accelsim.chip import Chip
from accelsim.noise import Stream
from accelsim.numerics.network import Network
from accelsim.program.table import Program
from accelsim.workload import MacOperator

Ints = NDArray[np.int64]


class CrossbarRun:
    """The programmed blocks of a run. charge: coulombs drawn, by command of the Program. repeated: vectors
    read again, by command."""

    def __init__(self, program: Program, chip: Chip, network: Network) -> None:
        assert chip.crossbar is not None
        self.network = network
        self.tile = chip.crossbar.tile()
        self.blocks: dict[tuple[str, int, int, int], Block] = {}
        self.charge = np.zeros(len(program))
        self.repeated = np.zeros(len(program))

    @property
    def retries(self) -> bool:
        """Whether values decide how often a vector is read, so that every command counts for itself."""
        return self.tile.drive.retries > 0

    def block(self, op: MacOperator, group: int, k0: int, k: int) -> Block:
        """Rows k0 .. k0 + k of a group's weights, programmed; all outputs."""
        key = (op.name, group, k0, k)
        if key not in self.blocks:
            weights, source = self.network.weights[op.name], self.network.activations[op.input]
            record = source.record
            low, high = record.minimum - source.zero, record.maximum - source.zero
            if source.zero == 0:  # symmetric: the lowest code is not used
                low = -high
            self.blocks[key] = Block(
                self.tile, weights[group, k0 : k0 + k], self.network.weight_top(op.name),
                max(-low, high), low >= 0, Stream(self.tile.seed, (op.name, group, k0)),
            )  # fmt: skip
        return self.blocks[key]

    def multiply(self, op: MacOperator, group: int, k0: int, k: int, x: NDArray[np.generic], m0: int,
                 outputs: slice, row: int) -> Ints:  # fmt: skip
        """Integer sums of input codes x (vectors m0 .., k) for a range of outputs. Codes stand for
        their distance from the code of 0.0; what the zero point adds in the requantiser is added
        here, so that sums mean the same as a MAC array's. row: the command that is charged."""
        block = self.block(op, group, k0, k)
        zero = self.network.activations[op.input].zero
        codes = np.asarray(x, np.int64) - zero
        share = (outputs.stop - outputs.start) / block.codes.shape[1]
        before = block.seen.repeated, block.seen.repeated_charge
        found = block.multiply(codes, m0, outputs)
        self.repeated[row] += block.seen.repeated - before[0]
        self.charge[row] += block.charge(codes) * share + block.seen.repeated_charge - before[1]
        if zero:
            found = found + zero * block.codes[:, outputs].sum(axis=0)
        return found

    def seen(self) -> Iterator[tuple[str, int, int]]:
        """(operator, clipped conversions, conversions) of every block."""
        for (name, _, _, _), block in self.blocks.items():
            yield name, block.seen.clipped, block.seen.conversions

    def reuse_error(self) -> float | None:
        """The largest sampled error of reused IR drop, one crossbar an operator; None without any."""
        if self.tile.lines is None or self.tile.ir_drop != "reuse":
            return None
        first = {name: block for (name, *_), block in reversed(self.blocks.items())}
        return max((block.reuse_error() for block in first.values()), default=0.0)
