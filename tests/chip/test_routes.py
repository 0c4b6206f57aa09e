"""Routes against a search of the graph, links against worked latencies, cores against the same written out."""

from __future__ import annotations

import random
from collections import deque
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import pytest

from accelsim.chip import Chip, Route, machine
from accelsim.chip.cores import scope_of
from accelsim.chip.routes import carried, graph
from accelsim.errors import InputError
from accelsim.program.builder import Part, ProgramBuilder
from accelsim.program.opcodes import Opcode
from accelsim.timing.costs import Times
from accelsim.timing.engine import run
from accelsim.units.link import Bus, Link, Mesh, Point, Ring, Shape, Station, Switch, Torus
from tests.chip.graphs import NESTED, load, random_chip, read

FIELDS = {"name": "net", "nodes": ("a", "b"), "clock": "core", "width": 64}


def cycles(link: Link, start: Station, end: Station, shape: Shape, size: int) -> int:
    """Of so many bytes at zero load."""
    way = link.way(start, end, shape)
    assert way is not None
    return max(link.routers(way) * link.hop, 1) + -(-size // link.bytes_per_cycle) - 1


#: kind, hop, stations along each dimension, from, to, bytes, cycles: (links between routers + 1) x hop, or 1,
#: + flits - 1
LATENCIES = [
    ("mesh", 1, (4, 4), (0, 0), (0, 1), 8, 2),
    ("mesh", 1, (4, 4), (0, 0), (3, 3), 8, 7),
    ("mesh", 1, (4, 4), (3, 3), (0, 0), 8, 7),
    ("mesh", 1, (4, 4), (0, 0), (3, 3), 32, 10),
    ("mesh", 2, (4, 4), (0, 0), (3, 3), 32, 17),
    ("mesh", 2, (4, 4), (1, 2), (2, 0), 40, 12),
    ("mesh", 3, (4, 4), (2, 1), (2, 1), 8, 3),
    ("mesh", 3, (4, 4), (2, 1), (2, 3), 64, 16),
    ("mesh", 10, (4, 4), (0, 0), (1, 3), 8, 50),
    ("mesh", 10, (4, 4), (0, 0), (1, 3), 9, 51),
    ("mesh", 1, (8, 8), (0, 0), (7, 7), 8, 15),
    ("mesh", 1, (8, 8), (7, 0), (0, 7), 80, 24),
    ("mesh", 4, (8, 8), (3, 3), (4, 4), 16, 13),
    ("mesh", 0, (8, 8), (3, 3), (4, 4), 16, 2),
    ("mesh", 2, (1, 8), (0, 0), (0, 7), 8, 16),
    ("mesh", 2, (8, 1), (7, 0), (0, 0), 8, 16),
    ("torus", 1, (4, 4), (0, 0), (0, 3), 8, 2),
    ("torus", 1, (4, 4), (0, 0), (3, 3), 8, 3),
    ("torus", 1, (4, 4), (0, 0), (2, 2), 8, 5),
    ("torus", 3, (4, 4), (3, 1), (1, 3), 24, 17),
    ("torus", 2, (8, 8), (0, 0), (7, 5), 8, 10),
    ("torus", 2, (8, 8), (1, 1), (6, 6), 128, 29),
    ("torus", 5, (5, 5), (0, 0), (3, 3), 8, 25),
    ("torus", 1, (2, 2), (0, 0), (1, 1), 8, 3),
    ("ring", 1, (4,), (0,), (1,), 8, 2),
    ("ring", 1, (4,), (0,), (2,), 8, 3),
    ("ring", 1, (4,), (0,), (3,), 8, 2),
    ("ring", 2, (5,), (4,), (0,), 128, 19),
    ("ring", 2, (5,), (4,), (1,), 8, 6),
    ("ring", 2, (5,), (1,), (4,), 8, 6),
    ("ring", 3, (9,), (0,), (4,), 8, 15),
    ("ring", 3, (9,), (0,), (5,), 8, 15),
    ("ring", 3, (2,), (0,), (1,), 16, 7),
    ("ring", 7, (3,), (2,), (2,), 8, 7),
    ("one-way ring", 1, (4,), (0,), (3,), 8, 4),
    ("one-way ring", 2, (4,), (3,), (2,), 64, 15),
    ("one-way ring", 2, (4,), (3,), (0,), 8, 4),
    ("one-way ring", 1, (8,), (1,), (0,), 8, 8),
    ("bus", 1, (6,), (0,), (5,), 8, 1),
    ("bus", 1, (6,), (0,), (5,), 64, 8),
    ("bus", 3, (6,), (2,), (1,), 65, 11),
    ("bus", 0, (2,), (0,), (1,), 16, 2),
    ("crossbar", 4, (3,), (0,), (2,), 8, 4),
    ("crossbar", 4, (3,), (2,), (0,), 4096, 515),
    ("crossbar", 1, (64,), (63,), (1,), 12, 2),
    ("point", 1, (2,), (0,), (1,), 8, 1),
    ("point", 20, (2,), (1,), (0,), 32, 23),
    ("point", 2, (2,), (0,), (1,), 1, 2),
]
KINDS = {
    "mesh": Mesh,
    "torus": Torus,
    "ring": Ring,
    "bus": Bus,
    "crossbar": Switch,
    "point": Point,
}


def made(kind: str, hop: int = 1) -> Link:
    if kind == "one-way ring":
        return Ring(**FIELDS, hop=hop, both_ways=False)  # type: ignore[arg-type]
    found: Link = KINDS[kind](**FIELDS, hop=hop)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(("kind", "hop", "shape", "start", "end", "size", "wanted"), LATENCIES)
def test_zero_load_latencies_by_hand(
    kind: str, hop: int, shape: Shape, start: Station, end: Station, size: int, wanted: int
) -> None:
    assert cycles(made(kind, hop), start, end, shape, size) == wanted


@pytest.mark.parametrize(("kind", "hop", "shape", "start", "end", "size", "wanted"), LATENCIES)
def test_the_same_latencies_on_both_engines(
    kind: str, hop: int, shape: Shape, start: Station, end: Station, size: int, wanted: int
) -> None:
    """Of transfers on the ports of the way, each in a direction that its label names; back to back one every
    flit of its own, whatever the way."""
    link = made(kind, hop)
    way = link.way(start, end, shape)
    assert way is not None
    for count in (1, 5):
        b = ProgramBuilder(tick_hz=10**9)
        engine = b.unit("dma", (Opcode.TRANSFER,), period=1)
        ends = [b.memory(name, 8 * size) for name in ("start", "end")]
        sides = [b.port("start.read", 8, 1, 1), b.port("end.write", 8, 1, 1)]
        ports = [b.port(f"net.{label}", 8, 1, 1) for label in link.ports(shape) if label in way]
        tensor = b.tensor("t", (size,), role="input")
        b.resident(Part(tensor, ends[0]))
        for number in range(count):
            b.command(
                engine,
                Opcode.TRANSFER,
                extents=(size,),
                reads=[Part(tensor, ends[0])],
                writes=[Part(tensor, ends[1], number * size)],
                links=dict.fromkeys(ports, size),
            )
        program = b.build()
        assert len(sides) + len(set(way)) == len(program.ports)
        last = np.full(count, max(link.routers(way) * hop - 1, 0))
        times = Times(np.zeros(count, np.int64), last, last)
        for found in (run(program, times, "plain"), run(program, times, "simpy")):
            assert found.end[0] == wanted
            assert (np.diff(found.end) == -(-size // 8)).all()


def stations(shape: Shape) -> list[Station]:
    return list(product(*map(range, shape)))


def neighbours(link: Link, shape: Shape) -> dict[Station, list[Station]]:
    """Of a mesh, torus or ring, from the labels of its ports alone."""
    found: dict[Station, list[Station]] = {station: [] for station in stations(shape)}
    for label in link.ports(shape):
        start, _, end = label.partition(">")
        found[tuple(map(int, start.split(",")))].append(tuple(map(int, end.split(","))))
    return found


@pytest.mark.parametrize("kind", ["mesh", "torus", "ring", "one-way ring"])
@pytest.mark.parametrize("size", range(1, 7))
def test_ways_are_shortest_of_links_that_exist(kind: str, size: int) -> None:
    link = made(kind)
    shapes = [(size, other) for other in range(1, 5)] if link.dimensions == 2 else [(size + 1,)]
    for shape in shapes:
        near = neighbours(link, shape)
        labels = list(link.ports(shape))
        assert len(labels) == len(set(labels)) and not any("." in label for label in labels)
        for start in stations(shape):
            least, waiting = {start: 0}, deque([start])
            while waiting:
                here = waiting.popleft()
                for other in near[here]:
                    if other not in least:
                        least[other] = least[here] + 1
                        waiting.append(other)
            for end in stations(shape):
                way, back = link.way(start, end, shape), link.way(end, start, shape)
                assert way is not None and back is not None
                assert set(way) <= set(labels) and len(way) == least[end]
                ends = [label.split(">") for label in way]
                assert all(one[1] == other[0] for one, other in pairwise(ends))
                assert not way or (way[0].split(">")[0], way[-1].split(">")[1]) == (
                    ",".join(map(str, start)),
                    ",".join(map(str, end)),
                )
                assert kind == "one-way ring" or len(way) == len(back)


def test_ties_go_up_and_along_the_row_first() -> None:
    assert made("ring").way((1,), (3,), (4,)) == ("1>2", "2>3")
    assert made("ring").way((3,), (1,), (4,)) == ("3>0", "0>1")
    assert made("mesh").way((0, 0), (1, 1), (2, 2)) == ("0,0>0,1", "0,1>1,1")
    assert made("torus").way((0, 2), (2, 0), (4, 4)) == (
        "0,2>0,3",
        "0,3>0,0",
        "0,0>1,0",
        "1,0>2,0",
    )


# -- whole chips -----------------------------------------------------------------------------------


def fewest(chip: Chip, start: str, end: str) -> int | None:
    """Transfers on the shortest way by a search: along the tree, and directly between memories of which neither
    stands behind the other where they share a core or a link leads there."""
    here = graph(chip)
    names = list(here.behind)
    if end in here.chain(start) or start in here.chain(end):
        longer, shorter = (start, end) if end in here.chain(start) else (end, start)
        return here.chain(longer).index(shorter)
    least, waiting = {start: 0}, deque([start])
    while waiting:
        name = waiting.popleft()
        near = {here.behind[name]} | {
            lower for lower, upper in here.behind.items() if upper == name
        }
        near |= {
            other
            for other in names
            if other not in here.chain(name)
            and name not in here.chain(other)
            and (scope_of(other) == scope_of(name) or here.hop(name, other))
        }
        for other in near - {None, *least}:
            assert other is not None
            least[other] = least[name] + 1
            waiting.append(other)
    return least.get(end)


def test_routes_of_random_chips() -> None:
    """No longer than a search finds, as long back, joined end to end, over ports and memories that the machine has;
    a chip written and read again is the same."""
    rng, drawn, linked, refused = random.Random(18), 0, 0, 0
    while drawn < 120:
        try:
            chip = read(random_chip(rng))
        except InputError as error:
            refused += 1
            assert {problem.code for problem in error.problems} <= {"chip.idle", "chip.nodes"}
            continue
        drawn += 1
        tables = machine(chip)
        names = list(graph(chip).behind)
        assert {*names} <= {row.name for row in tables.memories}
        for _ in range(12):
            start, end = rng.choice(names), rng.choice(names)
            way, back = chip.route(start, end), chip.route(end, start)
            assert len(way.hops) == fewest(chip, start, end) == len(back.hops)
            stops = [start, *(hop.end for hop in way.hops)]
            assert stops[-1] == end and [hop.start for hop in way.hops] == stops[:-1]
            assert way.storages == tuple(stops[1:-1])
            assert set(way.ports) <= set(tables.port_index)
            assert start == end or len(set(stops)) == len(stops)
            linked += bool(way.ports)
            for hop in way.hops:
                assert hop.link != "" or (not hop.ports and hop.lead == 0)
    assert linked > 300 and refused < 60


def test_multicast_is_charged_once_a_link() -> None:
    rng, seen = random.Random(7), 0
    while seen < 60:
        try:
            chip = read(random_chip(rng))
        except InputError:
            continue
        link = chip.links.get("net")
        if link is None:
            continue
        roots = [name for name in graph(chip).behind if "." not in name]
        leaves = [name for name in graph(chip).behind if "." in name]
        ways = [chip.route(roots[-1], leaf) for leaf in leaves]
        counts: dict[str, int] = {}
        for port in [port for way in ways for port in way.ports]:
            counts[port] = counts.get(port, 0) + 1
        once = dict.fromkeys(counts, 1)
        assert carried(ways) == (once if link.multicast else counts)
        seen += any(count > 1 for count in counts.values())


def test_a_link_inside_a_core_carries_what_goes_between_its_memories(tmp_path: Path) -> None:
    """Not one around it, on which the whole core is one node, however few ports that takes."""
    places = "{l3: [0, 0], cluster: [[0, 0], [0, 1]]}"
    mesh = f"mesh: {{kind: mesh, nodes: [cluster, l3], clock: slow, width: 32 B, places: {places}}}"
    bus = "bus: {kind: bus, nodes: [cluster.l2, l3], clock: slow, width: 32 B, hop: 3}"
    assert bus in NESTED
    chip = load(tmp_path, NESTED.replace(bus, mesh))
    way = chip.route("cluster[1].l2", "cluster[1].core[2].l1")
    assert way.ports == ("cluster[1].ring.3>2",)
    assert chip.route("l3", "cluster[1].core[2].l1").ports == ("mesh.0,0>0,1", *way.ports)


def test_nested_cores(tmp_path: Path) -> None:
    chip = load(tmp_path, NESTED)
    assert list(chip.cores) == [
        "",
        "cluster[0]",
        "cluster[1]",
        *(f"cluster[{i}].core[{j}]" for i in range(2) for j in range(3)),
    ]
    core = chip.cores["cluster[1].core[2]"]
    assert core.units == {
        "array": "cluster[1].core[2].array",
        "vector": "cluster[1].core[2].vector",
    }
    assert core.memories == {"l1": "cluster[1].core[2].l1"} and core.template == "cluster.core"
    assert chip.behind("cluster[1].core[2].l1") == "cluster[1].l2"
    assert chip.behind("cluster[1].l2") == "l3" and chip.behind("l3") == "dram"
    way = chip.route("dram", "cluster[1].core[2].l1")
    assert way.storages == ("l3", "cluster[1].l2")
    assert way.ports == ("bus.port", "cluster[1].ring.3>2")
    assert [hop.lead for hop in way.hops] == [0, 3, 4]
    across = chip.route("cluster[0].core[0].l1", "cluster[1].core[0].l1")
    assert across.storages == ("cluster[0].l2", "cluster[1].l2")
    assert chip.route("cluster[0].core[0].l1", "cluster[0].core[1].l1").ports == (
        "cluster[0].ring.0>1",
    )
    rows = machine(chip)
    assert len(rows.units) == 2 * 3 * (2 * 2 + 1) + 3
    assert rows.unit_kinds == (
        "dma",
        "cluster.core.array",
        "cluster.core.array.preload",
        "cluster.core.vector",
    )
    assert "cluster[0].core[1].array.1.preload" in rows.unit_index
    assert len(rows.memories) == 2 * 3 * (1 + 2) + 2 + 2
    period = {row.name: row.beat for row in rows.ports}
    assert period["bus.port"] == 2 * period["cluster[0].ring.0>1"]


def test_where_nothing_leads(tmp_path: Path) -> None:
    """A core with memory of its own off the chip, joined to nothing."""
    text = NESTED.replace(
        "          l1: {kind: sram",
        "          own: {kind: dram, standard: lpddr4, bandwidth: 17 GB/s}\n"
        "          l1: {kind: sram",
    ).replace(
        "          vector: {kind",
        "          dma: {kind: dma, clock: core, memory: own}\n          vector: {kind",
    )
    chip = load(
        tmp_path,
        text.replace(
            "ring: {kind: ring, nodes: [core, l2]", "ring: {kind: ring, nodes: [core.l1, l2]"
        ),
    )
    assert chip.route("cluster[0].core[0].own", "cluster[0].core[0].l1").ports == ()
    with pytest.raises(
        InputError, match=r"there is no route from cluster\[0\].core\[0\].own to dram"
    ):
        chip.route("cluster[0].core[0].own", "dram")


def test_an_empty_route_is_one_without_transfers(tmp_path: Path) -> None:
    assert load(tmp_path, NESTED).route("l3", "l3") == Route(())
