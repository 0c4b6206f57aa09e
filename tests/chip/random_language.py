"""Chips drawn from the language of chip files that can be run today, small networks for them, and integer references
of their values that share no code."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.formats import get
from accelsim.mapping.tensors import tensor_formats
from accelsim.numerics.lowering import weight_matrix
from accelsim.numerics.network import Network
from accelsim.numerics.quantize import Quantization, Requantizer
from accelsim.workload import VectorOperator, Workload
from tests.chip.graphs import link
from tests.mapping.random_cases import reference_sums

Ints = NDArray[np.int64]
FLOWS = ("weight_stationary", "input_stationary", "output_stationary")
ARBITERS = ("round_robin", "first_come", "priority")


def random_system(rng: random.Random) -> dict[str, Any]:
    """Plain values of a chip of equal cores: one or several, nested or not, with vector units and DMA engines of their
    own or in common, memories behind memories, links of any kind between what is filled from one another."""
    pick = rng.choice
    memories: dict[str, Any] = {"dram": _dram(rng)}
    above, levels = "dram", rng.randrange(3)
    for level in range(levels):
        memories[f"shared{level}"] = _sram(rng, 4096) | {"behind": above}
        above = f"shared{level}"
    depth = pick([0, 1, 1, 1, 2])
    chip: dict[str, Any] = {
        "name": "drawn",
        "technology": {"node": "22 nm", "voltage": "0.8 V", "family": "horowitz_45nm"},
        "clocks": {"core": "800 MHz", "fast": "1 GHz"},
        "weights": pick(["cold", "cold", "resident"]),
        "commands_ahead": pick([1, 3, 17, 131072]),
        "memories": memories,
    }
    inmost = chip
    scopes = [chip]
    for level in range(depth):
        often: dict[str, Any] = {"count": rng.randint(1, 3)}
        if rng.random() < 0.4:
            often = {"grid": [rng.randint(1, 2), rng.randint(1, 2)]}
        core: dict[str, Any] = {**often, "memories": {}, "units": {}}
        if level + 1 < depth and rng.random() < 0.5:
            core["memories"]["middle"] = _sram(rng, 4096) | {"behind": above}
            above = "middle"
        inmost["cores"] = {f"core{level}": core}
        inmost = core
        scopes.append(core)
    used = _filled(rng, inmost, above)
    array = inmost["units"]["array"]
    vector: dict[str, Any] = {"kind": "vector_unit", "clock": pick(["core", "fast"])}
    vector |= {"lanes": pick([1, 4, 16]), "input": used[0], "output": used[-1]}
    if rng.random() < 0.3:
        vector["rates"] = {"relu": pick([0.5, 2]), "add": 0.25, "max_pool": 1.5}
    if rng.random() < 0.2:
        vector["does"] = ["relu", "add", "max_pool"]
    inmost["units"]["vector"] = vector
    engine = pick(scopes)
    engine.setdefault("units", {})["dma"] = {
        "kind": "dma",
        "clock": "core",
        "memory": "dram",
        "setup": pick([0, 3]),
    }
    array["clock"] = pick(["core", "fast"])
    _linked(rng, chip, scopes)
    driven = str(chip)
    for name in ("core", "fast"):
        if f"'clock': '{name}'" not in driven:
            del chip["clocks"][name]
    return chip


def _filled(rng: random.Random, core: dict[str, Any], above: str) -> list[str]:
    """Buffers and an array in a core; which buffers are used, the first and the last by the vector unit."""
    pick = rng.choice
    names = pick([("near",), ("inputs", "weights", "outputs"), ("inputs", "outputs")])
    count = pick([1, 1, 2, 3])
    own = {"scope": "private"} if count > 1 and rng.random() < 0.3 else {}
    for name in names:
        apart = name != names[0] and rng.random() < 0.2
        behind = {} if apart else {"behind": above}
        core.setdefault("memories", {})[name] = _sram(rng, 16384) | behind | own
    precision = pick(["int8", "int8", "int4"])
    pair = {"input": precision, "weight": precision, "factor": pick([1, 2])}
    overflow, location = pick(["wrap", "saturate"]), pick(["sram", "sram", "column"])
    sums = {"bits": pick([32, 24]), "overflow": overflow, "location": location, "depth": 4096}
    core.setdefault("units", {})["array"] = {
        "kind": "mac_array",
        "rows": rng.randint(1, 8),
        "columns": rng.randint(1, 8),
        "count": count,
        "split": pick(["m", "n", "k"]),
        "dataflow": pick(FLOWS),
        "stationary_depth": pick([1, 2]),
        "fused_epilogue": rng.random() < 0.7,
        "rates": [pair, *([] if precision == "int8" else [{"input": "int8", "weight": "int8"}])],
        "accumulator": sums,
        "input": names[0],
        "weight": names[len(names) // 2 if len(names) == 3 else 0],
        "output": names[-1],
    }
    return list(names)


def _linked(rng: random.Random, chip: dict[str, Any], scopes: list[dict[str, Any]]) -> None:
    """Links between what stands in a core and what is around it."""
    outside = [*chip["memories"]]
    for number, scope in enumerate(scopes[:-1]):
        core = f"core{number}"
        around = outside if number == 0 else [*scope["memories"]]
        if not around or rng.random() < 0.35:
            continue
        inner = scope["cores"][core]
        kind = rng.choice(["bus", "ring", "crossbar", "mesh", "torus"])
        made = link(rng, kind, [core, *around])
        made["arbiter"] = rng.choice(ARBITERS)
        if kind in ("mesh", "torus"):
            rows, columns = inner.get("grid", (1, inner.get("count", 1)))
            spots = [[r, c] for r in range(rows) for c in range(columns)]
            made["places"] = {name: rng.choice(spots) for name in around}
            if "grid" not in inner:
                made["places"][core] = spots
        scope["links"] = {f"net{number}": made}


def _dram(rng: random.Random) -> dict[str, Any]:
    bandwidth, latency = rng.choice(["1 GB/s", "16 GB/s"]), rng.choice(["0 ns", "50 ns"])
    burst = rng.choice(["1 B", "16 B", "64 B"])
    return {
        "kind": "dram",
        "standard": "lpddr4",
        "bandwidth": bandwidth,
        "latency": latency,
        "burst": burst,
    }


def _sram(rng: random.Random, least: int) -> dict[str, Any]:
    pick = rng.choice
    return {
        "kind": "sram",
        "clock": pick(["core", "core", "fast"]),
        "size": f"{least * pick([1, 2, 8])} B",
        "banks": pick([1, 2]),
        "width": pick(["32 bit", "64 bit", "128 bit"]),
        "ports": pick(["separate", "shared"]),
        "buffering": pick(["single", "double"]),
        "arbiter": pick(ARBITERS),
        "quantum": pick([1, 2, 16]),
    }


# -- values ----------------------------------------------------------------------------------------


def random_codes(
    rng: np.random.Generator, workload: Workload, chip: Chip
) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Codes of the inputs, over all of their format, and small ones of the weights, so that no sum overflows."""
    formats = tensor_formats(workload, chip)
    inputs, weights = {}, {}
    for name, spec in workload.tensors.items():
        if spec.role == "input":
            record = get(formats[name])
            inputs[name] = rng.integers(record.minimum, record.maximum + 1, spec.shape)
        elif spec.role == "weight":
            weights[name] = rng.integers(-3, 4, spec.shape)
    return inputs, weights


