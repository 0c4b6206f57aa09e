"""Rows hold k, columns hold m, n streams; partial sums move down the columns."""

from accelsim.mapping.dataflows.base import DataflowRecord

INPUT_STATIONARY = DataflowRecord(2, "input_stationary", stationary="input", streamed="n")
