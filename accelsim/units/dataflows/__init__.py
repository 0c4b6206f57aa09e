"""The dataflows of a MAC array, one file each, found by their place (docs/adding_a_dataflow.md)."""

from accelsim.units.dataflows.base import (
    AXES,
    Choices,
    Chosen,
    Dataflow,
    Times,
    Used,
    Window,
    Work,
    extents,
    operand_bits,
)
from accelsim.units.dataflows.library import (
    dataflow,
    dataflow_named,
    dataflow_names,
    dataflows,
)

__all__ = [
    "AXES",
    "Choices",
    "Chosen",
    "Dataflow",
    "Times",
    "Used",
    "Window",
    "Work",
    "dataflow",
    "dataflow_named",
    "dataflow_names",
    "dataflows",
    "extents",
    "operand_bits",
]
