"""Runs tile passes on the Verilog arrays with Icarus Verilog.

Passes of many cases that share one set of parameters run in one simulation, with a reset between.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accelsim.rtl.schedule import Layout, TilePass, Trace, layout
from accelsim.rtl.twin import twin_of
from accelsim.units.mac_array import MacArray, Rate

Ints = NDArray[np.int64]
SOURCES = Path(__file__).parent / "verilog"
CONTROL_BITS = 16

_BENCH = """
module bench;
    reg clk = 0;
    reg [{width}-1:0] line;
    wire [{columns}-1:0] out_valid;
    wire [{out_width}-1:0] out;
    integer stimulus, seen, cycle = 0, got;
    {module} #({parameters}) array (.clk(clk), .out_valid(out_valid), .out(out), {ports});
    initial begin
        stimulus = $fopen("{folder}/stimulus", "r");
        seen = $fopen("{folder}/seen", "w");
        got = $fscanf(stimulus, "%h", line);
        while (got == 1) begin
            #1 if (|out_valid) $fwrite(seen, "%0d %h %h\\n", cycle, out_valid, out);
            clk = 1;
            #1 clk = 0;
            cycle = cycle + 1;
            got = $fscanf(stimulus, "%h", line);
        end
        $fclose(seen);
        $finish;
    end
endmodule
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One run of passes on one array; simulate in model.py takes the same."""

    array: MacArray
    number: int
    rate: Rate
    passes: Sequence[TilePass]


def available() -> bool:
    """Whether Icarus Verilog is installed."""
    return shutil.which("iverilog") is not None and shutil.which("vvp") is not None


def simulate(cases: Sequence[Case], folder: Path) -> list[list[Trace]]:
    """Traces of every case's passes. folder: an empty directory for the simulator's files.

    RuntimeError with the tool's own words when Icarus fails.
    """
    plans = [layout(c.array, c.number, c.rate, c.passes) for c in cases]
    groups: dict[tuple[str, tuple[tuple[str, int], ...]], list[int]] = {}
    for index, plan in enumerate(plans):
        module, parameters = twin_of(plan.number).verilog(plan)
        groups.setdefault((module, tuple(parameters.items())), []).append(index)
    traces: list[list[Trace]] = [[] for _ in cases]
    for number, ((module, chosen), members) in enumerate(groups.items()):
        place = folder / str(number)
        place.mkdir()
        runs = [_lines(plans[index], cases[index].passes) for index in members]
        lanes = twin_of(plans[members[0]].number).wide(plans[members[0]])
        seen = _run((module, dict(chosen), lanes), [run for run, _ in runs], runs[0][1], place)
        for index, (out, valid) in zip(members, seen, strict=True):
            twin = twin_of(plans[index].number)
            traces[index] = twin.read_back(plans[index], cases[index].passes, out, valid)
    return traces


def _lines(plan: Layout, passes: Sequence[TilePass]) -> tuple[Ints, Mapping[str, int]]:
    """The input ports of a run as bits (cycles + 1, width), and each port's width in bit order.
    The first cycle is the reset."""
    twin = twin_of(plan.number)
    signals, words = dict(twin.signals(plan, passes)), twin.widths(plan)
    cycles = len(signals[next(iter(signals))])
    signals["exit_row"] = np.full(cycles, plan.exit_row)
    fields, widths = [], {}
    for name, values in signals.items():
        width = words.get(name, 1 if name in twin.one_bit else CONTROL_BITS)
        field = (values.reshape(cycles, -1, 1) >> np.arange(width)) & 1
        fields.append(field.reshape(cycles, -1))
        widths[name] = fields[-1].shape[1]
    lines = np.concatenate([*fields, np.zeros((cycles, 1), np.int64)], axis=1)
    reset = np.zeros((1, lines.shape[1]), np.int64)
    reset[0, -1] = 1
    exit_at = sum(widths[name] for name in widths if name != "exit_row")
    reset[0, exit_at] = 1
    return np.concatenate([reset, lines]), {**widths, "reset": 1}


def _run(
    built: tuple[str, dict[str, int], int],
    runs: list[Ints],
    widths: Mapping[str, int],
    folder: Path,
) -> list[tuple[Ints, Ints]]:
    """(out, out_valid) of every run, as the register-transfer model gives them. built: module, its
    parameters, words side by side that a column shows."""
    module, parameters, lanes = built
    columns = parameters["COLUMNS"]
    word = parameters["PW"]
    ports, low = [], 0
    for name, width in widths.items():
        ports.append(f".{name}(line[{low + width - 1}:{low}])")
        low += width
    bench = _BENCH.format(
        width=low,
        columns=columns,
        out_width=columns * lanes * word,
        module=module,
        parameters=", ".join(f".{k}({v})" for k, v in parameters.items()),
        ports=", ".join(ports),
        folder=folder,
    )
    (folder / "bench.v").write_text(bench)
    packed = np.packbits(np.concatenate(runs).astype(np.uint8), axis=1, bitorder="little")
    text = "\n".join(row.tobytes()[::-1].hex() for row in packed)
    (folder / "stimulus").write_text(text + "\n")
    sources = [str(path) for path in sorted(SOURCES.glob("*.v"))]
    _call(
        "iverilog",
        "-g2012",
        "-s",
        "bench",
        "-o",
        str(folder / "array.vvp"),
        str(folder / "bench.v"),
        *sources,
    )
    _call("vvp", "-n", str(folder / "array.vvp"))
    starts = np.cumsum([0] + [len(run) for run in runs])
    found = [
        (np.zeros((len(run), columns, lanes), np.int64), np.zeros((len(run), columns), np.int64))
        for run in runs
    ]
    for line in (folder / "seen").read_text().splitlines():
        cycle, valid, value = line.split()
        index = int(np.searchsorted(starts, int(cycle), side="right")) - 1
        edge = int(cycle) - int(starts[index]) - 1  # after the reset cycle
        out, out_valid = found[index]
        for column in range(columns):
            if edge >= 0 and int(valid, 16) >> column & 1:
                out_valid[edge, column] = 1
                out[edge, column] = _words(int(value, 16) >> column * lanes * word, lanes, word)
    return found


def _words(value: int, count: int, bits: int) -> list[int]:
    """The lowest ``count`` two's complement words of a number."""
    words = [value >> index * bits & (1 << bits) - 1 for index in range(count)]
    return [word - (word >> bits - 1 << bits) for word in words]


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr or done.stdout}")
