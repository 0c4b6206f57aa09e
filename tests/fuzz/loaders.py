"""Every loader of the program, as something that alters a good input and reads it."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import accelsim
from accelsim import api
from accelsim.config.format_file import load_format
from accelsim.config.image_file import load_image
from accelsim.config.inputs_file import batch_of, inputs_of, load_arrays
from accelsim.config.mapping_file import load_mapping_file, load_mappings
from accelsim.devices.files import load_device
from accelsim.results import files
from accelsim.store.columns import columns
from accelsim.store.folder import COLUMNS, CONTEXT
from accelsim.store.record import canonical, checksum, signed, unsigned
from accelsim.store.shards import shards
from accelsim.store.view import index
from accelsim.sweeps.validate import checked_sweep
from accelsim.traces import check_arrays, load_trace, replay
from tests.chip.graphs import MESHED, NESTED
from tests.fuzz.accepted import check_chip, check_result, check_run, check_workload, figures, small
from tests.fuzz.mutate import damaged, edited, edited_arrays, edited_table
from tests.importers.test_other_files import LLAMA, ZIGZAG
from tests.store.test_store import filled
from tests.traces import hand_made

ROOT = Path(__file__).parents[2]
BYTES = 0.25  # share of edits that are of bytes


class Loader:
    """One kind of input. folder: an empty one of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, rng: random.Random, intact: bool = False) -> None:
        """Read an altered copy; InputError where it is refused."""
        raise NotImplementedError


class Documents(Loader):
    """Files of plain values: YAML or JSON. sources: (name, content). read: takes the altered file."""

    def __init__(
        self, folder: Path, sources: list[tuple[str, str]], read: Callable[[Path], None]
    ) -> None:
        super().__init__(folder)
        self.read = read
        self.sources = [(name, text, yaml.safe_load(text)) for name, text in sources]

    def load(self, rng: random.Random, intact: bool = False) -> None:
        name, text, plain = rng.choice(self.sources)
        path = self.folder / f"fuzzed{Path(name).suffix}"
        if intact:
            path.write_text(text)
        elif rng.random() < BYTES:
            path.write_bytes(damaged(text.encode(), rng, True))
        else:
            path.write_text(json.dumps(edited(plain, rng), indent=1))
        self.read(path)


class Tables(Loader):
    """Files of lines of cells."""

    def __init__(
        self, folder: Path, ending: str, cut: str, texts: list[str], read: Callable[[Path], None]
    ) -> None:
        super().__init__(folder)
        self.path, self.cut, self.texts, self.read = folder / f"fuzzed.{ending}", cut, texts, read

    def load(self, rng: random.Random, intact: bool = False) -> None:
        text = rng.choice(self.texts)
        if intact:
            self.path.write_text(text)
        elif rng.random() < BYTES:
            self.path.write_bytes(damaged(text.encode(), rng, True))
        else:
            rows = edited_table([line.split(self.cut) for line in text.splitlines()], rng)
            whole = "\n".join(self.cut.join(row) for row in rows) + "\n"
            self.path.write_bytes(whole.encode("utf-8", "surrogatepass"))
        self.read(self.path)


class Arrays(Loader):
    """An .npz file."""

    def __init__(
        self, folder: Path, name: str, arrays: dict[str, Any], read: Callable[[Path], None]
    ) -> None:
        super().__init__(folder)
        self.path, self.arrays, self.read = folder / name, arrays, read
        np.savez(self.path, **arrays)
        self.data = self.path.read_bytes()

    def load(self, rng: random.Random, intact: bool = False) -> None:
        if intact:
            self.path.write_bytes(self.data)
        elif rng.random() < BYTES:
            self.path.write_bytes(damaged(self.data, rng, False))
        else:
            save = np.savez_compressed if rng.random() < 0.3 else np.savez
            save(self.path, **edited_arrays(self.arrays, rng))
        self.read(self.path)


class Models(Loader):
    """An ONNX model: nodes, names, attributes, shapes and types of a parsed one."""

    def __init__(self, folder: Path) -> None:
        import onnx

        super().__init__(folder)
        dims = {
            "residual_cnn": {},
            "sizes": {},
            "speech_lstm": {},
            "encoder": {"batch": 1, "tokens": 4},
        }
        self.models = [
            (onnx.load(str(ROOT / f"tests/onnx_models/{name}.onnx")), bound)
            for name, bound in dims.items()
        ]

    def load(self, rng: random.Random, intact: bool = False) -> None:
        from tests.fuzz.onnx_edits import edited_model

        (model, bound), path = rng.choice(self.models), self.folder / "fuzzed.onnx"
        data = model.SerializeToString()
        if not intact:
            data = damaged(data, rng, False) if rng.random() < BYTES else edited_model(model, rng)
        path.write_bytes(data)
        workload = accelsim.load_workload(path, dims=bound)
        if small(workload):
            check_result(api.run(accelsim.load_chip("int8_edge"), workload))


