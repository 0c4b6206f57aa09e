"""The dataflows of a MAC array, one file each, found by their place (docs/adding_a_dataflow.md)."""

from accelsim.units.dataflows.base import AXES, Dataflow, Times, Used, extents, operand_bits
from accelsim.units.dataflows.library import (
    dataflow,
    dataflow_named,
    dataflow_names,
    dataflows,
)

__all__ = [
    "AXES",
    "Dataflow",
    "Times",
    "Used",
    "dataflow",
    "dataflow_named",
    "dataflow_names",
    "dataflows",
    "extents",
    "operand_bits",
]
