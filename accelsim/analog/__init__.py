"""What stands around the cells of a crossbar."""

from accelsim.analog.converters import Converter
from accelsim.analog.ir_drop import Wires, transfer_matrix
from accelsim.analog.matrix import AnalogMatrix, Periphery
from accelsim.analog.parts import Adc, Drive, Lines, Storage, Tile, Use
from accelsim.analog.scheme import Scheme
from accelsim.analog.tile import Block

__all__ = [
    "Adc",
    "AnalogMatrix",
    "Block",
    "Converter",
    "Drive",
    "Lines",
    "Periphery",
    "Scheme",
    "Storage",
    "Tile",
    "Use",
    "Wires",
    "transfer_matrix",
]
