"""Bytes of a network in training, counted tensor by tensor: FP8 with 16-bit masters against FP32."""

from __future__ import annotations

from pathlib import Path

from accelsim.api import load_workload
from accelsim.claims.claim import Claim, Table
from accelsim.formats import get
from accelsim.workload import Conv2d, Gemm, Workload

#: network, images a step
NETWORKS = (
    ("digits_mlp", 64),
    ("digits_cnn", 64),
    ("speech_dnn", 256),
    ("alexnet", 256),
    ("resnet18", 256),
    ("resnet50", 256),
)
NARROW, HALF, WIDE = "fp8_152", "fp16_169", "fp32"
PARTS = ("weights", "activations", "errors", "gradients", "master weights", "momentum")
TENSORS = PARTS[:4]
Bytes = dict[str, int]


def elements(workload: Workload) -> dict[str, dict[str, int]]:
    """Part -> tensor -> elements. Every activation is kept for the backward pass (views of another once),
    every one but the input has an error, every weight a gradient."""
    stored = {t.name: t.elements for t in workload.tensors.values() if t.role in ("weight", "bias")}
    views = {op.output for op in workload.operators if getattr(op, "is_view", False)}
    kept = {
        t.name: t.elements
        for t in workload.tensors.values()
        if t.role in ("input", "intermediate", "output") and t.name not in views
    }
    errors = {name: count for name, count in kept.items() if workload.tensors[name].role != "input"}
    return {"weights": stored, "activations": kept, "errors": errors, "gradients": stored}


def wide(workload: Workload) -> Bytes:
    """All of it in FP32: the weights are their own master copy, momentum is one number a weight."""
    found = {
        part: sum(get(WIDE).bytes_for(n) for n in tensors.values())
        for part, tensors in elements(workload).items()
    }
    return found | {"master weights": 0, "momentum": found["weights"]}


def all_narrow(workload: Workload) -> float:
    """The four kinds of tensors with every one in FP8, of FP32's bytes."""
    counts = [n for tensors in elements(workload).values() for n in tensors.values()]
    return sum(get(NARROW).bytes_for(n) for n in counts) / sum(
        get(WIDE).bytes_for(n) for n in counts
    )


def narrow(workload: Workload) -> Bytes:
    """As Wang et al. (2018) train: FP8, but the network's input and the last layer in 1-6-9; master
    weights and momentum in 1-6-9."""
    last = [op for op in workload.operators if isinstance(op, Gemm | Conv2d)][-1]
    half = {last.input, last.weight, last.output, last.bias}
    half |= {t.name for t in workload.tensors.values() if t.role in ("input", "output")}
    found = {
        part: sum(
            get(HALF if name in half else NARROW).bytes_for(count)
            for name, count in tensors.items()
        )
        for part, tensors in elements(workload).items()
    }
    copies = sum(get(HALF).bytes_for(n) for n in elements(workload)["weights"].values())
    return found | {"master weights": copies, "momentum": copies}


def _rows(name: str, batch: int, big: Bytes, small: Bytes, share: float) -> list[list[str]]:
    """The network in FP32 and in FP8; share: what the four kinds of tensors take in FP8, of FP32."""
    base, total = sum(big.values()), sum(small.values())
    return [
        [
            name,
            str(batch),
            label,
            *(f"{found[part] / 2**20:,.2f}" for part in PARTS),
            f"{sum(found.values()) / 2**20:,.2f}",
            *ratios,
        ]
        for label, found, ratios in (
            ("FP32", big, ("1", "1")),
            ("FP8", small, (f"{share:.3f}", f"{total / base:.3f}")),
        )
    ]


