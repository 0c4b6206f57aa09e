"""From float weights and stated activation ranges to the integer Network that a chip runs.

Values come from an .npz: "<operator>.weight", "<operator>.bias" (float), and for activations
"<tensor>.range" (low, high) with optional tighter "<tensor>.range4" for formats of up to five
bits. Every step is IEEE arithmetic in a fixed order, so the codes do not depend on the machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from accelsim.chip import Chip
from accelsim.errors import InputError, Problem, one_of
from accelsim.formats import Integer, get, integer
from accelsim.mapping.tensors import operator_formats, read_constants, tensor_formats
from accelsim.numerics.float_network import real
from accelsim.numerics.floors import finite, floors
from accelsim.numerics.lowering import weight_matrix
from accelsim.numerics.network import Network
from accelsim.numerics.quantize import (
    Quantization,
    RealRequantizer,
    Requantizer,
    Rounding,
    affine,
    fine,
    fixed_point,
    ratio,
    symmetric,
    whole_numbers,
)
from accelsim.numerics.ranges import Calibration, clip, weight_clip
from accelsim.workload import Conv2d, MacOperator, VectorOperator, Workload
from accelsim.workload.vector_kinds import VECTOR_KINDS

Values = Mapping[str, NDArray[np.generic]]
NARROW = 5  # bits up to which clipped ranges and searched weight clips are used
CLIPS = 24  # weight clips tried for narrow formats
BIAS_BITS = 30  # magnitude of a bias in units of its products, so that 32 bits hold it and the sum


def build_network(
    workload: Workload, chip: Chip, values: Values, rounding: Rounding = "single", weights: str = ""
) -> Network:
    """Quantise a workload's weights and plan its scales.

    Weights: symmetric, one scale an output channel. Activations: affine over the stated range. Where
    values state "<tensor>.scale" and "<tensor>.zero" (of an activation), or "<weight>.scale", those stand.
    weights: how weights are clipped, of ranges.WEIGHTS; "" for the default.
    Network outputs in the partial sums' format keep the sums. InputError names missing values and an unknown rounding.
    """
    one_of("rounding", rounding, get_args(Rounding))
    missing = [
        name
        for name, spec in workload.tensors.items()
        if spec.role in ("weight", "bias") and name not in values
    ]
    problems = [
        Problem(
            "values.missing",
            f"holds no tensor {name!r}",
            f"add it with shape {list(workload.tensors[name].shape)}",
            file=workload.values or "",
        )
        for name in missing
    ]
    if problems:
        raise InputError(problems)
    formats = tensor_formats(workload, chip)
    builder = NetworkBuilder(workload, chip, values, formats, rounding)
    builder.clips = weights
    return builder.build()


def weight_clips(weight: NDArray[np.float64], format_name: str) -> NDArray[np.float64]:
    """(channels,) clip of each column of (k, channels): its largest magnitude, and for narrow
    formats the fraction of it with the least squared error."""
    peak = np.abs(weight).max(axis=0)
    record = integer(format_name)
    if record.bits > NARROW:
        return np.asarray(peak, np.float64)
    best, clips = np.full(peak.shape, np.inf), peak.copy()
    for step in range(CLIPS):
        clip = peak * (1 - step / (1.5 * CLIPS))
        scale = np.maximum(clip, 1e-30) / record.maximum
        codes = np.clip(np.rint(weight / scale), record.minimum, record.maximum)
        error = np.cumsum((codes * scale - weight) ** 2, axis=0)[-1]  # in order on every CPU
        better = error < best
        best, clips = np.where(better, error, best), np.where(better, clip, clips)
    return np.asarray(clips, np.float64)


def multiplied(workload: Workload) -> set[str]:
    """Tensors that are an operand of a product of two computed tensors, and what they are views of."""
    found = {
        name
        for op in workload.operators
        if not isinstance(op, VectorOperator) and not workload.is_stored(op.weight)
        for name in (op.input, op.weight)
    }
    for op in reversed(workload.operators):
        if (
            isinstance(op, VectorOperator)
            and op.output in found
            and (op.is_view or op.kind == "append")
        ):
            found.add(op.inputs[0])
    return found


def ranges_of(
    workload: Workload,
    tensors: Mapping[str, NDArray[np.float64]],
    how: Calibration,
    formats: Mapping[str, str],
    stored: Values,
) -> dict[str, NDArray[np.float64]]:
    """ "<tensor>.range" of every tensor from its real values on given inputs, as ``how`` says for codes of its
    format; of stored ones that are read only where they hold values that get no codes (floors.py)."""
    constants = {name: np.asarray(stored[name], np.float64) for name in read_constants(workload)}
    least = floors(workload, tensors, formats, constants)
    needed = {
        name: value
        for name, value in constants.items()
        if name in least or not np.isfinite(value).all()
    }
    found = {}
    for name, value in {**needed, **tensors}.items():
        if name in formats and value.size:
            kept = finite(np.asarray(value, np.float64).ravel())
            low = least.get(name, -np.inf)
            found[f"{name}.range"] = clip(
                np.maximum(kept, low) if low > -np.inf else kept, formats[name], how
            )
            if low > -np.inf and np.isneginf(value).any():
                found[f"{name}.range"][0] = min(low, found[f"{name}.range"][0])
    for op in workload.operators:
        if isinstance(op, VectorOperator) and op.kind == "append":  # one scale for old and new rows
            found[f"{op.inputs[0]}.range"] = found[f"{op.output}.range"]
    return found


def with_ranges(
    workload: Workload,
    chip: Chip,
    stored: Values,
    seen: Sequence[Mapping[str, NDArray[np.float64]]],
    how: Calibration,
) -> tuple[dict[str, NDArray[np.generic]], str]:
    """(stored values with ranges from the real values of tensors, in the place of stated ranges; a sentence
    that says how). seen: the tensors of every batch."""
    formats = tensor_formats(workload, chip)
    tensors = (
        dict(seen[0])
        if len(seen) == 1
        else {
            name: np.concatenate([np.asarray(part[name]).ravel() for part in seen])
            for name in seen[0]
        }
    )
    kept = {
        name: value for name, value in stored.items() if not name.endswith((".range", ".range4"))
    }
    made = {**kept, **ranges_of(workload, tensors, how, formats, stored)}
    share = f" ({how.percentile:g} %)" if how.activations == "percentile" else ""
    return made, (
        f"ranges of activations: {how.activations}{share}, weights: "
        f"{how.weights or 'default'} clips, from"
    )


class NetworkBuilder:
    """Plans scales operator by operator; replays of recorded layers put recorded ones in their place."""

    def __init__(
        self,
        workload: Workload,
        chip: Chip,
        values: Values,
        formats: Mapping[str, str],
        rounding: Rounding,
    ) -> None:
        self.workload, self.chip, self.values = workload, chip, values
        self.formats, self.rounding = formats, rounding
        self.symmetric = multiplied(workload)
        self.activations: dict[str, Quantization] = {}
        self.weights: dict[str, NDArray[np.int64]] = {}
        self.weight_formats: dict[str, str] = {}
        self.weight_scales: dict[str, NDArray[np.float64]] = {}
        self.requantizers: dict[str, tuple[Requantizer | RealRequantizer, ...]] = {}
        kind = "symmetric where negative, else affine" if chip.crossbar is not None else "affine"
        self.notes = ["weights: symmetric, per output channel", f"activations: {kind}, per tensor"]
        self.clips = ""
        self.without_range: list[str] = []

    def build(self) -> Network:
        for name, spec in self.workload.tensors.items():
            if spec.role == "input":
                self.activations[name] = self.ranged(name)
        for name in sorted(read_constants(self.workload)):
            self.activations[name] = self.constant(name)
        for op in self.workload.operators:
            if not isinstance(op, VectorOperator):
                self.mac(op)
            elif self.shares(op):
                source = self.activations[op.inputs[0]]
                self.activations[op.output] = (
                    source.viewed(op.input_shapes[0], op.output_shape, op.order)
                    if op.is_view
                    else source
                )
            else:
                self.activations[op.output] = self.ranged(op.output)
        if self.without_range:
            raise InputError(
                [
                    Problem(
                        "values.range",
                        f"holds no range of the activation {name!r}",
                        f"add {name}.range = [low, high], or run with --calibrate max",
                        file=self.workload.values or "",
                    )
                    for name in dict.fromkeys(self.without_range)
                ]
            )
        return Network(
            self.activations,
            self.weights,
            self.requantizers,
            self.weight_formats,
            self.notes,
            weight_scales=self.weight_scales,
        )

    def shares(self, op: VectorOperator) -> bool:
        """Whether an operator's output has the codes of its first input."""
        if op.is_view or op.kind == "append":
            return True
        first, last = (self.workload.tensors[name] for name in (op.inputs[0], op.output))
        return (
            VECTOR_KINDS[op.kind].shares_scale
            and self.formats[op.output] == self.formats[op.inputs[0]]
            and first.holds == last.holds
            and not self.states(op.output)
        )

    def constant(self, name: str) -> Quantization:
        """The quantisation of a stored tensor that is read as an input."""
        value = np.asarray(self.values[name], np.float64)
        if self.workload.tensors[name].holds == "integers" or any(
            f"{name}.{key}" in self.values for key in ("scale", "range")
        ):
            return self.ranged(name)
        if not value.size:
            return self.between(name, 0.0, 0.0)
        return self.between(name, float(value.min()), float(value.max()))

    def ranged(self, name: str, relu: bool = False) -> Quantization:
        """The quantisation of a tensor: its integers themselves, values of a float format, a stated scale, else
        over its range."""
        holds = self.workload.tensors[name].holds
        if holds == "integers":
            return self.integers(name)
        if not isinstance(get(self.formats[name]), Integer):
            return real(self.formats[name])
        if self.states(name):
            made = self.stated(name)
            if made.zero == 0 or name not in self.symmetric:
                return made
            self.notes.append(
                f"{name}: a scale of ours, its own has no zero at code 0 (product of tensors)"
            )
        low, high = self.range(name)
        return self.between(name, 0.0 if relu else low, high, relu)

    def range(self, name: str) -> tuple[float, float]:
        """The stated range of an activation; one that is missing is noted, and build() refuses them all."""
        key = f"{name}.range"
        bits = get(self.formats[name]).bits
        if bits <= NARROW and f"{key}4" in self.values:
            key = f"{key}4"
        if key not in self.values:
            self.without_range.append(name)
            return 0.0, 1.0
        low, high = (float(v) for v in np.asarray(self.values[key], np.float64).ravel()[:2])
        return low, high

    def integers(self, name: str) -> Quantization:
        """Integers as they are, shifted where an array's format holds as many but others."""
        form = self.formats[name]
        record = integer(form)
        if self.workload.tensors[name].format is not None or f"{name}.range" not in self.values:
            return whole_numbers(form)
        low, high = (round(value) for value in self.range(name))
        if record.minimum <= low and high <= record.maximum:
            return whole_numbers(form)
        if (
            high - low <= record.maximum - record.minimum
            and name not in self.symmetric
            and (low <= 0 <= high)
        ):
            return replace(whole_numbers(form), zero=record.minimum - low)
        self.notes.append(
            f"{name}: integers of {low} to {high} are scaled to the {form} that an array reads"
        )
        return self.between(name, low, high)

    def states(self, name: str) -> bool:
        """Whether the values state a scale of an activation; a normalisation's own scale has that name too."""
        key = f"{name}.scale"
        return key in self.values and key not in self.workload.tensors

    def stated(self, name: str) -> Quantization:
        """The scale and zero point that the values state."""
        zero = int(self.values[f"{name}.zero"]) if f"{name}.zero" in self.values else 0
        scale = np.asarray(self.values[f"{name}.scale"], np.float64).reshape(())
        ends = self.values.get(f"{name}.codes")
        low, high = (None, None) if ends is None else (int(code) for code in np.ravel(ends))
        return Quantization(self.formats[name], scale, zero, low, high)

    def between(self, name: str, low: float, high: float, relu: bool = False) -> Quantization:
        """The quantisation of a tensor whose values lie in low..high. Operands of products of two
        tensors have their zero at code 0, so that no correction depends on the other operand."""
        if not isinstance(get(self.formats[name]), Integer):
            return real(self.formats[name])
        if low == high == 0:  # a state of zeros: any scale holds it
            high = 1.0
        if self.workload.tensors[name].holds == "fine":
            return fine(low, high, self.formats[name])
        analog = self.chip.crossbar is not None and low < 0 and not relu
        if analog or name in self.symmetric:
            return symmetric(max(-low, high), self.formats[name])
        return affine(low, high, self.formats[name])

    def weight_quantization(
        self,
        op: MacOperator,
        group: int,
        matrix: NDArray[np.float64],
        name: str,
        least: NDArray[np.float64],
    ) -> Quantization:
        """Scales of a group's weights (k, n) in a format. least: (n,) scales below which the channel's bias
        would not fit; a channel of zeros has that one, whatever is stated."""
        if f"{op.weight}.scale" in self.values:
            whole = np.asarray(self.values[f"{op.weight}.scale"], np.float64).reshape(-1)
            stated = np.broadcast_to(whole, op.groups * op.n).reshape(op.groups, op.n)[group]
            dead = (stated == 0) | ~matrix.any(axis=0)
            return Quantization(name, np.where(dead, np.maximum(stated, least), stated))
        clips = weight_clip(matrix, name, self.clips) if self.clips else weight_clips(matrix, name)
        made = symmetric(clips, name)
        return Quantization(name, np.maximum(made.scale, least))

    def mac(self, op: MacOperator) -> None:
        source = self.activations[op.input]
        name = operator_formats(op, self.chip)[1]
        groups, n = op.groups, op.n
        codes = np.zeros((groups, 1, n), np.int64)
        scales = np.empty((groups, n))
        bias = np.zeros((groups, n))
        if op.bias is not None:
            bias = np.asarray(self.values[op.bias], np.float64).reshape(groups, n)
        least = ratio(np.abs(bias), np.asarray(source.scale, np.float64) * 2.0**BIAS_BITS)
        if self.workload.is_stored(op.weight):
            matrix = np.asarray(weight_matrix(op, np.asarray(self.values[op.weight])), np.float64)
            codes = np.empty(matrix.shape, np.int64)
            for g in range(groups):
                quant = self.weight_quantization(op, g, matrix[g], name, least[g])
                codes[g], scales[g] = quant.encode(matrix[g]), quant.scale
            self.weights[op.name] = codes
        else:
            scales[:] = self.activations[op.weight].scale
        self.weight_formats[op.name], self.weight_scales[op.name] = name, scales
        wide = np.asarray(source.scale, np.float64) * scales
        sums_bias = np.rint(ratio(bias, wide)).astype(np.int64) - source.zero * codes.sum(axis=1)
        relu = op.activation == "relu"
        if not isinstance(get(self.formats[op.output]), Integer):
            self.activations[op.output] = real(self.formats[op.output])
            self.requantizers[op.name] = tuple(
                RealRequantizer(sums_bias[g], wide[g], self.formats[op.output], relu)
                for g in range(groups)
            )
            return
        record, rounding = integer(self.formats[op.output]), self.rounding
        if self.workload.tensors[op.output].role == "output" and record.bits >= 20:
            shape = (groups * n, 1, 1) if isinstance(op, Conv2d) else (groups, 1, n)
            scale = wide.reshape(shape if groups > 1 or isinstance(op, Conv2d) else (n,))
            out, factor, rounding = Quantization(record.name, scale), np.ones((groups, n)), "single"
        else:
            out = self.ranged(op.output, relu)
            factor = ratio(wide, out.scale)
            if (
                rounding == "float32"
            ):  # as onnxruntime multiplies: scales and their ratio in float32
                product = np.float32(source.scale) * scales.astype(np.float32)
                factor = np.asarray(product / np.float32(out.scale or np.inf), np.float64)
        self.activations[op.output] = out
        multiplier, shift = fixed_point(factor)
        floor = max(out.minimum, out.zero) if relu else out.minimum
        self.requantizers[op.name] = tuple(
            Requantizer(
                sums_bias[g], multiplier[g], shift[g], out.zero, floor, out.maximum, rounding
            )
            for g in range(groups)
        )
