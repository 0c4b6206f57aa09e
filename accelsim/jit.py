"""The one place that compiles: plain functions to machine code, cached by what they are made of.

Numba knows a cached kernel by its own bytecode and the file it stands in: it does not notice that a helper
or a constant from another file has changed, that one function was compiled with other helpers of the same
name, or that the fields of a record have changed places; and a comment more makes it compile anew. So each
kernel's name in the cache carries its fingerprint: bytecode, constants and globals of the function and of all
that it calls. Where no folder can be written, nothing is cached.

Whether a plain function or its machine code runs (fits) is a matter of time only: both give the same results.
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
from typing import Any, Literal

import numpy as np

Kernel = Callable[..., Any]
#: what a kernel calls: plain functions, or (function, its own helpers)
Helpers = tuple[Any, ...]
_COMPILED: dict[tuple[Any, ...], Kernel] = {}
#: how Numba compiles what Python calls, and what it never calls: without the wrappers for others, which take
#: half of the time; what allocates nothing; and helpers that become a part of their kernel
OUTSIDE = {"no_cfunc_wrapper": True}
INSIDE = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
UNCOUNTED = {"_nrt": False}
WHOLE = {"forceinline": True}
COMMANDS_ABOVE = 20_000  # commands: fewer are planned and timed before cached kernels have loaded
COMPILE_ABOVE = (
    2_000_000  # elements of one kind of work; plain code needs less than a compilation for fewer
)
#: times ``above`` (fits) that work must be, or many small works together, to compile for: loading takes 0.4 s,
#: compiling a kernel some seconds
PATIENCE = 16
UNLIKE = (
    "bool",
    "float",
    "Enum",
    "readonly",
    "'A'",
    "d, A)",
)  # types that quick() keeps looking at
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt()
KEPT_BYTES = 256 << 20
_PLAIN: dict[tuple[Kernel, Helpers], int] = {}  # what plain code has been given so far
Which = Literal["plain", "compiled"]


class _Choice:
    """What only() and load() say."""

    only: Which | None = None
    eager = False


def enabled() -> bool:
    """Whether anything is compiled at all."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


@contextlib.contextmanager
def only(which: Which) -> Iterator[None]:
    """Plain functions or kernels inside, whatever the size of the work: to fill the cache, and for tests. (Where
    nothing is compiled, kernels run as the functions that they are.)"""
    before, _Choice.only = _Choice.only, which
    try:
        yield
    finally:
        _Choice.only = before


def ready(function: Kernel, helpers: Helpers = ()) -> bool:
    """Whether a kernel need not be compiled any more: it was in this process, or is in the cache folder. (Of
    another version of Numba's, or for other types of arguments, it is compiled all the same.)"""
    if getattr(_COMPILED.get((function, helpers)), "signatures", None):
        return True
    folder = _kernel_folder()
    if folder is None:
        return False
    return (folder / f"{_kept_as(function, _mark(function, helpers))}.nbi").exists()


def keeping() -> bool:
    """Whether kernels are compiled and kept for later processes."""
    return enabled() and _kernel_folder() is not None


def loaded() -> bool:
    """Whether this process has loaded what runs kernels, which takes 0.4 s with the first few of them."""
    return "numba" in sys.modules


def fits(
    function: Kernel, helpers: Helpers, size: int, above: int, patience: int = PATIENCE
) -> bool:
    """Whether work of a size is worth the kernel of a function: plain code does ``above`` of it in the time
    that a process takes to load kernels.

    Larger work is where the kernel is ready, work of any size once this process has loaded some; work that
    is ``patience`` times as large has it compiled. Small works count together. Either way the result is one.
    """
    if _Choice.only is not None or not enabled():
        return _Choice.only == "compiled"
    key = (function, helpers)
    so_far = _PLAIN[key] = _PLAIN.get(key, 0) + size
    if so_far > above * patience or _Choice.eager:
        return True
    return (so_far > above or loaded()) and ready(function, helpers)


def worthwhile(function: Kernel, helpers: Helpers, size: int) -> bool:
    """fits() for kernels over elements of one kind of work, of which many calls of all sizes come: they
    are compiled for together."""
    return fits(function, helpers, size, COMPILE_ABOVE, 1)


