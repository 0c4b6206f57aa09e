"""Programs of this checkout against those of another commit, under that commit's mappings.

    python scripts/same_programs.py --commit HASH [--random 1000] [--folder DIR]

The other commit is installed in an environment of its own under DIR (kept, for the next time). Both compile the
same cases: chips x networks that are shipped, and random chips, operators and mappings. Commands and operands, each
with the names and numbers that they refer to, and values of networks that have them, must be equal to the last bit;
makespans may differ by what edges say: each change above 0.3 % is named, one above 1 % is an error.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMED, ALLOWED = 0.003, 0.01
F = "units.array.dataflow="
FOUR = ["units.array.count=4"]
CASES: list[tuple[str, str, list[str]]] = [
    ("int8_edge", "small_cnn", []),
    ("int8_edge", "small_gemm", [F + "output_stationary"]),
    ("int8_edge", "small_gemm", [F + "input_stationary", "weights=resident"]),
    ("int8_edge", "resnet18", []),
    ("int8_edge", "resnet18", [F + "output_stationary"]),
    ("int8_edge", "resnet18", [F + "input_stationary"]),
    ("int8_edge", "resnet18", ["units.array.rows=128", "units.array.columns=128"]),
    ("int8_edge", "resnet18", [*FOUR, "units.array.split=n"]),
    ("int8_edge", "resnet18", [*FOUR, "units.array.split=m"]),
    ("int8_edge", "digits_residual", [*FOUR, "units.array.split=k"]),
    ("int8_edge", "digits_residual", []),
    ("int8_edge", "mobilenet_v2", []),
    ("int8_edge", "efficientnet_b0", []),
    ("int8_edge", "speech_lstm", []),
    ("int8_edge", "dlrm", []),
    ("int8_128", "resnet50", []),
    ("int8_128", "vgg16", []),
    ("int8_128", "bert_base", []),
    ("int8_128", "transformer_base", []),
    ("int4_edge", "resnet18", []),
    ("int4_edge", "digits_cnn", []),
    ("fp8_64", "small_cnn", []),
    ("tpu_v1_like", "resnet18", []),
    ("ibm_quad_like", "alexnet", []),
    ("mixed_quad", "small_gemm", []),
    ("pcm_8level", "digits_cnn", []),
    ("pcm_8level", "digits_mlp", ["weights=cold"]),
    ("pcm_8level", "resnet18", []),
    ("pcm_8level", "small_cnn", ["units.tiles.count=4", "units.tiles.unmapped=reprogram"]),
    ("pcm_projected", "mobilenet_v2", ["units.tiles.count=400"]),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commit", default="9144cb8")
    parser.add_argument("--random", type=int, default=100, metavar="N")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--dump", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--mappings", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.dump:
        given = json.loads(options.mappings.read_text()) if options.mappings else {}
        options.dump.write_text(json.dumps(described(options.random, given)))
        return 0
    folder = options.folder or Path(tempfile.mkdtemp(prefix="same_programs"))
    folder.mkdir(parents=True, exist_ok=True)
    other = installed(options.commit, folder)
    files = [folder / "other.json", folder / "own.json"]
    command = [str(Path(__file__)), "--random", str(options.random), "--dump"]
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([str(other), *command, str(files[0])], check=True, cwd=folder, env=clean)
    own = {**clean, "PYTHONPATH": str(ROOT)}
    kept = folder / "mappings.json"
    there = json.loads(files[0].read_text())
    kept.write_text(json.dumps({name: case["mappings"] for name, case in there.items()}))
    subprocess.run(
        [sys.executable, *command, str(files[1]), "--mappings", str(kept)],
        check=True,
        cwd=folder,
        env=own,
    )
    return compared(there, json.loads(files[1].read_text()))


def installed(commit: str, folder: Path) -> Path:
    """The Python of an environment that holds that commit."""
    place = folder / commit
    python = place / "venv" / "bin" / "python"
    if not (place / "done").exists():
        source = place / "source"
        source.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            ["git", "-C", str(ROOT), "archive", commit], check=True, capture_output=True
        )
        subprocess.run(["tar", "-x", "-C", str(source)], input=packed.stdout, check=True)
        subprocess.run([sys.executable, "-m", "venv", str(place / "venv")], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        limits = ["-c", str(source / "constraints.txt")]
        subprocess.run([*pip, *limits, "-e", str(source)], check=True)
        (place / "done").touch()
    return python


def compared(there: dict[str, dict[str, object]], here: dict[str, dict[str, object]]) -> int:
    """Print what differs; how many cases do."""
    wrong, moved = 0, 0
    for name, one in there.items():
        two = here[name]
        for what in ("error", "rows", "commands", "operands", "values"):
            if one.get(what) != two.get(what):
                print(f"{name}: {what}: {one.get(what)} there, {two.get(what)} here")
                wrong += 1
                break
        else:
            old, new = one.get("makespan"), two.get("makespan")
            if not old:
                continue
            change = float(new) / float(old) - 1  # type: ignore[arg-type]
            if abs(change) > NAMED:
                print(f"{name}: makespan {change:+.2%}")
                moved += 1
            wrong += change > ALLOWED
    print(f"{wrong} of {len(there)} differ; {moved} makespans moved by more than {NAMED:.1%}")
    return 1 if wrong else 0


def described(count: int, given: dict[str, dict[str, dict[str, object]]]) -> dict[str, object]:
    """Every case by digests, with the mappings that were taken (``given`` ones, by case and operator)."""
    import numpy as np

    import accelsim
    from accelsim.errors import InputError
    from accelsim.mapping import Mapping, compile_program, plan
    from accelsim.timing import simulate

    def one(name: str, chip: object, work: object, mappings: object) -> dict[str, object]:
        if name in given:
            mappings = {
                # parameters: a list in JSON, nothing in older commits
                key: Mapping(**{**value, "parameters": tuple(value.get("parameters", ()))})  # type: ignore[arg-type]
                for key, value in given[name].items()
            }
        try:
            chosen = plan(chip, work, mappings)  # type: ignore[arg-type]
            program = compile_program(chip, work, chosen=chosen)  # type: ignore[arg-type]
        except InputError as error:
            places = (str(Path(accelsim.__file__).parents[1]), str(ROOT))
            text = str(error)
            for place in places:
                text = text.replace(place, "")
            return {"error": text, "mappings": {}}
        found = {key: item for key, item in chosen.mappings.items() if isinstance(item, Mapping)}
        timeline = simulate(program, chip)  # type: ignore[arg-type]
        values = None
        if "digits" in name:
            (spec,) = (t for t in work.tensors.values() if t.role == "input")  # type: ignore[attr-defined]
            images = np.load(ROOT / "workloads" / "digits.npz")["images"][: spec.shape[0]] / 16
            inputs = {spec.name: images.reshape(spec.shape)}
            result = accelsim.run(chip, work, inputs, mappings=found)  # type: ignore[arg-type]
            assert result.values is not None
            values = digest(*result.values.outputs.values())
        return {
            "values": values,
            "mappings": {key: asdict(item) for key, item in found.items()},
            "rows": len(program),
            "makespan": int(timeline.makespan),
            **digests(program),
        }

    all_cases: dict[str, object] = {}
    for chip_name, network, keys in CASES:
        name = " ".join([chip_name, network, *keys])
        chip, work = accelsim.load_chip(chip_name, keys), accelsim.load_workload(network)
        all_cases[name] = one(name, chip, work, None)
    for number, (chip, work, mapping) in enumerate(random_cases(count)):
        all_cases[f"random {number}"] = one(f"random {number}", chip, work, {"op": mapping})
    return all_cases


def random_cases(count: int) -> list[tuple[object, object, object]]:
    """Random chips, operators and mappings, of this checkout's generator."""
    import numpy as np

    path = ROOT / "tests" / "mapping" / "random_cases.py"
    spec = importlib.util.spec_from_file_location("random_cases", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found, rng = [], np.random.default_rng(16)
    while len(found) < count:
        chip, work = module.random_chip(rng), module.single(module.random_operator(rng))
        mapping = module.random_mapping(rng, chip, work)
        if mapping is not None:
            found.append((chip, work, mapping))
    return found


def digests(program: object) -> dict[str, str]:
    """Commands with their shapes, operands with their tensors."""
    c, s, o = program.commands, program.shapes, program.operands  # type: ignore[attr-defined]
    shape = [getattr(s, name)[c.shape] for name in ("kind", "opcode", "flags")]
    shape += [getattr(s, name)[c.shape] for name in ("format_a", "format_b", "format_out")]
    rest = (c.opcode, c.unit, c.queue, c.operator, c.flags, s.extents[c.shape])
    touched = (o.start, o.tensor, o.memory, o.address, o.span, o.bytes, o.access, o.format)
    return {
        "commands": digest(*rest, *shape),
        "operands": digest(*touched, o.offset, o.extent),
    }


def digest(*columns: object) -> str:
    """Of whole numbers in columns."""
    import numpy as np

    total = hashlib.sha256()
    for column in columns:
        total.update(np.ascontiguousarray(column, np.int64).tobytes())
    return total.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
