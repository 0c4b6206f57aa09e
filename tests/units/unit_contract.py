"""What every unit must keep. A test of one is a class that inherits UnitContract and gives make() and
shapes()."""

from __future__ import annotations

import copy
import pickle

import numpy as np

import accelsim
from accelsim.chip import Chip, machine
from accelsim.config.chip_file import ChipReader
from accelsim.config.overrides import node_of
from accelsim.config.writer import chip_values
from accelsim.config.yaml_source import Place
from accelsim.energy import area, prices
from accelsim.program.table import Shapes
from accelsim.units.base import Around, Unit
from accelsim.units.kinds import unit_kinds


def shapes_of(unit: Unit, rows: list[tuple[int, list[int]]], form: int = 2) -> Shapes:
    """Shape rows of (opcode, extents) with operands of one format."""
    extents = np.zeros((len(rows), 8), np.int64)
    for number, (_, sizes) in enumerate(rows):
        extents[number, : len(sizes)] = sizes
    opcode = np.array([row[0] for row in rows], np.int64)
    none, same = np.zeros(len(rows), np.int64), np.full(len(rows), form, np.int64)
    return Shapes(none, opcode, none.copy(), same, same.copy(), same.copy(), extents)


class UnitContract:
    """The tests."""

    def make(self) -> Unit:
        """A unit of the kind, as it stands in chip()."""
        raise NotImplementedError

    def shapes(self) -> Shapes:
        """Commands that it takes, of different sizes; later ones of an opcode are larger."""
        raise NotImplementedError

    def base(self) -> str:
        """A shipped chip in which the unit takes the place of the one that is the same part."""
        return "int8_edge"

    def chip(self) -> Chip:
        """A chip with the unit."""
        chip, unit = accelsim.load_chip(self.base()), self.make()
        old = next(name for name, other in chip.units.items() if other.part == unit.part)
        assert unit.name == old, f"call it {old}"
        from dataclasses import replace

        return replace(chip, units={**chip.units, old: unit})

    def placed(self) -> Unit:
        """The unit with what its surroundings give."""
        return self.chip().unit_of_kind(self.make().name)

    def test_a_chip_file_can_name_it(self) -> None:
        unit = self.make()
        assert unit_kinds()[unit.kind] is type(unit)
        document = chip_values(self.chip())
        again = ChipReader(node_of(document, Place("here.yaml")), "here.yaml").chip()
        assert again.units == self.chip().units and again.digest == self.chip().digest

    def test_times_are_whole_and_in_order(self) -> None:
        cost = self.placed().cost(self.shapes())
        for column in (cost.interval, cost.first, cost.last):
            assert column.dtype == np.int64 and len(column) == len(self.shapes().opcode)
            assert (column >= 0).all()
        assert (cost.first <= cost.last).all() and (cost.interval <= cost.last + 1).all()

    def test_each_row_is_timed_and_counted_for_itself(self) -> None:
        unit, shapes = self.placed(), self.shapes()
        whole, counted = unit.cost(shapes), unit.actions(shapes)
        for row in range(len(shapes.opcode)):
            one = Shapes(*(getattr(shapes, name)[row : row + 1] for name in shapes.__slots__))
            alone = unit.cost(one)
            assert alone.interval[0] == whole.interval[row] and alone.last[0] == whole.last[row]
            for action, counts in unit.actions(one).items():
                assert counts[0] == counted[action][row], action

    def test_asking_changes_nothing(self) -> None:
        unit, shapes = self.placed(), self.shapes()
        before, asked = pickle.dumps(unit), copy.deepcopy(shapes)
        unit.cost(shapes)
        unit.actions(shapes)
        assert pickle.dumps(unit) == before
        for name in shapes.__slots__:
            assert np.array_equal(getattr(shapes, name), getattr(asked, name)), name

    def test_every_action_is_counted_and_priced(self) -> None:
        unit, chip = self.placed(), self.chip()
        of_units, of_memories = prices(chip)
        for action, counts in unit.actions(self.shapes()).items():
            assert np.isfinite(counts).all() and (counts >= 0).all(), action
            assert (unit.name, action) in of_units, f"nobody prices {action}"
        for key, price in {**of_units, **of_memories}.items():
            assert price.joules >= 0 and price.band >= 0 and price.source, key

    def test_its_instances_are_in_the_machine(self) -> None:
        unit, made = self.placed(), machine(self.chip())
        for one in unit.instances():
            row = made.units[made.unit_index[one.name]]
            assert row.opcodes == tuple(map(int, one.opcodes))
            assert self.chip().unit_of_kind(one.kind).name == unit.name
            assert all(made.memories[made.memory_index[n]].bytes == b for n, b in one.memories)

    def test_area_and_rules(self) -> None:
        unit, chip = self.make(), self.chip()
        assert all(row.area >= 0 and row.source for row in area(chip))
        around = Around(chip.units, chip.memories, chip.precision)
        assert not list(unit.rules(around, {})), "it is wrong in its own chip"

    def test_it_is_the_same_after_it_was_placed(self) -> None:
        unit, chip = self.make(), self.chip()
        placed = unit.within(chip.clocks, chip.memories)
        assert placed.within(chip.clocks, chip.memories) == placed
        assert unit.at_precision(chip.precision).at_precision(chip.precision) == unit.at_precision(
            chip.precision
        )
        assert unit.timed().timed() == unit.timed()

    def test_a_network_runs_and_every_engine_agrees(self) -> None:
        work = accelsim.load_workload("small_cnn", 1)
        one, other = (accelsim.run(self.chip(), work, engine=name) for name in ("auto", "simpy"))
        assert one.timeline.makespan == other.timeline.makespan > 0
        assert one.energy.total == other.energy.total > 0
