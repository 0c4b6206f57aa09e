"""Links: what joins memories and cores, as directed links that are ports of a Program.

A link has stations, each of one memory or of all memories of one core. A transfer goes from station to
station by one way, which the kind of link gives and which never depends on what else moves: columns before rows
on a mesh, the shorter way round a ring, upwards where both are as long. The head of a transfer takes ``hop``
cycles through each router that it passes, one more than the links between routers; the rest follows at a width
a cycle. At zero load ``bytes`` therefore take (links + 1) x hop + ceil(bytes / width) - 1 cycles of the
link's clock. A link does not hold back what is behind a busy one: each port queues for itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from accelsim.constants.price import CHIP, Price, own_value, row_price
from accelsim.constants.rows import components
from accelsim.constants.technology import Constant, Technology
from accelsim.fields import Bounds, Quantity, Table
from accelsim.units.base import Prices, Rule

#: how many stations a link has, along each of its dimensions; a station is an index a dimension
Shape = tuple[int, ...]
Station = tuple[int, ...]
ACTION = "hop_bit"
UNPRICED = "not charged: no sourced constant"


def is_hop(label: str) -> bool:
    """Whether bits through a link's port of that label are charged a hop."""
    return not label.startswith("in")


@dataclass(frozen=True, slots=True)
class HopEnergy:
    """Joules of a bit over one hop, a router and the wire behind it.

    row: of the component table, in place of all others. value: joules. source, confidence: where it comes from
    and how sure it is. node, voltage: where it holds; without them at the chip's own.
    """

    row: str = ""
    value: Annotated[float | None, Quantity("J"), Bounds(0.0, 1.0)] = None
    source: str = ""
    confidence: Literal["", "run", "src", "pub", "der", "mem"] = ""
    node: Annotated[float | None, Quantity("m"), Bounds(1e-9, 1e-6)] = None
    voltage: Annotated[float | None, Quantity("V"), Bounds(0.1, 5.0)] = None

    def rules(self) -> Iterator[Rule]:
        """What is wrong between its keys."""
        own = self.value is not None and bool(self.source) and bool(self.confidence)
        fix = "write row: isaac_32nm/bus/bit, or value, source and confidence of its own"
        if self.row and (self.value is not None or self.source or self.confidence):
            yield "energy", "chip.link_energy", "has a row and a value of its own", fix
        elif not self.row and not own:
            yield "energy", "chip.link_energy", "is a value without source and confidence", fix
        elif self.row and not (self.row in components() and self.row.endswith("/bit")):
            known = ", ".join(key for key in components() if key.endswith("/bit"))
            message = f"there is no row {self.row!r} of joules a bit"
            yield "energy.row", "chip.link_energy", message, f"write one of: {known}"

    def price(self, technology: Technology, owner: str) -> Price:
        """At the technology's node and voltage."""
        if self.row:
            return row_price(technology, self.row, CHIP)
        assert self.value is not None and self.confidence
        key = f"{owner}/{ACTION}"
        own = Constant(key, self.value, self.source, self.confidence, self.node, self.voltage)
        joules, band = own_value(technology, own)
        return Price(joules, band, CHIP, f"{self.source} (the chip file)")


@dataclass(frozen=True, slots=True)
class Link(ABC):
    """One kind of link.

    nodes: memories and cores that it joins. width: bits that a port moves a cycle of ``clock``, whole bytes.
    hop: cycles of the head through a router. multicast: whether one transfer may go to several stations, charged
    once on each port. arbiter, quantum: how a port chooses, as a memory's.
    """

    kind: ClassVar[str]
    in_files: ClassVar[bool] = True
    given: ClassVar[tuple[str, ...]] = ("nodes", "places")  # read by the chip file's reader
    dimensions: ClassVar[int] = 1
    name: str
    nodes: tuple[str, ...]
    clock: str
    width: Annotated[int, Quantity("bit"), Bounds(8, 1 << 23)]
    hop: Annotated[int, Bounds(0, 1 << 20)] = 1
    multicast: bool = False
    arbiter: Literal["round_robin", "first_come", "priority"] = "round_robin"
    quantum: Annotated[int, Bounds(1, 1 << 20)] = 1
    energy: HopEnergy | None = None

    @property
    def placed(self) -> Mapping[str, tuple[Station, ...]]:
        """The stations of nodes that the file places, one for each instance."""
        return {}

    @abstractmethod
    def ports(self, shape: Shape) -> Iterator[str]:
        """Labels of its directed links, which hold no dot. One that begins with "in" leads into a switch: bits are
        charged a hop on every other."""

    @abstractmethod
    def way(self, start: Station, end: Station, shape: Shape) -> tuple[str, ...] | None:
        """Labels of the directed links from one station to another, in order; None where none leads there.
        Of several memories at one station, () for a router that both share."""

    def routers(self, way: tuple[str, ...]) -> int:
        """Routers that the head passes."""
        return len(way) + 1

    def fits(self, shape: Shape) -> Iterator[tuple[str, str]]:
        """(what is wrong, what to write) with so many stations."""
        if len(shape) == 1 and shape[0] < 2:
            yield f"joins {shape[0]} station", "name at least two nodes, or leave the link out"

    def rules(self) -> Iterator[Rule]:
        """What is wrong between its keys."""
        if self.width % 8:
            yield (
                "width",
                "chip.link_width",
                f"{self.width} bit are no whole bytes",
                "write 8 bit, 64 B",
            )
        if self.energy is not None:
            yield from self.energy.rules()

    @property
    def bytes_per_cycle(self) -> int:
        """Bytes that one port moves a cycle."""
        return self.width // 8

    def caption(self, shape: Shape) -> str:
        """What it is with so many stations, in one line of a picture."""
        size = " x ".join(map(str, shape))
        what = f"{size} {self.kind}" if self.dimensions > 1 else f"{self.kind} of {size} stations"
        more = [f"{self.hop} cycle{'s' * (self.hop != 1)} a hop"] + ["multicast"] * self.multicast
        return f"{what}, {self.bytes_per_cycle} B a cycle, {', '.join(more)}"

    def timed(self) -> Link:
        """The link with every field set to its default that times do not depend on."""
        return replace(self, energy=None)

    def prices(self, technology: Technology) -> Prices:
        """(link, "hop_bit") -> joules of a bit over one hop."""
        none = Price(0.0, 0.0, CHIP, UNPRICED)
        price = none if self.energy is None else self.energy.price(technology, self.name)
        return {(self.name, ACTION): price}