def codes_network(workload: Workload, chip: Chip, weights: dict[str, Ints]) -> Network:
    """Codes as they are: scale 1, zero 0, and sums clamped to the format of what they give."""
    formats = tensor_formats(workload, chip)
    acts = {name: Quantization(formats[name], np.float64(1.0), 0) for name in formats}
    matrices, ends = {}, {}
    for op in workload.operators:
        if isinstance(op, VectorOperator):
            continue
        matrices[op.name] = weight_matrix(op, weights[op.weight]).astype(np.int64)
        record, n = get(formats[op.output]), op.n
        same = (np.zeros(n, np.int64), np.full(n, 1 << 30), np.full(n, 30))
        ends[op.name] = (Requantizer(*same, 0, record.minimum, record.maximum),) * op.groups
    return Network(acts, matrices, ends)


def reference_values(
    workload: Workload, chip: Chip, inputs: dict[str, Ints], weights: dict[str, Ints]
) -> dict[str, Ints]:
    """Every tensor by direct loops, operator after operator."""
    formats = tensor_formats(workload, chip)
    values = dict(inputs)
    for op in workload.operators:
        if isinstance(op, VectorOperator):
            made = _vector(op, [values[name] for name in op.inputs])
        else:
            made = reference_sums(op, values[op.input], weights[op.weight])
        record = get(formats[op.output])
        values[op.output] = np.clip(made, record.minimum, record.maximum)
    return values


def _vector(op: VectorOperator, inputs: list[Ints]) -> Ints:
    first = inputs[0]
    if op.kind == "flatten":
        return first.reshape(op.output_shape)
    if op.kind == "relu":
        return np.maximum(first, 0)
    if op.kind == "add":
        return first + inputs[1]
    assert op.kind == "max_pool" and op.kernel == op.stride == (2, 2)
    batch, channels, height, width = op.output_shape
    whole = first[:, :, : 2 * height, : 2 * width]
    return whole.reshape(batch, channels, height, 2, width, 2).max(axis=(3, 5))
