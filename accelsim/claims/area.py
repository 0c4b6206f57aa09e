"""16-bit engines four times smaller than 32-bit ones: transistors of multiply-accumulate units by synthesis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from accelsim.claims.claim import Claim, Table

TABLE = Path(__file__).parent.parent / "constants" / "tables" / "mac_area.json"
#: figures: (name, numerator, denominator)
RATIOS = (
    ("fp32 over fp16_169", "fp32", "fp16_169"),
    ("int32 over int16", "int32", "int16"),
    ("fp16_169 over fp8_152", "fp16_169", "fp8_152"),
    ("fp16_169 over hfp8_143", "fp16_169", "hfp8_143"),
    ("int8 over int4", "int8", "int4"),
    ("fp16_169 over int8", "fp16_169", "int8"),
)


def compute(seed: int) -> Claim:
    """The claim's figures; nothing is random."""
    del seed
    table = json.loads(TABLE.read_text("utf-8"))
    counts: dict[str, int] = table["transistors"]
    figures = {name: counts[top] / counts[below] for name, top, below in RATIOS}
    rows = [
        [name, str(table["accumulators"][name]), f"{count:,}", f"{count / counts['int8']:.2f}"]
        for name, count in counts.items()
    ]
    verdict = (
        f"a 32-bit floating-point unit is {figures['fp32 over fp16_169']:.1f} times the 16-bit one (1-6-9), a "
        f"32-bit integer unit {figures['int32 over int16']:.1f} times the 16-bit one; an FP8 unit (1-5-2, "
        f"summing in 1-6-9) is {1 / figures['fp16_169 over fp8_152']:.2f} of the 16-bit one"
    )

    def draw(folder: Path) -> None:
        _draw(folder, table)

    return Claim(
        "area",
        "16-bit engines are typically four times smaller than 32-bit ones (Wang et al., NeurIPS 2018)",
        verdict,
        figures,
        [
            Table(
                "multiply-accumulate units", ["operands", "sums in", "transistors", "of int8"], rows
            )
        ],
        [
            f"{table['tool']}, generic CMOS gates, flip-flops of the sum included; tests/rtl/verilog has the "
            "units, their arithmetic is proved in the tests; make area synthesises them again",
            "floating point: exact product, one rounding to nearest even, subnormals, infinity and NaN",
        ],
        f"ratios hold within {100 * table['band']:.0f} %: gates have no wires, and no timing drives them",
        [
            "stochastic rounding hardware, pipelines, operand registers, the array's wires",
            "engines of the paper itself: its 1-6-9 unit may leave subnormals out",
        ],
        draw,
    )


def _draw(folder: Path, table: dict[str, Any]) -> None:
    from accelsim.reports.style import figure

    counts: dict[str, int] = table["transistors"]
    made, axes = figure(2.8)
    for number, (name, count) in enumerate(counts.items()):
        whole = isinstance(table["accumulators"][name], int)
        colour, hatch = ("#0072B2", "") if whole else ("#009E73", "///")
        axes.bar(
            number,
            count / 1e3,
            0.7,
            color=colour,
            hatch=hatch,
            edgecolor="black",
            linewidth=0.4,
            label={"int4": "integer", "fp8_152": "floating point"}.get(name),
        )
        axes.annotate(
            f"{count / counts['int8']:.2f}",
            (number, count / 1e3),
            (0, 2),
            textcoords="offset points",
            ha="center",
        )
    labels = [
        f"{name}\nsums in\n" + (f"int{total}" if isinstance(total, int) else total)
        for name, total in table["accumulators"].items()
    ]
    axes.set_xticks(range(len(counts)), labels)
    axes.set_ylabel("transistors (thousands)")
    axes.set_title("multiply-accumulate units by synthesis; above each bar, times int8", loc="left")
    axes.legend(loc="upper left")
    lines = ["operands,accumulator,transistors"]
    lines += [f"{name},{table['accumulators'][name]},{count}" for name, count in counts.items()]
    (folder / "area_points.csv").write_text("\n".join(lines) + "\n")
    made.savefig(folder / "area.png", dpi=200, metadata={"Software": None})
    made.savefig(folder / "area.svg", metadata={"Date": None})