@dataclass(frozen=True, slots=True)
class Bus(Link):
    """One port that all stations share."""

    kind: ClassVar[str] = "bus"

    def ports(self, shape: Shape) -> Iterator[str]:
        yield "port"

    def way(self, start: Station, end: Station, shape: Shape) -> tuple[str, ...] | None:
        return ("port",) if start != end else ()

    def routers(self, way: tuple[str, ...]) -> int:
        return 1


@dataclass(frozen=True, slots=True)
class Switch(Link):
    """A switch with a port in and a port out for each station: one hop, charged where bits come out."""

    kind: ClassVar[str] = "crossbar"

    def ports(self, shape: Shape) -> Iterator[str]:
        for station in range(shape[0]):
            yield from (f"in{station}", f"out{station}")

    def way(self, start: Station, end: Station, shape: Shape) -> tuple[str, ...] | None:
        return (f"in{start[0]}", f"out{end[0]}") if start != end else ()

    def routers(self, way: tuple[str, ...]) -> int:
        return 1


@dataclass(frozen=True, slots=True)
class Point(Link):
    """A wire between two stations, one port each way; with ``both_ways: false`` from the first to the second."""

    kind: ClassVar[str] = "point"
    both_ways: bool = True

    def ports(self, shape: Shape) -> Iterator[str]:
        yield "0>1"
        if self.both_ways:
            yield "1>0"

    def way(self, start: Station, end: Station, shape: Shape) -> tuple[str, ...] | None:
        if start == end:
            return ()
        return (f"{start[0]}>{end[0]}",) if start < end or self.both_ways else None

    def routers(self, way: tuple[str, ...]) -> int:
        return 1

    def fits(self, shape: Shape) -> Iterator[tuple[str, str]]:
        if shape[0] != 2:
            yield f"joins {shape[0]} stations", "a point joins two; write kind: bus for more"


def along(start: int, end: int, size: int, wraps: bool, back: bool = True) -> Iterator[int]:
    """Stations passed from one to another in a row of ``size``, the last one included. wraps: whether the row is
    closed; the shorter way then, upwards where both are as long. back: whether one may go downwards."""
    up = (end - start) % size if wraps else end - start
    step = 1 if up >= 0 and (not wraps or not back or 2 * up <= size) else -1
    while start != end:
        start = (start + step) % size if wraps else start + step
        yield start


@dataclass(frozen=True, slots=True)
class Ring(Link):
    """Stations in the order of ``nodes``, each joined to the next, the last to the first; without ``both_ways``
    data only goes up."""

    kind: ClassVar[str] = "ring"
    both_ways: bool = True

    def ports(self, shape: Shape) -> Iterator[str]:
        size = shape[0]
        for station in range(size):
            yield f"{station}>{(station + 1) % size}"
        if (
            self.both_ways and size > 2
        ):  # in a ring of two, up from the second is down from the first
            for station in range(size):
                yield f"{station}>{(station - 1) % size}"

    def way(self, start: Station, end: Station, shape: Shape) -> tuple[str, ...] | None:
        found, here = [], start[0]
        for station in along(here, end[0], shape[0], True, self.both_ways):
            found.append(f"{here}>{station}")
            here = station
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Mesh(Link):
    """Routers in rows and columns, each joined to its neighbours, both ways; along the row first, to the right
    column, then along that column."""

    kind: ClassVar[str] = "mesh"
    dimensions: ClassVar[int] = 2
    wraps: ClassVar[bool] = False
    places: Mapping[str, tuple[Station, ...]] = Table()

    @property
    def placed(self) -> Mapping[str, tuple[Station, ...]]:
        return self.places

    def ports(self, shape: Shape) -> Iterator[str]:
        rows, columns = shape
        seen = set()
        for row in range(rows):
            for column in range(columns):
                near = ((row, column + 1), (row, column - 1), (row + 1, column), (row - 1, column))
                for other in near:
                    r, c = (other[0] % rows, other[1] % columns) if self.wraps else other
                    label = f"{row},{column}>{r},{c}"
                    inside = 0 <= r < rows and 0 <= c < columns and (r, c) != (row, column)
                    if inside and label not in seen:
                        seen.add(label)
                        yield label

    def way(self, start: Station, end: Station, shape: Shape) -> tuple[str, ...] | None:
        found: list[str] = []
        row, column = start
        for other in along(column, end[1], shape[1], self.wraps):
            found.append(f"{row},{column}>{row},{other}")
            column = other
        for other in along(row, end[0], shape[0], self.wraps):
            found.append(f"{row},{column}>{other},{column}")
            row = other
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Torus(Mesh):
    """A mesh whose rows and columns are closed to rings; the shorter way along each, to the right and down
    where both are as long."""

    kind: ClassVar[str] = "torus"
    wraps: ClassVar[bool] = True
