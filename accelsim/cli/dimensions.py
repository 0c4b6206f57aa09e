"""NAME=VALUE arguments: --dim NAME=N, --value NAME=NUMBER, --bits OPERATOR=N."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from accelsim.config.yaml_source import parse_yaml
from accelsim.errors import InputError, Problem


def dims_of(given: Sequence[str]) -> dict[str, int]:
    """The dimensions by name; InputError for anything else than NAME=N with N above 0."""
    found: dict[str, int] = {}
    for text in given:
        name, _, value = text.rpartition("=")
        if not name or not value.isdecimal() or len(value) > 10 or not 0 < int(value) < 1 << 31:
            raise _wrong("onnx.dimension", "is no dimension with its value", "batch=1", text, "dim")
        if name in found:
            raise _twice("onnx.dimension", name, "dim")
        found[name] = int(value)
    return found


def numbers_of(given: Sequence[str]) -> dict[str, float]:
    """Numbers by name; InputError for anything else than NAME=NUMBER."""
    found: dict[str, float] = {}
    for text in given:
        name, _, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not name or not isfinite(number):
            raise _wrong("onnx.fixed", "is no input with its number", "sr=16000", text, "value")
        if name in found:
            raise _twice("onnx.fixed", name, "value")
        found[name] = number
    return found


def bits_of(given: Sequence[str]) -> dict[str, str]:
    """Precisions by pattern, in order; of one pattern w4 and a8 are w4a8. InputError for what has no "="."""
    found: dict[str, str] = {}
    for text in given:
        pattern, sign, bits = text.rpartition("=")
        if not sign or not pattern or not bits:
            raise InputError(
                Problem(
                    "bits.rule",
                    "is no rule of precision",
                    "write OPERATOR=8 or OPERATOR=w4a8",
                    text,
                    "--bits",
                )
            )
        before = found.pop(pattern, "")
        both = {word[:1]: word for word in (before, bits)}
        found[pattern] = both["w"] + both["a"] if both.keys() == {"w", "a"} else bits
    return found


def settings_of(given: Sequence[str]) -> dict[str, Any]:
    """Keys of a step with numbers, lists or words, as a file has them; InputError for what has no "="."""
    found: dict[str, Any] = {}
    for text in given:
        key, sign, value = text.partition("=")
        if not sign or not key or not value:
            raise _wrong("training.step", "is no key with its value", "rate=0.1", text, "step")
        if key in found:
            raise _twice("training.step", key, "step")
        # patterns begin with *, which is none of YAML's texts
        found[key] = value if key == "frozen" else parse_yaml(value, "--step").plain()
    return found


def _wrong(code: str, message: str, example: str, text: str, option: str) -> InputError:
    fix = f"write --{option} {example}"
    return InputError(Problem(code, message, fix, text, f"--{option}"))


def _twice(code: str, name: str, option: str) -> InputError:
    return InputError(Problem(code, "is given twice", "give it once", name, f"--{option}"))
