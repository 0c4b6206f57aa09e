"""Golden figures of ZigZag 3.9.1 for tests/zigzag: what each memory moves in 27 loop nests.

Run it in an environment of its own (ten seconds):

    python3 -m venv peer && peer/bin/pip install zigzag-dse==3.9.1 six
    peer/bin/python tests/zigzag/make_golden.py

A case is an operator, the array's rows and columns, what stays in the elements, a tile, the order of the loops
over tiles, and how much of each operand stands in a second level (L2). It is run on three trees (TREES), each with
a buffer for each operand and registers in the elements for the operand that stays. Every loop has its place and
its memory: ZigZag searches nothing here.

Of each memory and operand four counts are kept, in elements and in bytes: out to the memory below or the array, in
from above, in from below, out to the one above (DIRECTIONS). What ZigZag counts, as its source says
(mapping/mapping.py, mapping/temporal_mapping.py, cost_model/cost_model.py):

- An operand's tile changes when a loop that its indices depend on turns. Loops that it does not depend on and that
  come directly above a level's tile cost nothing: the tile stays. Once one loop in between turns it, each turn of
  those further out fetches it again, though it be the tile that was there before.
- A read for several elements of the array is one read (multicast), sums of elements in a column leave as one.
- Partial sums: each visit of an output to a level writes all of it up; what comes down again is all visits but the
  first. Nothing is read to begin a sum. So say its counts of elements, which are kept here. Its energy rests
  on counts of words instead, by which a level that holds partial sums reads as often as it writes, the first time
  too: up to twice the reads of sums.
- Width: where sums come back to a level, everything that passes there is as wide as a partial sum, the last,
  finished visit too; where none comes back, as wide as an output.
- A convolution's input tile is as many rows and columns as its outputs and taps reach, each once; tiles that
  overlap bring their halo again. Rows and columns that a stride skips are not counted. Padding is taken off the whole
  input only: a tile at the edge is as large as one inside.
- Nothing enters or leaves the outermost memory from outside. No command finishes sums.
- Loops are whole numbers, but those over the array's rows and columns, which may be fractions: 50 over 16 columns
  are four times 12.5. A tile that does not divide its dimension otherwise is a larger operator to ZigZag
  (``padded``).
- Every product reads its operands from the level closest to it; that one read may serve several cycles where the
  port is wide (access_same_data_considered_as_no_access) is switched off here.
"""

from __future__ import annotations

import json
import logging
import re
from importlib.metadata import version
from math import ceil, prod
from pathlib import Path
from typing import Any

from zigzag.cost_model.cost_model import CostModelEvaluation
from zigzag.datatypes import LayerDim, LayerOperand
from zigzag.mapping.data_movement import DataDirection, DataMoveAttr
from zigzag.mapping.spatial_mapping_internal import SpatialMappingInternal
from zigzag.mapping.temporal_mapping import TemporalMapping, TemporalMappingType
from zigzag.parser.accelerator_factory import AcceleratorFactory
from zigzag.parser.accelerator_validator import AcceleratorValidator
from zigzag.parser.mapping_validator import MappingValidator
from zigzag.parser.workload_factory import LayerNodeFactory
from zigzag.parser.workload_validator import WorkloadValidator

HERE = Path(__file__).parent
#: of each operand the memories above its buffer: off chip alone, an L2 between, and an L2 where input and output
#: stay (in a network), which weights pass by
TREES: dict[str, dict[str, tuple[str, ...]]] = {
    "two levels": dict.fromkeys(("input", "weight", "output"), ("dram",)),
    "three levels": dict.fromkeys(("input", "weight", "output"), ("l2", "dram")),
    "at home in L2": {"input": ("l2",), "weight": ("dram",), "output": ("l2",)},
}
OPERANDS = {"input": "I", "weight": "W", "output": "O"}
MEMORY_OPERANDS = {"input": "I1", "weight": "I2", "output": "O"}
#: out to the memory below or the array, in from above, in from below, out to the one above
DIRECTIONS = {
    "read_down": DataDirection.RD_OUT_TO_LOW,
    "fills": DataDirection.WR_IN_BY_HIGH,
    "updates": DataDirection.WR_IN_BY_LOW,
    "read_up": DataDirection.RD_OUT_TO_HIGH,
}
BITS = {"input": 8, "weight": 8, "sums": 32, "output": 8}
ROOM = 1 << 40  # bits: mappings are given, capacities decide nothing
Loops = list[tuple[str, float]]


