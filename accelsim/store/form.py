"""The form of a store's context.json: kinds of its values, key by key."""

from __future__ import annotations

from typing import Any

WORD, WHOLE, FLAG = (str,), (int,), (bool,)
MAYBE_WHOLE, MAYBE_WORD = (int, type(None)), (str, type(None))
NUMBER, MAYBE_NUMBER, ANY = (int, float), (int, float, type(None)), ()

#: a mapping: its keys; a list of one: a list of such; a tuple: one of these kinds, () any plain value
FORM: dict[str, Any] = {
    "format": WHOLE,
    "name": WORD,
    "question": WORD,
    "answer": MAYBE_WORD,
    "source": WORD,
    "set": [WORD],
    "model": WORD,
    "settings": WORD,
    "bases": [{"name": WORD, "source": WORD, "analog": FLAG, "digest": WORD, "set": {}}],
    "works": [{"name": WORD, "source": WORD, "batch": MAYBE_WHOLE, "digest": WORD}],
    "axes": [
        {"keys": [WORD], "values": [[ANY]], "numbers": [MAYBE_NUMBER], "bases": [WORD], "when": {}}
    ],
    "sampling": WORD,
    "points": WHOLE,
    "seed": WHOLE,
    "repeats": WHOLE,
    "search": MAYBE_WORD,
    "measures": [WORD],
    "constraints": [[(str, int, float)]],
    "objectives": [WORD],
    "values": ANY,
}


def differs(value: Any, form: Any, path: str = "") -> str:
    """Where a value has another form, and how; "" where it has not."""
    if isinstance(form, tuple):
        return "" if not form or type(value) in form else f"{path} is {type(value).__name__}"
    if isinstance(form, list):
        if not isinstance(value, list):
            return f"{path} is no list"
        return next(
            (
                found
                for number, item in enumerate(value)
                if (found := differs(item, form[0], f"{path}[{number}]"))
            ),
            "",
        )
    if not isinstance(value, dict):
        return f"{path or 'the whole'} holds no keys"
    begin = f"{path}." if path else ""
    if missing := [key for key in form if key not in value]:
        return f"{begin}{missing[0]} is missing"
    return next(
        (
            found
            for key, inner in form.items()
            if (found := differs(value[key], inner, f"{begin}{key}"))
        ),
        "",
    )
