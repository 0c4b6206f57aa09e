"""What a Program moves, in a peer's words: of every memory and operand elements and bytes read for the memory
below, filled from above, updated from below, read for the one above. Read off operands alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from accelsim.program.opcodes import Access, Opcode
from accelsim.program.table import Program

KINDS = ("elements", "bytes")
DIRECTIONS = ("read_down", "fills", "updates", "read_up")
#: commands of the arrays themselves: what they read goes down to the elements, what they write comes from there
ARRAYS = (Opcode.MATMUL, Opcode.MVM)
#: commands between two memories
MOVES = (Opcode.LOAD, Opcode.STORE, Opcode.PRELOAD, Opcode.TRANSFER)
Counts = dict[str, dict[str, int]]
Moved = dict[tuple[str, str], Counts]


def moved(program: Program, tree: Sequence[Sequence[str]], operator: str) -> tuple[Moved, Moved]:
    """(memory, operand) -> "elements", "bytes" -> direction -> count of one operator; and the same of what finishes its
    sums (commands of other units than the arrays and the DMA), whose reads are "read_down" and writes "updates".

    tree: memories, outermost first, those beside one another together. The operator's tensors are x (input),
    w (weight) and its result with its sums. Elements are those of the operands' regions, bytes what they move at
    the memory. An accumulation reads and updates.
    """
    depth = {name: level for level, names in enumerate(tree) for name in names}
    memories, roles, o = [row.name for row in program.memories], roles_of(program), program.operands
    number = program.operators.index(operator)
    between, finishing = (
        defaultdict(lambda: {kind: dict.fromkeys(DIRECTIONS, 0) for kind in KINDS})
        for _ in range(2)
    )
    for row in np.flatnonzero(program.commands.operator == number):
        opcode = int(program.commands.opcode[row])
        entries = range(int(o.start[row]), int(o.start[row + 1]))
        levels = [depth[memories[int(o.memory[entry])]] for entry in entries]
        side = between if opcode in (*MOVES, *ARRAYS) else finishing
        for entry, level in zip(entries, levels, strict=True):
            top = opcode not in MOVES or level < max(levels)
            counts = side[memories[int(o.memory[entry])], roles[int(o.tensor[entry])]]
            for way in ways(int(o.access[entry]), top):
                counts["elements"][way] += int(np.prod(o.extent[entry]))
                counts["bytes"][way] += int(o.bytes[entry])
    return dict(between), dict(finishing)


def ways(access: int, top: bool) -> Iterator[str]:
    """Directions of an access. top: the other side is below."""
    if access != Access.WRITE:
        yield "read_down" if top else "read_up"
    if access != Access.READ:
        yield "updates" if top else "fills"


def roles_of(program: Program) -> list[str]:
    """What each tensor is to the operator between x and y, or comes from or goes to; partial sums are the output's."""
    roles = {"x0": "input", "x": "input", "w": "weight"}
    return [roles.get(tensor.name, "output") for tensor in program.tensors]
