"""A Program as text, for reading and for diff: the tables, then one line a command."""

from __future__ import annotations

from collections.abc import Iterator

from accelsim.formats import FORMAT_NAMES
from accelsim.program.opcodes import Access, Arbiter, Edge, Flag, Opcode
from accelsim.program.table import Program

ARROWS = {Access.READ: "<", Access.WRITE: ">", Access.ACCUMULATE: "+"}
EDGES = {Edge.DATA: "", Edge.SLOT: " slot", Edge.START: " start"}


def listing(program: Program, first: int = 0, stop: int | None = None) -> Iterator[str]:
    """Lines of text: tables, then commands first .. stop.

    A command's line: row, unit, opcode and extents, flags; ``<`` read, ``>`` written, ``+``
    accumulated operands as tensor[offset:end, ...] @ memory+address; ``after`` its dependencies
    (row, kind, lag in ticks); ``via`` its port demands in bytes.
    """
    yield f"program of {len(program)} commands, {program.tick_hz} ticks a second"
    yield from _tables(program)
    for row in range(first, len(program) if stop is None else min(stop, len(program))):
        yield _command(program, row)


def _tables(program: Program) -> Iterator[str]:
    for number, unit in enumerate(program.units):
        codes = ",".join(Opcode(code).name for code in unit.opcodes)
        served = f", served by {unit.serve}" if unit.serve else ""
        yield (
            f"unit {number} {unit.name}: {program.unit_kinds[unit.kind]}, {unit.period} ticks a "
            f"cycle, {codes}, priority {unit.priority}{served}"
        )
    for number, queue in enumerate(program.queues):
        yield f"queue {number} {queue.name}: priority {queue.priority}"
    for number, port in enumerate(program.ports):
        yield (
            f"port {number} {port.name}: {port.width} B every {port.beat} ticks, quantum "
            f"{port.quantum}, {Arbiter(port.arbiter).name.lower()}"
        )
    for number, memory in enumerate(program.memories):
        yield f"memory {number} {memory.name}: {memory.bytes} B"
    for number, tensor in enumerate(program.tensors):
        view = f", {tensor.view} view of {tensor.view_of}" if tensor.view_of >= 0 else ""
        yield (
            f"tensor {number} {tensor.name}.{tensor.version}: {list(tensor.shape)} "
            f"{tensor.format}, {tensor.role}{view}"
        )
    for resident in program.residents:
        when = " and ".join(
            word
            for word, holds in (("start", resident.at_start), ("end", resident.at_end))
            if holds
        )
        yield (
            f"resident {_tensor(program, resident.tensor)} in "
            f"{program.memories[resident.memory].name}+{resident.address}, {resident.span} B, "
            f"at the {when}"
        )
    for block in program.blocks:
        yield f"block {block.first}: {block.length} rows, {block.count} times"


def _tensor(program: Program, number: int) -> str:
    row = program.tensors[number]
    return f"{row.name}.{row.version}" + (f"/{row.view}" if row.view else "")


def _command(program: Program, row: int) -> str:
    c, o, e, d = program.commands, program.operands, program.dependencies, program.demands
    shape = int(c.shape[row])
    extents = [int(x) for x in program.shapes.extents[shape]]
    while extents and extents[-1] == 0:
        extents.pop()
    words = [
        f"{row}",
        program.units[int(c.unit[row])].name,
        Opcode(int(c.opcode[row])).name,
        "x".join(map(str, extents)) or "-",
    ]
    if c.flags[row]:
        words.append("|".join(str(flag.name) for flag in Flag(int(c.flags[row]))))
    if c.operator[row] >= 0:
        words.append(f"of {program.operators[int(c.operator[row])]}")
    if c.queue[row] != c.unit[row]:
        words.append(f"queue {int(c.queue[row])}")
    if c.request[row]:
        words.append(f"request {int(c.request[row])}")
    if c.served[row]:
        words.append(f"at {int(c.address[row])}")
    for i in range(int(o.start[row]), int(o.start[row + 1])):
        words.append(_operand(program, i))
    edges = [
        f"{int(e.predecessor[j])}{EDGES[Edge(int(e.kind[j]))]}"
        + (f" +{int(e.lag[j])}" if e.lag[j] else "")
        for j in range(int(e.start[row]), int(e.start[row + 1]))
    ]
    if edges:
        words.append("after " + ", ".join(edges))
    moved = [
        f"{program.ports[int(d.port[j])].name} {int(d.bytes[j])} B"
        for j in range(int(d.start[row]), int(d.start[row + 1]))
    ]
    if moved:
        words.append("via " + ", ".join(moved))
    return "  ".join(words)


def _operand(program: Program, entry: int) -> str:
    o = program.operands
    tensor = program.tensors[int(o.tensor[entry])]
    box = ", ".join(
        f"{int(low)}:{int(low + size)}"
        for low, size in zip(o.offset[entry], o.extent[entry], strict=True)
    )
    form = FORMAT_NAMES[int(o.format[entry])]
    shown = "" if form == tensor.format else f" {form}"
    place = f"{program.memories[int(o.memory[entry])].name}+{int(o.address[entry])}"
    return (
        f"{ARROWS[Access(int(o.access[entry]))]} "
        f"{_tensor(program, int(o.tensor[entry]))}[{box}]{shown} @ {place}"
    )
