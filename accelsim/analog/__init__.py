"""What stands around the cells of a crossbar."""

from accelsim.analog.ir_drop import Wires, transfer_matrix

__all__ = ["Wires", "transfer_matrix"]
