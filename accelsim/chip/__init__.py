"""The Chip and what it is made of."""

from accelsim.chip.chip import Chip, OperatingPoint
from accelsim.chip.cores import Core, Template
from accelsim.chip.machine import Machine, machine
from accelsim.chip.routes import Hop, Route
from accelsim.chip.seen import Seen
from accelsim.constants.technology import Constant, Technology
from accelsim.units.base import Precision

__all__ = [
    "Chip",
    "Constant",
    "Core",
    "Hop",
    "Machine",
    "OperatingPoint",
    "Precision",
    "Route",
    "Seen",
    "Technology",
    "Template",
    "machine",
]
