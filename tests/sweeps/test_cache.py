"""The cache: a hit gives the bytes that were put, whoever put them; damage and loss are misses."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from accelsim.sweeps.cache import Cache

KEYS = [f"{i:064x}"[::-1] for i in range(40)]


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.binary(max_size=200)), max_size=60))
def test_memory_gives_the_last_bytes_and_stays_small(puts: list[tuple[str, bytes]]) -> None:
    cache, last = Cache(memory=1000), {}
    for key, content in puts:
        cache.put(key, content)
        last[key] = content
        assert cache.get(key) == content
        assert cache.bytes == sum(map(len, cache.held.values()))
        assert cache.bytes <= 1000 or len(cache.held) == 1
    for key in KEYS:
        found = cache.get(key)
        assert found is None or found == last[key]


def test_folder_serves_other_processes_objects(tmp_path: Path) -> None:
    Cache(tmp_path).put(KEYS[1], b"abc")
    other = Cache(tmp_path)
    assert other.get(KEYS[1]) == b"abc" and other.get(KEYS[2]) is None
    assert (other.hits, other.misses) == (1, 1)


def test_damage_is_a_miss(tmp_path: Path) -> None:
    Cache(tmp_path).put(KEYS[1], b"abcdef")
    (place,) = tmp_path.glob("??/*")
    whole = place.read_bytes()
    for broken in (b"", whole[:10], whole[:-1], whole[:-1] + b"x", whole + b"x"):
        place.write_bytes(broken)
        assert Cache(tmp_path).get(KEYS[1]) is None
    place.unlink()
    assert Cache(tmp_path).get(KEYS[1]) is None


def test_folder_keeps_the_newest_below_its_limit(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=10 * (100 + 32))
    for key in KEYS:
        cache.put(key, b"x" * 100)
    cache.shrink()
    left = [key for key in KEYS if Cache(tmp_path).get(key) is not None]
    assert left == KEYS[-10:]


def test_a_folder_that_cannot_be_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "below")
    cache.put(KEYS[0], b"abc")
    assert cache.get(KEYS[0]) == b"abc" and Cache(tmp_path / "file").get(KEYS[0]) is None


def _writer(folder: str, seed: int) -> None:
    cache = Cache(Path(folder), memory=1, limit=20_000)
    for i in range(150):
        key = KEYS[(i * 7 + seed) % len(KEYS)]
        found = cache.get(key)
        assert found is None or found == key.encode() * 20
        cache.put(key, key.encode() * 20)
        if i % 20 == 0:
            cache.shrink()


def test_many_processes(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_writer, args=(str(tmp_path), seed)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert not list(tmp_path.glob("??/.*"))
