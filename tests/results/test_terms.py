"""Single terms of what is shown of runs: differences, rounding, saved folders, SCALE-Sim's columns."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import accelsim
from accelsim.energy import EnergyReport, EnergyRow
from accelsim.errors import InputError
from accelsim.program.builder import After, Part, ProgramBuilder
from accelsim.program.opcodes import Edge, Flag, Opcode
from accelsim.program.table import Program
from accelsim.results import files
from accelsim.results.difference import exact_joules, first_difference, joule_terms, moved_constants
from accelsim.results.inputs import MOST_SLOTS, dump, load
from accelsim.results.result import Result
from accelsim.results.rounding import apportioned, column, decimals_of, text_of
from accelsim.results.scalesim_reports import _off_chip, _on_chip
from accelsim.units.dataflows import dataflow_named

V = Opcode.VECTOR
ROWS = 6


# -- the first command that differs ----------------------------------------------------------------


def program(rows: int = ROWS, **changed: dict[int, object]) -> Program:
    """Commands that read and write parts of a tensor and wait for the one before; changed: of a row."""

    def of(key: str, row: int, usual: object) -> object:
        return changed.get(key, {}).get(row, usual)

    b = ProgramBuilder()
    units = [b.unit(name, (V, Opcode.LOAD)) for name in "ab"]
    memory, port = b.memory("m", 1 << 16), b.port("p", 8, 10)
    operators = [b.operator(name) for name in ("one", "two")]
    tensors = [b.tensor(name, (64,)) for name in ("x", "y")]
    for row in range(rows):
        part = Part(
            of("tensor", row, tensors[0]),
            memory,
            of("address", row, 64 * row),  # type: ignore[arg-type]
            of("region", row, ((0, 8),)),
            format=of("format", row, "int8"),
        )  # type: ignore[arg-type]
        back = of("back", row, 1)
        edges = [After(row - back, of("kind", row, Edge.DATA))] if row else []  # type: ignore[operator, arg-type]
        b.command(
            units[of("unit", row, 0)],
            of("opcode", row, V),
            extents=of("extents", row, (1, 8)),  # type: ignore[index, arg-type]
            flags=of("flags", row, Flag.NONE),
            operator=operators[of("operator", row, 0)],  # type: ignore[index, arg-type]
            request=of("request", row, 0),
            after=edges * of("edges", row, 1),  # type: ignore[arg-type, operator]
            links={port: of("bytes", row, 16)},
            **{of("way", row, "reads"): [part]},
        )  # type: ignore[arg-type, dict-item]
    return b.build()


CHANGES: dict[str, object] = {
    "tensor": 1,
    "address": 8,
    "region": ((8, 8),),
    "format": "uint8",
    "kind": Edge.SLOT,
    "unit": 1,
    "opcode": Opcode.LOAD,
    "extents": (1, 9),
    "flags": Flag.FIRST_K,
    "operator": 1,
    "request": 3,
    "edges": 2,
    "bytes": 24,
    "way": "writes",
}


def test_the_first_difference_is_found_wherever_it_is() -> None:
    """One row changed in one thing, or two rows in two; the earlier counts."""
    same = program()
    assert first_difference(same, program()) is None
    for key, value in CHANGES.items():
        for row in (1, 3, ROWS - 1):
            assert first_difference(same, program(**{key: {row: value}})) == row, key
            assert first_difference(program(**{key: {row: value}}), same) == row, key
    assert first_difference(same, program(back={4: 2})) == 4
    for one, two in (
        ("bytes", "unit"),
        ("unit", "kind"),
        ("address", "bytes"),
        ("kind", "address"),
    ):
        for first, second in ((1, 4), (4, 1), (2, 3), (3, 3)):
            other = program(**{one: {first: CHANGES[one]}, two: {second: CHANGES[two]}})
            assert first_difference(same, other) == min(first, second), (one, two)


def test_a_program_that_ends_earlier_differs_at_its_end() -> None:
    for rows in (0, 1, ROWS - 1):
        assert first_difference(program(rows), program()) == rows
        assert first_difference(program(), program(rows)) == rows
    assert first_difference(program(4), program(unit={2: 1})) == 2
    assert first_difference(program(0), program(0)) is None


# -- joules ----------------------------------------------------------------------------------------


def run_of(*rows: tuple[int, str, float, float]) -> Result:
    """What differences read of a run: (operator, action, count, joules) on one unit."""
    made = [
        EnergyRow(op, "u", action, count, joules, 0.1, "core", f"source of {action}")
        for op, action, count, joules in rows
    ]
    return SimpleNamespace(
        energy=EnergyReport(made), program=SimpleNamespace(operators=["one", "two"])
    )  # type: ignore[return-value]


def test_a_change_is_that_of_the_count_at_as_constant_and_of_the_constant() -> None:
    """Rows of one action add up; without A's count the constant is B's, and nothing is of its change."""
    a = run_of((0, "x", 2.0, 6.0), (0, "x", 3.0, 9.0), (1, "x", 4.0, 8.0), (-1, "s", 1.0, 0.5))
    b = run_of((0, "x", 10.0, 20.0), (0, "x", 0.0, 0.0), (1, "y", 5.0, 40.0), (-1, "s", 1.0, 0.5))
    found = {(t.operator, t.action): (t.by_count, t.by_constant) for t in joule_terms(a, b)}
    assert found == {("one", "x"): (15, -10), ("two", "x"): (-8, 0), ("two", "y"): (40, 0)}
    assert [t.change for t in joule_terms(a, b)] == [40, -8, 5]
    assert exact_joules(b) - exact_joules(a) == 37 == sum(t.change for t in joule_terms(a, b))
    free = run_of((0, "x", 0.0, 3.0))
    assert [(t.by_count, t.by_constant) for t in joule_terms(free, run_of((0, "x", 0.0, 5.0)))] == [
        (0, 2)
    ]


def test_constants_that_moved() -> None:
    a = run_of((0, "x", 2.0, 6.0), (0, "y", 1.0, 1.0), (0, "z", 0.0, 0.0), (0, "w", 1.0, 2.0))
    b = run_of((0, "x", 5.0, 15.5), (0, "y", 3.0, 3.0), (0, "z", 1.0, 4.0), (0, "v", 1.0, 2.0))
    assert [(c.action, c.before, c.after) for c in moved_constants(a, b)] == [("x", 3.0, 3.1)]
    assert [c.action for c in moved_constants(a, run_of((0, "x", 1.0, 3.0 * (1 + 9e-10))))] == []
    assert [c.action for c in moved_constants(a, run_of((0, "x", 1.0, 3.0 * (1 + 2e-9))))] == ["x"]


# -- rounding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("decimals", [0, 1, 3])
def test_what_is_missing_goes_to_the_largest_remainders(decimals: int) -> None:
    draw = np.random.default_rng(decimals)
    unit = Fraction(1, 10**decimals)
    for _ in range(200):
        values = [
            Fraction(int(v), 997) for v in draw.integers(-4000, 4000, int(draw.integers(1, 9)))
        ]
        values[0] = Fraction(0)
        found = apportioned(values, decimals)
        assert sum(found) == round(sum(values) / unit) * unit and found[0] == 0
        down = [value // unit * unit for value in values]
        more = [(f - d) / unit for f, d in zip(found, down, strict=True)]
        assert set(more) <= {0, 1}
        rest = [(v - d, m) for v, d, m in zip(values, down, more, strict=True) if v]
        assert all(a >= b for a, up in rest if up for b, not_up in rest if not not_up)
    assert apportioned([1, 1, 2], 0, Fraction(11)) == [4, 3, 4]
    assert apportioned([1, 0, 1], 0, Fraction(-1)) == [0, 0, -1]
    assert apportioned([], 2) == [] and apportioned([0, 0], 2, Fraction(0)) == [0, 0]
    assert column([Fraction(1, 3), Fraction(1, 3), Fraction(1, 3)], 1) == [
        "0.4",
        "0.3",
        "0.3",
        "1.0",
    ]


def test_decimals_that_show_so_many_digits() -> None:
    """10^e <= size < 10^(e + 1) has e + 1 digits before the point; never fewer decimals than the least."""
    for exponent in range(-12, 7):
        for size in (1.0, 1.5, 9.99):
            total = float(f"{size}e{exponent}")
            for digits, least in ((5, 2), (3, 0)):
                wanted = max(least, digits - (exponent + 1))
                assert (
                    decimals_of(total, digits, least)
                    == decimals_of(-total, digits, least)
                    == wanted
                )
    assert [decimals_of(x) for x in (0.0, float("inf"), float("nan"))] == [2, 2, 2]


def test_every_digit_of_a_multiple() -> None:
    cases = (
        (Fraction(1234567, 100), 2, "12,345.67"),
        (Fraction(-1, 2), 1, "-0.5"),
        (Fraction(7), 0, "7"),
        (Fraction(5, 1000), 3, "0.005"),
        (Fraction(0), 2, "0.00"),
    )
    for value, decimals, text in cases:
        assert text_of(value, decimals) == text
        assert text_of(value, decimals, True) == ("+" if value > 0 else "") + text


# -- folders ---------------------------------------------------------------------------------------


def folder_of(path: Path, **names: bytes) -> Path:
    made = {name: name.encode() for name in files.NEEDED} | names
    path.mkdir()
    for name, data in {**made, files.CHECKSUMS: files.checksums(made)}.items():
        (path / name).write_bytes(data)
    return path


def test_files_are_held_against_their_checksums(tmp_path: Path) -> None:
    sound = folder_of(tmp_path / "sound", more=b"1")
    files.check_files(sound)
    (sound / "foreign").write_text("nobody's")
    (sound / "more").unlink()  # gone: counts where it is read
    files.check_files(sound)
    (sound / "energy.csv").write_text("another")
    with pytest.raises(InputError) as caught:
        files.check_files(sound)
    assert [Path(p.file or "").name for p in caught.value.problems] == ["energy.csv"]
    assert (
        "run it again" in caught.value.problems[0].fix
        or "make it anew" in caught.value.problems[0].fix
    )
    short = folder_of(tmp_path / "short")
    lines = (short / files.CHECKSUMS).read_text().splitlines()
    (short / files.CHECKSUMS).write_text(
        "\n".join(x for x in lines if "inputs.json" not in x) + "\n"
    )
    with pytest.raises(InputError, match=r"has no checksum of inputs\.json") as caught:
        files.check_files(short)
    assert len(caught.value.problems) == 1
    (short / files.CHECKSUMS).unlink()
    with pytest.raises(InputError, match="is no run's"):
        files.check_files(short)


def test_a_forced_folder_holds_the_new_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Foreign files are not deleted; a failed exchange leaves the old folder; nothing else is left behind."""
    target = tmp_path / "deep" / "run"
    files.write_folder({"a": b"1", "b": b"2"}, target)
    with pytest.raises(InputError, match="is not empty"):
        files.write_folder({"a": b"3"}, target)
    files.write_folder({"a": b"3"}, target, force=True, more=lambda draft: (draft / "c").mkdir())
    assert sorted(path.name for path in target.iterdir()) == ["a", "c", files.CREATED]
    assert (target / files.CREATED).read_text().splitlines()[1:] == ["a"]
    files.write_folder({"d": b"4"}, target, force=True)
    rename, calls = os.rename, []

    def second_fails(source: object, to: object) -> None:
        calls.append(to)
        if len(calls) == 2:
            raise OSError(5, "no")
        rename(source, to)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", second_fails)
    with pytest.raises(InputError, match="cannot be written: no"):
        files.write_folder({"e": b"5"}, target, force=True)
    monkeypatch.undo()
    assert sorted(path.name for path in target.iterdir()) == [files.CREATED, "d"]
    assert [path.name for path in target.parent.iterdir()] == ["run"]
    (target / "mine").write_text("x")
    with pytest.raises(InputError, match="holds mine, no file of earlier results"):
        files.write_folder({"f": b"6"}, target, force=True)
    (target / files.CREATED).write_text("2025-01-01T00:00:00+00:00\n")  # of a time without a list
    files.write_folder({"f": b"6"}, target, force=True)
    assert sorted(path.name for path in target.iterdir()) == [files.CREATED, "f"]


