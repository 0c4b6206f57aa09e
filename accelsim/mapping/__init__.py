"""From operators to a Program: tiling, placement, emission."""

from accelsim.mapping.compile import Plan, check_mapping, compile_program, plan
from accelsim.mapping.mapping import Mapping, geometry_of

__all__ = ["Mapping", "Plan", "check_mapping", "compile_program", "geometry_of", "plan"]
