"""execute(): what came out, of integers or of floats. Every value is computed from the Program's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.numerics.execute_floats import FloatRun
from accelsim.numerics.execution import Execution, Run
from accelsim.numerics.float_network import FloatNetwork
from accelsim.numerics.network import Network
from accelsim.program.table import Program
from accelsim.workload import Workload

Ints = NDArray[np.int64]


def execute(
    program: Program,
    workload: Workload,
    chip: Chip,
    inputs: Mapping[str, Ints],
    network: Network,
    progress: Callable[[int, int], None] | None = None,
    activity: bool | None = None,
) -> Execution:
    """Compute all tensors. inputs: codes of the input tensors. activity: fill activity columns,
    default where the chip's array gates zeros. progress(done, all) counts operators."""
    array = chip.mac_array
    gates = array is not None and array.zero_gating
    made: type[Run] = FloatRun if isinstance(network, FloatNetwork) else Run
    run = made(program, workload, chip, inputs, network, gates if activity is None else activity)
    operator = program.commands.operator
    edges = np.flatnonzero(np.diff(operator)) + 1
    starts = np.concatenate([[0], edges, [len(operator)]])
    for number, (low, high) in enumerate(pairwise(starts.tolist())):
        if high > low and operator[low] >= 0:
            run.part(int(operator[low]), np.arange(low, high))
        if progress:
            progress(number + 1, len(starts) - 1)
    run.finish()
    return run.result
