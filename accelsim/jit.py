"""The one place that compiles: plain functions to machine code, cached by the package's sources.

Numba does not notice that a function's callee in another file has changed, so the cache folder
carries the digest of all sources that kernels may come from. Where no folder can be written, nothing
is cached.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import types
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

Kernel = Callable[..., Any]
#: what a kernel calls: plain functions, or (function, its own helpers)
Helpers = tuple[Any, ...]
_COMPILED: dict[tuple[Kernel, Helpers], Kernel] = {}
#: commands handled without kernels after which a process loads them for small Programs too, when
#: they are in the cache and when they must be compiled first
LOAD_AFTER, COMPILE_AFTER = 300_000, 10_000_000
#: parts of the package that no kernel's module imports, so that an edit there compiles nothing anew
NO_KERNELS = ("api", "cli", "config", "importers", "report", "reproduce", "store", "sweep")
STAMP = "warm"  # file of the cache folder: all kernels are in it
COMPILE_ABOVE = 2_000_000  # elements of one kind of work; plain code needs less than a compilation for fewer
_WORK: dict[str, int] = {}


class _Heat:
    """Whether this process works with kernels at any size, and how much it did without."""

    hot = False
    done = 0


def worth_compiling(kind: str, size: int) -> bool:
    """Whether ``size`` elements more of a kind of work are many enough, with those before, to compile
    for. Plain and compiled code give the same bits, so it does not matter where the change falls."""
    _WORK[kind] = _WORK.get(kind, 0) + size
    return _WORK[kind] > COMPILE_ABOVE and enabled()


def enabled() -> bool:
    """Whether anything is compiled at all."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


@lru_cache(maxsize=1)
def source_digest() -> str:
    """Digest of every .py file of the package that a kernel's code may depend on."""
    root = Path(__file__).parent
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).with_suffix("").parts[0] in NO_KERNELS:
            continue
        total.update(str(path.relative_to(root)).encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def cache_folder() -> Path | None:
    """A writable folder for compiled code, or None."""
    chosen = os.environ.get("ACCELSIM_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME")
    try:
        base = Path(chosen) if chosen else Path.home() / ".cache"
        folder = base / "accelsim" / source_digest()
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
        return folder
    except (OSError, RuntimeError):
        return None


@lru_cache(maxsize=1)
def _numba() -> tuple[Any, bool]:
    folder = cache_folder()
    if folder is not None:
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
    import numba

    if folder is not None:
        numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    numba.extending.overload(choose)(_choose_scalar)
    return numba, folder is not None


def choose(condition: Any, yes: Any, no: Any) -> Any:
    """yes where the condition holds, else no: of arrays, and in compiled kernels of numbers. Both
    are computed, so that a loop over it becomes vector code."""
    return np.where(condition, yes, no)


def _choose_scalar(condition: Any, yes: Any, no: Any) -> Any:
    del condition, yes, no

    def chosen(condition: Any, yes: Any, no: Any) -> Any:
        return yes if condition else no

    return chosen


def compiled(function: Kernel, helpers: Helpers = ()) -> Kernel:
    """The machine-code twin of a plain function, compiled when first called.

    helpers: plain functions that it calls by name; they are compiled too, a pair (function,
    helpers) with its own. The source is one: with NUMBA_DISABLE_JIT=1 the plain functions run.
    """
    key = (function, helpers)
    if key not in _COMPILED:
        parts = [item if isinstance(item, tuple) else (item, ()) for item in helpers]
        scope = {part.__name__: compiled(part, inner) for part, inner in parts}
        _COMPILED[key] = _machine_code(_twin(function, scope) if helpers else function)
    return _COMPILED[key]


def compiled_with(function: Kernel, name: str, emit: Callable[..., Any]) -> Kernel:
    """The machine-code twin of a function that calls ``name``, which is an instruction sequence of its
    own: emit(typing context, types...) gives its signature and what writes it, as Numba's intrinsics. With
    NUMBA_DISABLE_JIT=1 the plain functions run."""
    if not enabled():
        return function
    key = (function, (emit,))
    if key not in _COMPILED:
        numba, _ = _numba()
        _COMPILED[key] = _machine_code(_twin(function, {name: numba.extending.intrinsic(emit)}))
    return _COMPILED[key]


def procedure(*arguments: Any) -> Any:
    """The signature of what takes such arguments and gives nothing back."""
    return _numba()[0].types.void(*arguments)


def _twin(function: Kernel, more: dict[str, Any]) -> Kernel:
    """The function with other meanings for some of the names that it uses."""
    twin = types.FunctionType(function.__code__, {**function.__globals__, **more}, function.__name__)
    twin.__qualname__, twin.__module__ = function.__qualname__, function.__module__
    twin.__doc__ = function.__doc__
    return twin


def _machine_code(function: Kernel) -> Kernel:
    numba, caching = _numba()
    found: Kernel = numba.njit(cache=caching, fastmath=False, nogil=True)(function)
    return found


def hot(commands: int = 0) -> bool:
    """Whether kernels serve Programs of any size in this process: after warm(), or once so many
    commands were handled without that loading them pays. commands: how many are at hand now."""
    if not _Heat.hot:
        _Heat.done += commands
        if _Heat.done > LOAD_AFTER:
            folder = cache_folder() if _Heat.done - commands <= LOAD_AFTER else None
            _Heat.hot = _Heat.done > COMPILE_AFTER or (
                folder is not None and (folder / STAMP).exists())
    return _Heat.hot


def warm() -> None:
    """From now on kernels serve Programs of any size: for sweeps and searches. They are compiled, or
    loaded from the cache, when first needed; run a small workload to do it at once."""
    _Heat.hot = True


def note_warm() -> None:
    """Say in the cache folder that it holds the kernels of a whole run."""
    folder = cache_folder()
    if folder is not None:
        with contextlib.suppress(OSError):
            (folder / STAMP).touch()
