"""The one place that compiles: plain functions to machine code, cached by what they are made of.

Numba knows a cached kernel by its own bytecode and the file it stands in: it does not notice that a helper
or a constant from another file has changed, nor that one function was compiled with other helpers of the same
name. So each kernel's name carries its fingerprint: bytecode, constants and globals of the function and of all
that it calls. Where no folder can be written, nothing is cached.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
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
NO_KERNELS = (
    "api",
    "claims",
    "cli",
    "config",
    "importers",
    "loading",
    "reports",
    "store",
    "sweeps",
)
COMPILE_ABOVE = (
    2_000_000  # elements of one kind of work; plain code needs less than a compilation for fewer
)
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
        folder = base / "accelsim" / "kernels"
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
        _COMPILED[key] = _machine_code(_twin(function, scope, fingerprint(function, helpers)))
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
        mark = fingerprint(function, (), _file_digest(emit.__code__.co_filename))
        _COMPILED[key] = _machine_code(
            _twin(function, {name: numba.extending.intrinsic(emit)}, mark)
        )
    return _COMPILED[key]


def procedure(*arguments: Any) -> Any:
    """The signature of what takes such arguments and gives nothing back."""
    return _numba()[0].types.void(*arguments)


def _twin(function: Kernel, more: dict[str, Any], mark: str) -> Kernel:
    """The function with other meanings for some of the names that it uses, and the mark in its name."""
    twin = types.FunctionType(
        function.__code__,
        {**function.__globals__, **more},
        function.__name__,
        function.__defaults__,
    )
    twin.__qualname__, twin.__module__ = f"{function.__qualname__}_{mark}", function.__module__
    twin.__doc__ = function.__doc__
    return twin


def fingerprint(function: Kernel, helpers: Helpers = (), more: str = "") -> str:
    """Digest of all that a kernel's machine code is made from: bytecode and constants, defaults, values of the
    globals that it names, the same of its helpers, and this file (which says how things are compiled)."""
    total = hashlib.sha256((_file_digest(__file__) + more).encode())
    _describe(function, helpers, total, set())
    return total.hexdigest()[:16]


def _describe(function: Kernel, helpers: Helpers, total: Any, seen: set[int]) -> None:
    parts = {
        item[0].__name__ if isinstance(item, tuple) else item.__name__: item for item in helpers
    }
    total.update(f"{function.__qualname__} {function.__defaults__!r}".encode())
    for code in _codes(function.__code__):
        total.update(code.co_code)
        total.update(
            repr([item for item in code.co_consts if not isinstance(item, types.CodeType)]).encode()
        )
        total.update(repr((code.co_names, code.co_varnames, code.co_freevars)).encode())
        for name in code.co_names:
            if name in parts:
                item = parts[name]
                helper, inner = item if isinstance(item, tuple) else (item, ())
                _describe(helper, inner, total, seen)
            elif name in function.__globals__:
                _describe_value(name, function.__globals__[name], total, seen)


def _describe_value(name: str, value: Any, total: Any, seen: set[int]) -> None:
    """What a global stands for: functions of this package by what they are made of, records by the file that
    defines them, modules by name, arrays by their bytes, anything else by its repr."""
    own = str(getattr(value, "__module__", "") or "").startswith("accelsim")
    if isinstance(value, types.FunctionType) and own:
        if id(value) not in seen:
            seen.add(id(value))
            _describe(value, (), total, seen)
    elif isinstance(value, types.ModuleType):
        file = value.__file__ if value.__name__.startswith("accelsim") else None
        total.update(f"{name} {value.__name__} {_file_digest(file) if file else ''}".encode())
    elif isinstance(value, np.ndarray):
        total.update(f"{name} {value.dtype} {value.shape}".encode() + value.tobytes())
    elif isinstance(value, type) and own:
        total.update(
            f"{name} {_file_digest(sys.modules[value.__module__].__file__ or '')}".encode()
        )
    elif isinstance(value, types.FunctionType | type | types.BuiltinFunctionType):
        total.update(f"{name} {value.__module__}.{value.__qualname__}".encode())
    else:
        total.update(f"{name} {value!r}".encode())


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for item in code.co_consts:
        if isinstance(item, types.CodeType):
            yield from _codes(item)


@cache
def _file_digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _machine_code(function: Kernel) -> Kernel:
    numba, caching = _numba()
    found: Kernel = numba.njit(cache=caching, fastmath=False, nogil=True)(function)
    template = found.get_call_template  # type: ignore[attr-defined]

    def plainly(arguments: Any, keywords: Any) -> Any:
        """A literal argument is a number as any: one specialisation of a helper, not one for each."""
        plain = numba.types.unliteral
        return template(
            tuple(plain(item) for item in arguments),
            {name: plain(item) for name, item in keywords.items()},
        )

    found.get_call_template = plainly  # type: ignore[attr-defined]
    return found


def hot(commands: int = 0) -> bool:
    """Whether kernels serve Programs of any size in this process: after warm(), or once so many
    commands were handled without that loading them pays. commands: how many are at hand now."""
    if not _Heat.hot:
        _Heat.done += commands
        if _Heat.done > LOAD_AFTER:
            stamp = stamp_file() if _Heat.done - commands <= LOAD_AFTER else None
            _Heat.hot = _Heat.done > COMPILE_AFTER or (stamp is not None and stamp.exists())
    return _Heat.hot


def warm() -> None:
    """From now on kernels serve Programs of any size: for sweeps and searches. They are compiled, or
    loaded from the cache, when first needed; run a small workload to do it at once."""
    _Heat.hot = True


def note_warm() -> None:
    """Say in the cache folder that it holds the kernels of a whole run."""
    stamp = stamp_file()
    if stamp is not None:
        with contextlib.suppress(OSError):
            stamp.touch()


def stamp_file() -> Path | None:
    """The file of the cache folder that says: all kernels of these sources are in it."""
    folder = cache_folder()
    return None if folder is None else folder / f"warm-{source_digest()}"
