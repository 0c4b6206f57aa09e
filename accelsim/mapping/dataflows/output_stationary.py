"""Rows hold m, columns hold n, k streams; a sum never leaves its element inside a pass."""

from accelsim.mapping.dataflows.base import DataflowRecord

OUTPUT_STATIONARY = DataflowRecord(0, "output_stationary", stationary="none", streamed="k")
