"""The mapping of one MAC operator onto a chip: what is tiled, in which order, what stays."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

from accelsim.chip import Chip
from accelsim.units.base import stored_format
from accelsim.units.crossbar import Crossbar
from accelsim.units.mac_array import MacArray
from accelsim.units.sram import Sram
from accelsim.workload import Conv2d, MacOperator

ORDERS = ("mnk", "mkn", "nmk", "nkm", "kmn", "knm")


@dataclass(frozen=True, slots=True)
class Mapping:
    """How one operator is cut into buffer tiles and passes.

    dataflow: number of every pass's dataflow. A buffer tile covers ``batch`` images x ``height`` output
    rows x ``width`` output columns (a range of m), ``n`` filters and ``k`` products.
    order: the loops over buffer tiles, outermost first. input_resident, weight_resident: the
    whole tensor stays in its buffer and is fetched once; otherwise its tiles stream through
    ``slots`` slots (1: no overlap, 2: double buffered). split: the dimension dealt to several
    arrays, "" for the chip's own. parameters: numbers of the dataflow's own
    (``Dataflow.parameters`` names them), () where it chooses them. arrays: how many of them work, the
    first ones, 0 for all.
    """

    dataflow: int
    batch: int
    height: int
    width: int
    n: int
    k: int
    order: Literal["mnk", "mkn", "nmk", "nkm", "kmn", "knm"] = "mnk"
    input_resident: bool = False
    weight_resident: bool = False
    input_slots: int = 2
    weight_slots: int = 2
    output_slots: int = 2
    split: Literal["", "m", "n", "k"] = ""
    parameters: tuple[int, ...] = ()
    arrays: int = 0

    @property
    def m(self) -> int:
        """Largest m range of a buffer tile."""
        return self.batch * self.height * self.width


MAPPING_KEYS = tuple(item.name for item in fields(Mapping) if item.name != "parameters")


@dataclass(frozen=True, slots=True)
class Geometry:
    """An operator as loops: m is (batch, out_height, out_width), k is (channels, kernel)."""

    groups: int
    batch: int
    out_height: int
    out_width: int
    n: int
    channels: int
    kernel: int
    kernel_height: int
    in_height: int
    in_width: int
    in_rows_needed: int
    stride: tuple[int, int]
    pad: tuple[int, int]
    reach: tuple[int, int]  # dilated kernel size
    rank: int  # of the input tensor
    convolution: bool

    @property
    def m(self) -> int:
        return self.batch * self.out_height * self.out_width

    @property
    def k(self) -> int:
        return self.channels * self.kernel

    @property
    def plane(self) -> tuple[int, ...]:
        """What m and its input are cut by: images, rows, columns of the output, rows, columns of the input;
        stride, padding and reach, each along rows and columns."""
        out, into = (self.batch, self.out_height, self.out_width), (self.in_height, self.in_width)
        return (*out, *into, *self.stride, *self.pad, *self.reach)


def geometry_of(operator: MacOperator) -> Geometry:
    """The loops of a MAC operator; channels and n are those of one group."""
    if isinstance(operator, Conv2d):
        (dil_h, dil_w), (ker_h, ker_w) = operator.dilation, operator.kernel
        return Geometry(
            operator.groups,
            operator.batch,
            operator.out_height,
            operator.out_width,
            operator.n,
            operator.channels // operator.groups,
            ker_h * ker_w,
            ker_h,
            operator.height,
            operator.width,
            operator.height,
            operator.stride,
            operator.padding[:2],
            (dil_h * (ker_h - 1) + 1, dil_w * (ker_w - 1) + 1),
            4,
            True,
        )
    return Geometry(
        operator.groups,
        1,
        operator.m,
        1,
        operator.n,
        operator.k,
        1,
        1,
        operator.m,
        1,
        operator.m,
        (1, 1),
        (0, 0),
        (1, 1),
        2 if operator.groups == 1 else 3,
        False,
    )


@dataclass(frozen=True, slots=True)
class Buffers:
    """Bytes each operand may take, after sharing: equal names share one memory instance.

    input, weight, output: capacity in bytes of each operand's memory. shared: groups of operands
    ("i", "w", "o") that live in one memory. sums: "sram" when partial sums take output memory,
    "column" when they have accumulators of ``sum_capacity`` bytes.
    """

    input: int
    weight: int
    output: int
    shared: tuple[str, ...]
    sums: Literal["sram", "column"]
    sum_capacity: int


def buffers_of(chip: Chip) -> Buffers:
    """The buffers that the chip's MAC array works from."""
    array = chip.array
    names = {"i": array.input, "w": array.weight, "o": array.output}
    groups: dict[str, str] = {}
    for letter, name in names.items():
        groups[name] = groups.get(name, "") + letter

    def size(name: str) -> int:
        return chip.memories[name].size

    column = array.accumulator.location == "column"
    return Buffers(
        size(array.input),
        size(array.weight),
        size(array.output),
        tuple(groups.values()),
        "column" if column else "sram",
        array.accumulator_bytes if column else 0,
    )


def array_for(array: MacArray, split: str, arrays: int) -> MacArray:
    """The arrays that a mapping uses, and its own split of work over them. split, arrays: as in Mapping."""
    split, arrays = split or array.split, arrays or array.count
    if (split, arrays) == (array.split, array.count):
        return array
    return replace(array, split=split, count=arrays)  # type: ignore[arg-type]


def slots_of(chip: Chip, memory: str) -> int:
    """Slots of a streamed tensor in that memory."""
    spec = chip.memories[memory]
    return 2 if isinstance(spec, Sram) and spec.buffering == "double" else 1


def sum_format(array: MacArray | Crossbar) -> str:
    """The storage format of partial sums."""
    return stored_format(array.accumulator)


__all__ = [
    "MAPPING_KEYS",
    "ORDERS",
    "Buffers",
    "Geometry",
    "Mapping",
    "array_for",
    "buffers_of",
    "geometry_of",
    "replace",
    "slots_of",
    "sum_format",
]
