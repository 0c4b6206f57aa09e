"""A mapping as the loop nest that it is, for a person."""

from __future__ import annotations

from accelsim.chip import Chip
from accelsim.mapping.mapping import Geometry, Mapping, array_for
from accelsim.mapping.placement import place
from accelsim.mapping.rooms import UNDIVIDED, Room
from accelsim.units.dataflows import dataflow


def loop_nest(
    chip: Chip,
    geometry: Geometry,
    mapping: Mapping,
    formats: tuple[str, str, str],
    cold: bool = True,
    room: Room = UNDIVIDED,
) -> list[str]:
    """Lines: the loops from outermost, what is loaded and kept where, and the passes inside."""
    array, g = array_for(chip.array, mapping.split, mapping.arrays), geometry
    p = place(chip, g, mapping, formats, 0, None if cold else 0, room)
    lines = [
        f"{g.groups} x m {g.m} n {g.n} k {g.k}" if g.groups > 1 else f"m {g.m} n {g.n} k {g.k}",
        f"resident: {_resident(chip, mapping, cold, p.input_here)}",
    ]
    loops = _loops(chip, g, mapping, p.tiles.counts)
    lines += ["  " * depth + loop for depth, loop in enumerate(loops)]
    inner = "  " * len(loops)
    once = f"; from off chip once, then from {p.kept.memory}" if p.kept else ""
    if not (mapping.input_resident or p.input_here):
        lines.append(
            f"{inner}load input, at most {p.input_slot:,} bytes, to {array.input} "
            f"({_slots(mapping.input_slots)})"
        )
    if not mapping.weight_resident and cold:
        lines.append(
            f"{inner}load weights, at most {p.weight_slot:,} bytes, to {array.weight} "
            f"({_slots(mapping.weight_slots)}{once})"
        )
    lines.append(inner + _passes(chip, g, mapping, formats))
    where = array.accumulator.location
    kept = array.output if where == "sram" else "accumulators under the columns"
    lines.append(f"{inner}sums " + (f"kept in {kept}" if p.sums_slots else "finished in one pass"))
    lines.append(f"{inner}store outputs from {array.output} ({_slots(mapping.output_slots)})")
    return lines


def _loops(chip: Chip, g: Geometry, mapping: Mapping, counts: tuple[int, ...]) -> list[str]:
    """The loops over groups and tiles (counts: of m, n, k), from outermost."""
    array, count = chip.array, dict(zip("mnk", counts, strict=True))
    lines = [f"for each of {g.groups} groups"] if g.groups > 1 else []
    for axis in mapping.order:
        text = f"for {axis} in {count[axis]} tiles of {getattr(mapping, axis)}"
        if axis == "m" and g.convolution:
            text += f" ({mapping.batch} x {mapping.height} x {mapping.width} outputs)"
        if axis == array.split and array.count > 1:
            text += f", dealt to {array.count} arrays"
        lines.append(text)
    return lines


def _passes(chip: Chip, g: Geometry, mapping: Mapping, formats: tuple[str, str, str]) -> str:
    """The passes of a tile, and what streams in each."""
    array, flow = chip.array, dataflow(mapping.dataflow)
    limits = array.pass_limits(mapping.dataflow, array.rate(formats[0], formats[1]), g, mapping)
    tiles = " x ".join(
        f"{-(-min(getattr(mapping, axis), getattr(g, axis)) // limit) if limit else 1} of {axis}"
        for axis, limit in zip("mnk", limits, strict=True)
        if axis != flow.streams
    )
    pairs = zip(flow.parameters, mapping.parameters, strict=False)
    own = "".join(f", {name} {value}" for name, value in pairs)
    return f"{flow.name.replace('_', ' ')}: {tiles} passes, each streams {flow.streams}{own}"


def _slots(count: int) -> str:
    return {1: "one slot", 2: "double buffered"}.get(count, f"{count} slots")


def _resident(chip: Chip, mapping: Mapping, cold: bool, here: bool) -> str:
    kept = []
    if here:
        kept.append(f"the input at home in {chip.array.input}, read there")
    elif mapping.input_resident:
        kept.append(f"the whole input in {chip.array.input}, fetched once")
    if not cold:
        kept.append(f"the weights in {chip.array.weight}, there from the start")
    elif mapping.weight_resident:
        kept.append(f"all weights in {chip.array.weight}, fetched once")
    return " and ".join(kept) or "nothing"
