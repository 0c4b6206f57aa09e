"""Routes: what data passes between two memories of a chip. The one place that knows topology.

Memories stand in a tree: each is filled from and spilled to the one behind it. Where one of two stands behind
the other, data takes that chain and is stored in every memory on it. Two others meet directly when they stand
in one core, whose DMA engine copies, or when a link joins them; else data goes up from each until two meet, or to
the memory behind both. Fewest stores win, then fewest on the way up. Where a link joins the two memories of
a transfer, it passes that link: of several, the one with the fewest routers, then the first of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING

from accelsim.chip.cores import instances, joined, local, nearby, prefixes, scope_of
from accelsim.errors import InputError, Problem
from accelsim.units.base import instance_names
from accelsim.units.link import Link, Shape, Station

if TYPE_CHECKING:
    from accelsim.chip.chip import Chip

MULTIPLIERS = ("crossbar", "mac_array")
KEYS = ("input", "weight", "output")


@dataclass(frozen=True, slots=True)
class Hop:
    """One transfer: out of an instance of a memory into the next one that stores.

    link: the instance of a link that it passes, "" where the memories meet directly. ports: the directed links
    on its way, in order. lead: cycles of the link's clock that the head takes; width: bytes a cycle behind it.
    multicast: whether the link takes one transfer to several.
    """

    start: str
    end: str
    link: str = ""
    ports: tuple[str, ...] = ()
    lead: int = 0
    width: int = 0
    multicast: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """The way from a memory to another, transfer by transfer; none where they are one."""

    hops: tuple[Hop, ...]

    @property
    def storages(self) -> tuple[str, ...]:
        """The memories between the two, in the order in which data is stored there."""
        return tuple(hop.end for hop in self.hops[:-1])

    @property
    def ports(self) -> tuple[str, ...]:
        """The ports of links on the way, in order."""
        return tuple(port for hop in self.hops for port in hop.ports)


@dataclass(frozen=True, slots=True)
class Joint:
    """An instance of a link. shape: its stations along each dimension. seats: of instances of memories."""

    name: str
    link: Link
    shape: Shape
    seats: Mapping[str, Station]

    def hop(self, start: str, end: str) -> Hop | None:
        """The transfer over it, None where it does not lead there."""
        if start not in self.seats or end not in self.seats:
            return None
        way = self.link.way(self.seats[start], self.seats[end], self.shape)
        if way is None:
            return None
        ports = tuple(f"{self.name}.{label}" for label in way)
        lead = self.link.routers(way) * self.link.hop
        return Hop(
            start, end, self.name, ports, lead, self.link.bytes_per_cycle, self.link.multicast
        )


@dataclass(frozen=True, slots=True)
class Graph:
    """Of every instance of a memory: behind, the one behind it; core, the instance of a core that it stands in; at,
    the joints that it stands on, by number. joints: every instance of a link."""

    behind: Mapping[str, str | None]
    core: Mapping[str, str]
    joints: tuple[Joint, ...]
    at: Mapping[str, tuple[int, ...]]

    def chain(self, memory: str) -> tuple[str, ...]:
        """A memory and those behind it, the nearest first."""
        found, here = [memory], self.behind[memory]
        while here is not None:
            found.append(here)
            here = self.behind[here]
        return tuple(found)

    def hop(self, start: str, end: str) -> Hop | None:
        """The transfer between two memories over a link, None where none joins them: over that of the innermost core,
        not one that the core around both stands on; of several the one of the fewest ports."""
        shared = (self.joints[n] for n in self.at.get(start, ()) if n in self.at.get(end, ()))
        found = [hop for joint in shared if (hop := joint.hop(start, end)) is not None]
        return min(found, key=lambda hop: (-hop.link.count("."), len(hop.ports)), default=None)

    def meet(self, start: str, end: str) -> bool:
        """Whether two memories of which neither stands behind the other meet directly."""
        return self.core[start] == self.core[end] or self.hop(start, end) is not None


class Unseated(ValueError):
    """A link that does not stand; args: key below the link, what is wrong, what to write."""


# -- the graph of a chip ---------------------------------------------------------------------------


def copies_in_core(chip: Chip, memory: str) -> int:
    """Instances of a memory in one instance of its core: one, or one for each instance of what multiplies there."""
    if chip.memories[memory].scope != "private":
        return 1
    near = [
        unit
        for part in MULTIPLIERS
        for unit in chip.parts(part)
        if scope_of(unit.name) == scope_of(memory)
    ]
    own = [unit for unit in near if memory in (getattr(unit, key, "") for key in KEYS)]
    return (own or near)[0].count if near else 1


def memory_instances(chip: Chip, memory: str) -> tuple[str, ...]:
    """Names of all instances of a memory of the chip."""
    count = copies_in_core(chip, memory)
    return tuple(name for one in instances(chip, memory) for name in instance_names(one, count))


def usual(chip: Chip, memory: str) -> str | None:
    """The memory behind one that names none: off the chip, of the DMA engine nearest outwards; of the chip's
    engines where none stands around it. None where they serve several."""
    scope: str | None = scope_of(memory)
    engines = chip.parts("dma")
    while scope is not None:
        found = {unit.memory for unit in engines if scope_of(unit.name) == scope}  # type: ignore[attr-defined]
        if found:
            return found.pop() if len(found) == 1 else None
        scope = scope_of(scope) if scope else None
    found = {unit.memory for unit in engines}  # type: ignore[attr-defined]
    return found.pop() if len(found) == 1 else None


def upper(chip: Chip, memory: str) -> str | None:
    """The memory of the chip behind a memory of the chip; None for one off the chip."""
    record = chip.memories[memory]
    return None if record.part == "dram" else record.behind or usual(chip, memory)


def _tree(chip: Chip) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in chip.memories:
        target = upper(chip, name)
        for one in instances(chip, name):
            mine = instance_names(one, copies_in_core(chip, name))
            theirs: tuple[str, ...] = ()
            if target is not None:
                near = nearby(target, scope_of(one))
                theirs = instance_names(near, copies_in_core(chip, target))
            for number, copy in enumerate(mine):
                same = theirs[number if len(theirs) == len(mine) else 0] if theirs else None
                found[copy] = same
    return found


def seated(chip: Chip, link: Link, prefix: str) -> Joint:
    """The link as it stands in one instance of its core, "" for a link in none; Unseated where it does not."""
    wanted: list[tuple[str, str]] = []  # (node, instance)
    for node in (*link.nodes, *(name for name in link.placed if name not in link.nodes)):
        wanted += [(node, one) for one in _standing(chip, link, node, prefix)]
    spots, shape = _spots(chip, link, wanted)
    seats: dict[str, Station] = {}
    cores = {
        one: spot for (node, one), spot in zip(wanted, spots, strict=True) if node in chip.templates
    }
    for (node, one), spot in zip(wanted, spots, strict=True):
        if node not in chip.templates:
            for name in instance_names(one, copies_in_core(chip, node)):
                seats[name] = spot
    if cores:
        for name in graph_memories(chip):
            outer = name
            while outer := scope_of(outer):
                if outer in cores:
                    seats.setdefault(name, cores[outer])
                    break
    return Joint(joined(prefix, local(link.name)), link, shape, seats)


def _standing(chip: Chip, link: Link, node: str, prefix: str) -> tuple[str, ...]:
    """Instances of a node, a memory or a core, that a link in one instance of its core joins."""
    scope, around = scope_of(link.name), scope_of(node)
    everywhere = prefixes(chip, node) if node in chip.templates else instances(chip, node)
    if not scope:
        return everywhere
    if around == scope or around.startswith(f"{scope}."):
        return tuple(name for name in everywhere if name.startswith(f"{prefix}."))
    return (nearby(node, prefix),)


def _spots(chip: Chip, link: Link, wanted: list[tuple[str, str]]) -> tuple[list[Station], Shape]:
    """A station for each instance of a node, in order, and the shape of them all."""
    if link.dimensions == 1:
        return [(i,) for i in range(len(wanted))], (len(wanted),)
    grids = {node: chip.templates[node].grid for node, _ in wanted if node in chip.templates}
    laid = {node: grid for node, grid in grids.items() if grid and node not in link.placed}
    if len(laid) > 1:
        said = ", ".join(f"{node} {grid[0]} x {grid[1]}" for node, grid in laid.items())
        raise Unseated(
            "nodes", f"has several grids: {said}", "place all but one of them under places"
        )
    spots: list[Station] = []
    counts: dict[str, int] = {}
    for node, _ in wanted:
        number = counts[node] = counts.get(node, -1) + 1
        grid = laid.get(node)
        if grid is not None:
            spots.append(divmod(number, grid[1]))
        elif node not in link.placed:
            fix = f"write places: {{{local(node)}: [row, column]}}, or a grid of cores"
            raise Unseated("nodes", f"{node} has no place on the {link.kind}", fix)
        elif number < len(link.placed[node]):
            spots.append(link.placed[node][number])
    for node, places in link.placed.items():
        total = counts.get(node, -1) + 1
        if total != len(places):
            message = f"gives {len(places)} places, {node} stands {total} times"
            raise Unseated(f"places.{node}", message, "write [row, column] for each")
    shape = next(iter(laid.values()), None)
    if shape is None:
        shape = (1 + max(row for row, _ in spots), 1 + max(column for _, column in spots))
    for node, places in link.placed.items():
        for place in places:
            if place[0] >= shape[0] or place[1] >= shape[1]:
                message = (
                    f"[{place[0]}, {place[1]}] lies outside the {shape[0]} x {shape[1]} routers"
                )
                raise Unseated(f"places.{node}", message, "write row and column, counted from 0")
    return spots, shape


def graph_memories(chip: Chip) -> Iterator[str]:
    """Every instance of a memory."""
    for name in chip.memories:
        yield from memory_instances(chip, name)


def joints_of(chip: Chip) -> Iterator[Joint]:
    """Every instance of a link."""
    for link in chip.links.values():
        for prefix in prefixes(chip, scope_of(link.name)):
            yield seated(chip, link, prefix)


def graph(chip: Chip) -> Graph:
    """The Graph of a chip, made once."""
    if "graph" not in chip.memo:
        joints = tuple(joints_of(chip))
        at: dict[str, tuple[int, ...]] = {}
        for number, joint in enumerate(joints):
            for name in joint.seats:
                at[name] = (*at.get(name, ()), number)
        core = {
            copy: scope_of(one)
            for name in chip.memories
            for one in instances(chip, name)
            for copy in instance_names(one, copies_in_core(chip, name))
        }
        chip.memo["graph"] = Graph(_tree(chip), core, joints, at)
    found: Graph = chip.memo["graph"]
    return found


def behind(chip: Chip, memory: str) -> str | None:
    """The memory behind a memory of the chip, or behind an instance of one; None for one off the chip."""
    known = graph(chip).behind
    if memory in known:
        return known[memory]
    return upper(chip, memory)


def chain(chip: Chip, memory: str) -> tuple[str, ...]:
    """A memory, or an instance of one, and those behind it, the nearest first."""
    found, here = [memory], behind(chip, memory)
    while here is not None:
        found.append(here)
        here = behind(chip, here)
    return tuple(found)


# -- routes ----------------------------------------------------------------------------------------


def route(chip: Chip, start: str, end: str) -> Route:
    """The Route between two instances of memories of the chip, found once; InputError where none leads there."""
    known: dict[tuple[str, str], Route] = chip.memo.setdefault("routes", {})
    if (start, end) not in known:
        known[start, end] = _route(chip, start, end)
    return known[start, end]


def _route(chip: Chip, start: str, end: str) -> Route:
    here = graph(chip)
    stops = _stops(here, chain(chip, start), chain(chip, end))
    if stops is None:
        raise _nowhere(chip, start, end, "neither a link nor a memory behind both joins them")
    hops = []
    for pair in pairwise(stops):
        hop = here.hop(*pair)
        if hop is None and _parted(here, *pair):
            raise _nowhere(chip, start, end, f"no link leads from {pair[0]} to {pair[1]}")
        hops.append(hop or Hop(*pair))
    return Route(tuple(hops))


def _stops(here: Graph, up: tuple[str, ...], down: tuple[str, ...]) -> tuple[str, ...] | None:
    start, end = up[0], down[0]
    if end in up:
        return up[: up.index(end) + 1]
    if start in down:
        return tuple(reversed(down[: down.index(start) + 1]))
    shared = next((name for name in up if name in down), None)
    rise = up if shared is None else up[: up.index(shared)]
    fall = down if shared is None else down[: down.index(shared)]
    pairs = sorted(product(range(len(rise)), range(len(fall))), key=lambda p: (p[0] + p[1], p[0]))
    for i, j in pairs:
        if here.meet(rise[i], fall[j]):
            return (*rise[: i + 1], *reversed(fall[: j + 1]))
    return None if shared is None else (*rise, shared, *reversed(fall))


def _parted(here: Graph, start: str, end: str) -> bool:
    """Whether both stand on links, none of which leads from one to the other, and no core holds both."""
    return bool(here.at.get(start) and here.at.get(end)) and here.core[start] != here.core[end]


def _nowhere(chip: Chip, start: str, end: str, why: str) -> InputError:
    fix = "name both as nodes of one link, or a memory behind both"
    message = f"there is no route from {start} to {end}: {why}"
    return InputError(Problem("chip.route", message, fix, path="links", file=chip.source))


def carried(routes: Iterable[Route]) -> dict[str, int]:
    """How many times the bytes that go from one memory to several pass each port of a link: once on a link that
    takes one transfer to several, once for each of them on another."""
    found: dict[str, int] = {}
    for hop in dict.fromkeys(hop for way in routes for hop in way.hops):
        for port in hop.ports:
            found[port] = 1 if hop.multicast else found.get(port, 0) + 1
    return found
