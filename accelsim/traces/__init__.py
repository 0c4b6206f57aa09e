"""Traces of values: a run's codes saved, its layers replayed on any chip, runs held against them."""

from accelsim.traces.differences import Difference, compare_run, difference, first_difference
from accelsim.traces.model import model_evaluator
from accelsim.traces.replays import LayerRun, check_arrays, replay, replay_layer
from accelsim.traces.save import save_trace
from accelsim.traces.trace import Trace, load_trace

__all__ = [
    "Difference",
    "LayerRun",
    "Trace",
    "check_arrays",
    "compare_run",
    "difference",
    "first_difference",
    "load_trace",
    "model_evaluator",
    "replay",
    "replay_layer",
    "save_trace",
]
