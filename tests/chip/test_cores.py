"""Cores: the same as written out; every instance counted in tables, joules and area; what a core sees; files in
files; refusals of run."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import accelsim
from accelsim.chip import Chip, machine
from accelsim.chip.cores import local, template_of
from accelsim.cli.main import cli
from accelsim.config import load_chip
from accelsim.config.chip_keys import UnknownKey, own_value, rule_of
from accelsim.config.chip_variants import Variants
from accelsim.config.writer import chip_values, chip_yaml
from accelsim.energy import account, prices
from accelsim.energy.area import area
from accelsim.errors import InputError
from accelsim.program.builder import Part, ProgramBuilder
from accelsim.program.opcodes import Opcode
from accelsim.program.validate import validate
from accelsim.timing import simulate
from accelsim.workload import TensorSpec, VectorOperator, Workload
from tests.chip.graphs import NESTED, ROOT, load, random_chip, read

SHIPPED = sorted(path.stem for path in (ROOT / "configs" / "chips").glob("*.yaml"))
#: of one anonymous core
FLAT = [name for name in SHIPPED if not accelsim.load_chip(name).templates]
EDGE = ROOT / "configs" / "chips" / "int8_edge.yaml"


def in_cores(name: str, count: int = 1) -> dict[str, Any]:
    """A shipped chip's file with all but what lies off the chip in a core."""
    document: dict[str, Any] = yaml.safe_load((ROOT / f"configs/chips/{name}.yaml").read_text())
    memories, units = document.pop("memories"), document.pop("units")
    far = [key for key, memory in memories.items() if memory["kind"] == "dram"]
    for constant in document["technology"].get("constants", ()):
        if constant["key"].split("/")[0] in {*memories, *units} - {*far}:
            constant["key"] = f"core.{constant['key']}"
    for link in document.get("links", {}).values():
        link["nodes"] = [node if node in far else f"core.{node}" for node in link["nodes"]]
    outer = {key: memories.pop(key) for key in far}
    core = {"count": count, "memories": memories, "units": units}
    return {**document, "memories": outer, "cores": {"core": core}}


def equal_cores(count: int) -> dict[str, Any]:
    """mixed_quad's file as so many cores, each with one of its arrays, buffers, a vector unit and a DMA engine."""
    document = in_cores("mixed_quad", count)
    core = document["cores"]["core"]
    for memory in core["memories"].values():
        del memory["scope"]
    del core["units"]["array"]["count"]
    return document


def drawn(seed: int, many: int) -> list[Chip]:
    """Random chips of the language."""
    rng, found = random.Random(seed), []
    while len(found) < many:
        try:
            found.append(read(random_chip(rng)))
        except InputError:
            continue
    return found


@pytest.mark.parametrize("name", FLAT)
def test_one_core_is_the_chip(name: str) -> None:
    """What a lone core of a shipped chip's units sees is that chip, to the digests; the chip itself is one core."""
    loaded = accelsim.load_chip(name)
    whole = loaded.seen_from("").chip  # without its links
    assert list(loaded.cores) == [""] and (whole.digest == loaded.digest) == (not loaded.links)
    chip = read(in_cores(name) | {"name": name})
    seen = chip.seen_from("core")
    assert seen.chip.digest == whole.digest and seen.chip.timing_digest == whole.timing_digest
    assert set(seen.names) == {*whole.units, *whole.memories}
    assert all(full == key or full == f"core.{key}" for key, full in seen.names.items())
    assert chip.digest != whole.digest


@pytest.mark.parametrize("name", ["int8_edge", "mixed_quad", "pcm_8level", "tpu_v1_like"])
def test_every_instance_is_counted(name: str) -> None:
    one, three = accelsim.load_chip(name), read(in_cores(name, 3) | {"name": name})
    few, many = machine(one), machine(three)
    for table in ("units", "memories", "ports"):
        names = [row.name for row in getattr(few, table)]
        shared = {item for item in names if item.startswith("dram")}
        wanted = {f"core[{i}].{item}" for i in range(3) for item in names if item not in shared}
        assert {row.name for row in getattr(many, table)} == wanted | shared
    assert len(many.unit_kinds) == len(few.unit_kinds)
    units, memories = prices(one)
    more, stored = prices(three)
    for found, wanted_prices in ((more, units), (stored, memories)):
        assert len(found) == len(wanted_prices)
        for (unit, action), price in found.items():
            old = wanted_prices[unit.removeprefix("core."), action]
            times = 3 if action.endswith("_second") and unit.startswith("core.") else 1
            assert price.joules == pytest.approx(times * old.joules, rel=1e-12)
    assert sum(row.area for row in area(three)) == pytest.approx(
        3 * sum(row.area for row in area(one)), rel=1e-12
    )


