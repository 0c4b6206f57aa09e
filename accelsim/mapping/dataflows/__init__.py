"""The dataflows: which operand is preloaded and stays, one file each."""

from accelsim.mapping.dataflows.base import DataflowRecord
from accelsim.mapping.dataflows.input_stationary import INPUT_STATIONARY
from accelsim.mapping.dataflows.output_stationary import OUTPUT_STATIONARY
from accelsim.mapping.dataflows.weight_stationary import WEIGHT_STATIONARY

#: by Dataflow number
DATAFLOWS: tuple[DataflowRecord, ...] = (OUTPUT_STATIONARY, WEIGHT_STATIONARY, INPUT_STATIONARY)

__all__ = ["DATAFLOWS", "DataflowRecord"]
