"""Multiply-accumulate units in Verilog by format: their parameters, and runs of them in Icarus."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from accelsim.formats import Integer, Minifloat, get

SOURCES = Path(__file__).parent / "verilog"
#: name -> (operand format, accumulator: a format or bits of an integer)
UNITS: dict[str, tuple[str, str | int]] = {
    "int4": ("int4", 16),
    "int8": ("int8", 32),
    "int16": ("int16", 48),
    "int32": ("int32", 72),
    "fp8_152": ("fp8_152", "fp16_169"),
    "hfp8_143": ("hfp8_143", "fp16_169"),
    "fp16_169": ("fp16_169", "fp16_169"),
    "bf16": ("bf16", "fp32"),
    "fp32": ("fp32", "fp32"),
}


def parameters(name: str) -> tuple[str, dict[str, int]]:
    """(Verilog module, its parameters) of a unit."""
    operand, total = UNITS[name]
    found = get(operand)
    if isinstance(found, Integer):
        assert isinstance(total, int)
        return "integer_mac", {"A": found.bits, "B": found.bits, "ACC": total}
    assert isinstance(found, Minifloat) and isinstance(total, str)
    wide = get(total)
    assert isinstance(wide, Minifloat)
    return "float_mac", {
        "EXP": found.exponent,
        "FRAC": found.fraction,
        "SUM_EXP": wide.exponent,
        "SUM_FRAC": wide.fraction,
        "BIAS": found.bias,
        "SPECIAL": int(found.has_infinity),
    }


_BENCH = """
module bench;
    reg clk = 0, first = 0;
    reg [{bits}-1:0] a, b;
    wire [{wide}-1:0] total;
    integer stimulus, seen, got;
    {module} #({parameters}) unit (.clk(clk), .first(first), .a(a), .b(b), .total(total));
    initial begin
        stimulus = $fopen("{folder}/stimulus", "r");
        seen = $fopen("{folder}/seen", "w");
        got = $fscanf(stimulus, "%h %h %h", first, a, b);
        while (got == 3) begin
            #1 clk = 1;
            #1 clk = 0;
            $fwrite(seen, "%h\\n", total);
            got = $fscanf(stimulus, "%h %h %h", first, a, b);
        end
        $fclose(seen);
        $finish;
    end
endmodule
"""


def run(name: str, steps: Sequence[tuple[int, int, int]], folder: Path) -> list[int]:
    """The total's code after every step (first, a, b), from the Verilog unit. folder: for Icarus's files."""
    module, values = parameters(name)
    operand, total = UNITS[name]
    bits, wide = get(operand).bits, total if isinstance(total, int) else get(total).bits
    given = ", ".join(f".{key}({value})" for key, value in values.items())
    bench = _BENCH.format(bits=bits, wide=wide, module=module, folder=folder, parameters=given)
    (folder / "bench.v").write_text(bench)
    (folder / "stimulus").write_text("".join(f"{first} {a:x} {b:x}\n" for first, a, b in steps))
    for command in (
        [
            "iverilog",
            "-g2012",
            "-s",
            "bench",
            "-o",
            str(folder / "unit.vvp"),
            str(folder / "bench.v"),
            str(SOURCES / f"{module}.v"),
        ],
        ["vvp", "-n", str(folder / "unit.vvp")],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr or done.stdout}")
    return [int(line, 16) for line in (folder / "seen").read_text().split()]
