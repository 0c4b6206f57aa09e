"""The third reader of a Program: what came out."""

from accelsim.numerics.accuracy import float_forward, signal_to_noise, top1
from accelsim.numerics.calibrate import build_network
from accelsim.numerics.execute import execute
from accelsim.numerics.execution import Execution
from accelsim.numerics.matmul import matmul
from accelsim.numerics.network import Network
from accelsim.units.accumulation import Accumulation

__all__ = [
    "Accumulation",
    "Execution",
    "Network",
    "build_network",
    "execute",
    "float_forward",
    "matmul",
    "signal_to_noise",
    "top1",
]