@pytest.fixture(scope="module")
def ran() -> Result:
    return accelsim.run(accelsim.load_chip("int8_edge"), accelsim.load_workload("small_gemm"))


def test_cycles_of_units_add_up_to_the_makespan(ran: Result) -> None:
    whole = files.to_dict(ran)
    for row, unit in zip(whole["units"], ran.units, strict=True):
        total = row["busy_cycles"] + sum(row["stalled_cycles"].values()) + row["idle_cycles"]
        assert total == pytest.approx(
            whole["makespan_seconds"] * whole["clock_hz"], rel=1e-9, abs=0.0
        )
        assert row["idle_cycles"] * ran.tick_hz / whole["clock_hz"] == pytest.approx(
            unit.idle, rel=1e-9, abs=0.0
        )
        assert 0 <= row["drain_cycles"] <= row["busy_cycles"]


def test_mappings_of_a_saved_run_are_in_range(ran: Result) -> None:
    """Slots from 1 to the most, dataflows that there are; what is in range is compared with the plan."""

    def said(**changed: int) -> str:
        chosen = {name: replace(m, **changed) for name, m in ran.plan.mappings.items()}
        whole = json.loads(
            json.dumps(dump(ran.chip, ran.workload, replace(ran.plan, mappings=chosen)))
        )
        try:
            load(whole, "inputs.json")
        except InputError as error:
            return error.problems[0].message
        return ""

    wrong = "has a dataflow or slots out of range"
    assert said() == ""
    for key in ("input_slots", "weight_slots", "output_slots"):
        assert said(**{key: MOST_SLOTS + 1}) == said(**{key: 0}) == wrong
        assert said(**{key: MOST_SLOTS}) != wrong
    assert said(dataflow=1 << 20) == said(dataflow=-1) == wrong and MOST_SLOTS == 64


