"""Rows hold k, columns hold n, m streams; partial sums move down the columns."""

from accelsim.mapping.dataflows.base import DataflowRecord

WEIGHT_STATIONARY = DataflowRecord(1, "weight_stationary", stationary="weight", streamed="m")
