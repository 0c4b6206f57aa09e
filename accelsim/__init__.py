"""accelsim: cycles, joules and bit-exact outputs of low-precision accelerators, from one plan.

import accelsim
chip = accelsim.load_chip("int8_edge")
workload = accelsim.load_workload("resnet18")
result = accelsim.run(chip, workload)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Job", "__version__", "compare", "load_chip", "load_job", "load_workload", "run"]
_MODULES = {"Job": "job", "compare": "comparison", "load_job": "job"}  # that do not stand in api
_PARTS = (
    "formats",
    "numerics",
    "traces",
    "training",
    "verbs",
)  # whose own functions a user calls: accelsim.formats.get(...)

if TYPE_CHECKING:
    from accelsim.api import load_chip, load_workload, run
    from accelsim.comparison import compare
    from accelsim.job import Job, load_job


def __dir__() -> list[str]:
    """What a user finds here: __all__ and the parts whose own functions are called."""
    return sorted({*__all__, *_PARTS, "__doc__", "__file__", "__name__", "__path__"})


def __getattr__(name: str) -> Any:
    """Public functions, imported when first used so that starting up costs nothing."""
    from importlib import import_module

    if name in __all__:
        return getattr(import_module(f"accelsim.{_MODULES.get(name, 'api')}"), name)
    if name in _PARTS:
        return import_module(f"accelsim.{name}")
    raise AttributeError(f"module 'accelsim' has no attribute {name!r}")