def test_formats_of_a_saved_run_are_known(ran: Result) -> None:
    whole = json.loads(json.dumps(dump(ran.chip, ran.workload, ran.plan)))
    whole["workload"]["operators"][0]["weight_format"] = "int9"
    whole["workload"]["tensors"]["x"]["format"] = "int10"
    with pytest.raises(InputError) as caught:
        load(whole, "inputs.json")
    assert {p.message for p in caught.value.problems} == {
        "there is no format 'int9'",
        "there is no format 'int10'",
    }


# -- SCALE-Sim's columns ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["output_stationary", "weight_stationary", "input_stationary"])
def test_accesses_on_chip_start_and_stop_with_the_last_fold(name: str) -> None:
    """The streamed operand enters row i (column j) i (j) cycles late; the last fold's used rows and columns are
    what is left of whole ones."""
    flow = dataflow_named(name).number
    for rows, columns, along_rows, along_columns, steps, last, lines in (
        (8, 4, 20, 9, 11, 130, 25),
        (8, 4, 8, 4, 1, 0, 19),
        (3, 5, 2, 1, 7, 0, 14),
        (1, 1, 3, 3, 4, 60, 6),
    ):
        used_rows = next(n for n in range(1, rows + 1) if (along_rows - n) % rows == 0)
        used_columns = next(n for n in range(1, columns + 1) if (along_columns - n) % columns == 0)
        end = last + lines - 1 - (columns - used_columns)
        spare = rows - min(rows, along_rows)
        found = _on_chip(rows, columns, flow, along_rows, along_columns, steps, last, lines)
        if name == "output_stationary":
            assert found == (
                (1, last + steps + used_rows - 1),
                (1, last + steps + used_columns - 1),
                (steps - 1 + spare, end),
            )
            continue
        moving, held = (rows + 1, last + rows + steps + used_rows - 1), (1 + spare, last + rows)
        pair = (moving, held) if name == "weight_stationary" else (held, moving)
        assert found == (*pair, (2 * rows - 1, end))


def test_accesses_off_chip_come_a_fold_ahead_and_leave_a_fold_behind() -> None:
    chip = accelsim.load_chip("int8_edge", ["memories.dram.burst=8 B"])
    words = np.array([[17, 5, 0], [8, 0, 9], [3, 0, 12]])
    issue = np.array([0, 40, 90])
    assert _off_chip(chip, words, issue, 130) == ((-3, 39, 22), (-1, 89, 17), (40, 131, 15))
    assert _off_chip(chip, words[:, :2], issue[:2], 130) == (
        (-3, 39, 22),
        (-1, -1, 8),
        (40, 129, 3),
    )
    assert _off_chip(chip, words[:, :1], issue[:1], 130) == (
        (-3, -1, 17),
        (-1, -1, 8),
        (130, 130, 3),
    )
    nothing = np.zeros((3, 1), np.int64)
    assert _off_chip(chip, nothing, issue[:1], 50) == ((0, -1, 0), (0, -1, 0), (50, 49, 0))
