"""validate(): a mistake of a mapping becomes an error that names the command and the rule.

docs/program.md lists the rules. Structure here; coverage.py: every product exactly once;
hazards.py: written before read, nothing overwritten too early.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.program.coverage import check_coverage
from accelsim.program.dependencies import memory_ports
from accelsim.program.findings import Findings
from accelsim.program.hazards import check_hazards
from accelsim.program.opcodes import Access, Edge, Opcode
from accelsim.program.table import COLUMN_TABLES, Program, column_names
from accelsim.workload import Workload

Ints = NDArray[np.int64]


def validate(program: Program, workload: Workload | None = None, derived: bool = False) -> None:
    """Raise ProgramError with everything that is wrong; return when nothing is.

    workload: when given, coverage is checked against its operators' own dimensions. derived: its
    dependencies and demands are those of hazards.derived(), which looked for hazards as it made them.
    """
    findings = Findings(program)
    _columns(findings)
    if not findings.problems:  # the other rules index through these columns
        _references(findings)
    if not findings.problems:
        _units(findings)
        _memories(findings)
        if not derived:
            _ports(findings)
        _residents(findings)
        _blocks(findings)
        _repeat(findings)
        check_coverage(findings, workload)
        if not derived:
            check_hazards(findings)
    findings.stop()


def _columns(f: Findings) -> None:
    """Equal lengths, int64, sound compressed rows."""
    program = f.program
    lengths: dict[str, int] = {}
    for table, kind in COLUMN_TABLES.items():
        whole = getattr(program, table)
        rows = None
        for name in column_names(kind):
            column = getattr(whole, name)
            if column.dtype != np.int64:
                f.one("program.dtype", f"{table}.{name}", f"has dtype {column.dtype}", "use int64")
            if name == "start":
                continue
            if rows is not None and len(column) != rows:
                f.one(
                    "program.length",
                    f"{table}.{name}",
                    f"has {len(column)} entries, its table has {rows}",
                )
            rows = len(column) if rows is None else rows
        lengths[table] = rows or 0
    for table in ("operands", "dependencies", "demands"):
        start = getattr(program, table).start
        sound = len(start) == len(program) + 1 and start[0] == 0
        if not sound or start[-1] != lengths[table] or (np.diff(start) < 0).any():
            f.one(
                "program.rows",
                f"{table}.start",
                "is not a rising list from 0 to the table's length, one more than commands",
            )
    if program.shapes.extents.shape != (lengths["shapes"], 8):
        f.one("program.extents", "shapes.extents", "is not (shapes, 8)")


def _inside(f: Findings, name: str, column: Ints, low: int, high: int) -> None:
    wrong = np.flatnonzero((column < low) | (column >= high))
    if len(wrong):
        f.one(
            "program.range",
            name,
            f"entry {int(wrong[0])} is {int(column[wrong[0]])}, outside {low}..{high - 1}",
        )


def _references(f: Findings) -> None:
    """Every index points into its table; dependencies point backwards."""
    p = f.program
    c, o, d = p.commands, p.operands, p.dependencies
    for name, column, high in (
        ("opcode", c.opcode, len(Opcode)),
        ("unit", c.unit, len(p.units)),
        ("queue", c.queue, len(p.queues)),
        ("shape", c.shape, len(p.shapes.kind)),
        ("served", c.served, 2),
    ):
        _inside(f, f"commands.{name}", column, 0, high)
    _inside(f, "commands.operator", c.operator, -1, max(1, len(p.operators)))
    _inside(f, "commands.block", c.block, -1, max(1, len(p.blocks)))
    _inside(f, "operands.tensor", o.tensor, 0, len(p.tensors))
    _inside(f, "operands.memory", o.memory, 0, len(p.memories))
    _inside(f, "operands.access", o.access, 0, len(Access))
    _inside(f, "demands.port", p.demands.port, 0, len(p.ports))
    _inside(f, "dependencies.kind", d.kind, 0, len(Edge))
    _inside(f, "shapes.kind", p.shapes.kind, 0, len(p.unit_kinds))
    for name, column in (
        ("operands.bytes", o.bytes),
        ("operands.address", o.address),
        ("operands.span", o.span),
        ("demands.bytes", p.demands.bytes),
        ("dependencies.lag", d.lag),
        ("operands.offset", o.offset.ravel()),
        ("shapes.extents", p.shapes.extents.ravel()),
    ):
        _inside(f, name, column, 0, 1 << 62)
    rows = np.repeat(np.arange(len(p)), np.diff(d.start))
    wrong = rows[(d.predecessor >= rows) | (d.predecessor < 0)]
    f.rows(
        "program.backward",
        wrong,
        "depends on a command that is not earlier",
        "let dependencies point to earlier rows",
    )


def _units(f: Findings) -> None:
    """A unit accepts the opcode; the shape is of the unit's kind and opcode."""
    p = f.program
    c = p.commands
    accepts = np.zeros((len(p.units), len(Opcode)), bool)
    for u, unit in enumerate(p.units):
        accepts[u, list(unit.opcodes)] = True
    wrong = np.flatnonzero(~accepts[c.unit, c.opcode])
    f.rows("program.opcode", wrong, "is not an opcode of its unit")
    kinds = np.array([unit.kind for unit in p.units], np.int64)
    f.rows(
        "program.shape",
        np.flatnonzero(p.shapes.kind[c.shape] != kinds[c.unit]),
        "has a shape of another kind of unit",
    )
    f.rows(
        "program.shape",
        np.flatnonzero(p.shapes.opcode[c.shape] != c.opcode),
        "has a shape of another opcode",
    )