class Counted(CostModelEvaluation):
    """ZigZag's cost model without its times, which refuse ports of a byte."""

    def calc_latency(self) -> None:
        """Not asked for."""


def gemm(m: int, n: int, k: int) -> dict[str, Any]:
    return {"kind": "gemm", "m": m, "n": n, "k": k}


def conv(
    channels: int,
    size: int,
    n: int,
    kernel: int = 3,
    batch: int = 1,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
) -> dict[str, Any]:
    return {
        "kind": "conv",
        "batch": batch,
        "channels": channels,
        "height": size,
        "width": size,
        "n": n,
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "groups": groups,
    }


def case(
    name: str,
    operator: dict[str, Any],
    tile: dict[str, int],
    order: str = "mnk",
    stays: str = "weight",
    array: tuple[int, int] = (8, 8),
    resident: tuple[str, ...] = (),
    l2: str = "www",
) -> dict[str, Any]:
    """tile: of a product m, n, k, of a convolution batch, height, n, k (k counts channels x kernel). resident:
    operands that stay in their buffer. l2: of input, weight, output "w": the whole tensor stands in L2, "p": its
    tiles pass it, "1" or "2": so many of the innermost loops over tiles are L2's."""
    stands = dict(zip(OPERANDS, l2, strict=True))
    words = {"w": "whole", "p": "passes"}
    return {
        "name": name,
        "operator": operator,
        "rows": array[0],
        "columns": array[1],
        "stays": stays,
        "tile": tile,
        "order": order,
        "resident": list(resident),
        "l2": {operand: words.get(letter, letter) for operand, letter in stands.items()},
    }


def tile(m: int, n: int, k: int) -> dict[str, int]:
    return {"m": m, "n": n, "k": k}


def part(batch: int, height: int, n: int, k: int) -> dict[str, int]:
    return {"batch": batch, "height": height, "n": n, "k": k}


SQUARE = gemm(64, 48, 96)
CASES = [
    case("one tile", gemm(32, 16, 24), tile(32, 16, 24)),
    case("weights stay, mnk", SQUARE, tile(16, 24, 32), "mnk"),
    case("weights stay, nmk", SQUARE, tile(16, 24, 32), "nmk", l2="wpw"),
    case("weights stay, mkn: sums come back", SQUARE, tile(16, 24, 32), "mkn"),
    case("weights stay, nkm: sums come back", SQUARE, tile(16, 24, 32), "nkm", l2="ppw"),
    case("weights stay, kmn: sums come back", SQUARE, tile(16, 24, 32), "kmn", l2="wwp"),
    case("weights stay, knm: sums come back", SQUARE, tile(32, 8, 16), "knm", l2="ppp"),
    case("weights resident", SQUARE, tile(16, 24, 32), "mnk", resident=("weight",), l2="pww"),
    case("input resident", SQUARE, tile(16, 24, 32), "nmk", resident=("input",), l2="wpp"),
    case("both resident", SQUARE, tile(16, 16, 96), "mnk", resident=("input", "weight")),
    case("columns do not divide n", gemm(48, 50, 64), tile(16, 16, 32), "mnk", array=(16, 16)),
    case("tiles do not divide m", gemm(50, 32, 64), tile(16, 16, 32), "nmk"),
    case("tiles do not divide k", gemm(48, 32, 70), tile(16, 16, 32), "mnk", l2="wpw"),
    case("outputs stay, mnk", SQUARE, tile(16, 24, 32), "mnk", "output"),
    case("outputs stay, nkm: sums come back", SQUARE, tile(16, 24, 48), "nkm", "output", (4, 8)),
    case("inputs stay, nmk", SQUARE, tile(16, 24, 32), "nmk", "input", (8, 4)),
    case("convolution, halo fetched again", conv(8, 18, 16), part(1, 4, 8, 72)),
    case(
        "convolution, input resident",
        conv(8, 18, 16),
        part(1, 4, 8, 72),
        "nmk",
        resident=("input",),
        l2="www",
    ),
    case("convolution, channels in parts", conv(16, 10, 16), part(1, 8, 8, 72), "mkn", l2="wpw"),
    case(
        "convolution, stride 2, batch 4",
        conv(8, 17, 16, batch=4, stride=2),
        part(2, 8, 16, 36),
        "nmk",
        l2="pww",
    ),
    case("convolution, outputs stay", conv(8, 10, 16), part(1, 4, 8, 72), "nmk", "output"),
    case("convolution, padding", conv(8, 16, 16, padding=1), part(1, 4, 16, 72)),
    case("convolution, 1 x 1, stride 2", conv(16, 15, 16, kernel=1, stride=2), part(1, 4, 16, 16)),
    case("convolution, groups", conv(16, 10, 16, groups=4), part(1, 4, 4, 36), array=(36, 4)),
    case("outputs stay, one pass a tile", gemm(32, 16, 96), tile(8, 8, 32), "mnk", "output"),
    case(
        "convolution, outputs stay, 16 rows",
        conv(8, 10, 16),
        part(1, 4, 8, 72),
        "nmk",
        "output",
        (16, 8),
    ),
    case("inner loops over tiles in L2", SQUARE, tile(16, 24, 32), "mnk", l2="2w2"),
]


