"""A perceptron with one hidden layer, trained on the shipped digits in an arithmetic given as a record.

Every product is formed by accelsim's accumulators, every stored number by its formats; images,
first weights and the order of images come from counter-based streams, so that a run has the same
bits on every machine. Biases are weights of an input that is always 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from accelsim.formats import Format, get
from accelsim.formats.random_bits import key_of
from accelsim.noise import Stream, exp
from accelsim.shipped import folder as shipped_folder
from accelsim.units.accumulation import Accumulation, Adder, accumulate, adder

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
CLASSES = 10
FULL_SCALE = 16.0  # of the images' pixels


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What a network computes in.

    operand: format of every value that enters or leaves a product: activations, errors, weights as
    read. accumulate: the accumulator. rounding: of the result of a product to ``operand``.
    weight, weight_rounding: the format that weights are stored in, and how an update is rounded
    to it.
    """

    operand: str | Format = "fp32"
    accumulate: Accumulation = field(default_factory=Accumulation)
    rounding: str = "nearest_even"
    weight: str | Format = "fp32"
    weight_rounding: str = "nearest_even"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Plain SGD: hidden units, learning rate, images a step, passes over the training images. deviation:
    of the first weights, 0: the square root of 2 / inputs. look: passes from one test to the next."""

    hidden: int
    rate: float
    batch: int
    passes: int
    deviation: float = 0.0
    look: int = 5


@dataclass(frozen=True, slots=True)
class Trained:
    """Shares of the test images that are classified right, every so many passes; the last weights;
    share of the weights that a step of the last pass changed."""

    accuracy: list[float]
    weights: list[Floats]
    moved: float


@lru_cache(maxsize=1)
def digits() -> tuple[Floats, Labels, Floats, Labels]:
    """(training images 0..1 (n, 64), labels, test images, labels), as scripts/train_digits.py parts them."""
    found: list[NDArray[np.generic]] = []
    for name in ("digits_train", "digits"):
        with np.load(shipped_folder("workload") / f"{name}.npz") as file:
            found += [file["images"].reshape(-1, 64) / FULL_SCALE, file["labels"].astype(np.int64)]
    return tuple(found)  # type: ignore[return-value]


def with_ones(x: Floats) -> Floats:
    """x with a last column of ones."""
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def probabilities(scores: Floats) -> Floats:
    """Softmax of (b, classes), float64, summed class by class."""
    raised = exp(np.ascontiguousarray((scores - scores.max(axis=1, keepdims=True)).T))
    return np.ascontiguousarray((raised / raised.sum(axis=0)).T)


class Network:
    """Weights (inputs + 1, hidden) and (hidden + 1, classes) and what is done with them."""

    def __init__(self, how: Arithmetic, schedule: Schedule, seed: int) -> None:
        self.how, self.seed, self.drawn = how, seed, 0
        self.operand = how.operand if isinstance(how.operand, Format) else get(how.operand)
        self.store = how.weight if isinstance(how.weight, Format) else get(how.weight)
        grid = self.operand.grid
        assert grid is not None
        self.unit: Adder = adder(how.accumulate, grid, grid)
        other = self.store.grid
        assert other is not None
        #: whether every stored weight is an operand as it is
        self.fits = (
            other.precision <= grid.precision
            and other.quantum >= grid.quantum
            and other.top <= grid.top
        )
        self.weights = []
        for number, (m, n) in enumerate(((64, schedule.hidden), (schedule.hidden, CLASSES))):
            first = Stream(seed, ("first weights", number)).normal((m, n))
            first = first * (schedule.deviation or np.sqrt(2.0 / m))
            self.weights.append(
                self.rounded(
                    np.concatenate([first, np.zeros((1, n))]), self.store, how.weight_rounding
                )
            )

    def rounded(self, x: Floats, form: Format, rounding: str) -> Floats:
        """x in a format; every call of a network draws other random bits."""
        self.drawn += 1
        return form.quantize(x, rounding, seed=int(key_of(self.seed, self.drawn)))

    def product(self, a: Floats, b: Floats) -> Floats:
        """The sums a @ b as the accumulator leaves them."""
        if len(a) > b.shape[1]:  # the same sums; the loops run along the last axis
            return accumulate(np.ascontiguousarray(b.T), np.ascontiguousarray(a.T), self.unit).T
        return accumulate(np.ascontiguousarray(a), np.ascontiguousarray(b), self.unit)

    def value(self, x: Floats) -> Floats:
        """Sums as an operand."""
        if self.unit.record == self.operand:
            return x
        return self.rounded(x, self.operand, self.how.rounding)

    def read(self, weights: Floats) -> Floats:
        """Stored weights as an operand."""
        return weights if self.fits else self.rounded(weights, self.operand, self.how.rounding)

    def forward(self, x: Floats) -> tuple[Floats, Floats]:
        """(hidden activations with a one, scores) of images with a one."""
        first, second = (self.read(w) for w in self.weights)
        hidden = with_ones(np.maximum(self.value(self.product(x, first)), 0.0))
        return hidden, self.value(self.product(hidden, second))

    def step(self, x: Floats, labels: Labels, rate: float) -> float:
        """One step on images with a one; the share of weights that it changed."""
        hidden, scores = self.forward(x)
        error = probabilities(scores) - np.eye(CLASSES)[labels]
        error = np.where((scores >= self.operand.largest) & (error < 0.0), 0.0, error)
        error = np.where((scores <= self.operand.lowest) & (error > 0.0), 0.0, error)
        error = self.rounded(error, self.operand, self.how.rounding)
        back = self.value(self.product(error, self.read(self.weights[1][:-1]).T))
        back = np.where(hidden[:, :-1] > 0.0, back, 0.0)
        moved = 0
        for number, (left, right) in enumerate(((x, back), (hidden, error))):
            old = self.weights[number]
            change = rate / len(x) * self.product(left.T, right)
            self.weights[number] = self.rounded(old - change, self.store, self.how.weight_rounding)
            moved += int((self.weights[number] != old).sum())
        return moved / sum(w.size for w in self.weights)

    def accuracy(self, x: Floats, labels: Labels) -> float:
        """Share of images with a one that are classified right."""
        return float((self.forward(x)[1].argmax(axis=1) == labels).mean())


def train(how: Arithmetic, schedule: Schedule, seed: int, images: int | None = None) -> Trained:
    """Train one network. seed: of first weights, order of images and random bits, the first two the same
    for every arithmetic. images: training images, default all."""
    x, labels, seen, truth = digits()
    x, labels = x[:images], labels[:images]
    network = Network(how, schedule, seed)
    x, seen = (with_ones(network.operand.quantize(part)) for part in (x, seen))
    found, moved = [], []
    for turn in range(schedule.passes):
        order = np.argsort(Stream(seed, ("order", turn)).raw(len(x)), kind="stable")
        moved = [
            network.step(x[part], labels[part], schedule.rate)
            for part in np.split(
                order[: len(order) // schedule.batch * schedule.batch], len(order) // schedule.batch
            )
        ]
        if (turn + 1) % schedule.look == 0 or turn + 1 == schedule.passes:
            found.append(network.accuracy(seen, truth))
    return Trained(found, network.weights, float(np.mean(moved)))


def top1(lines: Sequence[Sequence[float]]) -> tuple[float, float, float, float]:
    """Mean, deviation (0 of a single network), least and most of what several networks end at."""
    last = np.array([line[-1] for line in lines])
    spread = float(last.std(ddof=1)) if len(last) > 1 else 0.0
    return float(last.mean()), spread, float(last.min()), float(last.max())
