"""Explicit mappings: YAML to one Mapping an operator, checked, not trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from accelsim.chip import Chip
from accelsim.config.reader import FieldRule, Reader
from accelsim.config.yaml_source import Node, load_yaml
from accelsim.errors import InputError, Problem
from accelsim.mapping import Mapping, check_mapping, geometry_of
from accelsim.mapping.homes import MODES
from accelsim.mapping.image_groups import check_images
from accelsim.mapping.mapping import MAPPING_KEYS, ORDERS, slots_of
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.units.dataflows import dataflow_named, dataflow_names
from accelsim.workload import MacOperator, VectorOperator, Workload
from accelsim.workload.images import of_group

NUMBERS = (
    *("batch", "height", "width", "n", "k"),
    *("input_slots", "weight_slots", "output_slots", "arrays"),
)
FLAGS = ("input_resident", "weight_resident")
SPLITS = ("m", "n", "k")


class MappingFile(NamedTuple):
    """mappings: by operator. homes: where tensors between operators stand; images: of the groups that the batch runs
    in; None where the file does not say."""

    mappings: dict[str, Mapping]
    homes: str | None
    images: int | None


def load_mapping_file(path: str | Path, chip: Chip, workload: Workload) -> MappingFile:
    """What a mapping file says. A missing key of an operator takes the whole extent, the chip's dataflow and
    slots, order mnk, nothing resident. InputError with line and column for everything wrong."""
    root = load_yaml(path)
    reader = _MappingReader(chip, workload)
    found = reader.read(root)
    if reader.problems:
        raise InputError(reader.problems)
    return found


def load_mappings(path: str | Path, chip: Chip, workload: Workload) -> dict[str, Mapping]:
    """The mappings of a mapping file, by operator."""
    return load_mapping_file(path, chip, workload).mappings


def macs_of(workload: Workload) -> list[MacOperator]:
    """Operators that have mappings."""
    return [op for op in workload.operators if not isinstance(op, VectorOperator)]


class _MappingReader(Reader):
    def __init__(self, chip: Chip, workload: Workload) -> None:
        super().__init__()
        self.chip, self.workload = chip, workload
        self.operators = {op.name: op for op in macs_of(workload)}

    def read(self, root: Node) -> MappingFile:
        items = self.mapping(root, "")
        if items is None:
            return MappingFile({}, None, None)
        needed = () if items.keys() & {"homes", "images"} else ("operators",)
        self.keys(items, ("operators", "homes", "images"), "", needed, root.place)
        homes, images = None, None
        if "homes" in items:
            homes = self.choice(items["homes"][1], MODES, "homes")
        if "images" in items:
            images = self.group(items["images"][1])
        operators = self.operators_of(items["operators"][1]) if "operators" in items else {}
        return MappingFile(operators, homes, images)

    def group(self, node: Node) -> int | None:
        """Images of a group, of which operators' mappings are."""
        rule = FieldRule("images", int, (), "", 1, None, False, True)
        images = self.number(node, rule, "images")
        if not isinstance(images, int):
            return None
        try:
            check_images(self.workload, tensor_formats(self.workload, self.chip), images)
        except InputError as error:
            for one in error.problems:
                self.wrong(one.code, node.place, one.path, one.message, one.fix)
            return None
        group = of_group(self.workload, images)
        self.operators = {op.name: op for op in macs_of(group)}
        return images

    def operators_of(self, listed: Node) -> dict[str, Mapping]:
        found = {}
        formats = tensor_formats(self.workload, self.chip)
        for name, (place, node) in (self.mapping(listed, "operators") or {}).items():
            if name not in self.operators:
                self.wrong(
                    "mapping.operator",
                    place,
                    f"operators.{name}",
                    f"the workload has no MAC operator {name!r}",
                    "write one of: " + ", ".join(self.operators),
                )
                continue
            op = self.operators[name]
            made = self.one(op, node, f"operators.{name}")
            if made is None:
                continue
            triple = (*operator_formats(op, self.chip), formats[op.output])
            for problem in check_mapping(self.chip, geometry_of(op), made, triple, name):
                self.placed(problem, node)
            found[name] = made
        return found

    def one(self, op: MacOperator, node: Node, path: str) -> Mapping | None:
        items = self.mapping(node, path)
        if items is None:
            return None
        before = len(self.problems)
        geometry, array, chip = geometry_of(op), self.chip.array, self.chip
        flow = array.dataflow
        if "dataflow" in items:
            flow = self.choice(items["dataflow"][1], dataflow_names(), f"{path}.dataflow") or flow
        own = dataflow_named(flow).parameters
        self.keys(items, (*MAPPING_KEYS, *own), path, (), node.place)
        values: dict[str, Any] = {
            "dataflow": dataflow_named(flow).number,
            "batch": geometry.batch,
            "height": geometry.out_height,
            "width": geometry.out_width,
            "n": geometry.n,
            "k": geometry.k,
            "input_slots": slots_of(chip, array.input),
            "weight_slots": slots_of(chip, array.weight),
            "output_slots": slots_of(chip, array.output),
        }
        for key in NUMBERS:
            if key in items:
                rule = FieldRule(key, int, (), "", 1, 64 if "slots" in key else None, False, True)
                values[key] = self.number(items[key][1], rule, f"{path}.{key}")
        values["parameters"] = self.parameters(items, own, path, node)
        for key in FLAGS:
            if key in items:
                rule = FieldRule(key, bool, (), "", None, None, False, True)
                values[key] = self.value(items[key][1], rule, f"{path}.{key}")
        if "order" in items:
            values["order"] = self.choice(items["order"][1], ORDERS, f"{path}.order")
        if "split" in items:
            values["split"] = self.choice(items["split"][1], SPLITS, f"{path}.split")
        return Mapping(**values) if len(self.problems) == before else None

    def parameters(
        self, items: dict[str, tuple[Any, Node]], own: tuple[str, ...], path: str, node: Node
    ) -> tuple[int, ...]:
        """Numbers of the dataflow's own: all of them, or none."""
        if not any(key in items for key in own):
            return ()
        self.keys({key: items[key] for key in own if key in items}, own, path, own, node.place)
        rule = FieldRule("", int, (), "", 1, None, False, True)
        return tuple(
            int(self.number(items[key][1], rule, f"{path}.{key}") or 0)
            for key in own
            if key in items
        )

    def placed(self, problem: Problem, node: Node) -> None:
        """A problem of check_mapping, at the line of the key it names."""
        key = problem.path.rsplit(".", 1)[-1]
        place = node.value[key][1].place if node.is_map and key in node.value else node.place
        self.wrong(problem.code, place, f"operators.{problem.path}", problem.message, problem.fix)
