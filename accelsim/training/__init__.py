"""Training: from a network to a step of its training, as a workload like any other."""

from accelsim.training.expansion import expand
from accelsim.training.optimisers import Adam, Optimiser, Sgd

__all__ = ["Adam", "Optimiser", "Sgd", "expand"]
