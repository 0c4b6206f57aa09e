"""A whole model's tensors by onnxruntime, in a process of its own, kept by the digest of model and inputs.

The process serves many requests and is started when first needed. One that gives no answer within
``SECONDS`` is ended; a crash ends the request alone. What is kept stands beside the compiled kernels in
the user's cache folder; without one nothing is kept.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from accelsim import jit
from accelsim.importers.onnx_file import external_place, import_onnx

Array = NDArray[Any]
SECONDS = 120.0  # for one request, loading included
KEPT_ELEMENTS = 1 << 14  # of a tensor between operators that are kept, evenly taken
KEPT_FILES = 64


class NotChecked(Exception):
    """onnxruntime gave no result; the text says why."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor by onnxruntime, or of a kept one every ``step``-th element of it, in C order. peak: its largest
    finite magnitude."""

    shape: tuple[int, ...]
    values: Array  # flat
    step: int
    peak: float

    @property
    def whole(self) -> Array:
        """All of it, in its shape; ValueError where only a part was kept."""
        if self.step > 1:
            raise ValueError("only a part was kept")
        return self.values.reshape(self.shape)


class _Process:
    """The one process that runs onnxruntime for this one."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[str] | None = None
        self.replies: queue.Queue[str] = queue.Queue()
        self.lock = threading.Lock()

    def start(self) -> subprocess.Popen[str]:
        if self.child is None or self.child.poll() is not None:
            self.end()
            root = str(Path(__file__).parents[2])
            paths = os.pathsep.join(
                item for item in (root, os.environ.get("PYTHONPATH", "")) if item
            )
            self.replies = queue.Queue()
            self.child = subprocess.Popen(
                [sys.executable, "-m", "accelsim.importers.onnx_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": paths},
            )
            threading.Thread(target=_read, args=(self.child, self.replies), daemon=True).start()
        return self.child

    def end(self) -> None:
        """No process afterwards."""
        child, self.child = self.child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """The answer to a request; NotChecked where there is none."""
        with self.lock:
            child = self.start()
            assert child.stdin is not None
            try:
                child.stdin.write(json.dumps(request) + "\n")
                child.stdin.flush()
                line = self.replies.get(timeout=seconds)
            except queue.Empty:
                self.end()
                raise NotChecked(f"onnxruntime gave no result within {seconds:g} s") from None
            except OSError:
                line = ""
            except BaseException:  # Ctrl-C: an answer would come too late for its request
                self.end()
                raise
            if not line:
                code = child.wait()
                self.end()
                raise NotChecked(f"onnxruntime ended without a result (status {code})")
            made: dict[str, Any] = json.loads(line)
            return made


def _read(child: subprocess.Popen[str], replies: queue.Queue[str]) -> None:
    assert child.stdout is not None
    with contextlib.suppress(ValueError, OSError):
        for line in child.stdout:
            replies.put(line)
    replies.put("")


_PROCESS = _Process()
atexit.register(_PROCESS.end)


def version() -> str:
    """onnxruntime's version; NotChecked where it is not installed."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as of

    try:
        return of("onnxruntime")
    except PackageNotFoundError:
        raise NotChecked("onnxruntime is not installed (pip install accelsim[onnx])") from None


def model_digest(model: Any, path: Path) -> str:
    """Of a model's file and of its external data."""
    total = hashlib.blake2b(path.read_bytes())
    places = (external_place(tensor, path.parent) for tensor in model.graph.initializer)
    for file in sorted({place[0] for place in places if place is not None}):
        total.update(file.name.encode())
        with contextlib.suppress(OSError), file.open("rb") as stream:
            total.update(hashlib.file_digest(stream, "blake2b").digest())
    return total.hexdigest()


