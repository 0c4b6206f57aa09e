"""Thirty devices, digits 0, 1 and 4: a linear layer of ten features and three classes in cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accelsim.claims.claim import Claim, Table
from accelsim.devices import device_named
from accelsim.devices.pulses import program_and_verify, pulses_named
from accelsim.noise import Stream
from accelsim.shipped import folder as shipped_folder

Floats = NDArray[np.float64]
CLASSES = (0, 1, 4)
FEATURES, PROGRAMMINGS = 10, 100
AGES = (("20 s", 20.0), ("1 day", 86400.0), ("1 year", 3.1536e7))
DEVICES = (("projected", "fine"), ("plain", "fine"), ("pcm_like", "iterative"))


def data() -> tuple[Floats, NDArray[np.int64], Floats, NDArray[np.int64]]:
    """(training features, classes, test features, classes): the ten pixels, 0..1, that separate the
    classes best; even images of the shipped set train, odd ones test."""
    with np.load(shipped_folder("workload") / "digits.npz") as file:
        images, labels = file["images"].astype(np.float64) / 16.0, file["labels"].astype(np.int64)
    keep = np.isin(labels, CLASSES)
    x, labels = images[keep].reshape(-1, 64), np.searchsorted(CLASSES, labels[keep])
    seen, classes = x[::2], labels[::2]
    means = np.stack([seen[classes == c].mean(axis=0) for c in range(len(CLASSES))])
    within = sum(seen[classes == c].var(axis=0) for c in range(len(CLASSES)))
    best = np.argsort(-means.var(axis=0) / (within + 1e-3), kind="stable")[:FEATURES]
    return seen[:, best], classes, x[1::2][:, best], labels[1::2]


def train(x: Floats, labels: NDArray[np.int64], turns: int = 4000, rate: float = 1.0) -> Floats:
    """(10, 3) weights by gradient descent on the cross-entropy; no bias."""
    w = np.zeros((FEATURES, len(CLASSES)))
    goal = np.eye(len(CLASSES))[labels]
    for _ in range(turns):
        score = x @ w
        p = np.exp(score - score.max(axis=1, keepdims=True))
        w -= rate * (x.T @ (p / p.sum(axis=1, keepdims=True) - goal) / len(x) + 1e-4 * w)
    return w


def right(w: Floats, x: Floats, labels: NDArray[np.int64]) -> float:
    """Part of the features that weights classify right."""
    return float(((x @ w).argmax(axis=1) == labels).mean())


def compute(seed: int) -> Claim:
    """The claim's figures for one seed."""
    x, labels, seen, truth = data()
    w = train(x, labels)
    exact = right(w, seen, truth)
    # One device a weight: a constant a feature, the same for all classes, changes no decision.
    part = w - w.min(axis=1, keepdims=True)
    part /= part.max()
    figures, rows = {"float": exact}, []
    for name, pulses in DEVICES:
        device = device_named(name)
        goal = device.g_min + (device.g_max - device.g_min) * part
        cells = np.broadcast_to(goal, (PROGRAMMINGS, *goal.shape)).copy()
        made = program_and_verify(pulses_named(pulses), device, cells, Stream(seed, (name,)))
        for label, age in AGES:
            g = device.read(made.cells, age, Stream(seed, (name, "read", label)))
            got = np.array([right(one, seen, truth) for one in g])
            figures[f"{name} {label}"] = float(got.mean())
            shares = (got.mean(), got.std(ddof=1), got.min())
            rows.append([name, label, *(f"{100 * share:.2f}" for share in shares)])
    verdict = (
        f"30 projected devices tell {100 * figures['projected 20 s']:.1f} % of {len(truth)} unseen digits "
        f"apart after 20 s and {100 * figures['projected 1 year']:.1f} % after a year; float "
        f"{100 * exact:.1f} %"
    )

    def draw(folder: Path) -> None:
        from accelsim.claims import pictures

        pictures.digits_three(
            folder, figures, [name for name, _ in DEVICES], [label for label, _ in AGES]
        )

    return Claim(
        "digits_three",
        "a network of 30 projected devices told the digits 0, 1 and 4 apart (Giannopoulos et al., "
        "IEDM 2018)",
        verdict,
        figures,
        [
            Table(
                f"top-1 of {PROGRAMMINGS} programmings",
                ["device", "age", "mean %", "deviation", "least %"],
                rows,
            )
        ],
        [
            "scikit-learn's 8 x 8 digits, the ten pixels that separate the classes best; trained on one half "
            "of the shipped images, shown on the other",
            "one device a weight; inputs exact, no converter",
        ],
        f"{len(truth)} test images: one image is {100 / len(truth):.1f} points",
        [
            "the published network's features and images, which are not public",
            "classes that are harder to tell apart",
        ],
        draw,
    )
