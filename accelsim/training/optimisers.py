"""How a step changes a trained tensor, as operators of the vector unit.

Every optimiser's moments are stored tensors of the step, named after what they belong to, zeros before the first step.
What comes out is named with ``.next``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from accelsim.errors import InputError, Problem
from accelsim.workload import TensorSpec
from accelsim.workload.backward import Backward, Path

NEXT = "next"
#: of weights only: biases, scales and shifts are not drawn to zero
DECAYED = "weight"


@dataclass(frozen=True, slots=True)
class Sgd:
    """W' = W - rate V', V' = momentum V + g, g = dW + decay W: three AXPYs, each left out where its factor is 0.

    rate: learning rate, above 0. momentum: 0..1. decay: of weights, 0 up."""

    rate: float = 0.1
    momentum: float = 0.0
    decay: float = 0.0

    def __post_init__(self) -> None:
        _inside(self, {"rate": (0.0, 1e3), "momentum": (0.0, 1.0), "decay": (0.0, 1.0)})

    def update(self, name: str, gradient: str, back: Backward) -> None:
        """Append what changes a tensor by its gradient."""
        path, shape = Path(back, name, name, "update"), back.shape(name)
        change = _decayed(name, gradient, self.decay, path)
        if self.momentum:
            velocity = _moment(name, "velocity", back)
            more = {"factors": (self.momentum,)}
            change = _next(velocity, path.vector("axpy", [velocity, change], shape, **more), back)
        _next(name, path.vector("axpy", [change, name], shape, factors=(-self.rate,)), back)


@dataclass(frozen=True, slots=True)
class Adam:
    """W' = W - rate m' / (sqrt(v') + floor) with moments corrected for their start (Kingma and Ba, arXiv 1412.6980).

    rate: above 0. betas: of both moments, 0..1. floor: above 0. decay: of weights, added to their gradient, 0 up.
    step: which step it is, from 1 on, on which the correction depends."""

    rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    floor: float = 1e-8
    decay: float = 0.0
    step: int = 1

    def __post_init__(self) -> None:
        _inside(self, {"rate": (0.0, 1e3), "floor": (0.0, 1.0), "decay": (0.0, 1.0)})
        if not all(0 <= beta < 1 for beta in self.betas) or len(self.betas) != 2 or self.step < 1:
            message = f"has betas {list(self.betas)} and step {self.step}"
            fix = "write betas from 0 to below 1, a step from 1 on"
            raise InputError(Problem("training.optimiser", message, fix, "Adam.betas"))

    def update(self, name: str, gradient: str, back: Backward) -> None:
        """Append what changes a tensor by its gradient."""
        path, shape = Path(back, name, name, "update"), back.shape(name)
        change = _decayed(name, gradient, self.decay, path)
        kinds, moments = ("moving_average", "moving_average_of_squares"), []
        for kind, moment, beta in zip(kinds, ("mean", "square"), self.betas, strict=True):
            stored = _moment(name, moment, back)
            made = path.vector(kind, [stored, change], shape, factors=(beta,))
            moments.append(_next(stored, made, back))
        first, second = (1.0 - beta**self.step for beta in self.betas)
        factors = (self.rate / first, sqrt(second), self.floor)
        _next(name, path.vector("adam_update", [name, *moments], shape, factors=factors), back)


Optimiser = Sgd | Adam


def _decayed(name: str, gradient: str, decay: float, path: Path) -> str:
    """A gradient with the weight's decay added."""
    spec = path.back.tensors[name]
    if not decay or spec.role != DECAYED:
        return gradient
    return path.vector("axpy", [name, gradient], spec.shape, factors=(decay,))


def _moment(name: str, moment: str, back: Backward) -> str:
    """A stored tensor of a trained one's shape."""
    found = f"{name}.{moment}"
    back.tensors[found] = TensorSpec(found, back.shape(name), "weight")
    return found


def _next(name: str, made: str, back: Backward) -> str:
    """What stands for a tensor in the next step, by its name."""
    return back.rename(made, f"{name}.{NEXT}", updates=name)


def _inside(optimiser: Sgd | Adam, bounds: dict[str, tuple[float, float]]) -> None:
    """InputError where a number is outside its bounds; a rate and a floor of 0 are."""
    name = type(optimiser).__name__
    problems = [
        Problem(
            "training.optimiser",
            f"is {value}",
            f"write a number {'above' if key in ('rate', 'floor') else 'from'} {low:g} to {high:g}",
            f"{name}.{key}",
        )
        for key, (low, high) in bounds.items()
        if not low <= (value := getattr(optimiser, key)) <= high
        or (value == 0 and key in ("rate", "floor"))
    ]
    if problems:
        raise InputError(problems)
