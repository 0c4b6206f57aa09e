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
    rate = array.rate(formats[0], formats[1])
    limits = array.pass_limits(mapping.dataflow, rate, g, mapping)
    counts = dict(zip("mnk", p.tiles.counts, strict=True))
    sizes = {"m": mapping.m, "n": mapping.n, "k": mapping.k}
    extra = {
        "m": f" ({mapping.batch} x {mapping.height} x {mapping.width} outputs)"
        if g.convolution
        else "",
        "n": "",
        "k": "",
    }
    lines = [
        f"{g.groups} x m {g.m} n {g.n} k {g.k}" if g.groups > 1 else f"m {g.m} n {g.n} k {g.k}",
        f"resident: {_resident(chip, mapping, cold, p.input_here)}",
    ]
    depth = 0
    if g.groups > 1:
        lines.append(f"for each of {g.groups} groups")
        depth = 1
    for axis in mapping.order:
        dealt = (
            f", dealt to {array.count} arrays" if axis == array.split and array.count > 1 else ""
        )
        lines.append(
            "  " * depth + f"for {axis} in {counts[axis]} tiles of {sizes[axis]}"
            f"{extra[axis]}{dealt}"
        )
        depth += 1
    inner = "  " * depth
    if not (mapping.input_resident or p.input_here):
        lines.append(
            f"{inner}load input, at most {p.input_slot:,} bytes, to {array.input} "
            f"({_slots(mapping.input_slots)})"
        )
    if not mapping.weight_resident and cold:
        lines.append(
            f"{inner}load weights, at most {p.weight_slot:,} bytes, to {array.weight} "
            f"({_slots(mapping.weight_slots)})"
        )
    passes = {
        axis: -(-min(sizes[axis], getattr(g, axis)) // limit) if limit else 1
        for axis, limit in zip("mnk", limits, strict=True)
    }
    flow = dataflow(mapping.dataflow)
    own = "".join(
        f", {name} {value}"
        for name, value in zip(flow.parameters, mapping.parameters, strict=False)
    )
    tiles = " x ".join(f"{passes[axis]} of {axis}" for axis in "mnk" if axis != flow.streams)
    lines.append(
        f"{inner}{flow.name.replace('_', ' ')}: {tiles} passes, each streams {flow.streams}{own}"
    )
    where = array.accumulator.location
    kept = array.output if where == "sram" else "accumulators under the columns"
    lines.append(f"{inner}sums " + (f"kept in {kept}" if p.sums_slots else "finished in one pass"))
    lines.append(f"{inner}store outputs from {array.output} ({_slots(mapping.output_slots)})")
    return lines


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
