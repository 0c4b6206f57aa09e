"""The default mapping of a MAC operator: the fastest legal tiling by a closed estimate.

The estimate only ranks; the cycles that users see come from the event engine. search.py looks
further and lets the engine decide.
"""

from __future__ import annotations

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem
from accelsim.formats import get
from accelsim.mapping.mapping import Geometry, Mapping, buffers_of, dataflow_named
from accelsim.mapping.placement import capacity, place
from accelsim.mapping.score import Tilings


def fits(
    chip: Chip,
    geometry: Geometry,
    mapping: Mapping,
    formats: tuple[str, str, str],
    weight_address: int | None = None,
    reserve: int = 0,
) -> dict[str, tuple[int, int]]:
    """Memories that are too small for a mapping: name -> (bytes needed, bytes there)."""
    needs = place(chip, geometry, mapping, formats, 0, weight_address).needs()
    short = {}
    for memory, size in needs.items():
        room = capacity(chip, memory)
        if memory == chip.array.weight:
            room -= reserve
            if weight_address is not None:
                size -= _resident_weight_bytes(geometry, formats)
        if size > room:
            short[memory] = (size, room)
    return short


def _resident_weight_bytes(geometry: Geometry, formats: tuple[str, str, str]) -> int:
    return get(formats[1]).bytes_for(geometry.groups * geometry.k * geometry.n)


def choose_mapping(
    chip: Chip,
    geometry: Geometry,
    formats: tuple[str, str, str],
    name: str,
    reserve: int = 0,
    cold: bool = True,
    dataflow: str | None = None,
) -> Mapping:
    """The default mapping; InputError when not even the smallest tile fits the buffers."""
    flow = dataflow_named(dataflow or chip.array.dataflow)
    scores = Tilings(chip, geometry, formats, flow, reserve, cold).scores()
    for index in range(len(scores.cycles)):
        mapping = scores.mapping(index)
        if not fits(chip, geometry, mapping, formats, None if cold else 0, reserve):
            return mapping
    array, buffers = chip.array, buffers_of(chip)
    raise InputError(
        Problem(
            "mapping.fits",
            f"no tile of {name} fits the buffers {array.input} ({buffers.input} bytes), "
            f"{array.weight} ({buffers.weight}), {array.output} ({buffers.output})",
            "make the buffers larger or buffering: single",
        )
    )
