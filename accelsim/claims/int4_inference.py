"""The same networks in INT4, INT8, HFP8 and FP16 on simulated chips: accuracy, time, energy, memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from accelsim.api import load_chip, load_workload, run
from accelsim.claims.claim import Claim, Table
from accelsim.claims.perceptron import FULL_SCALE
from accelsim.formats import get
from accelsim.shipped import folder as shipped_folder

NETWORKS = ("digits_mlp", "digits_cnn")
QUAD = "ibm_quad_like"
#: chip, format of inputs and weights
RUNS = (
    (QUAD, "fp16_169"),
    (QUAD, "hfp8_143"),
    (QUAD, "int8"),
    (QUAD, "int4"),
    ("int8_edge", "int8"),
    ("int4_edge", "int4"),
)


def simulated(chip: str, form: str, network: str, images: int | None) -> dict[str, float]:
    """Figures of one run over the shipped test images."""
    with np.load(shipped_folder("workload") / "digits.npz") as file:
        x, labels = file["images"][:images] / FULL_SCALE, file["labels"][:images]
    workload = load_workload(network, batch=len(x))
    sets = [f"precision.input={form}", f"precision.weight={form}"] if chip == QUAD else []
    made = run(
        load_chip(chip, sets),
        workload,
        {"x": x.reshape(workload.tensors["x"].shape)},
        labels=labels,
    )
    assert made.values is not None
    return {
        "top1": made.values.scores["top1"],
        "float": made.values.scores["top1_float"],
        "cycles": float(made.cycles),
        "seconds": made.seconds,
        "array busy": float(sum(row.busy_cycles for row in made.operators)),
        "joules": made.energy.total,
        "device": made.energy.boundary("device"),
        "core": made.energy.boundary("core"),
        "weight bytes": float(get(form).bytes_for(workload.parameters)),
        "dram bytes": float(
            sum(row.dram_read_bytes + row.dram_written_bytes for row in made.operators)
        ),
    }


def _row(chip: str, form: str, found: dict[str, float]) -> list[str]:
    return [
        chip,
        form,
        f"{100 * found['top1']:.1f}",
        f"{found['cycles']:,.0f}",
        f"{found['array busy']:,.0f}",
        f"{found['seconds'] * 1e6:,.1f}",
        f"{found['core'] * 1e6:,.2f}",
        f"{found['joules'] * 1e6:,.1f}",
        f"{found['weight bytes'] / 1024:,.2f}",
        f"{found['dram bytes'] / 1024:,.0f}",
    ]


def _verdict(figures: dict[str, float], networks: tuple[str, ...]) -> str:
    last = f"{networks[-1]} {QUAD}"

    def ratio(key: str, over: str = "int8") -> float:
        return figures[f"{last} {over} {key}"] / figures[f"{last} int4 {key}"]

    lost = []
    for network in networks:
        form = f"{network} {QUAD} int4"
        points = 100 * (figures[f"{form} float"] - figures[f"{form} top1"])
        lost.append(f"{points:.1f} points ({network})")
    return (
        f"INT4 without retraining loses {', '.join(lost)} of float; "
        f"on {QUAD}, {networks[-1]}, INT8 takes {ratio('core'):.1f} times its core energy, "
        f"{ratio('joules'):.1f} times its chip energy, {ratio('array busy'):.1f} times its busy array cycles "
        f"and {ratio('weight bytes'):.1f} times its weights' memory, but only {ratio('cycles'):.2f} times its "
        f"cycles; FP16 {ratio('core', 'fp16_169'):.1f}, {ratio('joules', 'fp16_169'):.1f}, "
        f"{ratio('array busy', 'fp16_169'):.1f}, {ratio('weight bytes', 'fp16_169'):.1f} and "
        f"{ratio('cycles', 'fp16_169'):.2f} times"
    )


def compute(seed: int, networks: tuple[str, ...] = NETWORKS, images: int | None = None) -> Claim:
    """The claim's figures; nothing is random. images: the first so many test images, default all."""
    del seed
    figures: dict[str, float] = {}
    tables, found = [], {}
    head = ["chip", "format", "top-1 %", "cycles", "array busy", "us", "core uJ", "chip uJ"]
    head += ["weights KiB", "DRAM KiB"]
    for network in networks:
        rows = []
        for chip, form in RUNS:
            one = found[network, chip, form] = simulated(chip, form, network, images)
            figures |= {f"{network} {chip} {form} {key}": value for key, value in one.items()}
            rows.append(_row(chip, form, one))
        rows.append(["software", "float64", f"{100 * one['float']:.1f}", *["-"] * 7])
        tables.append(Table(f"{network}, {images or 500} images a run", head, rows))
    return Claim(
        "int4_inference",
        "4-bit inference on dataflow ASICs (The Register, December 2018, on IBM)",
        _verdict(figures, networks),
        figures,
        tables,
        [
            "trained in float, then quantised: weights symmetric by output channel; activations by the ranges "
            "of the training images, in INT4 with the clip of least squared error",
            f"weights cold, the default mapping; {QUAD} is one chip at four precisions, int8_edge and "
            "int4_edge are arrays of the same size",
        ],
        "bit-exact and without chance; one image of 500 is 0.2 points",
        [
            "training for 4 bits (PACT, SAWB), which recovers what is lost",
            "networks as large as ImageNet's: these are so small that pooling and off-chip memory, not the "
            "array, set their cycles",
        ],
        lambda folder: _draw(folder, networks, found),
    )


def _draw(
    folder: Path, networks: tuple[str, ...], found: dict[tuple[str, str, str], dict[str, float]]
) -> None:
    from accelsim.reports.style import below, blank, save

    made = blank(2.8)
    panels = made.subplots(1, 4)
    looks = (("#0072B2", ""), ("#E69F00", "///"))
    for axes, (key, title, scale) in zip(
        panels,
        (
            ("top1", "top-1 (%)", 100.0),
            ("cycles", "cycles, of FP16", 0.0),
            ("joules", "chip energy, of FP16", 0.0),
            ("weight bytes", "weight bytes, of FP16", 0.0),
        ),
        strict=True,
    ):
        forms = [form for chip, form in RUNS if chip == QUAD]
        for number, (network, (colour, hatch)) in enumerate(zip(networks, looks, strict=False)):
            base = found[network, QUAD, forms[0]][key]
            height = [found[network, QUAD, form][key] * (scale or 1.0 / base) for form in forms]
            where = np.arange(len(forms)) + 0.4 * (number - (len(networks) - 1) / 2)
            axes.bar(
                where,
                height,
                0.36,
                color=colour,
                hatch=hatch,
                edgecolor="black",
                linewidth=0.4,
                label=network,
            )
            for at, value in zip(where, height, strict=True):
                axes.annotate(
                    f"{value:.1f}" if scale else f"{value:.2f}",
                    (at, value),
                    (0, 1.5),
                    rotation=90,
                    textcoords="offset points",
                    ha="center",
                    va="bottom",
                )
        axes.set_xticks(range(len(forms)), [form.split("_")[0].upper() for form in forms])
        axes.set_title(title, loc="left", fontsize=8)
        axes.set_ylim((90.0, 101.0) if scale else (0.0, 1.18))
    made.legend(*panels[0].get_legend_handles_labels(), ncols=2, loc="outside upper left")
    below(made, f"500 digits on {QUAD}; quantised after training; top-1 from 90 % on")
    save(made, folder, "int4_inference")
