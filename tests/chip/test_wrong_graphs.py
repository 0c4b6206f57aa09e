"""Wrong cores, links and levels: one line each, at the line and column of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from accelsim.config import load_chip
from accelsim.errors import InputError
from tests.chip.graphs import MESHED, NESTED

#: another core with a grid
QE = """\
  qe:
    grid: [1, 2]
    memories: {m: {kind: sram, clock: core, size: 1 KiB}}
    units: {v: {kind: vector_unit, clock: core, input: m, output: m}}
  pe:
"""
#: base, old text, new text, code, where it must point: text in the altered file, "~" before the place
CASES = [
    # names that resolve nowhere
    (NESTED, "behind: l2", "behind: l9", "chip.memory", "behind: ~l9"),
    (NESTED, "behind: l3}\n    cores", "behind: l1}\n    cores", "chip.memory", "behind: ~l1"),
    (NESTED, "weight: l1", "weight: w1", "chip.memory", "weight: ~w1"),
    (
        NESTED,
        "input: l1, output: l1}",
        "input: l1, output: dram}",
        "chip.memory_kind",
        "output: ~dram",
    ),
    (NESTED, "nodes: [core, l2]", "nodes: [cores, l2]", "chip.node", "nodes: [~cores"),
    (NESTED, "nodes: [cluster.l2", "nodes: [cluster.l1", "chip.node", "nodes: [~cluster.l1"),
    (NESTED, "nodes: [cluster.l2", "nodes: [core.l1", "chip.node", "nodes: [~core.l1"),
    (
        NESTED,
        "nodes: [cluster.l2",
        "nodes: [cluster.core.l1.x",
        "chip.node",
        "nodes: [~cluster.core.l1.x",
    ),
    (NESTED, "clock: slow", "clock: slower", "chip.clock", "clock: ~slower"),
    (
        NESTED,
        "units:\n  dma: {kind: dma, clock: core}",
        "units:\n  dma: {kind: dma, clock: core, memory: hbm}",
        "chip.memory",
        "memory: ~hbm",
    ),
    (MESHED, "places: {shared", "places: {share", "chip.node", "share: ~[0, 1]"),
    (
        MESHED,
        "clocks: {core: 1 GHz}",
        "clocks: {core: 1 GHz}\nweights: {pes: cold}",
        "chip.core",
        "weights: {~pes",
    ),
    (
        MESHED,
        "clocks: {core: 1 GHz}",
        "clocks: {core: 1 GHz}\nweights: {shared: cold}",
        "chip.core",
        "weights: {~shared",
    ),
    (
        MESHED,
        "clocks: {core: 1 GHz}",
        "clocks: {core: 1 GHz}\nweights: {pe: warm}",
        "value.choice",
        "pe: ~warm",
    ),
    # cycles
    (
        NESTED,
        "size: 1 MiB, width: 128 bit",
        "size: 1 MiB, behind: l3",
        "chip.behind",
        "behind: ~l3}\ncores",
    ),
    (
        MESHED,
        "size: 64 KiB, behind: dram}",
        "size: 64 KiB, behind: other}\n  other: {kind: sram, clock: core, size: 1 MiB, behind: shared}",
        "chip.behind",
        "behind: ~other",
    ),
    (
        MESHED,
        "size: 4 KiB, behind: shared",
        "size: 4 KiB, behind: sums",
        "chip.behind",
        "behind: ~sums",
    ),
    (
        MESHED,
        "dram: {kind: dram,",
        "dram: {kind: dram, behind: shared,",
        "key.unknown",
        "{kind: dram, ~behind",
    ),
    # nodes without a place, grids that do not match
    (MESHED, ", places: {shared: [0, 1]}", "", "chip.route", "32 KiB, behind: ~shared"),
    (
        MESHED,
        "nodes: [pe], clock",
        "nodes: [pe, dram], clock",
        "chip.place",
        "noc: {kind: mesh, nodes: ~[pe",
    ),
    (MESHED, "grid: [2, 3]", "count: 6", "chip.place", "noc: {kind: mesh, nodes: ~[pe"),
    (MESHED, "shared: [0, 1]", "shared: [[0, 1], [1, 1]]", "chip.place", "shared: ~[[0"),
    (MESHED, "shared: [0, 1]", "shared: [2, 0]", "chip.place", "shared: ~[2"),
    (MESHED, "shared: [0, 1]", "shared: [0, 3]", "chip.place", "shared: ~[0, 3"),
    (MESHED, "shared: [0, 1]", "shared: [0, -1]", "type.place", "shared: ~[0, -1"),
    (MESHED, "shared: [0, 1]", "shared: 3", "type.place", "shared: ~3"),
    (MESHED, "shared: [0, 1]", "pe: [[0, 0], [0, 1]], shared: [0, 1]", "chip.place", "pe: ~[[0"),
    (
        MESHED,
        "  pe:\n",
        QE,
        "",
        "",
    ),
    (
        MESHED.replace("nodes: [pe], clock", "nodes: [qe, pe], clock"),
        "  pe:\n",
        QE,
        "chip.place",
        "noc: {kind: mesh, nodes: ~[qe",
    ),
    (MESHED, "grid: [2, 3]", "grid: [2]", "type.list", "grid: ~[2]"),
    (MESHED, "grid: [2, 3]", "grid: [2, 0]", "value.range", "grid: [2, ~0"),
    (MESHED, "grid: [2, 3]", "grid: [2, 3]\n    count: 6", "chip.core", "~grid: [2"),
    (MESHED, "grid: [2, 3]", "grid: [2, many]", "type.number", "grid: [2, ~many"),
    (NESTED, "count: 3", "count: 0", "value.range", "count: ~0"),
    (NESTED, "count: 3", "count: 2049", "chip.core", "      ~core:"),
    (NESTED, "count: 3", "cuont: 3", "key.unknown", "~cuont"),
    # routes that do not exist
    (
        MESHED,
        "  port: {kind: point, nodes: [dram, shared]",
        "  port: {kind: point, nodes: [dram, pe.sums]",
        "chip.nodes",
        "port: {kind: point, nodes: ~[dram",
    ),
    (
        NESTED.replace("count: 2", "count: 1"),
        "nodes: [cluster.l2, l3]",
        "nodes: [cluster.l2, dram]",
        "chip.idle",
        "  ~bus",
    ),
    (
        MESHED,
        "size: 4 KiB, behind: shared",
        "size: 4 KiB, behind: dram",
        "chip.route",
        "size: 4 KiB, behind: ~dram",
    ),
    # what serves nothing
    (
        NESTED,
        "      l2: {kind",
        "      l2b: {kind: sram, clock: core, size: 1 KiB}\n      l2: {kind",
        "chip.idle",
        "      ~l2b",
    ),
    (
        NESTED,
        "  l3: {kind",
        "  hbm: {kind: dram, standard: hbm2, bandwidth: 1 GB/s}\n  l3: {kind",
        "chip.memory",
        "  dma: ~{kind",
    ),
    (
        MESHED,
        "nodes: [dram, shared]",
        "nodes: [pe.sums, pe.weights]",
        "chip.nodes",
        "port: {kind: point, nodes: ~[pe.sums",
    ),
    (
        MESHED,
        "  port: {kind: point, nodes: [dram, shared]",
        "  port: {kind: bus, nodes: [dram]",
        "chip.nodes",
        "port: {kind: bus, nodes: ~[dram",
    ),
    (
        NESTED,
        "nodes: [cluster.l2, l3], clock: slow",
        "nodes: [cluster.l2, l3], clock: core",
        "chip.idle",
        "~slow: 400",
    ),
    (MESHED, "  pe:\n", "  empty: {count: 2}\n  pe:\n", "chip.core", "  ~empty"),
    # kinds, keys and numbers
    (MESHED, "kind: mesh", "kind: mash", "value.choice", "kind: ~mash"),
    (MESHED, "noc: {kind: mesh, ", "noc: {", "key.missing", "  ~noc"),
    (MESHED, "nodes: [pe], ", "", "key.missing", "noc: ~{kind"),
    (MESHED, "nodes: [pe]", "nodes: pe", "type.list", "nodes: ~pe"),
    (MESHED, "nodes: [dram, shared]", "nodes: [dram, dram]", "chip.nodes", "nodes: ~[dram, dram"),
    (MESHED, "nodes: [dram, shared]", "nodes: [dram, 3]", "type.text", "nodes: [dram, ~3"),
    (MESHED, "width: 64 B", "width: 60 bit", "chip.link_width", "width: ~60"),
    (MESHED, "width: 64 B", "width: 1 GHz", "value.quantity", "width: ~1 GHz"),
    (MESHED, "hop: 10", "hop: -1", "value.range", "hop: ~-1"),
    (MESHED, "hop: 10", "both_ways: false", "key.unknown", "~both_ways"),
    (NESTED, "hop: 2}", "hop: 2, places: {l2: [0, 0]}}", "key.unknown", "~places"),
    (MESHED, "hop: 10", "energy: {value: 1 pJ}", "chip.link_energy", "energy: ~{value"),
    (
        MESHED,
        "hop: 10",
        "energy: {row: isaac_32nm/bus/bit, value: 1 pJ, source: x, confidence: mem}",
        "chip.link_energy",
        "energy: ~{row",
    ),
    (MESHED, "hop: 10", "energy: {row: no/such/bit}", "chip.link_energy", "row: ~no/such"),
    (MESHED, "noc: {kind", "pe: {kind", "chip.name", "cores:\n  ~pe:"),
    (
        MESHED,
        "port: {kind",
        "dram: {kind: bus, nodes: [dram, shared], clock: core, width: 8 B}\n  port: {kind",
        "chip.name",
        "{shared: [0, 1]}}\n  ~dram",
    ),
    (MESHED, "  pe:\n", "  p.e:\n", "chip.name", "  ~p.e"),
    (
        MESHED,
        "clock: core, input: sums, output: sums}",
        "clock: core, input: sums, output: sums, rates: {sofmax: 1}}",
        "key.unknown",
        "rates: {~sofmax",
    ),
    (
        MESHED,
        "clock: core, input: sums, output: sums}",
        "clock: core, input: sums, output: sums, rates: {softmax: 0}}",
        "value.range",
        "softmax: ~0",
    ),
    (
        MESHED,
        "clock: core, input: sums, output: sums}",
        "clock: core, input: sums, output: sums, does: [relu, sofmax]}",
        "value.choice",
        "[relu, ~sofmax",
    ),
    (
        MESHED,
        "dma: {kind: dma, clock: core}",
        "dma: {kind: dma, clock: core, queues: 0}",
        "value.range",
        "queues: ~0",
    ),
    (
        NESTED,
        "  dma: {kind: dma, clock: core}",
        "  spare: {kind: vector_unit, clock: core, input: l3, output: l3}",
        "chip.units",
        "~units:\n  spare",
    ),
    # files in files
    (NESTED, "    count: 2\n", "    use: int8_edge\n", "chip.use", "~use: int8"),
    (MESHED, "  pe:\n", "  qe: {use: int9_edge}\n  pe:\n", "file.missing", "use: ~int9_edge"),
    (MESHED, "  pe:\n", "  qe: {use: no/such.yaml}\n  pe:\n", "file.missing", "use: ~no/such"),
    (MESHED, "  pe:\n", "  qe: {use: chip.yaml}\n  pe:\n", "chip.use", "use: ~chip.yaml"),
    (MESHED, "  pe:\n", "  qe: {use: [1]}\n  pe:\n", "type.text", "use: ~[1]"),
]


#: base, old text, new text, where: what could not be read is one problem, not one of everything that names it
UNREAD = [
    (NESTED, "          l1: {kind: sram,", "          l1: {kind: srm,", "kind: ~srm"),
    (NESTED, "          l1: {kind: sram,", "          l1: {", "          ~l1"),
    (
        NESTED,
        "        memories:\n          l1: {kind: sram, clock: core, size: 16 KiB, width: 64 bit, behind: l2}",
        "        memories: 3",
        "memories: ~3",
    ),
    (
        NESTED,
        "      l2: {kind: sram, clock: core, size: 128 KiB, width: 128 bit, behind: l3}",
        "      l2:",
        "l2:~\n",
    ),
    (MESHED, "memories:\n  dram", "memorys:\n  dram", "~memorys:"),
    (NESTED, "        units:\n          array", "        unit:\n          array", "~unit:"),
    (MESHED, "  pe:\n    grid", "  pe:\n  pf:\n    grid", "pe:~\n"),
    (MESHED, "  pe:\n    grid", "  pe: {count: 2}\n  pf:\n    grid", "  ~pe: {count"),
    (
        MESHED,
        "  shared: {kind: sram, clock: core, size: 64 KiB, behind: dram}",
        "  shared: 64 KiB",
        "shared: ~64",
    ),
    (MESHED, "vector: {kind: vector_unit,", "vector: {kind: vektor,", "kind: ~vektor"),
    (MESHED, "dma: {kind: dma, clock: core}", "dma: yes", "dma: ~yes"),
    (MESHED, "  noc: {kind: mesh,", "  noc: {kind: mash,", "kind: ~mash"),
]


@pytest.mark.parametrize(("base", "old", "new", "marker"), UNREAD, ids=[case[3] for case in UNREAD])
def test_what_could_not_be_read_is_one_problem(
    base: str, old: str, new: str, marker: str, tmp_path: Path
) -> None:
    assert old in base, "the case no longer fits its file"
    text = base.replace(old, new, 1)
    path = tmp_path / "chip.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_chip(path)
    found = [(problem.line, problem.column) for problem in caught.value.problems]
    assert found == [place_of(text, marker)], str(caught.value)


def place_of(text: str, marker: str) -> tuple[int, int]:
    """Line and column of what follows the "~"."""
    before, after = marker.split("~")
    assert before + after in text, "the marker is not in the file"
    at = text.index(before + after) + len(before)
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


@pytest.mark.parametrize(
    ("base", "old", "new", "code", "marker"), CASES, ids=[f"{c[3]}: {c[4]}" for c in CASES]
)
def test_wrong_graphs(
    base: str, old: str, new: str, code: str, marker: str, tmp_path: Path
) -> None:
    assert old in base, "the case no longer fits its file"
    text = base.replace(old, new, 1)
    path = tmp_path / "chip.yaml"
    path.write_text(text)
    if not code:
        load_chip(path)
        return
    with pytest.raises(InputError) as caught:
        load_chip(path)
    problems = caught.value.problems
    found = [(problem.code, problem.line, problem.column) for problem in problems]
    assert (code, *place_of(text, marker)) in found, "\n".join(map(str, problems))
    assert len(problems) <= 3, "\n".join(map(str, problems))
    for problem in problems:
        assert problem.file == str(path) and problem.path and problem.message and problem.fix


def test_the_bases_are_right(tmp_path: Path) -> None:
    for text in (NESTED, MESHED):
        (tmp_path / "chip.yaml").write_text(text)
        load_chip(tmp_path / "chip.yaml")


def test_a_problem_in_a_used_file_stands_there(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(NESTED.replace("weight: l1", "weight: w1"))
    (tmp_path / "chip.yaml").write_text(
        MESHED.replace("  pe:\n", "  qe: {use: part.yaml}\n  pe:\n")
    )
    with pytest.raises(InputError) as caught:
        load_chip(tmp_path / "chip.yaml")
    wrong = [p for p in caught.value.problems if p.code == "chip.memory"]
    line, column = place_of((tmp_path / "part.yaml").read_text(), "weight: ~w1")
    assert [(p.file, p.line, p.column) for p in wrong] == [
        (str(tmp_path / "part.yaml"), line, column)
    ]
    assert wrong[0].path == "cores.qe.cores.cluster.cores.core.units.array.weight"


def test_files_that_use_one_another_end(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "a")):
        text = MESHED.replace("  pe:\n", f"  qe: {{use: {other}.yaml}}\n  pe:\n")
        (tmp_path / f"{one}.yaml").write_text(text)
    with pytest.raises(InputError, match="uses itself; name another file"):
        load_chip(tmp_path / "a.yaml")
