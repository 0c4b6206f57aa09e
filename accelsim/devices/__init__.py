"""The physics of one memory cell: what a programmed conductance becomes.

Each model is a file; models that are fits to measurements are records in tables/.
"""

from accelsim.devices.base import Cells, Device
from accelsim.devices.flicker import Flicker
from accelsim.devices.ideal import Ideal
from accelsim.devices.levels import error_spaced, evenly_spaced, nearest
from accelsim.devices.library import device_named, device_names, kept
from accelsim.devices.physical import Physical, physical
from accelsim.devices.statistical import Statistical, statistical

__all__ = [
    "Cells",
    "Device",
    "Flicker",
    "Ideal",
    "Physical",
    "Statistical",
    "device_named",
    "device_names",
    "error_spaced",
    "evenly_spaced",
    "kept",
    "nearest",
    "physical",
    "statistical",
]
