"""Results: what a run gave, and its files."""

from accelsim.results.files import save, to_dict
from accelsim.results.result import OperatorRow, Result, Values

__all__ = ["OperatorRow", "Result", "Values", "save", "to_dict"]
