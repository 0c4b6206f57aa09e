"""The small enumerations of a Program's columns."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class Opcode(IntEnum):
    """What one command (a tile pass) does on its unit."""

    LOAD = 0
    STORE = 1
    PRELOAD = 2
    PROGRAM = 3
    MATMUL = 4
    MVM = 5
    ACCUMULATE = 6
    REQUANTIZE = 7
    VECTOR = 8
    TRANSFER = 9


class Access(IntEnum):
    """How a command uses an operand."""

    READ = 0
    WRITE = 1
    ACCUMULATE = 2  # read, add, write back


class Edge(IntEnum):
    """Which event of the predecessor a dependency waits for (plus the edge's lag, in ticks)."""

    DATA = 0  # its last result
    SLOT = 1  # its release: operands were read to the end, the slot is free
    START = 2  # its issue


class Served(IntEnum):
    """How a unit's times are found."""

    COLUMN = 0  # three times per unique shape, known before the run
    STATEFUL = 1  # serve(state, command, now) when the engine grants


class Arbiter(IntEnum):
    """How a shared port chooses among its requesters, quantum by quantum."""

    ROUND_ROBIN = 0
    FIRST_COME = 1
    PRIORITY = 2


class Why(IntEnum):
    """What a command waited for last. Ties go to the smallest number."""

    NONE = 0  # started at tick 0
    DATA = 1
    SLOT = 2
    START = 3
    QUEUE = 4  # in-order issue behind its queue's previous command
    UNIT = 5  # its unit was still busy: no stall, the unit was working
    PORT = 6  # bandwidth: only in the stall that follows the issue, never before it


class Flag(IntFlag):
    """Bits of the commands' flags column."""

    NONE = 0
    FIRST_K = 1  # starts a sum: writes its outputs instead of accumulating
    LAST_K = 2  # completes a sum
    FUSED = 4  # the epilogue (bias, requantise, clamp) runs in the array's output pipeline
    RECOMPUTES = 8  # declared recomputation: not counted against coverage
