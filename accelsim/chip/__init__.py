"""The Chip and what it is made of."""

from accelsim.chip.chip import Chip, Constant, OperatingPoint, Precision, Technology
from accelsim.chip.machine import Machine, machine

__all__ = ["Chip", "Constant", "Machine", "OperatingPoint", "Precision", "Technology", "machine"]
