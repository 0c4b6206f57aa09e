"""What a kernel is cached by: its own bytecode and that of all it is compiled with, nothing else."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from accelsim import jit

LIMIT = 3


def helper(x: int) -> int:
    return x


def caller(x: int) -> int:
    return helper(x) + LIMIT


def one(x: int) -> int:
    return 1


def two(x: int) -> int:
    return 2


one.__name__ = two.__name__ = "helper"


@pytest.mark.skipif(not jit.enabled(), reason="plain functions run under their own names")
def test_two_twins_with_helpers_of_one_name_have_their_own_code() -> None:
    assert (jit.compiled(caller, (one,))(10), jit.compiled(caller, (two,))(10)) == (4, 5)
    assert caller(10) == 13


def test_the_fingerprint_follows_helpers_constants_and_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    marks = {
        jit.fingerprint(caller),
        jit.fingerprint(caller, (one,)),
        jit.fingerprint(caller, (two,)),
        jit.fingerprint(caller, ((one, (two,)),)),
    }
    assert len(marks) == 3  # a helper that nobody calls is no part of the code
    monkeypatch.setitem(caller.__globals__, "LIMIT", 4)
    assert jit.fingerprint(caller, (one,)) not in marks
    monkeypatch.undo()
    assert jit.fingerprint(caller, (one,)) in marks


def run(folder: Path, constant: int, comment: str) -> list[str]:
    """Result of a kernel whose helper stands in another file, and how many kernels were compiled."""
    part = f"# {comment}\nADDED = {constant}\ndef helper(x):\n    return x + ADDED\n"
    (folder / "accelsim_part.py").write_text(part)
    (folder / "caller.py").write_text(
        "def helper(x):\n    return x\ndef f(x):\n    return helper(x) * 2\n"
    )
    code = textwrap.dedent("""
        from accelsim import jit
        import caller, accelsim_part
        kernel = jit.compiled(caller.f, (accelsim_part.helper,))
        print(kernel(1), sum(kernel.stats.cache_misses.values()))
    """)
    environment = {
        "PYTHONPATH": f"{folder}:{Path(jit.__file__).parents[1]}",
        "ACCELSIM_CACHE_DIR": str(folder / "kernels"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split()


@pytest.mark.skipif(not jit.enabled(), reason="nothing is compiled")
def test_an_edit_of_a_helper_in_another_file_compiles_anew_and_a_comment_does_not(
    tmp_path: Path,
) -> None:
    assert run(tmp_path, 1, "first") == ["4", "1"]
    assert run(tmp_path, 1, "a comment that changes no code") == ["4", "0"]
    assert run(tmp_path, 5, "a comment that changes no code") == ["12", "1"]


@pytest.mark.skipif(not jit.enabled(), reason="nothing is compiled")
def test_what_was_kept_for_a_record_of_another_name_is_compiled_anew(tmp_path: Path) -> None:
    code = textwrap.dedent("""
        from accelsim import jit
        import caller
        kernel = jit.compiled(caller.f)
        print(kernel(caller.made()), sum(kernel.stats.cache_misses.values()))
    """)
    environment = {
        "PYTHONPATH": f"{tmp_path}:{Path(jit.__file__).parents[1]}",
        "ACCELSIM_CACHE_DIR": str(tmp_path / "kernels"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    def said(record: str) -> list[str]:
        (tmp_path / "caller.py").write_text(
            f"from typing import NamedTuple\nclass {record}(NamedTuple):\n    a: int\n    b: int\n"
            f"def made():\n    return {record}(2, 3)\ndef f(x):\n    return x.a + 2 * x.b\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        return done.stdout.split()

    assert [said(name) for name in ("Size", "Size", "Numbers", "Numbers")] == [
        ["8", "1"],
        ["8", "0"],
        ["8", "1"],
        ["8", "0"],
    ]


def test_every_kernel_of_a_run_has_the_same_fingerprint_in_every_process() -> None:
    code = textwrap.dedent("""
        from accelsim import jit
        marks = set()
        def compiled(function, helpers=()):
            marks.add(function.__qualname__ + " " + jit.fingerprint(function, helpers))
            return function
        jit.compiled = compiled
        from accelsim.sweeps import warm
        warm.warm_kernels(analog=True)
        print(*sorted(marks), sep="\\n")
    """)
    outputs: list[Any] = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert outputs[0] == outputs[1] and len(outputs[0].splitlines()) > 8
