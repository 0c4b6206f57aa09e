"""Links of a chip file: their nodes and places, and what must hold of the graph that they make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from accelsim.chip import Chip
from accelsim.chip.cores import prefixes, scope_of
from accelsim.chip.routes import Graph, Unseated, graph, seated, usual
from accelsim.config.chip_scopes import Scope
from accelsim.config.reader import Reader, said
from accelsim.config.yaml_source import Node
from accelsim.fields import Table
from accelsim.units.link import Link, Station

#: section, name in the chip, key, code, what is wrong, what to write
GraphProblem = tuple[str, str, str, str, str, str]


def nodes_of(reader: Reader, node: Node | None, path: str) -> tuple[str, ...]:
    """The names under ``nodes``, as the file has them."""
    if node is None:
        return ()
    if not node.is_list or not node.value:
        message = f"must be a list, not {said(node)}"
        reader.wrong("type.list", node.place, path, message, "write [l1, l2]")
        return ()
    names = [reader.text(item, f"{path}[{i}]") for i, item in enumerate(node.value)]
    return tuple(name for name in names if name is not None)


def places_of(reader: Reader, node: Node | None, path: str) -> Table[tuple[Station, ...]]:
    """Stations under ``places``: [row, column] of a node, or a list of them for its instances."""
    found: dict[str, tuple[Station, ...]] = {}
    items = reader.mapping(node, path) if node is not None else None
    for name, (_, value) in (items or {}).items():
        several = value.is_list and value.value and all(item.is_list for item in value.value)
        stations = [_station(item) for item in (value.value if several else [value])]
        if None in stations:
            message = f"must be a row and a column, not {said(value)}"
            fix = "write [0, 0], or [[0, 0], [0, 1]] for several instances"
            reader.wrong("type.place", value.place, f"{path}.{name}", message, fix)
        else:
            found[name] = tuple(station for station in stations if station is not None)
    return Table(found)


def _station(node: Node) -> Station | None:
    numbers = [item.value for item in node.value] if node.is_list else []
    whole = all(type(number) is int and 0 <= number < 1024 for number in numbers)
    return tuple(numbers) if whole and len(numbers) == 2 else None


def resolved(scope: Scope, link: Any) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Names in the chip of the link's nodes by those in the file; (key, name) of what is there under none."""
    keys = [(f"nodes[{number}]", node) for number, node in enumerate(link.nodes)]
    keys += [(f"places.{node}", node) for node in link.placed]
    found, missing = {}, []
    for key, node in keys:
        name = scope.node(node)
        if name is None:
            missing.append((key, node))
        else:
            found[node] = name
    return found, missing


# -- the graph -------------------------------------------------------------------------------------


def wrong_in_graph(chip: Chip) -> Iterator[GraphProblem]:
    """What is wrong with a chip whose names are known: memories that nothing is known to stand behind, links that do
    not stand, lead nowhere or serve nothing."""
    unknown = [
        name
        for name, memory in chip.memories.items()
        if memory.part != "dram" and not memory.behind and usual(chip, name) is None
    ]
    for name in unknown:
        message = f"{name} may be filled from several memories off the chip"
        yield "memories", name, "", "chip.behind", message, "write behind: with the name of one"
    failed = list(_unseated(chip))
    yield from failed
    if not unknown and not failed and chip.links:
        here = graph(chip)
        yield from _cut_off(chip, here)
        yield from _idle_links(chip, here)


def _unseated(chip: Chip) -> Iterator[GraphProblem]:
    for name, link in chip.links.items():
        for prefix in prefixes(chip, scope_of(name))[:1]:
            try:
                joint = seated(chip, link, prefix)
            except Unseated as error:
                key, message, fix = error.args
                yield "links", name, key, "chip.place", message, fix
                continue
            for message, fix in link.fits(joint.shape):
                yield "links", name, "nodes", "chip.nodes", message, fix


def _cut_off(chip: Chip, here: Graph) -> Iterator[GraphProblem]:
    """Memories that stand on links of which none leads to the one behind them."""
    for name, memory in chip.memories.items():
        one = chip.instances(name)[0]
        for lower in (one, f"{one}.0"):
            upper = here.behind.get(lower)
            if upper is None or not (here.at.get(lower) and here.at.get(upper)):
                continue
            if here.hop(lower, upper) is None and here.hop(upper, lower) is None:
                links = ", ".join(here.joints[n].name for n in here.at[lower])
                message = f"there is no route from {upper}, behind it: no link of {lower} ({links}) leads there"
                fix = f"name {memory.behind or upper} as a node of one of them, or write another behind"
                yield "memories", name, "behind", "chip.route", message, fix


def _idle_links(chip: Chip, here: Graph) -> Iterator[GraphProblem]:
    """Links that no route passes."""
    edges = [(lower, upper) for lower, upper in here.behind.items() if upper is not None]
    passed = {hop.link for pair in edges for way in (pair, pair[::-1]) if (hop := here.hop(*way))}
    for joint in here.joints:
        first = joint.name == chip.instances(joint.link.name)[0]
        if not first or joint.name in passed or _joins_others(here, joint.seats):
            continue
        message = f"link {joint.link.name} serves nothing: no memory on it is filled from another one on it"
        fix = "name memories that are filled from one another, or of several cores, or leave it out"
        yield "links", joint.link.name, "", "chip.idle", message, fix


def _joins_others(here: Graph, seats: Any) -> bool:
    """Whether two memories at different stations are such that neither stands behind the other."""
    names = list(seats)
    for number, name in enumerate(names):
        chain = here.chain(name)
        for other in names[number + 1 :]:
            if seats[name] != seats[other] and other not in chain and name not in here.chain(other):
                return True
    return False


__all__ = ["Link", "nodes_of", "places_of", "resolved", "wrong_in_graph"]
