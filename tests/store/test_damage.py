"""A store whose bytes have changed gives no other figure: what is damaged is passed over or made anew."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from accelsim.errors import InputError
from accelsim.store.columns import Columns, columns
from accelsim.store.folder import COLUMNS, CONTEXT, context
from accelsim.store.record import canonical, checksum, signed, unsigned
from accelsim.store.shards import repair, shards
from accelsim.store.view import index, lasting
from tests.store.test_store import filled

TRIES = 200


Damage = Callable[[bytes, random.Random], bytes]


def flipped(data: bytes, rng: random.Random) -> bytes:
    """One bit is another."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def replaced(data: bytes, rng: random.Random) -> bytes:
    """One byte is another."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([(data[at] + rng.randrange(1, 256)) % 256]) + data[at + 1 :]


def figures(found: Columns) -> dict[str, tuple[object, ...]]:
    """Everything that a store says, by key."""
    texts = [
        found.setting(key) for key in (*found.sets, "base", "workload", "search", "seed", "error")
    ]
    numbers = [found.measure(name) for name in found.measures] + [
        found.part(name) for name in found.parts
    ]
    return {
        key.decode(): (
            bool(found.ok[row]),
            bool(found.fits[row]),
            *(float(column[row]) for column in numbers),
            *(values[codes[row]] if codes[row] >= 0 else None for codes, values in texts),
        )
        for row, key in enumerate(found.keys.tolist())
    }


def same(a: object, b: object) -> bool:
    return bool(np.array_equal(np.array(a, object), np.array(b, object))) or repr(a) == repr(b)


@pytest.mark.parametrize("damage", [flipped, replaced])
def test_no_damaged_shard_is_accepted(damage: Damage, tmp_path: Path) -> None:
    folder = filled(tmp_path / "s", misfit=5, fail=3)
    truth = {record.key: lasting(record) for record in index(folder).records()}
    path = shards(folder)[0]
    whole = path.read_bytes()
    for seed in range(TRIES):
        path.write_bytes(damage(whole, random.Random(seed)))
        try:
            found = index(folder)
        except InputError as error:
            assert str(path) in str(error), seed
            continue
        for record in found.records():
            assert truth[record.key] == lasting(record), seed
        assert len(found.keys) < len(truth), seed
        assert found.notes or path.read_bytes()[-1:] != b"\n", seed


@pytest.mark.parametrize("damage", [flipped, replaced])
def test_a_damaged_sidecar_is_made_anew(damage: Damage, tmp_path: Path) -> None:
    folder = filled(tmp_path / "s", misfit=5, fail=3)
    truth, whole = figures(columns(folder)), (folder / COLUMNS).read_bytes()
    for seed in range(TRIES):
        (folder / COLUMNS).write_bytes(damage(whole, random.Random(seed)))
        found = figures(columns(folder))
        assert found.keys() == truth.keys() and all(
            same(found[key], truth[key]) for key in truth
        ), seed


def test_a_figure_of_a_sidecar_changed_by_hand_is_computed_anew(tmp_path: Path) -> None:
    """Whoever writes the whole archive again, with the zip's own checksums right, is noticed too."""
    folder = filled(tmp_path / "s")
    truth = columns(folder).measure("energy_chip_joules").copy()
    with np.load(folder / COLUMNS) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["measure.energy_chip_joules"] = arrays["measure.energy_chip_joules"] / 2
    np.savez(folder / COLUMNS, **arrays)
    np.testing.assert_array_equal(columns(folder).measure("energy_chip_joules"), truth)
    np.testing.assert_array_equal(columns(folder).measure("energy_chip_joules"), truth)


def test_the_key_is_computed_anew(tmp_path: Path) -> None:
    """A record that is signed, but speaks of another point than its key does, is none of the store's."""
    folder = filled(tmp_path / "s")
    path = shards(folder)[0]
    first, *rest = path.read_text().splitlines()
    whole = json.loads(unsigned(first))
    whole["point"]["set"]["x"] += 100
    path.write_text("\n".join([signed(canonical(whole)), *rest]) + "\n")
    (note,) = index(folder).notes
    assert (
        f"{path}:1: has a key that is not its point's; passed over, made anew by: accelsim sweep"
        in note
    )
    assert len(index(folder).keys) == 11


def test_a_context_changed_by_hand_is_refused(tmp_path: Path) -> None:
    folder = filled(tmp_path / "s")
    path = folder / CONTEXT
    path.write_text(path.read_text().replace('"why?"', '"how?"'))
    with pytest.raises(
        InputError,
        match=r"context\.json: is not what was written: its checksum is another; "
        "give another --store, or --fresh",
    ):
        context(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bases", 3),
        ("works", [{"name": 3}]),
        ("objectives", [None]),
        ("constraints", [[[]]]),
        ("axes", {}),
        ("points", True),
        ("name", ["x"]),
        ("set", "x"),
    ],
)
def test_a_context_of_another_form_is_refused(key: str, value: object, tmp_path: Path) -> None:
    folder = filled(tmp_path / "s")
    whole = {**context(folder), key: value}
    (folder / CONTEXT).write_text(json.dumps({**whole, "sum": checksum(whole)}))
    with pytest.raises(InputError, match=rf"is no context of a store \({key}"):
        context(folder)


def test_a_linked_shard_is_read_and_never_written(tmp_path: Path) -> None:
    folder = filled(tmp_path / "s")
    path, own = shards(folder)[0], tmp_path / "somebody.jsonl"
    path.rename(own)
    own.write_bytes(own.read_bytes() + b'{"half')
    before = own.read_bytes()
    path.symlink_to(own)
    assert repair(folder) == [] and own.read_bytes() == before
    assert len(index(folder).keys) == 12
