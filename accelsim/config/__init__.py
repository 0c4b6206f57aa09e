"""Files to validated descriptions: chips, workloads, mappings; errors with line and column."""

from accelsim.config.chip_file import load_chip
from accelsim.config.workload_file import load_workload

__all__ = ["load_chip", "load_workload"]
