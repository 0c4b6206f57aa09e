"""The first reader of a Program: when."""

from accelsim.timing.engine import ENGINES, simulate
from accelsim.timing.timeline import Timeline, UnitTime

__all__ = ["ENGINES", "Timeline", "UnitTime", "simulate"]
