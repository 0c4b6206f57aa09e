"""LSTM, GRU and RNN unrolled: input products of all steps at once, then step by step the recurrent
product and the cell. Steps share their recurrent weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from accelsim.importers.onnx_build import Builder, Lookup, Recipe, attributes
from accelsim.workload import Gemm

MOST_STEPS = 4096
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
USUAL = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def recurrent(b: Builder, node: Any) -> None:
    """One node, every direction."""
    options = attributes(node)
    kind = node.op_type
    hidden = int(options["hidden_size"])
    direction = options.get("direction", b"forward").decode()
    names = [*node.input, *[""] * 8][:8]
    steps, batch, width = b.shape(names[0])
    if options.get("layout", 0):
        raise b.wrong(node, "has the batch first", "export it with layout 0")
    if steps > MOST_STEPS:
        raise b.wrong(node, f"has {steps} steps", f"give at most {MOST_STEPS}")
    lengths = np.asarray(b.graph.small.get(names[4], steps if not names[4] else -1))
    if (lengths != steps).any():
        raise b.wrong(node, "has sequences of several lengths", "give sequences of one length")
    if len(node.input) > 7 and node.input[7]:
        raise b.wrong(node, "has peepholes", "export it without")
    if options.get("clip"):
        raise b.wrong(node, "clips its gates", "export it without")
    given = tuple(a.decode().lower() for a in options.get("activations", ()))
    if given and given != USUAL[kind] * (len(given) // len(USUAL[kind])):
        raise b.wrong(node, f"has the activations {', '.join(given)}", "use the usual ones")
    if not b.is_constant(names[1]) or not b.is_constant(names[2]):
        raise b.wrong(node, "its weights are computed", "export the model with stored weights")
    sides = {"forward": ("f",), "reverse": ("r",), "bidirectional": ("f", "r")}[direction]
    flat = b.view(names[0], (steps * batch, width))
    states: list[list[str]] = []
    lasts: list[tuple[str, str]] = []
    for number, side in enumerate(sides):
        shape, after = (hidden, steps, batch, width), bool(options.get("linear_before_reset", 0))
        run = _Direction(b, node, names, number, side, *shape, flat, after)
        states.append(run.unroll())
        lasts.append((states[-1][0 if side == "r" else -1], run.cell))
    _outputs(b, node, states, lasts, (steps, len(sides), batch, hidden))


def _outputs(
    b: Builder,
    node: Any,
    states: list[list[str]],
    lasts: list[tuple[str, str]],
    shape: tuple[int, ...],
) -> None:
    steps, sides, batch, hidden = shape
    names = [*node.output, "", "", ""]

    def wanted(name: str) -> bool:
        return bool(name) and (bool(b.graph.consumers.get(name)) or name in b.graph.outputs)

    if wanted(names[0]):
        parts = [state for step in range(steps) for state in (side[step] for side in states)]
        together = b.vector(
            "concat",
            f"{node.name}/states",
            parts,
            f"{names[0]}:rows",
            (steps * sides * batch, hidden),
            lambda inputs, look: np.concatenate(inputs, 0),
        )
        b.view(together, (steps, sides, batch, hidden), names[0])
    for number, output in ((0, names[1]), (1, names[2] if node.op_type == "LSTM" else "")):
        if not wanted(output):
            continue
        ends = [last[number] for last in lasts]
        if len(ends) == 1:
            b.view(ends[0], (1, batch, hidden), output)
            continue
        both = b.vector(
            "concat",
            f"{node.name}/last{number}",
            ends,
            f"{output}:rows",
            (sides * batch, hidden),
            lambda inputs, look: np.concatenate(inputs, 0),
        )
        b.view(both, (sides, batch, hidden), output)


@dataclass(slots=True)
class _Direction:
    """The steps of one direction, of number ``number``, side f or r. names: of the node's inputs; flat: the input
    (steps x batch, width). after: a GRU's reset gate comes behind the product. cell: the LSTM's cell state
    after the last."""

    b: Builder
    node: Any
    names: Sequence[str]
    number: int
    side: str
    hidden: int
    steps: int
    batch: int
    width: int
    flat: str
    after: bool
    cell: str = ""

    @property
    def kind(self) -> str:
        """LSTM, GRU or RNN."""
        return str(self.node.op_type)

    @property
    def gates(self) -> int:
        """How many, each of ``hidden`` outputs."""
        return GATES[self.kind]

    @property
    def base(self) -> str:
        """What the names of its operators begin with."""
        return f"{self.node.name}/{self.side}"

    def weight(self, name: str, rows: slice = slice(None)) -> Recipe:
        """(gates x hidden, k) of this direction."""
        number = self.number
        return lambda look: np.asarray(look(name))[number][rows]

    def state(self, name: str, what: str) -> str:
        """(batch, hidden) before the first step: given, or zeros that are stored."""
        b, shape = self.b, (self.batch, self.hidden)
        if not name:
            return b.stored(f"{self.base}/{what}0", shape, lambda look: np.zeros(shape))
        if b.is_constant(name):
            number = self.number
            return b.stored(
                f"{self.base}/{what}0", shape, lambda look: np.asarray(look(name))[number]
            )
        if b.shape(name)[0] == 1:
            return b.view(name, shape)
        number = self.number
        return b.vector(
            "slice",
            f"{self.base}/{what}",
            [name],
            f"{self.base}/{what}0",
            shape,
            lambda inputs, look: inputs[0][number],
        )

    def unroll(self) -> list[str]:
        """Hidden states by step, in the order of time."""
        b, node, h = self.b, self.node, self.hidden
        total = self.gates * h
        w = b.stored(f"{self.base}/W", (total, self.width), self.weight(self.names[1]))
        r = self.recurrent_weight("R", slice(None), total)
        bias = None
        if self.names[3]:
            bias = b.stored(f"{self.base}/B", (total,), self.input_bias(), "bias")
        inputs = f"{self.base}/x"
        b.add(
            Gemm(
                b.unique(inputs),
                b.operand(self.flat),
                w,
                inputs,
                self.steps * self.batch,
                self.width,
                total,
                bias=bias,
                weight_transposed=True,
            )
        )
        hidden = self.state(self.names[5], "h")
        cell = self.state(self.names[6], "c") if self.kind == "LSTM" else ""
        order = range(self.steps) if self.side == "f" else range(self.steps)[::-1]
        found = [""] * self.steps
        for step in order:
            name = f"{self.base}/{step}"
            now = b.vector(
                "slice", f"{name}/x", [inputs], f"{name}/x", (self.batch, total), self.rows_of(step)
            )
            if self.kind == "LSTM":
                hidden, cell = self.lstm(name, now, hidden, cell, r)
            elif self.kind == "GRU":
                hidden = self.gru(name, now, hidden, r)
            else:
                back = self.product(f"{name}/r", hidden, r, total)
                added = b.vector("add", f"{name}/add", [now, back], f"{name}/sum", (self.batch, h))
                hidden = b.vector(
                    "tanh",
                    f"{name}/tanh",
                    [added],
                    f"{name}/h",
                    (self.batch, h),
                    lambda inputs, look: np.tanh(inputs[0]),
                )
            found[step] = hidden
        self.cell = cell
        del node
        return found

    def rows_of(self, step: int) -> Any:
        low = step * self.batch
        return lambda inputs, look: inputs[0][low : low + self.batch]

    def recurrent_weight(self, what: str, rows: slice, count: int) -> str:
        return self.b.stored(
            f"{self.base}/{what}", (count, self.hidden), self.weight(self.names[2], rows)
        )

    def input_bias(self) -> Recipe:
        """W's bias, with R's where that is only added; a GRU's candidate keeps its own apart."""
        name, number, total, h = self.names[3], self.number, self.gates * self.hidden, self.hidden

        def recipe(look: Lookup) -> Any:
            both = np.asarray(look(name))[number]
            found = both[:total] + both[total:]
            if self.kind == "GRU" and self.after:
                found[2 * h :] = both[2 * h : total]
            return found

        return recipe

    def product(self, name: str, hidden: str, weight: str, n: int, bias: str | None = None) -> str:
        b = self.b
        return b.add(
            Gemm(
                b.unique(name),
                b.operand(hidden),
                weight,
                name,
                self.batch,
                self.hidden,
                n,
                bias=bias,
                weight_transposed=True,
            )
        )

    def lstm(self, name: str, now: str, hidden: str, cell: str, r: str) -> tuple[str, str]:
        b, h, shape = self.b, self.hidden, (self.batch, self.hidden)
        back = self.product(f"{name}/r", hidden, r, 4 * h)
        gates = b.vector("add", f"{name}/add", [now, back], f"{name}/gates", (self.batch, 4 * h))

        def new_cell(inputs: Sequence[Any], look: Lookup) -> Any:
            i, _, f, c = np.split(inputs[0], 4, 1)
            return sigmoid(f) * inputs[1] + sigmoid(i) * np.tanh(c)

        def output(inputs: Sequence[Any], look: Lookup) -> Any:
            return sigmoid(np.split(inputs[0], 4, 1)[1]) * np.tanh(inputs[1])

        cell = b.vector("lstm_cell", f"{name}/c", [gates, cell], f"{name}/c", shape, new_cell)
        return b.vector("lstm_output", f"{name}/h", [gates, cell], f"{name}/h", shape, output), cell

    def gru(self, name: str, now: str, hidden: str, r: str) -> str:
        b, h, shape = self.b, self.hidden, (self.batch, self.hidden)
        if self.after:
            bias, number, source = None, self.number, self.names[3]
            if source:
                bias = b.stored(
                    f"{self.base}/Rb",
                    (3 * h,),
                    lambda look: np.concatenate(
                        [np.zeros(2 * h), np.asarray(look(source))[number][5 * h :]]
                    ),
                    "bias",
                )
            back = self.product(f"{name}/r", hidden, r, 3 * h, bias)
            return b.vector(
                "gru_cell",
                f"{name}/h",
                [now, back, hidden],
                f"{name}/h",
                shape,
                lambda inputs, look: _gru(*inputs),
            )
        gates = self.recurrent_weight("Rzr", slice(0, 2 * h), 2 * h)
        candidate = self.recurrent_weight("Rh", slice(2 * h, 3 * h), h)
        b.tensors.pop(r, None)
        b.recipes.pop(r, None)
        back = self.product(f"{name}/r", hidden, gates, 2 * h)

        def reset(inputs: Sequence[Any], look: Lookup) -> Any:
            x, back, state = inputs
            return sigmoid(x[:, h : 2 * h] + back[:, h:]) * state

        def cell(inputs: Sequence[Any], look: Lookup) -> Any:
            x, back, inner, state = inputs
            update = sigmoid(x[:, :h] + back[:, :h])
            return (1 - update) * np.tanh(x[:, 2 * h :] + inner) + update * state

        kept = b.vector(
            "gru_reset", f"{name}/reset", [now, back, hidden], f"{name}/kept", shape, reset
        )
        inner = self.product(f"{name}/rh", kept, candidate, h)
        return b.vector(
            "gru_update", f"{name}/h", [now, back, inner, hidden], f"{name}/h", shape, cell
        )


def _gru(x: Any, back: Any, state: Any) -> Any:
    """A GRU's cell with the reset behind the recurrent product."""
    zx, rx, hx = np.split(x, 3, 1)
    zr, rr, hr = np.split(back, 3, 1)
    update = sigmoid(zx + zr)
    return (1 - update) * np.tanh(hx + sigmoid(rx + rr) * hr) + update * state


HANDLERS = dict.fromkeys(GATES, recurrent)
