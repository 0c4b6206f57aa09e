"""ONNXim's JSON files: a language model's description, or a list of models that names one.

A description (num_attention_heads, hidden_size, ...) becomes a decoder with a cache of keys and values;
its prompt and context, which ONNXim reads from a trace, are the dimensions rows and past here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelsim.config.workload_file import read_trace
from accelsim.config.yaml_source import load_yaml, parse_yaml
from accelsim.errors import InputError, Problem
from accelsim.importers.base import Reading
from accelsim.workload import Workload

NEEDED = (
    "num_attention_heads",
    "vocab_size",
    "num_hidden_layers",
    "hidden_size",
    "intermediate_size",
)
KNOWN = (*NEEDED, "num_kv_heads", "activation_function", "ffn_type", "max_seq_length", "ffn_dim")
ACTIVATIONS = {"swish": "silu", "silu": "silu", "gelu": "gelu", "relu": "relu"}
MOST_LAYERS = 512


def load_onnxim(path: str | Path, dims: Mapping[str, int] | None = None) -> Workload:
    """The Workload of an ONNXim file. dims: rows (new tokens, default 1) and past (tokens before them,
    default 0). InputError names every problem."""
    root = load_yaml(path)  # JSON is YAML
    plain = root.plain() if root.is_map else None
    if not isinstance(plain, dict):
        raise _wrong(
            path, "kind", "is no JSON object", "give a model's description or a list of models"
        )
    if "models" in plain:
        return _listed(path, plain, dims)
    problems = []
    for key in (*NEEDED, *(["num_kv_heads"] if "num_kv_heads" in plain else [])):
        value = plain.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 24:
            place = root.value[key][1].place if key in plain else root.place
            said = "is missing" if key not in plain else f"is {value!r}"
            at = (place.line, place.column)
            fix = "write a whole number above 0"
            problems.append(Problem("onnxim.number", said, fix, key, str(path), *at))
    problems += [
        Problem(
            "onnx.dimension", f"there is no dimension {key!r}", "write rows or past", file="--dim"
        )
        for key in (dims or {})
        if key not in ("rows", "past")
    ]
    act = str(plain.get("activation_function", "gelu"))
    if act not in ACTIVATIONS:
        fix = "write one of " + ", ".join(ACTIVATIONS)
        key = "activation_function"
        problems.append(Problem("onnxim.activation", f"is {act!r}", fix, key, str(path)))
    if problems:
        raise InputError(problems)
    sizes = {"num_kv_heads": plain["num_attention_heads"], **plain}
    _check(path, sizes)
    rows, past = (dims or {}).get("rows", 1), (dims or {}).get("past", 0)
    gated = plain.get("ffn_type") == "llama"
    text = _Decoder(Path(path).stem, sizes, rows, past, gated, ACTIVATIONS[act]).text()
    assumed = [
        f"{rows} new tokens behind {past}; --dim rows=N, --dim past=N change it",
        "rotary positions" if gated else "no positions",
        "norms: rms_norm" if gated else "layer_norm",
        "logits of the last token",
    ]
    if (share := sizes["num_attention_heads"] // sizes["num_kv_heads"]) != 1:
        assumed.append(f"keys and values of {share} heads share one head's")
    unused = [
        f"{key}: {plain[key]}" for key in plain if key not in KNOWN or key == "max_seq_length"
    ]
    notes: dict[str, object] = {"format": "onnxim", "assumed": assumed, "unused": unused}
    made = read_trace(parse_yaml(text, str(path)), str(path), notes)
    return replace(made, batch=1, tokens=rows)


def _check(path: str | Path, sizes: Mapping[str, Any]) -> None:
    """InputError for sizes that no decoder has."""
    heads, shared, width = (
        sizes[key] for key in ("num_attention_heads", "num_kv_heads", "hidden_size")
    )
    if sizes["num_hidden_layers"] > MOST_LAYERS:
        raise _wrong(
            path,
            "layers",
            f"{sizes['num_hidden_layers']} hidden layers are more than {MOST_LAYERS}",
            f"write num_hidden_layers of at most {MOST_LAYERS}",
        )
    if width % heads or heads % shared:
        raise _wrong(
            path,
            "heads",
            f"{heads} heads and {shared} of keys do not go with a width of {width}",
            "write sizes that divide",
        )


def _wrong(path: str | Path, code: str, message: str, fix: str) -> InputError:
    return InputError(Problem(f"onnxim.{code}", message, fix, file=str(path)))


def _listed(path: str | Path, plain: dict[str, Any], dims: Mapping[str, int] | None) -> Workload:
    """The one model of a list: <name>.onnx, <name>/<name>.onnx or <name>.json beside it."""
    models = plain["models"]
    if (
        not isinstance(models, list)
        or len(models) != 1
        or not isinstance(models[0], dict)
        or not isinstance(models[0].get("name"), str)
    ):
        raise _wrong(
            path, "models", "does not name exactly one model", "write one entry with its name"
        )
    name, folder = models[0]["name"], Path(path).resolve().parent
    for candidate in (
        folder / f"{name}.onnx",
        folder / name / f"{name}.onnx",
        folder / f"{name}.json",
    ):
        if not candidate.resolve().is_relative_to(folder):
            raise _wrong(
                path,
                "models",
                f"names {name!r}, which is outside its folder",
                "keep it beside the list",
            )
        if not os.path.isfile(candidate) or candidate == Path(path).resolve():
            continue
        if candidate.suffix == ".json":
            return load_onnxim(candidate, dims)
        from accelsim.importers.onnx_model import import_model

        sizes = {key: value for key, value in models[0].items() if isinstance(value, int)}
        batch = sizes.get("batch_size")
        return import_model(candidate, Reading(batch, dict(dims or {}))).workload
    raise _wrong(
        path,
        "models",
        f"names {name!r}, but there is no {name}.onnx or {name}.json beside it",
        "copy the model there",
    )


class _Decoder:
    """The trace of a decoder."""

    def __init__(
        self, name: str, sizes: Mapping[str, Any], rows: int, past: int, gated: bool, act: str
    ) -> None:
        self.name, self.sizes = name, sizes
        self.heads, self.shared = sizes["num_attention_heads"], sizes["num_kv_heads"]
        self.rows, self.past, self.gated, self.act = rows, past, gated, act
        self.size = sizes["hidden_size"] // self.heads
        self.inputs = [f"tokens: [{rows}]"]
        self.lines: list[str] = []

    def add(self, name: str, kind: str, source: str, **keys: object) -> str:
        more = "".join(f", {key}: {value}" for key, value in keys.items())
        self.lines.append(f"  - {{name: {name}, kind: {kind}, input: {source}{more}}}")
        return name

    def text(self) -> str:
        """The whole trace."""
        width, words = self.sizes["hidden_size"], self.sizes["vocab_size"]
        norm = "rms_norm" if self.gated else "layer_norm"
        x = self.add("embedded", "gather", "[words, tokens]", shape=[self.rows, width])
        for number in range(self.sizes["num_hidden_layers"]):
            x = self.layer(f"layer{number}", x, norm)
        if self.rows > 1:
            x = self.add("last", "slice", x, shape=[1, width])
        self.add("norm", norm, x)
        self.add("logits", "gemm", "norm", n=words)
        head = [
            f"name: {json.dumps(self.name)}",
            f"inputs: {{{', '.join(self.inputs)}}}",
            f"constants: {{words: [{words}, {width}]}}",
            "operators:",
        ]
        return "\n".join([*head, *self.lines, ""])

    def heads_of(self, part: str, source: str, heads: int) -> str:
        """(shared heads, rows, size); the rows of heads that share keys lie behind one another."""
        split = self.add(f"{part}_split", "reshape", source, shape=[self.rows, heads, self.size])
        turned = self.add(f"{part}_heads", "transpose", split, order=[1, 0, 2])
        if heads == self.shared:
            return turned
        together = [self.shared, heads // self.shared * self.rows, self.size]
        return self.add(f"{part}_grouped", "reshape", turned, shape=together)

    def layer(self, name: str, x: str, norm: str) -> str:
        """One block."""
        width, hidden = self.sizes["hidden_size"], self.sizes["intermediate_size"]
        y = self.add(f"{name}_norm1", norm, x)
        total = self.rows + self.past
        made = {}
        for part, heads in (("q", self.heads), ("k", self.shared), ("v", self.shared)):
            z = self.add(f"{name}_{part}", "gemm", y, n=heads * self.size)
            if self.gated and part != "v":
                z = self.add(f"{name}_{part}_turned", "rotary", z)
            made[part] = self.heads_of(f"{name}_{part}", z, heads)
            if part != "q" and self.past:
                cache = f"{name}_{part}_cache"
                self.inputs.append(f"{cache}: [{self.shared}, {self.past}, {self.size}]")
                made[part] = self.add(f"{name}_{part}_all", "append", f"[{cache}, {made[part]}]")
        self.add(
            f"{name}_scores", "gemm", made["q"], n=total, weight=made["k"], weight_transposed="true"
        )
        self.add(f"{name}_weights", "softmax", f"{name}_scores")
        mix = self.add(f"{name}_mix", "gemm", f"{name}_weights", n=self.size, weight=made["v"])
        apart = self.add(f"{name}_apart", "reshape", mix, shape=[self.heads, self.rows, self.size])
        back = self.add(f"{name}_back", "transpose", apart, order=[1, 0, 2])
        joined = self.add(f"{name}_joined", "reshape", back, shape=[self.rows, width])
        out = self.add(f"{name}_out", "gemm", joined, n=width)
        x = self.add(f"{name}_sum1", "add", f"[{out}, {x}]")
        y = self.add(f"{name}_norm2", norm, x)
        up = self.add(f"{name}_up", "gemm", y, n=hidden)
        gate = self.add(f"{name}_gate", "gemm", y, n=hidden) if self.gated else up
        act = self.add(f"{name}_act", self.act, gate)
        if self.gated:
            act = self.add(f"{name}_product", "multiply", f"[{act}, {up}]")
        down = self.add(f"{name}_down", "gemm", act, n=width)
        return self.add(f"{name}_sum2", "add", f"[{down}, {x}]")