def compute(seed: int, networks: tuple[tuple[str, int], ...] = NETWORKS) -> Claim:
    """The claim's figures; nothing is random."""
    del seed
    figures: dict[str, float] = {}
    rows, found = [], {}
    for name, batch in networks:
        workload = load_workload(name, batch)
        big, small = found[f"{name}\nbatch {batch}"] = (wide(workload), narrow(workload))
        base, total = sum(big.values()), sum(small.values())
        share = sum(small[p] for p in TENSORS) / sum(big[p] for p in TENSORS)
        figures |= {
            f"{name} tensors": share,
            f"{name} whole": total / base,
            f"{name} all in fp8": all_narrow(workload),
            f"{name} fp32 bytes": float(base),
            f"{name} fp8 bytes": float(total),
        }
        rows += _rows(name, batch, big, small, share)
    tensors, whole = (
        [figures[f"{name} {what}"] for name, _ in networks] for what in ("tensors", "whole")
    )
    verdict = (
        f"weights, activations, errors and gradients, all in FP8, take "
        f"{figures[networks[0][0] + ' all in fp8']:.3f} of FP32's bytes; with the 16-bit input and last layer "
        f"of the published scheme {min(tensors):.3f} to {max(tensors):.3f}, and with 16-bit master "
        f"weights and momentum too {min(whole):.3f} to {max(whole):.3f}"
    )
    head = ["network", "batch", "training in", *PARTS, "whole", "tensors / FP32", "whole / FP32"]
    return Claim(
        "memory",
        "FP8 training needs a quarter of the memory of 32-bit training for its tensors (Wang et "
        "al., NeurIPS 2018; The Register, December 2018)",
        verdict,
        figures,
        [
            Table("MiB in training", head, rows),
        ],
        [
            "every activation and every error is counted as if all were held at once; views once",
            f"FP8: {NARROW}, but {HALF} for the network's input and the last layer; master weights and "
            f"momentum in {HALF}; FP32: no second copy of the weights",
            "plain momentum SGD; formats by their bits, packed",
        ],
        "counted, no tolerance; the whole comes to a quarter only where activations outweigh weights",
        [
            "the most that is alive at once: errors are freed as the backward pass goes on",
            "batch normalisation, which these layer traces have folded into convolutions; workspace of a library",
        ],
        lambda folder: _draw(folder, found),
    )


def _draw(folder: Path, found: dict[str, tuple[Bytes, Bytes]]) -> None:
    from accelsim.reports.style import figure, save

    made, axes = figure(3.0)
    looks = (
        ("#0072B2", ""),
        ("#56B4E9", "///"),
        ("#009E73", "..."),
        ("#F0E442", "xx"),
        ("#E69F00", "\\\\\\"),
        ("#CC79A7", "++"),
    )
    for number, pair in enumerate(found.values()):
        base = sum(pair[0].values())
        for side, (name, bytes_of) in enumerate(zip(("FP32", "FP8"), pair, strict=True)):
            at, below = number + 0.42 * (side - 0.5), 0.0
            for part, (colour, hatch) in zip(PARTS, looks, strict=True):
                axes.bar(
                    at,
                    bytes_of[part] / base,
                    0.36,
                    below,
                    color=colour,
                    hatch=hatch,
                    edgecolor="black",
                    linewidth=0.4,
                    label=part if number == side == 0 else None,
                )
                below += bytes_of[part] / base
            text = name if side == 0 else f"{name}\n{below:.2f}"
            axes.annotate(text, (at, below), (0, 2), textcoords="offset points", ha="center")
    axes.axhline(0.25, color="black", linewidth=0.8, linestyle="--")
    axes.annotate(
        "a quarter",
        (len(found) - 0.5, 0.25),
        (6, 0),
        textcoords="offset points",
        va="center",
        annotation_clip=False,
    )
    axes.set_xticks(range(len(found)), list(found))
    axes.set_xlim(-0.5, len(found) - 0.45)
    axes.set_ylim(0, 1.12)
    axes.set_ylabel("bytes in training, of FP32")
    axes.legend(
        ncols=6, loc="lower left", bbox_to_anchor=(0, 1.0), columnspacing=1.0, handletextpad=0.4
    )
    save(made, folder, "memory")
