"""What every dataflow must keep. A test of one is a class that inherits DataflowContract and gives make(); tests of
a user's own may do the same, with the dataflow installed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

import accelsim
from accelsim.chip import Chip
from accelsim.errors import InputError
from accelsim.explore import search_plan
from accelsim.mapping import compile_program, plan
from accelsim.mapping.mapping import geometry_of
from accelsim.mapping.tilings.search import variants
from accelsim.numerics.execute import execute
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Shapes
from accelsim.program.validate import validate
from accelsim.results.nest import loop_nest
from accelsim.rtl.twin import twin_of
from accelsim.timing import simulate
from accelsim.timing.bounds import check_bounds
from accelsim.units.base import Cost
from accelsim.units.dataflows import Dataflow, dataflow, dataflow_named, dataflow_names
from accelsim.workload import Conv2d, Gemm
from tests.mapping.random_cases import random_operator, reference_sums, single
from tests.mapping.test_random_runs import network_for, random_values, wrapped

Ints = NDArray[np.int64]


class DataflowContract:
    """keys: of the chip int8_edge, on which it is run."""

    keys: ClassVar[tuple[str, ...]] = ()

    def make(self) -> Dataflow:
        raise NotImplementedError

    def chip(self, *keys: str) -> Chip:
        """A small array, so that everything is cut."""
        small = ("units.array.rows=6", "units.array.columns=5")
        flow = f"units.array.dataflow={self.make().name}"
        return accelsim.load_chip("int8_edge", [*small, *self.keys, flow, *keys])

    def runs(self, count: int = 12) -> list[tuple[Chip, Conv2d | Gemm, np.random.Generator]]:
        """Random operators that it takes."""
        found = []
        for seed in range(100):
            rng = np.random.default_rng(seed)
            chip, op = self.chip(), random_operator(rng)
            try:
                plan(chip, single(op))
            except InputError:
                continue
            found.append((chip, op, rng))
            if len(found) == count:
                break
        assert len(found) == count
        return found

    def shapes(self) -> list[tuple[Chip, Shapes]]:
        """Of the passes and PRELOADs of whole Programs."""
        found = []
        for chip, op, _ in self.runs():
            shapes = compile_program(chip, single(op)).shapes
            own = (shapes.opcode == Opcode.MATMUL) | (shapes.opcode == Opcode.PRELOAD)
            found.append((chip, shapes.take(np.flatnonzero(own))))
        return found

    def test_it_has_a_name_and_a_number_of_its_own(self) -> None:
        flow = self.make()
        assert flow.name.replace("_", "").isalnum() and flow.name in dataflow_names()
        assert type(dataflow_named(flow.name)) is type(dataflow(flow.number)) is type(flow)
        assert {flow.rows, flow.columns, flow.streams} <= set("mnk") and flow.summary
        assert flow.stays in ("none", "weight", "input")

    def test_it_refuses_in_words(self) -> None:
        """An array that cannot run it is told why, and the search leaves it out."""
        assert self.make().refuses(self.chip().array) == ""
        for structure in ("systolic", "broadcast"):
            array = replace(self.chip().array, structure=structure, scratchpads=None)
            refused = self.make().refuses(array)
            if refused:
                with pytest.raises(InputError, match=re.escape(refused)):
                    array.running(self.make().number)
                other = accelsim.load_chip("int8_edge", [f"units.array.structure={structure}"])
                flows = {variant.dataflow for variant in variants(other)}
                assert self.make().number not in flows and len(flows) >= 3

    def test_times_are_in_order_and_of_each_shape_alone(self) -> None:
        for chip, shapes in self.shapes():
            cost = chip.array.cost(shapes)
            for column in (cost.interval, cost.first, cost.last):
                assert column.dtype == np.int64 and (column >= 1).all()
            assert (cost.last >= cost.interval).all() and (cost.last >= cost.first).all()
            alone = [chip.array.cost(shapes.take(np.array([i]))) for i in range(len(cost.first))]
            joined = Cost(
                *(np.concatenate(parts) for parts in zip(*map(_columns, alone), strict=True))
            )
            assert all(map(np.array_equal, _columns(cost), _columns(joined)))

    def test_no_more_products_than_slots(self) -> None:
        for chip, shapes in self.shapes():
            counts = chip.array.actions(shapes)
            assert (counts["idle_slots"] >= 0).all()
            assert all(np.isfinite(one).all() and (one >= 0).all() for one in counts.values())
            passes = shapes.opcode == Opcode.MATMUL
            macs = np.prod(shapes.extents[passes, :3].astype(float), axis=1)
            assert np.array_equal(counts["mac_int8_int8"][passes], macs)

    def test_a_preload_only_where_something_stays(self) -> None:
        stays = self.make().stays
        for _, shapes in self.shapes():
            assert (Opcode.PRELOAD in shapes.opcode) == (stays != "none")

    def test_sums_are_those_of_the_product(self) -> None:
        """Wrapped to the accumulator, whatever the order."""
        rng = np.random.default_rng(1)
        for bits in (12, 20, 48):
            array = self.chip(f"units.array.accumulator={{bits: {bits}, overflow: wrap}}").array
            a, b = rng.integers(-128, 128, (7, 30)), rng.integers(-128, 128, (30, 3))
            found = array.execute(a, b, number=self.make().number)
            assert np.array_equal(found, wrapped(a @ b, bits, "wrap"))

    def test_whole_runs_keep_all_rules_and_give_the_right_values(self) -> None:
        for chip, op, rng in self.runs():
            work = single(op)
            program = compile_program(chip, work)
            validate(program, work)
            timeline = simulate(program, chip, "plain")
            check_bounds(program, timeline)
            x, w = random_values(rng, op, chip)
            done = execute(program, work, chip, {"x": x}, network_for(op, chip, work, w))
            assert done.macs == op.macs
            exact = wrapped(reference_sums(op, x, w, pad=1), 32, "wrap")
            assert np.array_equal(done.tensors["y"], exact)

    def test_it_is_found_by_the_search_and_told_as_a_nest(self) -> None:
        chip, op, _ = self.runs(1)[0]
        work = single(op)
        found, _ = search_plan(chip, work, "cycles", budget=2)
        assert list(found.mappings) == [op.name]
        chosen = plan(chip, work).mappings[op.name]
        lines = loop_nest(chip, geometry_of(op), chosen, ("int8",) * 3)  # type: ignore[arg-type]
        assert any(self.make().name.replace("_", " ") in line for line in lines)

    def test_its_twin_is_there(self) -> None:
        """Where it names one; tests/arrays hold the closed forms to its clock edges."""
        flow = self.make()
        assert not flow.twin or twin_of(flow.number)


def _columns(cost: Cost) -> tuple[Ints, Ints, Ints]:
    return cost.interval, cost.first, cost.last