def test_private_memories_are_short_for_a_core_of_a_count() -> None:
    """mixed_quad's four arrays with buffers of their own, and the same as four cores: equal ports, capacities,
    leakage and area."""
    short = accelsim.load_chip("mixed_quad")
    long = read(equal_cores(4))

    def shapes(chip: Chip, table: str) -> list[Any]:
        rows = [row for row in getattr(machine(chip), table)]
        named = ("array", "input_buffer", "weight_buffer", "output_buffer")
        return sorted(
            (
                ".".join(p for p in local_parts(row.name) if not p.isdigit()),
                *[getattr(row, key) for key in ("width", "beat", "bytes") if hasattr(row, key)],
            )
            for row in rows
            if any(word in row.name for word in named)
        )

    for table in ("units", "memories", "ports"):
        assert shapes(short, table) == shapes(long, table)
    for name in ("input_buffer", "weight_buffer", "output_buffer"):
        one = prices(short)[1][name, "leakage_second"]
        assert prices(long)[1][f"core.{name}", "leakage_second"].joules == one.joules
    assert sum(row.area for row in area(short)) == pytest.approx(
        sum(row.area for row in area(long)), rel=1e-12
    )


def local_parts(name: str) -> list[str]:
    return template_of(name).removeprefix("core.").split(".")


def test_digests_tell_graphs_apart() -> None:
    chips = drawn(3, 40)
    texts = {yaml.safe_dump({**chip_values(chip), "name": "x"}, sort_keys=True) for chip in chips}
    assert len({chip.digest for chip in chips}) == len(texts)
    for chip in chips:
        again = read(yaml.safe_load(chip_yaml(chip)))
        assert again.digest == chip.digest and again.timing_digest == chip.timing_digest
        assert again.units == chip.units and again.memories == chip.memories
        assert again.links == chip.links and again.templates == chip.templates
        hash(chip.timing_form)


@pytest.mark.parametrize(
    ("change", "timed"),
    [
        ("cores.cluster.count=3", True),
        ("cores.cluster.cores.core.count=4", True),
        ("cores.cluster.links.ring.hop=3", True),
        ("cores.cluster.links.ring.both_ways=false", True),
        ("links.bus.width=64 B", True),
        ("links.bus.multicast=true", True),
        ("units.dma.queues=2", True),
        ("cores.cluster.memories.l2.behind=dram", True),
        ("links.bus.energy={row: isaac_32nm/bus/bit}", False),
        ('weights={"cluster": resident}', True),
        ("cores.cluster.cores.core.units.vector.rates={softmax: 0.5}", True),
        ("cores.cluster.cores.core.units.vector.does=[relu]", True),
    ],
)
def test_what_a_key_changes(change: str, timed: bool, tmp_path: Path) -> None:
    sets = [change]
    if change.endswith("behind=dram"):  # which leaves the L3 and the bus with nothing to do
        sets = [change, "memories={dram: {kind: dram, standard: lpddr4, bandwidth: 17 GB/s}}"]
        sets += ["links={bus: {kind: bus, nodes: [cluster.l2, dram], clock: slow, width: 32 B}}"]
    plain, other = load(tmp_path, NESTED), load(tmp_path, NESTED, *sets)
    assert other.digest != plain.digest
    assert (other.timing_digest != plain.timing_digest) == timed


def test_keys_of_cores_and_links_can_be_swept(tmp_path: Path) -> None:
    chip = load(tmp_path, NESTED)
    keys = {
        "cores.cluster.count": 2,
        "cores.cluster.cores.core.memories.l1.size": 16 << 10,
        "cores.cluster.cores.core.units.array.rows": 8,
        "cores.cluster.links.ring.width": 128,
        "links.bus.hop": 3,
        "memories.l3.width": 128,
        "memories.l3.behind": "dram",
        "cores.cluster.memories.l2.behind": "l3",
        "cores.cluster.cores.core.units.array.input": "l1",
        "units.dma.memory": "dram",
    }
    for key, value in keys.items():
        rule = rule_of(chip, key)
        assert rule is not None and own_value(chip, key) == value
    pace = rule_of(chip, "cores.cluster.cores.core.units.vector.rates.softmax")
    assert pace is not None and pace.kind is float
    for key in (
        "cores.cluster.rows",
        "cores.clusters.count",
        "links.bus.hops",
        "cores.cluster.units.a",
    ):
        with pytest.raises(UnknownKey):
            rule_of(chip, key)
    made = Variants(NESTED, "nested.yaml")
    assert machine(made.chip([("cores.cluster.count", 5)])).unit_index.keys() >= {
        "cluster[4].core[2].array.1"
    }