def fitting(
    function: Kernel, helpers: Helpers, size: int, above: int, patience: int = PATIENCE
) -> Kernel:
    """The plain function or its machine-code twin, whichever is the quicker for work of a size (fits)."""
    if fits(function, helpers, size, above, patience):
        return compiled(function, helpers)
    return function


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


def _kernel_folder() -> Path | None:
    """The folder of kernels of this process, looked for once."""
    return _folder_for(os.environ.get("ACCELSIM_CACHE_DIR"), os.environ.get("XDG_CACHE_HOME"))


@cache
def _folder_for(own: str | None, users: str | None) -> Path | None:
    return cache_folder()


@lru_cache(maxsize=1)
def _numba() -> tuple[Any, Any]:
    """Numba, and what makes the cache of a function's kernels, or None."""
    folder = _kernel_folder()
    if folder is not None:
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
    import numba

    numba.extending.overload(choose)(_choose_scalar)
    if folder is None or not enabled():
        return numba, None
    numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    return numba, _caches(str(folder))


def _caches(folder: str) -> Callable[[Kernel, str], Any]:
    """Numba's own cache of kernels with three changes: a file is named by the kernel's fingerprint and nothing
    else makes it stale; records are known by the names and order of their fields; and what was kept for records
    that are not there any more, as of an earlier version with other names, is compiled anew."""
    from numba.core.caching import FunctionCache, IndexDataCacheFile

    class KernelCache(FunctionCache):
        def __init__(self, kernel: Kernel, name: str) -> None:
            super().__init__(kernel)  # type: ignore[no-untyped-call]
            self._cache_path = folder
            self._cache_file = IndexDataCacheFile(folder, name, "")  # type: ignore[no-untyped-call]

        def _index_key(self, sig: Any, codegen: Any) -> Any:
            known = super()._index_key(sig, codegen)  # type: ignore[no-untyped-call]
            return (*known, _records(sig))

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            try:
                return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
            except (AttributeError, ImportError):
                self.flush()  # type: ignore[no-untyped-call]
                return None

    return KernelCache


def _records(types: Any) -> tuple[Any, ...]:
    """The fields of all records among types of arguments."""
    found: list[Any] = []
    for one in types:
        inner = getattr(one, "types", ())
        found += [*getattr(one, "fields", ()), *(_records(inner) if inner else ())]
    return tuple(found)


def _kept_as(function: Kernel, mark: str) -> str:
    """Name of a kernel's files in the cache folder. The mark tells versions of Python apart, too."""
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}_{mark}"


def choose(condition: Any, yes: Any, no: Any) -> Any:
    """yes where the condition holds, else no: of arrays, and in compiled kernels of numbers. Both
    are computed, so that a loop over it becomes vector code."""
    if isinstance(condition, bool):
        return yes if condition else no
    return np.where(condition, yes, no)


def _choose_scalar(condition: Any, yes: Any, no: Any) -> Any:
    del condition, yes, no

    def chosen(condition: Any, yes: Any, no: Any) -> Any:
        return yes if condition else no

    return chosen


def allocates_nothing(function: Kernel) -> Kernel:
    """A kernel that makes no array, nor do its helpers: who holds its arrays need not be counted, which takes
    most of a short loop's time."""
    function.__dict__["allocates_nothing"] = True
    return function


def in_one_piece(function: Kernel) -> Kernel:
    """A kernel that its helpers become a part of: where they do less than it takes to pass them records."""
    function.__dict__["in_one_piece"] = True
    return function


def compiled(function: Kernel, helpers: Helpers = ()) -> Kernel:
    """The machine-code twin of a plain function, compiled when first called.

    helpers: plain functions that it calls by name; they are compiled too, a pair (function,
    helpers) with its own. The source is one: with NUMBA_DISABLE_JIT=1 the plain functions run.
    """
    if not enabled():
        return function
    key = (function, helpers)
    if key not in _COMPILED:
        mark, options = _mark(function, helpers), _options(function)
        scope = _inside(helpers, options)
        twin = _twin(function, scope, mark)
        own = {name: on for name, on in options.items() if name not in WHOLE}
        _COMPILED[key] = _machine_code(twin, _kept_as(function, mark), {**OUTSIDE, **own})
    return _COMPILED[key]


