"""The mappings of a whole workload, searched operator by operator and judged together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from accelsim.chip import Chip
from accelsim.energy import prices
from accelsim.explore.homes import plan_at_home
from accelsim.explore.measured import run_of, whole
from accelsim.mapping import Mapping as OperatorMapping
from accelsim.mapping import Plan, geometry_of
from accelsim.mapping.compile import resident_bytes
from accelsim.mapping.homes import DEFAULT
from accelsim.mapping.tensors import operator_formats
from accelsim.mapping.tilings.search import (
    BUDGET,
    Found,
    Measure,
    Rates,
    Run,
    search_operator,
    value_of,
)
from accelsim.mapping.tilings.setting import Task
from accelsim.workload import MacOperator, TensorSpec, VectorOperator, Workload


@dataclass(frozen=True, slots=True)
class SearchReport:
    """objective, budget: what was asked. found: by operator. cycles, joules: of the whole workload
    as planned; default_cycles, default_joules: with the default mappings. kept_default: the
    searched mappings were no better together, so the default ones were taken."""

    objective: str
    budget: int
    found: Mapping[str, Found]
    cycles: float
    joules: float
    default_cycles: float
    default_joules: float
    kept_default: bool


def search_plan(
    chip: Chip,
    workload: Workload,
    objective: str = "cycles",
    budget: int = BUDGET,
    seeds: Mapping[str, OperatorMapping] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    homes: str = DEFAULT,
) -> tuple[Plan, SearchReport]:
    """The best Plan found, never worse than the default one.

    objective: "cycles", "energy" or "edp" (their product), of the whole chip. budget: engine runs
    a distinct operator. seeds: mappings to try first. homes: as plan_at_home() takes them; operators are
    searched with their tensors off chip, then homes found beside their tiles. InputError as plan().
    """
    default = plan_at_home(chip, workload, None, homes)
    cold = chip.weights == "cold"
    mac = [
        op
        for op in workload.operators
        if not isinstance(op, VectorOperator)
        and isinstance(default.mappings[op.name], OperatorMapping)
    ]
    elsewhere = tuple(set(default.mappings) - {op.name for op in mac})  # on crossbars
    reserve = 0 if cold or not mac else resident_bytes(chip, workload, elsewhere)
    rates = rates_of(chip) if mac else None
    cache: dict[object, Found] = {}
    found: dict[str, Found] = {}
    for number, op in enumerate(mac):
        triple = (*operator_formats(op, chip), default.formats[op.output])
        seed = (seeds or {}).get(op.name)
        held = workload.is_stored(op.weight)
        key = (geometry_of(op), triple, seed, held)
        if key not in cache:
            assert rates is not None
            task = Task(chip, geometry_of(op), triple, op.name, reserve, cold or not held, held)
            measure = measure_of(chip, op, triple, held)
            own = default.mappings[op.name]
            assert isinstance(own, OperatorMapping)
            seeded = (own, seed) if seed else (own,)
            cache[key] = search_operator(task, measure, rates, objective, budget, seeded)
        found[op.name] = cache[key]
        if progress is not None:
            progress("search", number + 1, len(mac))
    mappings = {name: item.mapping for name, item in found.items()}
    searched = plan_at_home(chip, workload, mappings, homes)
    before = whole(chip, workload, default)
    after = whole(chip, workload, searched)
    kept = value_of(objective, *after) > value_of(objective, *before)
    if kept:
        searched, after = default, before
    return searched, SearchReport(objective, budget, found, *after, *before, kept)


def measure_of(
    chip: Chip, op: MacOperator, formats: tuple[str, str, str], held: bool = True
) -> Measure:
    """Runs one operator alone under a mapping. held: its second operand is a stored weight."""
    shapes = (
        (op.input, op.input_shape, "input", formats[0]),
        (op.weight, op.weight_shape, "weight" if held else "input", formats[1]),
        (op.output, op.output_shape, "output", formats[2]),
    )
    alone = Workload(
        op.name,
        (op,),
        {name: TensorSpec(name, shape, role, form) for name, shape, role, form in shapes},
    )

    def measure(mapping: OperatorMapping) -> Run:
        kinds = {op.input: formats[0], op.output: formats[2]}
        if not held:
            kinds[op.weight] = formats[1]
        return run_of(chip, alone, Plan({op.name: mapping}, kinds))

    return measure


def rates_of(chip: Chip) -> Rates:
    """What the search's estimate of energy charges, from the chip's own prices."""
    _, memories = prices(chip)
    array = chip.array
    near = [
        memories[name, action].joules
        for name in (array.input, array.weight, array.output)
        for action in ("read_bit", "write_bit")
    ]
    watts = sum(
        price.joules for (_, action), price in memories.items() if action == "leakage_second"
    )
    return Rates(
        8 * memories[chip.dma.memory, "read_bit"].joules,
        8 * sum(near) / len(near),
        watts / chip.clocks[array.clock],
    )
