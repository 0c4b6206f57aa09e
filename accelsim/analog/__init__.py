"""What stands around the cells of a crossbar."""

from accelsim.analog.converters import Converter
from accelsim.analog.ir_drop import Wires, transfer_matrix
from accelsim.analog.matrix import AnalogMatrix, Periphery

__all__ = ["AnalogMatrix", "Converter", "Periphery", "Wires", "transfer_matrix"]