class Quick:
    """A kernel whose arguments are integers, int64 arrays without gaps and records of them, always: types are not
    looked at again, which takes 0.3 us for each number of a record, and nothing is refused: only for callers whose
    arguments are so by construction. Where the first call's are not, they are looked at in every call."""

    def __init__(self, kernel: Any) -> None:
        self._kernel, self._entry = kernel, None

    def __call__(self, *arguments: Any) -> Any:
        """As the kernel."""
        if self._entry is not None:
            return self._entry(*arguments)
        result = self._kernel(*arguments)
        versions = list(getattr(self._kernel, "overloads", {}).items())
        if len(versions) == 1 and not any(word in repr(versions[0][0]) for word in UNLIKE):
            self._entry = versions[0][1].entry_point
        return result


def quick(function: Kernel, helpers: Helpers = ()) -> Kernel:
    """compiled() for a kernel that is called with records, often and for little: with arguments of the same types in
    every call."""
    if not enabled():
        return function
    key = (function, helpers, "quick")
    if key not in _COMPILED:
        _COMPILED[key] = Quick(compiled(function, helpers))
    return _COMPILED[key]


def _options(function: Kernel) -> dict[str, bool]:
    """What a kernel says of how it, and WHOLE of how its helpers, are compiled."""
    said = function.__dict__
    return (UNCOUNTED if said.get("allocates_nothing") else {}) | (
        WHOLE if said.get("in_one_piece") else {}
    )


def _inside(helpers: Helpers, options: dict[str, bool]) -> dict[str, Kernel]:
    """The twins of helpers, which compiled code alone calls, by name."""
    found = {}
    for item in helpers:
        part, inner = item if isinstance(item, tuple) else (item, ())
        key = (part, inner, "inside", *options)
        if key not in _COMPILED:
            twin = _twin(part, _inside(inner, options), _mark(part, inner))
            _COMPILED[key] = _machine_code(twin, "", {**INSIDE, **options})
        found[part.__name__] = _COMPILED[key]
    return found


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
            _twin(function, {name: numba.extending.intrinsic(emit)}, mark),
            _kept_as(function, mark),
            {},
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
    globals that it names, the same of its helpers, and of what says here how things are compiled."""
    total = hashlib.sha256((more + repr(sorted(_options(function)))).encode())
    for own in (_machine_code, _any_number, _inside, _twin, _choose_scalar):
        for code in _codes(own.__code__):
            total.update(code.co_code + repr((code.co_names, code.co_varnames)).encode())
    _describe(function, helpers, total, set())
    return total.hexdigest()[:16]


_mark = cache(fingerprint)  # of what is compiled once and for all


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


def _machine_code(function: Kernel, name: str, options: dict[str, bool]) -> Kernel:
    """name: of its files in the cache folder, "" for what is compiled as a part of other kernels only."""
    numba, caches = _numba()
    found: Any = numba.njit(fastmath=False, nogil=True, **options)(function)
    if caches and name:
        found._cache = caches(function, name)
    by_value = found.get_call_template

    def template(arguments: Any, keywords: Any) -> Any:
        """One version for all numbers, not another one for each that is written out in a call."""
        return by_value(
            tuple(_any_number(item, numba.types) for item in arguments),
            {name: _any_number(item, numba.types) for name, item in keywords.items()},
        )

    found.get_call_template = template
    return found  # type: ignore[no-any-return]


def _any_number(kind: Any, types: Any) -> Any:
    """A type without the values of the numbers that are of it."""
    if isinstance(kind, types.BaseTuple):
        items = [_any_number(item, types) for item in kind]
        return types.BaseTuple.from_types(items, getattr(kind, "instance_class", None))
    return types.unliteral(kind) if isinstance(kind, types.IntegerLiteral) else kind


def load() -> None:
    """Load what runs kernels now, let them serve work of any size, and keep the memory of one job for the next: for
    sweeps, which compile kernels first."""
    if enabled():
        _numba()
    _Choice.eager = True
    _keep_memory()


def _keep_memory() -> None:
    """Let the C library hold on to freed memory, where it is told so: a point's columns are given back when it is done,
    and the system takes 2 us to find each page anew, a quarter of a point of 100,000 commands."""
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for setting in (TRIM_THRESHOLD, MMAP_THRESHOLD):
        mallopt(setting, KEPT_BYTES)