def whole_model(
    path: str | Path,
    inputs: Mapping[str, Array],
    outputs: Sequence[str],
    between: Sequence[str],
    model: Any = None,
    parts: bool = True,
) -> dict[str, Tensor]:
    """Tensors of a model by name: its outputs whole; those between operators whole, or in part where the
    model was run before with these inputs and parts is true. NotChecked where onnxruntime gives none."""
    file = Path(path).resolve()
    total = hashlib.blake2b(
        version().encode() + Path(__file__).with_name("onnx_worker.py").read_bytes()
    )
    if model is None:
        model = import_onnx().load(str(file), load_external_data=False)
    total.update(model_digest(model, file).encode())
    for name in sorted(inputs):
        array = np.ascontiguousarray(inputs[name])
        total.update(f"{name} {array.dtype} {array.shape}".encode())
        total.update(array.tobytes())
    wanted = [*outputs, *(name for name in between if name not in outputs)]
    total.update(json.dumps(wanted).encode())
    folder = jit.cache_folder()
    kept = (
        None if folder is None else folder.parent / "onnxruntime" / f"{total.hexdigest()[:32]}.npz"
    )
    if kept is not None and parts:
        with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return _loaded(kept, wanted)
    made = _asked(file, inputs, wanted)
    if kept is not None:
        with contextlib.suppress(OSError):
            _keep(kept, made, set(outputs))
    return made


def _asked(file: Path, inputs: Mapping[str, Array], wanted: list[str]) -> dict[str, Tensor]:
    with tempfile.TemporaryDirectory(prefix="accelsim-") as name:
        np.savez(Path(name) / "inputs.npz", **dict(inputs))  # type: ignore[arg-type]
        answer = _PROCESS.ask(
            {
                "model": str(file),
                "inputs": str(Path(name) / "inputs.npz"),
                "folder": name,
                "wanted": wanted,
            },
            SECONDS,
        )
        if "error" in answer:
            said = " ".join(str(answer["error"]).split())
            raise NotChecked(f"onnxruntime refuses the model ({said[:160]})")
        return {
            key: _whole(np.load(Path(name) / f"{number}.npy", allow_pickle=False))
            for number, key in enumerate(answer["names"])
        }


def _whole(array: Array) -> Tensor:
    peak = (
        np.max(np.abs(array), where=np.isfinite(array), initial=0.0)
        if array.dtype.kind == "f"
        else (
            max(abs(int(array.max(initial=0))), abs(int(array.min(initial=0))))
            if array.size
            else 0.0
        )
    )
    return Tensor(array.shape, array.ravel(), 1, float(peak))


def _keep(kept: Path, made: Mapping[str, Tensor], outputs: set[str]) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Array] = {}
    notes = []
    for number, (name, tensor) in enumerate(made.items()):
        step = 1 if name in outputs else -(-tensor.values.size // KEPT_ELEMENTS) or 1
        arrays[f"t{number}"] = tensor.values[::step]
        notes.append([name, list(tensor.shape), step, tensor.peak])
    arrays["notes"] = np.frombuffer(json.dumps(notes).encode(), np.uint8)
    with tempfile.NamedTemporaryFile(dir=kept.parent, suffix=".tmp", delete=False) as draft:
        try:
            np.savez(draft, **arrays)  # type: ignore[arg-type]
        except BaseException:
            Path(draft.name).unlink()
            raise
    Path(draft.name).replace(kept)
    files = sorted(kept.parent.glob("*.npz"), key=lambda item: item.stat().st_mtime)
    for old in files[:-KEPT_FILES]:
        old.unlink(missing_ok=True)


def _loaded(kept: Path, wanted: list[str]) -> dict[str, Tensor]:
    with np.load(kept, allow_pickle=False) as archive:
        notes = json.loads(bytes(archive["notes"]))
        made = {
            str(name): Tensor(tuple(shape), archive[f"t{number}"], int(step), float(peak))
            for number, (name, shape, step, peak) in enumerate(notes)
        }
    if list(made) != wanted:
        raise ValueError("kept for other tensors")
    return made