class Images(Loader):
    """A picture as an input."""

    def load(self, rng: random.Random, intact: bool = False) -> None:
        from PIL import Image

        path = self.folder / f"fuzzed.{rng.choice(['png', 'gif', 'bmp', 'tiff', 'webp', 'jpg'])}"
        mode = "RGB" if intact else rng.choice(["RGB", "L", "P", "RGBA", "1", "I;16", "CMYK", "LA"])
        mode = mode if path.suffix in (".png", ".tiff") and mode != "CMYK" else "RGB"
        size = (rng.randrange(1, 40), rng.randrange(1, 40))
        made = io.BytesIO()
        Image.new(mode, size).save(made, {".jpg": "JPEG"}.get(path.suffix, path.suffix[1:].upper()))
        path.write_bytes(made.getvalue() if intact else damaged(made.getvalue(), rng, False))
        shapes = [(1, 3, 8, 8), (1, 1, 5, 9), (1, 2, 8, 8), (3, 8), (2, 3, 8, 8)]
        shape = shapes[0] if intact else rng.choice(shapes)
        assert np.isfinite(load_image(path, shape)).all()


class Runs(Loader):
    """A run folder, sealed anew or not."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.good = folder / "good"
        result = api.run(accelsim.load_chip("int8_edge"), accelsim.load_workload("small_cnn", 1))
        files.save(result, self.good)
        self.plain = {name: json.loads((self.good / name).read_text()) for name in files.NEEDED[:2]}
        self.rows = list(csv.reader((self.good / "energy.csv").open()))

    def load(self, rng: random.Random, intact: bool = False) -> None:
        here = self.folder / "fuzzed"
        shutil.rmtree(here, ignore_errors=True)
        shutil.copytree(self.good, here)
        name = rng.choice(
            ["result.json", "inputs.json", "inputs.json", "energy.csv", files.CHECKSUMS]
        )
        path = here / name
        if intact:
            pass
        elif name == files.CHECKSUMS or rng.random() < BYTES:
            path.write_bytes(damaged(path.read_bytes(), rng, True))
        elif name == "energy.csv":
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(edited_table(self.rows, rng))
            path.write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))
        else:
            path.write_text(json.dumps(edited(self.plain[name], rng)))
        if name != files.CHECKSUMS and not intact:
            data = {item: (here / item).read_bytes() for item in files.NEEDED}
            (here / files.CHECKSUMS).write_bytes(files.checksums(data))
        check_run(here)


class Stores(Loader):
    """A store: shards, context and sidecar, signed anew."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.good = filled(folder / "good", misfit=5, fail=3)
        columns(self.good)

    def load(self, rng: random.Random, intact: bool = False) -> None:
        from accelsim.reports.sweeps.stored import read_store

        here = self.folder / "fuzzed"
        shutil.rmtree(here, ignore_errors=True)
        shutil.copytree(self.good, here)
        if not intact:
            (self._shard, self._shard, self._context, self._sidecar)[rng.randrange(4)](here, rng)
        for record in index(here).records():
            assert not figures({**record.measures, **record.parts} if record.ok else {}), record
        read_store(here)

    def _shard(self, here: Path, rng: random.Random) -> None:
        (here / COLUMNS).unlink()
        path = rng.choice(shards(here))
        if rng.random() < BYTES:
            path.write_bytes(damaged(path.read_bytes(), rng, True))
            return
        lines = path.read_text().splitlines()
        number = rng.randrange(len(lines))
        whole = edited(json.loads(unsigned(lines[number])), rng)
        lines[number] = signed(canonical(whole)) if isinstance(whole, dict) else canonical(whole)
        path.write_text("\n".join(lines) + "\n")

    def _context(self, here: Path, rng: random.Random) -> None:
        whole = json.loads((here / CONTEXT).read_text())
        whole.pop("sum")
        whole = edited(whole, rng)
        if isinstance(whole, dict):
            whole["sum"] = checksum(whole)
        (here / CONTEXT).write_text(json.dumps(whole))

    def _sidecar(self, here: Path, rng: random.Random) -> None:
        path = here / COLUMNS
        if rng.random() < BYTES:
            path.write_bytes(damaged(path.read_bytes(), rng, False))
            return
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        np.savez(path, **edited_arrays(arrays, rng))


