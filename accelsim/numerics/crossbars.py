"""Products on crossbars: every operator's weights in cells, by group (or pack of groups) and row block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from accelsim.analog.reuse import REFERENCE_AGE
from accelsim.analog.slices import Split
from accelsim.analog.tile import Block
from accelsim.chip import Chip
from accelsim.formats import integer
from accelsim.noise import Stream
from accelsim.numerics.network import Network
from accelsim.program.table import Program
from accelsim.workload import MacOperator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class CrossbarRun:
    """The programmed blocks of a run. charge: coulombs drawn, by command of the Program. repeated: vectors
    read again, by command."""

    def __init__(self, program: Program, chip: Chip, network: Network) -> None:
        assert chip.crossbar is not None
        self.network = network
        self.tile = chip.crossbar.tile()
        self.blocks: dict[tuple[str, int, int, int, int], Block] = {}
        self.charge = np.zeros(len(program))
        self.repeated = np.zeros(len(program))

    @property
    def retries(self) -> bool:
        """Whether values decide how often a vector is read, so that every command counts for itself."""
        return self.tile.drive.retries > 0

    def block(self, op: MacOperator, group: int, k0: int, k: int, count: int = 1) -> Block:
        """Rows k0 .. k0 + k of the weights of ``count`` groups, programmed; all outputs. Several groups
        stand on a diagonal, zeros beside them."""
        key = (op.name, group, k0, k, count)
        if key not in self.blocks:
            weights, source = self.network.weights[op.name], self.network.activations[op.input]
            record = source.record
            low, high = record.minimum - source.zero, record.maximum - source.zero
            if source.zero == 0:  # symmetric: the lowest code is not used
                low = -high
            codes = diagonal(weights[group : group + count, k0 : k0 + k])
            self.blocks[key] = Block(
                self.tile,
                codes,
                self.network.weight_top(op.name),
                max(-low, high),
                low >= 0,
                Stream(self.tile.seed, (op.name, group, k0)),
            )
        return self.blocks[key]

    def multiply(
        self,
        op: MacOperator,
        group: int,
        k0: int,
        k: int,
        x: NDArray[np.generic],
        m0: int,
        outputs: slice,
        row: int,
    ) -> Ints:
        """Integer sums (groups, vectors, outputs) of input codes x (groups, vectors m0 .., k) for a range
        of outputs; several groups, from ``group`` on, share a crossbar and take all their outputs. Codes
        stand for their distance from the code of 0.0; what the zero point adds in the requantiser is added
        here, so that sums mean the same as a MAC array's. row: the command that is charged."""
        count, vectors, _ = x.shape
        block = self.block(op, group, k0, k, count)
        zero = self.network.activations[op.input].zero
        codes = np.asarray(x, np.int64).transpose(1, 0, 2).reshape(vectors, count * k) - zero
        if count > 1:
            assert outputs == slice(0, op.n), "a pack is read whole"
            outputs = slice(0, count * op.n)
        share = (outputs.stop - outputs.start) / block.codes.shape[1]
        before = block.seen.repeated, block.seen.repeated_charge
        found = block.multiply(codes, m0, outputs)
        self.repeated[row] += block.seen.repeated - before[0]
        self.charge[row] += block.charge(codes) * share + block.seen.repeated_charge - before[1]
        if zero:
            found = found + zero * block.codes[:, outputs].sum(axis=0)
        return found.reshape(vectors, count, -1).transpose(1, 0, 2)

    def seen(self) -> Iterator[tuple[str, int, int]]:
        """(operator, clipped conversions, conversions) of every block."""
        for (name, *_), block in self.blocks.items():
            yield name, block.seen.clipped, block.seen.conversions

    def notes(self) -> list[str]:
        """What was chosen for the weights' cells, and what was assumed of their wires."""
        notes = self._slices()
        error = self.reuse_error()
        if error is not None:
            notes.append(
                f"IR drop reused from an age of {REFERENCE_AGE:g} s, error {100 * error:.2g} % of the "
                "sums (sampled)"
            )
        return notes

    def _slices(self) -> list[str]:
        """How codes of every width fill the slices, one line a width; none where a cell holds any code."""
        scheme = self.tile.scheme
        if scheme.slices == 1 and not scheme.levels:
            return []
        by: dict[int, list[Split]] = {}
        for (name, *_), block in self.blocks.items():
            bits = integer(self.network.weight_formats[name]).bits
            by.setdefault(bits, []).append(block.split)
        levels = f"{scheme.levels} levels" if scheme.levels else "any conductance"
        return [
            f"{bits}-bit weight codes stand in {_span([split.used for split in splits])} of "
            f"{scheme.slices} slices of {levels}, times {_span([split.multiples for split in splits])}, "
            "whichever loses least"
            for bits, splits in sorted(by.items())
        ]

    def reuse_error(self) -> float | None:
        """The largest sampled error of reused IR drop, one crossbar an operator; None without any."""
        if self.tile.lines is None or self.tile.ir_drop != "reuse":
            return None
        first = {name: block for (name, *_), block in reversed(self.blocks.items())}
        return max((block.reuse_error() for block in first.values()), default=0.0)


def _span(parts: Sequence[Ints] | Sequence[Floats]) -> str:
    """The least and the largest of all numbers, or the one that they are."""
    low, high = min(float(part.min()) for part in parts), max(float(part.max()) for part in parts)
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def diagonal(weights: Ints) -> Ints:
    """Codes (groups k, groups n) of groups' weights (groups, k, n), block-diagonal."""
    count, k, n = weights.shape
    if count == 1:
        return np.asarray(weights[0], np.int64)
    found = np.zeros((count, k, count, n), np.int64)
    found[np.arange(count), :, np.arange(count)] = weights
    return found.reshape(count * k, count * n)
