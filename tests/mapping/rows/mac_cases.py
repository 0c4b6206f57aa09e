"""MAC operators under mappings: of shipped networks on shipped chips, mappings altered, and random ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import accelsim
from accelsim.chip import Chip, machine
from accelsim.errors import InputError
from accelsim.mapping import Mapping, check_mapping, geometry_of, plan
from accelsim.mapping.mapping import ORDERS
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.workload import MacOperator, VectorOperator, Workload
from tests.mapping.random_cases import FLOWS, random_chip, random_mapping, random_operator, single

Case = tuple[Any, ...]  # what mac_nest() takes


def _dataflows() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for flow in FLOWS:
        own = f"units.array.dataflow={flow}"
        yield "int8_edge", "small_cnn", (own,)
        for split in "mnk":
            several = ("units.array.count=3", f"units.array.split={split}")
            yield "int8_edge", "small_cnn", (own, *several)


#: chip, workload, settings
NETWORKS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    *_dataflows(),
    ("int8_edge", "digits_residual", ()),
    ("int8_edge", "small_cnn", ("units.array.fused_epilogue=false",)),
    ("int8_edge", "small_cnn", ("weights=resident",)),
    ("int8_edge", "small_cnn", ("units.array.bypass=true", "units.array.rows=16")),
    ("int8_edge", "small_cnn", ("units.array.accumulator.location=column",)),
    ("int4_edge", "digits_cnn", ()),
    ("fp8_64", "small_cnn", ()),
    ("ibm_quad_like", "small_cnn", ()),
    ("tpu_v1_like", "small_cnn", ()),
    ("mixed_quad", "small_cnn", ()),
)


def _case(chip: Chip, work: Workload, op: MacOperator, mapping: Mapping, number: int) -> Case:
    formats = (*operator_formats(op, chip), tensor_formats(work, chip)[op.output])
    kept = 0 if chip.weights == "resident" else None
    return chip, machine(chip), geometry_of(op), mapping, formats, number % 2, kept


def network(name: str, workload: str, settings: tuple[str, ...]) -> Iterator[tuple[str, Case]]:
    """Every MAC operator that runs on an array, under the mapping that is chosen for it."""
    chip, work = accelsim.load_chip(name, list(settings)), accelsim.load_workload(workload)
    chosen = plan(chip, work).mappings
    for number, op in enumerate(work.operators):
        if not isinstance(op, VectorOperator) and isinstance(chosen[op.name], Mapping):
            yield op.name, _case(chip, work, op, chosen[op.name], number)  # type: ignore[arg-type]


def altered(seed: int) -> Iterator[tuple[str, Case]]:
    """The operators of a network on a small array, under mappings with other tiles, orders and residents."""
    rng = np.random.default_rng(seed)

    def pick(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    settings = (
        f"units.array.dataflow={pick(*FLOWS)}",
        f"units.array.rows={pick(8, 16, 32)}",
        f"units.array.fused_epilogue={pick('true', 'false')}",
        f"units.array.bypass={pick('true', 'false')}",
    )
    count, split = pick(1, 1, 2, 3), pick(*"mnk")
    if count > 1:
        settings += (f"units.array.count={count}", f"units.array.split={split}")
    for name, case in network("int8_edge", pick("small_cnn", "digits_residual"), settings):
        chip, _, geometry, chosen, formats, _, kept = case
        lower = chosen.batch == 1 and chosen.width > 1
        mapping = replace(
            chosen,
            k=max(1, chosen.k // pick(1, 2, 3)),
            n=max(1, chosen.n // pick(1, 2, 4)),
            height=max(1, chosen.height // pick(1, 2)) if lower else chosen.height,
            order=pick("mnk", "nmk") if count > 1 and split == "k" else pick(*ORDERS),
            input_resident=bool(rng.random() < 0.4),
            weight_resident=bool(rng.random() < 0.3),
            input_slots=pick(1, 2, 3),
            weight_slots=pick(1, 2),
            output_slots=pick(1, 2),
        )
        if not check_mapping(chip, geometry, mapping, formats, name, kept is None):
            yield name, (*case[:3], mapping, *case[4:])


def random_cases(seed: int, wanted: int) -> Iterator[Case]:
    """Random operators on random chips under random mappings; weights are fetched or there already."""
    rng = np.random.default_rng(seed)
    found = 0
    while found < wanted:
        chip, work = random_chip(rng), single(random_operator(rng))
        try:
            mapping = random_mapping(rng, chip, work)
        except InputError:
            continue
        if mapping is None:
            continue
        if chip.array.count > 1 and rng.random() < 0.3:
            split = "mnk"[int(rng.integers(3))]
            split = split if split != "k" or mapping.order[2] == "k" else ""
            mapping = replace(mapping, split=split)  # type: ignore[arg-type]
        found += 1
        case = _case(chip, work, work.operators[0], mapping, found)  # type: ignore[arg-type]
        yield (*case[:6], int(rng.integers(64)) if rng.random() < 0.2 else None)