def _memories(f: Findings) -> None:
    """Footprints lie inside the memory: live bytes fit."""
    p = f.program
    o = p.operands
    size = np.array([memory.bytes for memory in p.memories], np.int64)
    rows = np.repeat(np.arange(len(p)), np.diff(o.start))
    f.rows(
        "program.fits",
        rows[o.address + o.span > size[o.memory]],
        "reaches past the end of a memory",
        "place less, or make the memory larger",
    )


def _residents(f: Findings) -> None:
    """What is resident lies inside its memory."""
    p = f.program
    for resident in p.residents:
        memory = p.memories[resident.memory]
        if resident.address + resident.span > memory.bytes:
            f.one(
                "program.fits",
                p.tensors[resident.tensor].name,
                f"is resident past the end of {memory.name}",
            )


def _ports(f: Findings) -> None:
    """Bytes demanded on a memory's ports are the bytes that the operands move there."""
    p = f.program
    o, d = p.operands, p.demands
    read, write = memory_ports(p.ports, p.memories)
    rows = np.repeat(np.arange(len(p)), np.diff(o.start))
    ports = max(1, len(p.ports))
    keys, sizes = [], []
    for side, which in ((read, Access.WRITE), (write, Access.READ)):
        keep = (o.access != which) & (side[o.memory] >= 0)
        keys.append(rows[keep] * ports + side[o.memory[keep]])
        sizes.append(o.bytes[keep])
    key, moved = np.concatenate(keys), np.concatenate(sizes)
    demand_key = np.repeat(np.arange(len(p)), np.diff(d.start)) * ports + d.port
    whole = np.concatenate([key, demand_key])
    total = np.concatenate([moved, -d.bytes])
    order = np.argsort(whole, kind="stable")
    whole, total = whole[order], total[order]
    if len(whole) == 0:
        return
    head = np.concatenate([[0], np.flatnonzero(whole[1:] != whole[:-1]) + 1])
    balance = np.add.reduceat(total, head)
    linked = np.zeros(ports, bool)
    for side in (read, write):
        linked[side[side >= 0]] = True
    wrong = (balance != 0) & linked[whole[head] % ports]
    f.rows(
        "program.ports",
        whole[head][wrong] // ports,
        "demands other bytes on a port than its operands move there",
    )


def _repeat(f: Findings) -> None:
    """The repeat's rows lie inside the Program, among the copies around them."""
    r, count = f.program.repeat, len(f.program)
    if r is None:
        return
    low, high = r.alike
    if (
        not (
            0 <= low <= r.first
            and r.length >= 1
            and r.stop <= high <= count
            and r.times >= 1
            and 0 <= r.operators <= len(f.program.operators)
        )
        or (r.first - low) % r.length
    ):
        f.one(
            "program.repeat",
            f"rows {r.first} to {r.stop}",
            "do not lie inside the copies around them",
            "repeat one of the copies",
        )


def _blocks(f: Findings) -> None:
    """Repeat blocks lie inside the Program and repeat opcode, unit, queue and shape."""
    c = f.program.commands
    for number, block in enumerate(f.program.blocks):
        end = block.first + block.length * block.count
        if block.length < 1 or block.count < 1 or block.first < 0 or end > len(f.program):
            f.one("program.block", f"block {number}", "does not lie inside the Program")
            continue
        for name in ("opcode", "unit", "queue", "shape", "flags"):
            body = getattr(c, name)[block.first : end].reshape(block.count, block.length)
            if (body != body[0]).any():
                f.one("program.block", f"block {number}", f"does not repeat its {name}")
