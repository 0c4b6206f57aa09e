"""How many commands a Plan comes to and what they need, before any of them is written."""

from __future__ import annotations

from accelsim import resources
from accelsim.chip import Chip
from accelsim.formats import get
from accelsim.mapping.crossbars import CrossbarMapping, blocks_of, packs_of
from accelsim.mapping.mapping import Geometry, Mapping, geometry_of, slots_of
from accelsim.mapping.parts import Plan
from accelsim.mapping.tensors import operator_formats
from accelsim.program.dependencies import HUBS, MANY_UNITS
from accelsim.units.dataflows import dataflow
from accelsim.units.mac_array import MacArray
from accelsim.workload import MacOperator, VectorOperator, Workload

#: measured on Programs of 0.02 to 1.6 million commands (docs/timing_engine.md): what a command takes with its
#: operands and edges, and what each unit's clock adds to it while dependencies are derived
COMMAND_BYTES, CLOCK_BYTES = 900, 8
COMMAND_SECONDS = 7e-6
PREPARED_BYTES = 150 << 20  # kernels and what a run keeps whatever its size


def commands_of(chip: Chip, workload: Workload, chosen: Plan) -> dict[str, int]:
    """Commands of every operator by its closed form, of all groups of images, none below the true count by more than a
    tile's rounding; equal layers that are listed once are counted each."""
    found: dict[str, int] = {}
    for op in chosen.group(workload).operators:
        side = chosen.side(chip, op.name)
        if isinstance(op, VectorOperator):
            found[op.name] = 0 if op.is_view else _vector(side, op, chosen)
            continue
        mapping, geometry = chosen.mappings[op.name], geometry_of(op)
        if isinstance(mapping, CrossbarMapping):
            found[op.name] = _crossbars(side, geometry, mapping)
        else:
            found[op.name] = _array(side.array, op, geometry, mapping, operator_formats(op, chip))
    turns = chosen.turns(workload)
    return {name: turns * count for name, count in found.items()}


def _cut(total: int, size: int) -> int:
    return -(-total // max(1, size))


def _m_tiles(g: Geometry, mapping: Mapping | CrossbarMapping) -> int:
    return (
        _cut(g.batch, mapping.batch)
        * _cut(g.out_height, mapping.height)
        * _cut(g.out_width, mapping.width)
    )


def _array(
    array: MacArray, op: MacOperator, g: Geometry, mapping: Mapping, formats: tuple[str, ...]
) -> int:
    limits = array.pass_limits(mapping.dataflow, array.rate(formats[0], formats[1]), g, mapping)
    tiles = (_m_tiles(g, mapping), _cut(g.n, mapping.n), _cut(g.k, mapping.k))
    sizes = (mapping.m, min(mapping.n, g.n), min(mapping.k, g.k))
    jobs, passes = op.groups * tiles[0] * tiles[1] * tiles[2], 1
    for size, limit in zip(sizes, limits, strict=True):
        passes *= _cut(size, limit) if limit else 1
    preloads = 0 if dataflow(mapping.dataflow).stays == "none" else jobs * passes
    return jobs * (passes + 2) + preloads + 2 * op.groups * tiles[0] * tiles[1]


def _crossbars(chip: Chip, g: Geometry, mapping: CrossbarMapping) -> int:
    assert chip.crossbar is not None
    rows, columns = blocks_of(chip.crossbar, g)
    blocks, packs = rows * columns, packs_of(chip.crossbar, g)
    written = (
        mapping.replicas * packs * blocks if chip.weights == "cold" or mapping.reprogrammed else 0
    )
    return written + _m_tiles(g, mapping) * packs * (blocks + (rows > 1) + 3)


def _vector(chip: Chip, op: VectorOperator, chosen: Plan) -> int:
    unit, own = chip.vector_unit, chosen.homes.room(op.name).of(chip)
    room = own.memories[unit.output].size // slots_of(chip, unit.output)
    elements = 1
    for size in op.output_shape:
        elements *= size
    return (len(op.inputs) + 2) * max(
        4 * unit.count, _cut(get(chosen.formats[op.output]).bits * elements // 8, room)
    )


def check_size(chip: Chip, workload: Workload, chosen: Plan, units: int) -> dict[str, int]:
    """commands_of(). InputError when they need more memory than may be used: what is needed, what there is
    and which operator asks for most. units: instances of the chip's units."""
    counts = commands_of(chip, workload, chosen)
    if not counts:
        return counts
    most = max(counts, key=lambda name: counts[name])
    check_commands(
        sum(counts.values()),
        units,
        f"{counts[most]:,} of them are {most}'s",
        workload.source,
    )
    return counts


def fits_memory(total: int, units: int) -> bool:
    """Whether there is memory for the table of so many commands on so many units."""
    return _need(total, units) <= resources.allowed_bytes()


def _need(total: int, units: int) -> int:
    """Bytes of the table."""
    clocks = units if units <= MANY_UNITS else HUBS
    return PREPARED_BYTES + total * (COMMAND_BYTES + CLOCK_BYTES * clocks)


def check_commands(total: int, units: int, most: str, source: str = "") -> None:
    """InputError when so many commands on so many units need more memory than may be used. most: where they
    come from, for the message."""
    resources.require(
        _need(total, units),
        f"{total:,} commands on {units:,} units ({most}, {total * COMMAND_SECONDS:,.0f} s in all)",
        "make the arrays or their buffers larger, take fewer of them or a smaller layer",
        source,
    )
