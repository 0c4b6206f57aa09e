"""What a store makes of what it finds: bad lines, half lines, other versions, other sweeps."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from accelsim.errors import InputError
from accelsim.store import Failure, Record
from accelsim.store.columns import columns, fresh
from accelsim.store.export import refuse_export, write_points
from accelsim.store.folder import COLUMNS, context, prepare
from accelsim.store.front import front
from accelsim.store.record import canonical, signed, unsigned
from accelsim.store.shards import LONGEST_LINE, ShardWriter, repair, shards
from accelsim.store.view import dump, index, lasting
from accelsim.sweeps.context import context_of
from accelsim.sweeps.identity import identity
from tests.sweeps.fakes import Fake, points, sweep


def filled(folder: Path, count: int = 12, **special: int) -> Path:
    """A store of fake points, in two shards."""
    spec = sweep()
    prepare(folder, context_of(spec, identity(spec)), spec.text)
    fake = Fake(spec, None)
    for part in (0, 1):
        writer = ShardWriter(folder)
        for point in points(count, **special)[part::2]:
            writer.append(fake.evaluate(point).line())
        writer.close()
    return folder


def test_a_half_line_is_taken_away_and_said(tmp_path: Path) -> None:
    folder = filled(tmp_path / "s")
    whole = list(dump(folder))
    path = shards(folder)[0]
    before = path.read_bytes()
    path.write_bytes(before + b'{"v":1,"key"')
    assert list(dump(folder)) == whole, "readers pass over it"
    (note,) = repair(folder)
    assert note == f"{path.name}: half a line of 12 bytes at its end, taken away"
    assert path.read_bytes() == before and repair(folder) == []


def test_a_living_writer_is_left_alone(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path)
    writer.append("{}")
    os.write(writer.handle, b"half")
    assert repair(tmp_path) == []
    os.close(writer.handle)
    assert len(repair(tmp_path)) == 1
    assert writer.path.read_bytes() == b"{}\n"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"garbage", "is no record"),
        (b"\xff\xfe\x00", "is no record"),
        (b"", "is empty"),
        (b"[1, 2]", "is no record"),
        (b"[" * 100_000, "is no record"),
        (b'{"v":2}', "is no record"),
        (b"null", "is no record"),
        (b"x" * (LONGEST_LINE + 10), f"is {LONGEST_LINE + 10:,} bytes long"),
        (b"y" * (3 * LONGEST_LINE), f"is {3 * LONGEST_LINE:,} bytes long"),
    ],
)
def test_bad_lines_are_passed_over_and_said(line: bytes, what: str, tmp_path: Path) -> None:
    folder = filled(tmp_path / "s")
    whole = list(dump(folder))
    path = shards(folder)[0]
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(first + b"\n" + line + b"\n" + rest)
    found = index(folder)
    anew = f"accelsim sweep fake.yaml --store {folder}"
    assert found.notes == [f"{path}:2: {what}; passed over, made anew by: {anew}"]
    assert list(dump(folder)) == whole


@pytest.mark.parametrize(
    "change",
    [
        {"key": "short"},
        {"key": 5},
        {"measures": {"cycles": "many"}},
        {"measures": {"cycles": True}},
        {"run": 3},
        {"point": {"base": 1, "workload": "w", "set": {}, "search": None, "seed": 0}},
        {"point": None},
        {"point": {"base": "b", "workload": "w", "set": [], "search": None, "seed": 0}},
        {"aged": [3]},
        {"error": {"code": "x"}},
        {"parts": []},
    ],
)
def test_records_of_a_wrong_kind(change: dict[str, Any], tmp_path: Path) -> None:
    folder = filled(tmp_path / "s")
    path = shards(folder)[0]
    good = json.loads(unsigned(path.read_text().splitlines()[0]))
    path.write_text(path.read_text() + signed(canonical({**good, **change})) + "\n")
    (note,) = index(folder).notes
    assert ": is no record; passed over" in note
    columns(folder)


def test_another_version_is_refused(tmp_path: Path) -> None:
    folder = filled(tmp_path / "s")
    path = shards(folder)[0]
    path.write_text(path.read_text() + '{"v":1,"key":"0"}\n')
    with pytest.raises(
        InputError, match=rf"{path.name}:7:1: is of version 1.*give another --store"
    ):
        index(folder)
    found = json.loads((folder / "context.json").read_text())
    (folder / "context.json").write_text(json.dumps({**found, "format": 1}))
    with pytest.raises(InputError, match="is of version 1"):
        context(folder)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"name": "other"}, "the sweep 'fake', not 'other'"),
        ({"model": "9.9"}, "this is 9.9"),
        ({"settings": "x"}, "other settings"),
        (
            {"bases": [{"name": "pcm", "source": "", "analog": True, "digest": "x", "set": {}}]},
            "base of the name pcm",
        ),
        (
            {"works": [{"name": "net", "source": "", "batch": None, "digest": "x"}]},
            "workload of the name net",
        ),
    ],
)
def test_another_sweep_is_refused(change: dict[str, Any], what: str, tmp_path: Path) -> None:
    folder = filled(tmp_path / "s")
    spec = sweep()
    wanted = {**context_of(spec, identity(spec)), **change}
    with pytest.raises(InputError, match=what):
        prepare(folder, wanted, "")
    prepare(folder, wanted, "", fresh=True)
    assert shards(folder) == [] and context(folder)["model"] == wanted["model"]


def test_axes_and_objectives_may_change(tmp_path: Path) -> None:
    folder = filled(tmp_path / "s")
    more = dataclasses.replace(sweep(), objectives=("watts",), question="else?")
    prepare(folder, context_of(more, identity(more)), more.text)
    assert len(index(folder).keys) == 12 and context(folder)["objectives"] == ["watts"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "[" * 5000])
def test_a_context_that_is_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "context.json").write_text(content)
    with pytest.raises(InputError, match="--fresh to begin anew"):
        context(tmp_path)
    with pytest.raises(InputError, match=r"has no context\.json"):
        context(tmp_path / "nowhere")


def test_a_folder_of_somebody_else_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    spec = sweep()
    for anew in (False, True):
        with pytest.raises(InputError, match=r"holds thesis.tex"):
            prepare(tmp_path, context_of(spec, identity(spec)), "", fresh=anew)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_the_view_does_not_depend_on_the_order_of_shards(tmp_path: Path) -> None:
    """Measured before refused before wrong; equal standing by text; the names of shards play no part."""
    point = points(1)[0]
    good = Record("0" * 32, "m", point, {"cycles": 1.0})
    failed = [
        Record("0" * 32, "m", point, failure=Failure(code, text, code != "mapping.fits"))
        for code, text in (("internal", "a"), ("worker.died", "b"), ("mapping.fits", "c"))
    ]
    for number, case in enumerate([[good, *failed], [*failed, good], [failed[2], good, failed[0]]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        for place, record in enumerate(case):
            (folder / f"points-{place}.jsonl").write_text(record.line() + "\n")
        assert list(dump(folder)) == [lasting(good)]
        (folder / "points-z.jsonl").write_text(failed[1].line() + "\n")
        assert list(dump(folder)) == [lasting(good)] and index(folder).conflicts == []
        for shard, cycles in (("x", 0.7), ("y", 0.5), ("zz", 0.6)):
            other = Record("0" * 32, "m", point, {"cycles": cycles})
            (folder / f"points-{shard}.jsonl").write_text(other.line() + "\n")
        assert '"cycles":0.5' in next(iter(dump(folder))) and index(folder).conflicts == ["0" * 32]
    rest = tmp_path / "rest"
    rest.mkdir()
    for place, record in enumerate(failed):
        (rest / f"points-{place}.jsonl").write_text(record.line() + "\n")
    assert list(dump(rest)) == [lasting(failed[2])] and index(rest).settled() == {"0" * 32}


def test_columns_hold_what_records_hold(tmp_path: Path) -> None:
    folder = filled(tmp_path / "s", 40, fail=3, misfit=5, refuse=7)
    found = columns(folder)
    records = list(index(folder).records())
    assert [key.decode() for key in found.keys] == [record.key for record in records]
    for again in (found, fresh(folder)):
        assert again is not None and len(again) == 40
        for name in ("energy_chip_joules", "throughput_per_second", "cycles"):
            wanted = [record.measures.get(name, np.nan) for record in records]
            np.testing.assert_array_equal(again.measure(name), wanted)
        np.testing.assert_array_equal(
            again.part("dram"), [r.parts.get("dram", np.nan) for r in records]
        )
        assert again.ok.tolist() == [record.ok for record in records]
        assert again.fits.tolist() == [r.failure is None or r.failure.fits for r in records]
        for key in ("x", "do"):
            numbers, values = again.setting(key)
            assert [values[n] if n >= 0 else None for n in numbers] == [
                dict(r.point.sets).get(key) for r in records
            ]
        numbers, values = again.setting("base")
        assert [values[n] for n in numbers] == [record.point.base for record in records]


def test_columns_are_made_anew_when_shards_grow(tmp_path: Path) -> None:
    folder = filled(tmp_path / "s")
    columns(folder)
    first = (folder / COLUMNS).read_bytes()
    columns(folder)
    assert (folder / COLUMNS).read_bytes() == first
    writer = ShardWriter(folder)
    writer.append(Fake(sweep(), None).evaluate(points(50)[49]).line())
    writer.close()
    assert fresh(folder) is None and len(columns(folder)) == 13
    for broken in (b"", b"PK", first[: len(first) // 2]):
        (folder / COLUMNS).write_bytes(broken)
        assert len(columns(folder)) == 13


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 4),
    st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, np.nan]), min_size=4, max_size=4), max_size=30
    ),
)
@example(2, [[0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0], [0.0, 1.0, 2.0, 0.0]])
@example(
    3, [[0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 2.0, 0.0], [1.0, 0.0, 2.0, 3.0]]
)
def test_the_front_is_what_no_other_beats(objectives: int, rows: list[list[float]]) -> None:
    values = np.array(rows, np.float64).reshape(-1, 4)[:, :objectives]
    wanted = [
        not np.isnan(row).any()
        and not any((other <= row).all() and (other < row).any() for other in values)
        for row in values
    ]
    assert front(values).tolist() == wanted


def test_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filled(tmp_path / "s", 20, misfit=5)
    found = columns(folder)
    keys = {key.decode() for key in found.keys[:15]}
    write_points(folder, found, str(tmp_path / "points.csv"), keys)
    with (tmp_path / "points.csv").open() as file:
        rows = list(csv.DictReader(file))
    by_key = {record.key: record for record in index(folder).records()}
    assert {row["key"] for row in rows} == keys
    for row in rows:
        record = by_key[row["key"]]
        assert int(row["set.x"]) == dict(record.point.sets)["x"] and row["ok"] == str(record.ok)
        assert row["error"] == (record.failure.code if record.failure else "")
        assert (
            float(row["energy_chip_joules"]) if row["energy_chip_joules"] else None
        ) == record.measures.get("energy_chip_joules")
    write_points(folder, found, str(tmp_path / "points.parquet"), keys)
    parquet = (
        pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "points.parquet").to_pylist()
    )
    assert [row["energy_chip_joules"] for row in parquet] == [
        float(row["energy_chip_joules"]) if row["energy_chip_joules"] else None for row in rows
    ]
    for path, what in (
        ("points.txt", "neither"),
        ("no/folder/p.csv", "no place"),
        (str(tmp_path), "neither"),
    ):
        with pytest.raises(InputError, match=what):
            refuse_export(path)
    with pytest.raises(InputError, match="cannot be written"):
        write_points(folder, found, str(tmp_path / "none" / "p.csv"), keys)
