"""The third reader of a Program: what came out."""

from accelsim.numerics.accuracy import float_forward, signal_to_noise, top1
from accelsim.numerics.calibrate import build_network
from accelsim.numerics.execute import Execution, execute
from accelsim.numerics.network import Network

__all__ = [
    "Execution", "Network", "build_network", "execute", "float_forward", "signal_to_noise", "top1",
]  # fmt: skip
