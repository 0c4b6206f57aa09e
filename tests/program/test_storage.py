"""Saved Programs: whole or refused, never half-read, never half-written."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

import accelsim
from accelsim.errors import InputError
from accelsim.mapping.compile import compile_program
from accelsim.program.digest import program_digest
from accelsim.program.storage import load_program, save_program
from tests.program.probes import shared_dram


def code_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_program(path)
    problem = caught.value.problems[0]
    assert problem.file == str(path)
    assert problem.fix
    return problem.code


def test_a_compiled_program_keeps_its_digest(tmp_path: Path) -> None:
    program = compile_program(
        accelsim.load_chip("mixed_quad"), accelsim.load_workload("small_gemm")
    )
    save_program(program, tmp_path / "p.npz")
    assert program_digest(load_program(tmp_path / "p.npz")) == program_digest(program)


def test_every_column_is_in_the_digest(tmp_path: Path) -> None:
    program = shared_dram().program
    before = program_digest(program)
    for table in ("commands", "shapes", "operands", "dependencies", "demands"):
        whole = getattr(program, table)
        for name in whole.__slots__:
            column = getattr(whole, name)
            column.flat[0] += 1
            assert program_digest(program) != before, f"{table}.{name}"
            column.flat[0] -= 1
    assert program_digest(program) == before


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    assert code_of(tmp_path / "none.npz") == "program.missing"
    (tmp_path / "text.npz").write_text("not a program")
    assert code_of(tmp_path / "text.npz") == "program.file"
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    assert code_of(tmp_path / "other.npz") == "program.file"


def test_another_version_and_a_changed_column(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    save_program(shared_dram().program, path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    changed = {**arrays, "commands.unit": arrays["commands.unit"][::-1].copy()}
    np.savez(path, **changed)
    assert code_of(path) == "program.digest"
    header = arrays["header"].tobytes().replace(b'"accelsim_program": 1', b'"accelsim_program": 9')
    np.savez(path, **{**arrays, "header": np.frombuffer(header, np.uint8)})
    assert code_of(path) == "program.version"


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    """400 flips, cuts and overwrites: the same Program or a refusal, nothing else."""
    path = tmp_path / "p.npz"
    program = shared_dram().program
    save_program(program, path)
    whole, digest, refused = path.read_bytes(), program_digest(program), 0
    rng = random.Random(0)
    for _ in range(400):
        data = bytearray(whole)
        kind = rng.randrange(3)
        if kind == 0:
            data = data[: rng.randrange(len(data))]
        for _ in range(rng.randrange(1, 6) if kind else 0):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        try:
            assert program_digest(load_program(path)) == digest
        except InputError as error:
            refused += 1
            assert error.problems[0].file == str(path)
    assert refused > 200


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.npz"
    save_program(shared_dram().program, path)
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        save_program(shared_dram().program, path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.npz"]