def sizes_of(one: dict[str, Any]) -> dict[str, int]:
    """ZigZag's dimensions: G groups, B images or rows of a product, K filters, C channels, OY, OX, FY, FX."""
    o = one["operator"]
    if o["kind"] == "gemm":
        return {"G": 1, "B": o["m"], "K": o["n"], "C": o["k"], "OY": 1, "OX": 1, "FY": 1, "FX": 1}
    out = (o["height"] + 2 * o["padding"] - o["kernel"]) // o["stride"] + 1
    groups, taps = o["groups"], o["kernel"]
    depth, filters = o["channels"] // groups, o["n"] // groups
    return {
        "G": groups,
        "B": o["batch"],
        "K": filters,
        "C": depth,
        "OY": out,
        "OX": out,
        "FY": taps,
        "FX": taps,
    }


def tile_of(one: dict[str, Any], sizes: dict[str, int]) -> dict[str, int]:
    """The tile in ZigZag's dimensions."""
    t, whole = one["tile"], dict(sizes, G=1)
    if one["operator"]["kind"] == "gemm":
        return dict(whole, B=t["m"], K=t["n"], C=t["k"])
    channels, rest = divmod(t["k"], sizes["FY"] * sizes["FX"])
    assert rest == 0, "tiles of k are whole channels"
    return dict(whole, B=t["batch"], OY=t["height"], K=t["n"], C=channels)