# -- what a core sees ------------------------------------------------------------------------------


def test_a_core_sees_its_own_and_borrows_what_it_has_not(tmp_path: Path) -> None:
    chip = load(tmp_path, NESTED, 'weights={"cluster": resident}')
    seen = chip.seen_from("cluster[1].core[2]")
    assert seen.names == {
        "array": "cluster[1].core[2].array",
        "vector": "cluster[1].core[2].vector",
        "dma": "dma",
        "l1": "cluster[1].core[2].l1",
        "l2": "cluster[1].l2",
        "l3": "l3",
        "dram": "dram",
    }
    assert seen.chip.array.input == "l1" and seen.chip.dram.name == "dram"
    assert [seen.chip.behind(name) for name in ("l1", "l2", "l3")] == ["l2", "l3", "dram"]
    assert seen.chip.weights == "resident" and chip.weights_of("") == "cold"
    assert not seen.chip.templates and not seen.chip.links
    with pytest.raises(KeyError):
        chip.seen_from("cluster[2]")


def test_random_cores_see_what_routes_know() -> None:
    for chip in drawn(5, 40):
        for core in list(chip.cores)[1:]:
            seen = chip.seen_from(core)
            known = machine(chip)
            for name in seen.chip.memories:
                full = seen.names[name]
                assert full in known.memory_index
                behind = seen.chip.behind(name)
                assert (None if behind is None else seen.names[behind]) == chip.behind(full)
            assert {"mac_array", "vector_unit", "dma"} == {u.part for u in seen.chip.units.values()}
            own = machine(seen.chip)
            assert {seen.names[local(name)] for name in own.memory_index if name in seen.names}


def test_names_that_two_cores_share_are_told(tmp_path: Path) -> None:
    text = NESTED.replace("      l2: {kind", "      l3: {kind").replace(
        "nodes: [core, l2]", "nodes: [core, l3]"
    )
    text = text.replace("behind: l2", "behind: l3").replace("cluster.l2", "cluster.l3")
    with pytest.raises(InputError, match=r"cluster.l3 would be filled from itself"):
        load(tmp_path, text)
    text = text.replace("behind: l3}\n    cores", "behind: l4}\n    cores").replace(
        "  l3: {kind: sram, clock: core, size: 1 MiB",
        "  l4: {kind: sram, clock: core, size: 1 MiB, behind: l3}\n  l3: {kind: sram, clock: core, size: 1 MiB",
    )
    chip = load(tmp_path, text.replace("l3]", "l4]", 2).replace("[core, l4]", "[core, l3]"))
    with pytest.raises(
        InputError, match=r"cluster.l3 and l3 have one name|l3 and cluster.l3 have one name"
    ):
        chip.seen_from("cluster[0].core[0]")


def test_short_names_are_of_all_cores_and_raise_where_there_are_several(tmp_path: Path) -> None:
    chip = load(tmp_path, NESTED)
    assert chip.array.count == chip.core.count == 2 * 3 * 2 and chip.vector_unit.count == 2 * 3
    assert chip.crossbar is None and chip.dma.name == "dma" and chip.dram.name == "dram"
    twice = load(tmp_path, EDGE.read_text(), "units.dma2={kind: dma, clock: core}")
    with pytest.raises(InputError, match=r"has several units of part dma \(dma, dma2\)"):
        _ = twice.dma


# -- a file in a file ------------------------------------------------------------------------------

SYSTEM = """\
name: system
technology: {node: 22 nm, voltage: 0.8 V, family: horowitz_45nm}
clocks: {core: 800 MHz}
memories:
  host: {kind: dram, standard: ddr4, bandwidth: 32 GB/s}
cores:
  chip: {count: 2, use: int8_edge}
  other: {use: one/mine.yaml}
units:
  copier: {kind: dma, clock: core, memory: host}
links:
  board: {kind: crossbar, nodes: [host, chip.dram, other.dram], clock: core, width: 16 B}
"""


