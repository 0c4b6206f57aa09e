"""Which of the two forms of a function runs: a matter of size, of what is ready, and of what was done so far."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from accelsim import jit

ABOVE = 100


def doubled(x: int) -> int:
    return x + x


def tripled(x: int) -> int:
    return doubled(x) + x


def work(x: int) -> int:
    return tripled(x)


HELPERS = ((tripled, (doubled,)),)
compiles = pytest.mark.skipif(not jit.enabled(), reason="nothing is compiled")


@pytest.fixture
def cold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A process that has compiled nothing, with an empty cache."""
    monkeypatch.setattr(jit, "_COMPILED", {})
    monkeypatch.setattr(jit, "_PLAIN", {})
    monkeypatch.setattr(jit._Choice, "eager", False)
    monkeypatch.setenv("ACCELSIM_CACHE_DIR", str(tmp_path))
    return tmp_path


@compiles
def test_small_work_is_plain_until_it_adds_up(cold: Path) -> None:
    assert not jit.fits(tripled, (doubled,), ABOVE, ABOVE, 1)
    assert jit.fits(tripled, (doubled,), 1, ABOVE, 1)
    assert not jit.fits(work, HELPERS, ABOVE, ABOVE)
    assert not jit.fits(work, HELPERS, ABOVE, ABOVE)
    for _ in range(jit.PATIENCE - 2):
        assert jit.fitting(work, HELPERS, ABOVE, ABOVE) is work
    assert jit.fitting(work, HELPERS, 1, ABOVE)(7) == 21


@compiles
def test_a_kernel_that_is_ready_loads_once_that_pays(
    cold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := cold / "accelsim" / "kernels").mkdir(parents=True)
    name = jit._kept_as(work, jit.fingerprint(work, HELPERS))
    monkeypatch.setattr(jit, "loaded", lambda: False)
    assert not jit.ready(work, HELPERS)
    (folder / f"{name}.nbi").touch()
    assert jit.ready(work, HELPERS) and not jit.ready(work)
    assert not jit.fits(work, HELPERS, ABOVE, ABOVE)
    assert jit.fits(work, HELPERS, 1, ABOVE)
    monkeypatch.setattr(jit, "_PLAIN", {})
    monkeypatch.setattr(jit, "loaded", lambda: True)
    assert jit.fits(work, HELPERS, 1, ABOVE) and not jit.fits(work, (), 1, ABOVE)


@compiles
def test_a_kernel_of_this_process_needs_no_cache(
    cold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jit, "_kernel_folder", lambda: None)
    kernel = jit.compiled(work, HELPERS)
    assert not jit.ready(work, HELPERS) and not jit.keeping()
    assert kernel(2) == 6 and jit.ready(work, HELPERS)


def test_only_one_form(monkeypatch: pytest.MonkeyPatch) -> None:
    with jit.only("plain"):
        assert not jit.fits(work, HELPERS, 10**9, ABOVE)
        with jit.only("compiled"):
            assert jit.fits(work, HELPERS, 0, ABOVE)
        assert jit.fitting(work, HELPERS, 10**9, ABOVE) is work
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    with jit.only("compiled"):  # the kernel's own code, as the function that it is
        assert jit.fits(work, HELPERS, 0, ABOVE) and jit.compiled(work, HELPERS) is work
    assert not jit.fits(work, HELPERS, 10**9, ABOVE) and not jit.keeping()


def process(folder: Path, code: str) -> list[str]:
    """What a new process prints that finds modules in a folder and keeps its kernels there."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder}:{Path(jit.__file__).parents[1]}",
        "ACCELSIM_CACHE_DIR": str(folder / "kept"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split()


@compiles
def test_a_comment_in_a_kernels_own_file_compiles_nothing(tmp_path: Path) -> None:
    """Nor is Numba loaded to know that."""
    code = """
        import sys
        from accelsim import jit
        import made
        print(jit.ready(made.f), "numba" in sys.modules)
        kernel = jit.compiled(made.f)
        print(kernel(1), sum(kernel.stats.cache_misses.values()))
    """
    for text, wanted in (
        ("def f(x):\n    return x + 1\n", ["False", "False", "2", "1"]),
        ("# more\n\ndef f(x):\n    # a comment\n    return x + 1\n", ["True", "False", "2", "0"]),
        ("def f(x):\n    return x + 2\n", ["False", "False", "3", "1"]),
    ):
        (tmp_path / "made.py").write_text(text)
        assert process(tmp_path, code) == wanted


@compiles
def test_twins_with_helpers_of_one_name_stay_apart_in_the_cache(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(
        "def g(x):\n    return x\ndef f(x):\n    return g(x) + 1\n"
        "def one(x):\n    return 1\ndef two(x):\n    return 2\none.__name__ = two.__name__ = 'g'\n"
    )
    code = """
        from accelsim import jit
        from made import f, one, two
        for helpers in ((one,), (two,)):
            kernel = jit.compiled(f, helpers)
            print(kernel(10), sum(kernel.stats.cache_hits.values()))
    """
    first, again = process(tmp_path, code), process(tmp_path, code)
    assert first == ["2", "0", "3", "0"]
    assert again == ["2", "1", "3", "1"]


@compiles
def test_fields_of_a_record_that_change_places(tmp_path: Path) -> None:
    """The kernel does not name the record's class, and the types of its fields stay the same."""
    code = """
        from accelsim import jit
        import made, record
        print(jit.compiled(made.f)(record.Outer(record.Pair(upper=1, lower=2), 3)))
    """
    (tmp_path / "made.py").write_text("def f(x):\n    return 10 * x.pair.upper + x.pair.lower\n")
    for fields in ("upper lower", "lower upper"):
        (tmp_path / "record.py").write_text(
            "from collections import namedtuple\n"
            f"Pair = namedtuple('Pair', '{fields}')\nOuter = namedtuple('Outer', 'pair more')\n"
        )
        assert process(tmp_path, code) == ["12"]
