"""What of a run's precision to say first: its outputs' signal to noise, and where it is lost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accelsim.formats import Integer, get
from accelsim.mapping.tensors import tensor_formats
from accelsim.workload import Operator, VectorOperator

if TYPE_CHECKING:
    from accelsim.results.result import Result

MUCH = 10.0  # dB that an operator may lose without a line


@dataclass(frozen=True, slots=True)
class Loss:
    """The first operator, in order, that loses more than MUCH decibels. before: the least of its inputs, at
    most what its output's format can hold; after: its output's."""

    operator: str
    kind: str
    before: float
    after: float


def most(format_name: str) -> float:
    """Signal to noise in dB of a full-scale sine in a format: 6.02 a bit and 1.76 (Bennett 1948)."""
    record = get(format_name)
    bits = (
        record.bits
        if isinstance(record, Integer) or record.grid is None
        else record.grid.precision + 1
    )
    return 20 * math.log10(2) * bits + 10 * math.log10(1.5)


def first_loss(result: Result) -> Loss | None:
    """The operator from which on the most is lost; None where none loses much, and without values."""
    if result.values is None:
        return None
    noise = result.values.signal_to_noise_db
    formats = tensor_formats(result.workload, result.chip)
    for op in result.workload.operators:
        after = noise.get(op.output)
        known = [noise[name] for name in _read(op) if name in noise]
        if after is None or not known or after == -math.inf or _is_view(op):
            continue
        before = min(*known, most(formats[op.output]))
        if before - after > MUCH:
            return Loss(op.name, op.kind, before, after)
    return None


def _read(op: Operator) -> tuple[str, ...]:
    return op.inputs if isinstance(op, VectorOperator) else (op.input, op.weight)


def _is_view(op: Operator) -> bool:
    return isinstance(op, VectorOperator) and op.is_view


def decibels_said(value: float) -> str:
    """A signal to noise for people."""
    if math.isinf(value):
        return "exact" if value > 0 else "no signal"
    return f"{value:.1f} dB"


def lines(result: Result) -> list[str]:
    """The outputs' signal to noise, against what, and the first operator that loses much."""
    values = result.values
    if values is None:
        return []
    known = [
        (name, values.signal_to_noise_db[name])
        for name in values.outputs
        if name in values.signal_to_noise_db
    ]
    found = []
    if known:
        listed = ", ".join(f"{name} {decibels_said(value)}" for name, value in known[:8])
        rest = f", and {len(known) - 8} more" if len(known) > 8 else ""
        against = (
            "onnxruntime's"
            if values.checked is not None and values.checked.outputs
            else "the float reference's"
        )
        found.append(f"output SNR: {listed}{rest} (against {against} values)")
    loss = first_loss(result)
    if loss is not None:
        found.append(
            f"first operator that loses more than {MUCH:g} dB: {loss.operator} ({loss.kind}), "
            f"{loss.before:.1f} to {loss.after:.1f} dB"
        )
    if values.checked is not None:
        found.append(values.checked.line())
    return found


def plain(result: Result) -> dict[str, Any]:
    """The same as JSON values."""
    values, loss = result.values, first_loss(result)
    found: dict[str, Any] = {}
    if loss is not None:
        found["first_loss"] = {
            "operator": loss.operator,
            "kind": loss.kind,
            "from_db": round(loss.before, 4),
            "to_db": round(loss.after, 4),
        }
    if values is not None and values.checked is not None:
        found["reference_check"] = values.checked.plain()
    return found