def test_a_system_is_a_chip_whose_cores_are_chips(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "mine.yaml").write_text(EDGE.read_text().replace("rows: 32", "rows: 16"))
    chip = load(tmp_path, SYSTEM)
    assert chip.units["chip.array"].rows == 32 and chip.units["other.array"].rows == 16  # type: ignore[attr-defined]
    assert chip.behind("chip[1].input_buffer") == "chip[1].dram"
    assert chip.route("chip[1].input_buffer", "other.output_buffer").storages == (
        "chip[1].dram",
        "other.dram",
    )
    seen = chip.seen_from("chip[1]")
    edge = accelsim.load_chip("int8_edge")
    assert seen.chip.units == edge.units and seen.chip.memories == edge.memories
    more = load_chip(tmp_path / "chip.yaml", ["cores.other.units.array.rows=8"])
    assert more.units["other.array"].rows == 8  # type: ignore[attr-defined]
    assert read(chip_values(chip)).digest == chip.digest


# -- joules of links -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ring", "bus", "crossbar"])
def test_bits_over_links_are_charged_a_hop(kind: str, tmp_path: Path) -> None:
    """A load and a multicast of 96 bytes, by hand: hops x bits x joules, for the operator that sends them; time from
    ports as wide as the link."""
    energy = "{value: 0.2 pJ, source: worked, confidence: pub, node: 22 nm, voltage: 0.8 V}"
    text = NESTED.replace(
        "kind: ring, nodes: [core, l2]", f"kind: {kind}, nodes: [core, l2], energy: {energy}"
    )
    chip = load(tmp_path, text)
    tables = machine(chip)
    b = ProgramBuilder(tables.tick_hz, units=list(tables.units), kinds=list(tables.unit_kinds))
    b.queues, b.ports, b.memories = list(tables.queues), list(tables.ports), list(tables.memories)
    x, op = b.tensor("x", (96,), role="input"), b.operator("copy")
    ends = ["cluster[0].core[1].l1", "cluster[0].core[2].l1"]
    memory, port = tables.memory_index, tables.port_index
    b.resident(Part(x, memory["cluster[0].l2"]))
    channel = tables.unit_index["dma.input"]
    hops = 0
    for sent in (ends[:1], ends):
        ways = [chip.route("cluster[0].l2", end) for end in sent]
        passed = {name for way in ways for name in way.ports}
        charged = [name for name in passed if not local(name).startswith("in")]
        hops += len(charged)
        b.command(
            channel,
            Opcode.TRANSFER if len(sent) > 1 else Opcode.LOAD,
            extents=(96,),
            operator=op,
            reads=[Part(x, memory["cluster[0].l2"])],
            writes=[Part(x, memory[end]) for end in sent],
            links={port[name]: 96 for name in passed},
        )
    assert hops == {"ring": 2 + 3, "bus": 2, "crossbar": 3}[kind]
    program = b.build()
    validate(program)
    timeline = simulate(program, chip)
    report = account(program, chip, timeline)
    rows = [row for row in report.rows if row.action == "hop_bit"]
    assert [(row.unit, row.operator) for row in rows] == [("cluster.ring", 0)]
    assert rows[0].count == hops * 8 * 96
    assert rows[0].joules == pytest.approx(hops * 8 * 96 * 0.2e-12, rel=1e-12)
    assert rows[0].source == "worked (the chip file)" and rows[0].boundary == "chip"
    beat = next(row.beat for row in tables.ports if row.name.startswith("cluster[0].ring."))
    assert timeline.makespan >= 2 * (96 // 16) * beat


def test_a_link_without_energy_says_so(tmp_path: Path) -> None:
    _, found = prices(load(tmp_path, NESTED))
    price = found["bus", "hop_bit"]
    assert price.joules == 0.0 and price.source == "not charged: no sourced constant"
    row = prices(load(tmp_path, NESTED, "links.bus.energy={row: isaac_32nm/bus/bit}"))[1]
    dma = prices(load(tmp_path, NESTED))[0]["dma", "bus_bits"]
    assert row["bus", "hop_bit"].joules == dma.joules > 0
    own = "technology.constants.bus/hop_bit=3 pJ"
    assert prices(load(tmp_path, NESTED, own))[1]["bus", "hop_bit"].joules == 3e-12


# -- rates of the vector unit ----------------------------------------------------------------------


def test_operators_run_at_the_rate_of_their_kind() -> None:
    """Cycles of the unit by hand: operations / (lanes x rate), rounded up a tile; others as before."""
    shape = (4, 96)

    def run(kind: str, *sets: str) -> tuple[list[int], list[int]]:
        """Operations and cycles of each tile."""
        operator = VectorOperator("y", kind, ("x",), "y", (shape,), shape)
        tensors = {n: TensorSpec(n, shape, role) for n, role in (("x", "input"), ("y", "output"))}
        chip, work = accelsim.load_chip("int8_edge", sets), Workload("one", (operator,), tensors)
        result = accelsim.run(chip, work)
        program = result.planned.program
        mine = program.commands.opcode == Opcode.VECTOR
        done = program.shapes.extents[program.commands.shape[mine], 1].tolist()
        period = program.tick_hz // chip.clocks["core"]
        assert sum(done) == operator.work
        return done, (result.timeline.interval[mine] // period).tolist()

    def at(rate: Fraction, done: list[int]) -> list[int]:
        return [ceil(each / (32 * rate)) for each in done]

    for kind, rates, rate in (
        ("softmax", {}, Fraction(1)),
        ("softmax", {"softmax": 0.125}, Fraction(1, 8)),
        ("softmax", {"tanh": 0.5, "softmax": 4}, Fraction(4)),
        ("softmax", {"tanh": 0.125}, Fraction(1)),
        ("tanh", {"softmax": 0.125, "tanh": 0.75}, Fraction(3, 4)),
        ("tanh", {"softmax": 0.125}, Fraction(1)),
    ):
        done, cycles = run(kind, f"units.vector.rates={json.dumps(rates)}")
        assert cycles == at(rate, done)
    digests = set[str]()
    for rates in ('{"tanh": 0.5, "softmax": 4}', '{"softmax": 4, "tanh": 0.5}'):
        chip = accelsim.load_chip("int8_edge", [f"units.vector.rates={rates}"])
        digests.add(accelsim.run(chip, accelsim.load_workload("bert_base")).planned.digest)
    assert len(digests) == 1  # whatever their order in the file
    with pytest.raises(InputError, match="y: no unit of int8_edge runs a softmax"):
        run("softmax", "units.vector.does=[relu, add]")
    assert run("softmax", "units.vector.does=[relu, softmax]") == run("softmax")


# -- what run refuses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sets", "path"),
    [
        (["units.dma.queues=2"], "units.dma.queues"),
        (
            [
                "units.more={kind: vector_unit, clock: core, input: input_buffer, output: output_buffer}"
            ],
            "units.more",
        ),
        (["units.more={kind: dma, clock: core}"], "units.more"),
        (
            [
                "memories.far={kind: dram, standard: ddr4, bandwidth: 20 GB/s}",
                "memories.output_buffer.behind=far",
                "units.dma.memory=dram",
            ],
            "memories.output_buffer.behind",
        ),
    ],
)
def test_what_no_mapping_uses_is_refused(sets: list[str], path: str) -> None:
    chip = load_chip(EDGE, sets)
    machine(chip), prices(chip)
    with pytest.raises(InputError) as caught:
        accelsim.run(chip, accelsim.load_workload("small_gemm"))
    assert [problem.path for problem in caught.value.problems] == [path]
    assert "yet" in str(caught.value) and ";" in str(caught.value)


OTHER = """\
  other:
    memories: {b: {kind: sram, clock: core, size: 16 KiB, width: 64 bit}}
    units:
      two: {kind: mac_array, clock: core, rows: 4, columns: 4, input: b, weight: b, output: b,
            rates: [{input: int8, weight: int8}]}
"""


@pytest.mark.parametrize(
    ("old", "new", "path", "said"),
    [
        (
            "cores:\n  cluster",
            f"cores:\n{OTHER}  cluster",
            "units.array",
            "2 units of part mac_array",
        ),
        (
            "vector: {kind: vector_unit, clock: core, lanes: 8, input: l1, output: l1}",
            "vector: {kind: vector_unit, clock: core, lanes: 8, input: l2, output: l2}",
            "units.vector",
            "6 vector units share cluster.l2",
        ),
        ("units:\n  dma: {", "units:\n  dma: {queues: 2, ", "units.dma.queues", "outstanding"),
    ],
)
def test_cores_that_no_mapping_uses_are_refused(
    old: str, new: str, path: str, said: str, tmp_path: Path
) -> None:
    assert old in NESTED
    with pytest.raises(InputError, match=said) as caught:
        accelsim.run(load(tmp_path, NESTED.replace(old, new)), accelsim.load_workload("small_gemm"))
    assert [problem.path.endswith(path) for problem in caught.value.problems] == [True]
    assert "yet" in str(caught.value)


def test_check_says_the_peaks_of_all_cores(tmp_path: Path) -> None:
    """By hand: 2 x 3 cores of two arrays of 64 elements at 800 MHz."""
    (tmp_path / "nested.yaml").write_text(NESTED)
    said = CliRunner().invoke(cli, ["check", str(tmp_path / "nested.yaml")])
    assert said.exit_code == 0
    assert f"{2 * 6 * 2 * 64 * 0.8e9 / 1e12:.4g} T int8 x int8" in said.output
