"""Random numbers and the functions behind them: the same bits on every machine."""

from accelsim.noise.counter import Stream
from accelsim.noise.functions import exp, log, normal_quantile, power

__all__ = ["Stream", "exp", "log", "normal_quantile", "power"]