class Recorded(Loader):
    """A layer trace with values: its text or its arrays."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        hand_made.write(folder)
        self.plain = yaml.safe_load(hand_made.TEXT)
        self.arrays = hand_made.arrays()
        self.text, self.data = (
            (folder / name).read_bytes() for name in ("trace.yaml", "values.npz")
        )

    def load(self, rng: random.Random, intact: bool = False) -> None:
        text, data = self.folder / "trace.yaml", self.folder / "values.npz"
        text.write_bytes(self.text)
        data.write_bytes(self.data)
        kind = rng.randrange(8)
        if not intact and kind == 0:
            text.write_bytes(damaged(self.text, rng, True))
        elif not intact and kind == 1:
            data.write_bytes(damaged(self.data, rng, False))
        elif not intact and kind < 5:
            text.write_text(json.dumps(edited(self.plain, rng)))
        elif not intact:
            np.savez(data, **edited_arrays(self.arrays, rng))
        trace = load_trace(text)
        check_arrays(trace, trace.workload.operators)
        if sum(spec.elements for spec in trace.workload.tensors.values()) < 1 << 12:
            replay(accelsim.load_chip("int8_edge"), trace)


def _mappings(path: Path) -> None:
    chip, work = accelsim.load_chip("int8_edge"), accelsim.load_workload("small_gemm")
    check_result(api.run(chip, work, mappings=load_mappings(path, chip, work)))


def _units(path: Path) -> None:
    chip, work = accelsim.load_chip("hybrid_edge"), accelsim.load_workload("digits_cnn")
    load_mapping_file(path, chip, work)


def _read_inputs(path: Path, values: bool) -> None:
    """An .npz as the values of a workload, or as a run's inputs."""
    arrays = load_arrays(path if not values else None) or {"images": np.zeros((2, 64))}
    batch = batch_of(arrays)
    if batch is not None and batch > 64:
        batch = 2
    work = accelsim.load_workload("digits_mlp", batch)
    if values:
        work = dataclasses.replace(work, values=str(path))
    inputs, labels = inputs_of(arrays, work)
    check_result(api.run(accelsim.load_chip("int8_edge"), work, inputs, labels=labels))


def _texts(pattern: str, *left_out: str) -> list[tuple[str, str]]:
    return [
        (path.name, path.read_text())
        for path in sorted(ROOT.glob(pattern))
        if path.stem not in left_out
    ]


def _npz(folder: Path, values: bool) -> Loader:
    with np.load(ROOT / "workloads/digits_mlp.npz") as file:
        stored = {name: file[name] for name in file.files}
    if values:
        return Arrays(folder, "fuzzed.npz", stored, lambda path: _read_inputs(path, True))
    rng = np.random.default_rng(1)
    images = {"images": rng.random((4, 64)), "labels": np.arange(4)}
    return Arrays(folder, "inputs.npz", images, lambda path: _read_inputs(path, False))


def _work(folder: Path) -> Callable[[Path], None]:
    """Reads a workload and holds it against what must hold of one."""
    return lambda path: check_workload(accelsim.load_workload(path), folder)


MNK = "name M N K\na 8 16 4\nb 3 5 7\n"
DEVICE = {
    "name": "mine",
    "g_max_us": 25.0,
    "read_s": 1e-6,
    "reference_s": 20.0,
    "read": {"poly": [0.02]},
    "programming": {"poly": [0.1, 0.2]},
    "drift_mean": {"points": [[0.0, 1.0], [0.05, 0.03]]},
    "drift_sd": {"poly": [0.01]},
}
SWEEPS = [*_texts("tests/config/sweep.yaml"), *_texts("configs/sweeps/array_size.yaml")]
SMALL = ROOT / "tests/scalesim"


def _chips(path: Path) -> None:
    check_chip(accelsim.load_chip(path))


#: kind -> what makes a Loader in a folder
LOADERS: dict[str, Callable[[Path], Loader]] = {
    "chip": lambda f: Documents(f, _texts("configs/chips/*.yaml"), _chips),
    "graph": lambda f: Documents(f, [("nested.yaml", NESTED), ("meshed.yaml", MESHED)], _chips),
    "workload": lambda f: Documents(
        f, _texts("workloads/*.yaml", "resnet18", "resnet50"), _work(f)
    ),
    "sweep": lambda f: Documents(f, SWEEPS, lambda path: checked_sweep(path) and None),
    "mapping": lambda f: Documents(f, _texts("configs/mappings/small_gemm.yaml"), _mappings),
    "units": lambda f: Documents(f, _texts("configs/mappings/hybrid_digits.yaml"), _units),
    "device": lambda f: Documents(
        f, [("mine.json", json.dumps(DEVICE))], lambda path: load_device(path) and None
    ),
    "format": lambda f: Documents(
        f, _texts("tests/formats/own_format.yaml"), lambda path: load_format(path) and None
    ),
    "zigzag": lambda f: Documents(f, [("net.yaml", ZIGZAG)], _work(f)),
    "onnxim": lambda f: Documents(f, [("llama.json", json.dumps(LLAMA))], _work(f)),
    "cfg": lambda f: Tables(f, "cfg", ":", [(SMALL / "small.cfg").read_text()], _chips),
    "csv": lambda f: Tables(f, "csv", ",", [(SMALL / "small.csv").read_text()], _work(f)),
    "mnk": lambda f: Tables(f, "mnk", " ", [MNK], _work(f)),
    "inputs": lambda f: _npz(f, False),
    "values": lambda f: _npz(f, True),
    "onnx": Models,
    "image": Images,
    "run": Runs,
    "store": Stores,
    "recorded": Recorded,
}
