"""Explicit mappings: YAML to one Mapping an operator, checked, not trusted."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from accelsim import strict_json
from accelsim.chip import Chip
from accelsim.config.reader import FieldRule, Reader
from accelsim.config.yaml_source import Node, load_yaml
from accelsim.errors import InputError, Problem
from accelsim.mapping import Mapping, check_mapping, geometry_of
from accelsim.mapping.homes import MODES
from accelsim.mapping.image_groups import check_images
from accelsim.mapping.mapping import MAPPING_KEYS, ORDERS, slots_of
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.mapping.units import LISTED, Choice, array_side, choice_of
from accelsim.units.dataflows import dataflow_named, dataflow_names
from accelsim.workload import MacOperator, Operator, VectorOperator, Workload
from accelsim.workload.images import of_group

NUMBERS = (
    *("batch", "height", "width", "n", "k"),
    *("input_slots", "weight_slots", "output_slots", "arrays"),
)
FLAGS = ("input_resident", "weight_resident")
SPLITS = ("m", "n", "k")


class MappingFile(NamedTuple):
    """mappings: by operator. homes: where tensors between operators stand; images: of the groups that the batch runs
    in; None where the file does not say. on: units of operators that the file says."""

    mappings: dict[str, Mapping]
    homes: str | None
    on: dict[str, Choice]
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
        self.side = chip.sides.get(array_side(chip), chip)
        self.operators = {op.name: op for op in workload.operators}
        self.on: dict[str, Choice] = {}

    def read(self, root: Node) -> MappingFile:
        items = self.mapping(root, "")
        if items is None:
            return MappingFile({}, None, {}, None)
        needed = () if items.keys() & {"homes", "images", "sensitive"} else ("operators",)
        self.keys(items, ("operators", "homes", "images", "sensitive"), "", needed, root.place)
        homes, images = None, None
        if "homes" in items:
            homes = self.choice(items["homes"][1], MODES, "homes")
        if "images" in items:
            images = self.group(items["images"][1])
        if "sensitive" in items:
            self.sensitive(items["sensitive"][1])
        operators = self.operators_of(items["operators"][1]) if "operators" in items else {}
        return MappingFile(operators, homes, self.on, images)

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
        self.operators = {op.name: op for op in group.operators}
        return images

    def operators_of(self, listed: Node) -> dict[str, Mapping]:
        found = {}
        formats = tensor_formats(self.workload, self.chip)
        for name, (place, node) in (self.mapping(listed, "operators") or {}).items():
            path = f"operators.{name}"
            if name not in self.operators:
                message = f"the workload has no operator {name!r}"
                fix = "write one of: " + ", ".join(self.operators)
                self.wrong("mapping.operator", place, path, message, fix)
                continue
            op, items = self.operators[name], self.mapping(node, path)
            if items is None:
                continue
            if "on" in items:
                self.unit(op, items["on"][1], f"{path}.on")
                if len(items) == 1:
                    continue
            if isinstance(op, VectorOperator):
                self.keys(items, ("on",), path, ("on",), node.place)
                continue
            made = self.one(op, items, node, path)
            if made is None:
                continue
            triple = (*operator_formats(op, self.chip), formats[op.output])
            for problem in check_mapping(self.side, geometry_of(op), made, triple, name):
                self.placed(problem, node)
            found[name] = made
        return found

    def sensitive(self, node: Node) -> None:
        """Note operators that stay on the MAC array: those of a list of `accelsim sensitivity` whose output loses more
        than ``loss`` dB of signal to noise against that of its first line."""
        items = self.mapping(node, "sensitive") or {}
        keys = ("file", "loss")
        self.keys(items, keys, "sensitive", keys, node.place)
        if not all(key in items for key in keys):
            return
        name = self.value(
            items["file"][1],
            FieldRule("file", str, (), "", None, None, False, True),
            "sensitive.file",
        )
        rule = FieldRule("loss", float, (), "", 0.0, 1e3, False, True)
        loss = self.number(items["loss"][1], rule, "sensitive.loss")
        if name is None or loss is None:
            return
        path, place = Path(node.place.file).parent / name, items["file"][1].place
        try:
            lines = strict_json.read(path, "mapping.sensitive", "write it again")["lines"]
            noise = {str(line["layer"]): line["snr_db"] for line in lines}
            whole = inf if noise[""] is None else float(noise[""])
            lost = {
                layer: whole - (inf if snr is None else float(snr)) for layer, snr in noise.items()
            }
        except (InputError, KeyError, TypeError, ValueError):
            fix = "name the sensitivity.json that `accelsim sensitivity --out` wrote"
            self.wrong("mapping.sensitive", place, "sensitive.file", f"{path} is no such list", fix)
            return
        array = array_side(self.chip)
        for op in self.operators.values():
            if isinstance(op, VectorOperator) or not array:
                continue
            if lost.get(op.name, 0.0) > loss:
                self.on[op.name] = Choice(array, LISTED)

    def unit(self, op: Operator, node: Node, path: str) -> None:
        """Note on which side an operator runs, or that it cannot."""
        rule = FieldRule("on", str, (), "", None, None, False, True)
        name = self.value(node, rule, path)
        if name is None:
            return
        choice = choice_of(self.chip, self.workload, op, name)
        if isinstance(choice, Problem):
            self.wrong(choice.code, node.place, path, choice.message, choice.fix)
        else:
            self.on[op.name] = choice

    def one(
        self, op: MacOperator, items: dict[str, tuple[Any, Node]], node: Node, path: str
    ) -> Mapping | None:
        before = len(self.problems)
        crossbars = op.name in self.on and self.on[op.name].unit != array_side(self.chip)
        if crossbars or self.side.mac_array is None:
            message = "runs on crossbars, which take no tiles"
            self.wrong("mapping.crossbar", node.place, path, message, "write on alone")
            return None
        geometry, array, chip = geometry_of(op), self.side.array, self.side
        flow = array.dataflow
        if "dataflow" in items:
            flow = self.choice(items["dataflow"][1], dataflow_names(), f"{path}.dataflow") or flow
        own = dataflow_named(flow).parameters
        self.keys(items, ("on", *MAPPING_KEYS, *own), path, (), node.place)
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
