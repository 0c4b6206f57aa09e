"""The technology that constants are looked up for, and constants of a chip file's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from accelsim.fields import Bounds, Quantity


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant of the user's own, in place of the shipped one.

    key: a row of the component table ("dram/lpddr4/bit"), or "unit/action" as `accelsim explain`
    prints them ("array/mac_int8_int8", "weight_buffer/read_bit"). value: joules a count.
    confidence: sets the band. node, voltage: where the value holds; without them, at the chip's own.
    """

    key: str
    value: Annotated[float, Quantity("J"), Bounds(0.0, 1.0)]
    source: str
    confidence: Literal["run", "src", "pub", "der", "mem"]
    node: Annotated[float | None, Quantity("m"), Bounds(1e-9, 1e-6)] = None
    voltage: Annotated[float | None, Quantity("V"), Bounds(0.1, 5.0)] = None


@dataclass(frozen=True, slots=True)
class Technology:
    """What the energy constants are looked up for.

    node: metres (22e-9). voltage: volt. family: name of the energy table of the digital parts.
    sram_device: CACTI device type, which sets leakage. temperature: kelvin, which leakage follows.
    constants: the user's own, in place of shipped ones.
    """

    node: Annotated[float, Quantity("m"), Bounds(1e-9, 1e-6)]
    voltage: Annotated[float, Quantity("V"), Bounds(0.1, 5.0)]
    family: str
    sram_device: str = "itrs-lstp"
    temperature: Annotated[float, Quantity("K"), Bounds(200.0, 500.0)] = 350.0
    constants: tuple[Constant, ...] = ()

    @property
    def node_nm(self) -> float:
        """The node in nanometres, as tables name it."""
        return round(self.node * 1e9, 6)