def nest_of(one: dict[str, Any]) -> tuple[dict[str, int], Loops, Loops, Loops, int]:
    """Dimensions, padded where a tile does not divide them; spatial loops; the loops inside a tile and those over
    tiles, innermost first; how many of those inside keep what stays."""
    sizes = sizes_of(one)
    inside = tile_of(one, sizes)
    product = one["operator"]["kind"] == "gemm"
    m_side = "B" if product else "OX"
    along = {"weight": ("C", "K"), "output": (m_side, "K"), "input": ("C", m_side)}[one["stays"]]
    limits = dict(zip(along, (one["rows"], one["columns"]), strict=True))
    taps = {"FX", "FY"} & {d for d, size in sizes.items() if size > 1}
    if taps and along[0] == "C" and one["rows"] % (sizes["FX"] * sizes["FY"]) == 0:
        limits.update(C=one["rows"] // sizes["FX"] // sizes["FY"], FX=sizes["FX"], FY=sizes["FY"])
    tiles = {d: ceil(size / inside[d]) for d, size in sizes.items()}
    passes, spatial = {}, {}
    for d, size in inside.items():
        limit = limits.get(d, 1)
        if d in limits:
            passes[d] = ceil(size / limit)
            spatial[d] = sizes[d] / (tiles[d] * passes[d])
        else:
            if sizes[d] % tiles[d]:
                sizes[d] = tiles[d] * size  # padded
            passes[d] = sizes[d] // tiles[d]
    groups = {"m": ["OX", "OY", "B"], "n": ["K"], "k": ["FX", "FY", "C"]}
    # passes of a tile: m outermost, then n, k fastest, but the dimension that streams, which is inside a pass
    streams = {"weight": "m", "output": "k", "input": "n"}[one["stays"]]
    dims = groups[streams] + [d for g in "knm" if g != streams for d in groups[g]]
    inner = [(d, passes[d]) for d in dims if passes[d] > 1]
    kept = sum(1 for d in groups[streams] if passes[d] > 1)
    outer = [d for g in reversed(one["order"]) for d in groups[g]] + ["G"]
    return (
        sizes,
        [(d, size) for d, size in spatial.items() if size > 1],
        inner,
        [(d, tiles[d]) for d in outer if tiles[d] > 1],
        kept,
    )


def layer_of(one: dict[str, Any], sizes: dict[str, int]) -> Any:
    """ZigZag's layer."""
    o = one["operator"]
    used = ["G"] * (sizes["G"] > 1) + ["B", "K", "C"]
    layer: dict[str, Any] = {
        "id": 0,
        "name": "layer",
        "operator_type": "Gemm" if o["kind"] == "gemm" else "Conv",
        "operand_precision": {
            "I": BITS["input"],
            "W": BITS["weight"],
            "O": BITS["sums"],
            "O_final": BITS["output"],
        },
    }
    if o["kind"] == "gemm":
        layer["equation"] = "O[b][k]+=W[k][c]*I[b][c]"
    else:
        g = "[g]" if sizes["G"] > 1 else ""
        used += ["OY", "OX", "FY", "FX"]
        layer["equation"] = f"O[b]{g}[k][oy][ox]+=W{g}[k][c][fy][fx]*I[b]{g}[c][iy][ix]"
        layer["dimension_relations"] = [
            f"{i}={o['stride']}*{out}+1*{tap}"
            for i, out, tap in (("ix", "ox", "fx"), ("iy", "oy", "fy"))
        ]
        layer["pr_loop_dims"] = ["IX", "IY"]
        layer["padding"] = [[o["padding"], o["padding"]]] * 2
    layer["loop_dims"], layer["loop_sizes"] = used, [sizes[d] for d in used]
    validator = WorkloadValidator([layer])
    mapping = MappingValidator([{"name": "default"}])
    assert validator.validate() and mapping.validate()
    return LayerNodeFactory(validator.normalized_data[0], mapping.normalized_data).create()


def memory(operands: list[str], served: list[str]) -> dict[str, Any]:
    """A memory with byte-wide ports."""
    allocation = [
        (f"{MEMORY_OPERANDS[name]}, {way}", way[0] == "t")
        for name in operands
        for way in (("fh", "tl", "fl", "th") if name == "output" else ("fh", "tl"))
    ]
    ports = [
        {
            "name": port,
            "type": kind,
            "bandwidth_min": 8,
            "bandwidth_max": 8,
            "allocation": [text for text, out in allocation if out == reads],
        }
        for port, kind, reads in (("r_port_1", "read", True), ("w_port_1", "write", False))
    ]
    return {
        "size": ROOM,
        "r_cost": 1.0,
        "w_cost": 1.0,
        "area": 0.0,
        "latency": 1,
        "operands": [MEMORY_OPERANDS[name] for name in operands],
        "ports": ports,
        "served_dimensions": served,
    }


def tree_of(
    one: dict[str, Any], above: dict[str, tuple[str, ...]]
) -> tuple[Any, dict[str, list[str]]]:
    """ZigZag's accelerator, and of each operand the names of its memories from the array upwards."""
    both, every = ["D1", "D2"], list(OPERANDS)
    memories = {"registers": memory([one["stays"]], [])}
    memories.update({f"{name}_buffer": memory([name], both) for name in every})
    for level in ("l2", "dram"):
        if users := [name for name in every if level in above[name]]:
            memories[level] = memory(users, both)
    names = {
        name: [key for key, value in memories.items() if MEMORY_OPERANDS[name] in value["operands"]]
        for name in every
    }
    validator = AcceleratorValidator(
        {
            "name": "tree",
            "memories": memories,
            "operational_array": {
                "unit_energy": 0.0,
                "unit_area": 0.0,
                "dimensions": both,
                "sizes": [one["rows"], one["columns"]],
            },
        }
    )
    assert validator.validate()
    return AcceleratorFactory(validator.normalized_data).create(), names


def temporal_of(
    one: dict[str, Any],
    inner: Loops,
    outer: Loops,
    kept: int,
    above: dict[str, tuple[str, ...]],
) -> dict[str, list[Loops]]:
    """Of each operand the loops that each of its memories holds, from the array upwards."""
    found = {}
    for name in OPERANDS:
        below = [inner[:kept], inner[kept:]] if one["stays"] == name else [list(inner)]
        far: list[Loops] = [[] for _ in above[name]]
        if name in one["resident"]:
            below[-1] = below[-1] + outer
        elif len(far) == 1:
            far[0] = outer
        else:
            stands = one["l2"][name]
            held = {"whole": len(outer), "passes": 0}.get(stands)
            cut = int(stands) if held is None else held
            far = [outer[:cut], outer[cut:]]
        found[name] = [*below, *far]
    return found


def counts_of(
    one: dict[str, Any], above: dict[str, tuple[str, ...]]
) -> dict[str, dict[str, dict[str, list[int]]]]:
    """memory -> operand -> "elements", "bytes" -> counts of the four directions."""
    sizes, spatial, inner, outer, kept = nest_of(one)
    layer, (chip, names) = layer_of(one, sizes), tree_of(one, above)
    temporal = temporal_of(one, inner, outer, kept, above)

    def loops(some: Loops) -> list[tuple[LayerDim, float]]:
        return [(LayerDim(d), size) for d, size in some]

    places = {}
    for name, letter in OPERANDS.items():
        own = [[], loops(spatial)] if one["stays"] == name else [loops(spatial), []]
        places[LayerOperand(letter)] = own + [[]] * (len(temporal[name]) - 1)
    times = {
        LayerOperand(letter): [loops(level) for level in temporal[name]]
        for name, letter in OPERANDS.items()
    }
    evaluation = Counted(
        accelerator=chip,
        layer=layer,
        spatial_mapping=SpatialMappingInternal(places, layer),
        spatial_mapping_int=SpatialMappingInternal(places, layer),
        temporal_mapping=TemporalMapping(times, layer, TemporalMappingType.UNEVEN),
        access_same_data_considered_as_no_access=False,
    )
    assert round(prod(size for _, size in (*spatial, *inner, *outer))) == layer.total_mac_count
    found: dict[str, dict[str, dict[str, list[int]]]] = {}
    for name, letter in OPERANDS.items():
        moves = evaluation.mapping.unit_mem_data_movement[LayerOperand(letter)]
        for memory_name, moved in zip(names[name], moves, strict=True):
            count = moved.get_attribute(DataMoveAttr.DATA_ELEM_MOVE_COUNT)
            width = moved.get_attribute(DataMoveAttr.DATA_PRECISION)
            elements = [int(count.get(way)) for way in DIRECTIONS.values()]
            widths = [int(width.get(way)) for way in DIRECTIONS.values()]
            bytes_moved = [many * bits // 8 for many, bits in zip(elements, widths, strict=True)]
            found.setdefault(memory_name, {})[name] = {"elements": elements, "bytes": bytes_moved}
    return found


def described(one: dict[str, Any]) -> dict[str, Any]:
    """The nest as ZigZag got it, innermost loops first. padded: dimensions that are larger there, true size and
    ZigZag's."""
    sizes, spatial, inner, outer, _ = nest_of(one)
    true = sizes_of(one)
    return {
        "spatial": [[d, size] for d, size in spatial],
        "inside a tile": [[d, size] for d, size in inner],
        "over tiles": [[d, size] for d, size in outer],
        "padded": {d: [true[d], size] for d, size in sizes.items() if size != true[d]},
    }


def text_of(golden: dict[str, Any]) -> str:
    """As JSON, a line for each memory and operand."""
    text = json.dumps(golden, indent=1)
    for innermost in (r"\[[^][{}]*\]", r"\[\s*\[[^{}]*?\]\s*\]", r"\{[^{}]*\}"):
        text = re.sub(innermost, lambda found: " ".join(found[0].split()), text)
    return text + "\n"


def main() -> None:
    logging.disable(logging.CRITICAL)
    cases = []
    for one in CASES:
        counts = {name: counts_of(one, above) for name, above in TREES.items()}
        cases.append({**one, "nest": described(one), **counts})
    head = {"zigzag-dse": version("zigzag-dse"), "directions": list(DIRECTIONS), "bits": BITS}
    (HERE / "golden.json").write_text(text_of({**head, "cases": cases}))
    print(f"{len(cases)} cases by ZigZag {head['zigzag-dse']}")


if __name__ == "__main__":
    main()
