"""Pages as templates that a person can edit; every text in them is made harmless."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from accelsim.escaping import visible_lines


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("accelsim.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_seen,
    )
    made.filters["base64"] = lambda data: base64.b64encode(data).decode()
    return made


def _seen(value: Any) -> Any:
    """Other people's text without control characters; what a template made itself as it is."""
    return (
        value if isinstance(value, Markup) or not isinstance(value, str) else visible_lines(value)
    )


def filled(name: str, **values: Any) -> str:
    """A page of a template of this folder."""
    return _environment().get_template(name).render(**values) + "\n"
