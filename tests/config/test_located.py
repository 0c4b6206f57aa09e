"""What is found wrong when a network is planned points at its line of the chip file or of the layer trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from accelsim.config.located import located
from accelsim.errors import InputError, Problem
from tests.chip.graphs import MESHED, NESTED
from tests.chip.test_wrong_graphs import place_of
from tests.config.test_bad_inputs import call

TRACE = """\
name: tiny
inputs: {x: [1, 2, 6, 6]}
operators:
  - {name: conv, kind: conv2d, input: x, filters: 64, kernel: 3}
  - {name: end, kind: softmax, input: conv}
"""
VECTOR = "vector: {kind: vector_unit, clock: core, lanes: 8,"
#: base, old text, new text, what is said, where: in the chip file, or in the trace
CASES = [
    (
        NESTED,
        "          vector: {",
        "          more: {kind: vector_unit, clock: core, input: l1, output: l1}\n          vector: {",
        "2 units of part vector_unit",
        "          ~vector: {",
    ),
    (
        NESTED,
        "dma: {kind: dma, clock: core}",
        "dma: {kind: dma, clock: core, queues: 3}",
        "several commands of a DMA engine",
        "queues: ~3",
    ),
    (
        NESTED,
        "size: 16 KiB",
        "size: 64 B",
        "no tile of conv fits the buffers cluster.core.l1 (64 bytes)",
        "          ~array: {",
    ),
    (
        NESTED,
        "bandwidth: 17 GB/s",
        "bandwidth: 17 GB/s, size: 200 B",
        "the tensors of tiny take",
        "size: ~200 B",
    ),
    (
        NESTED,
        "clocks: {core",
        "weights: resident\nclocks: {core",
        "the weights of tiny take",
        "weights: ~resident",
    ),
    (
        MESHED,
        "      array: {",
        "      tiles: {kind: crossbar, clock: core, rows: 8, columns: 8, device: ideal, input: sums, output: sums}\n"
        "      array: {",
        "over cores of crossbars",
        "      ~tiles: {",
    ),
    (
        MESHED,
        "clock: core, input: sums, output: sums}",
        "clock: core, input: shared, output: shared}",
        "6 vector units share shared",
        "      ~vector: {",
    ),
    (
        NESTED,
        VECTOR,
        f"{VECTOR} does: [relu],",
        "no unit of nested runs a softmax",
        TRACE.replace("{name: end", "~{name: end"),
    ),
]


@pytest.mark.parametrize(
    ("base", "old", "new", "says", "marker"), CASES, ids=[case[3] for case in CASES]
)
def test_planning_points_at_lines(
    base: str,
    old: str,
    new: str,
    says: str,
    marker: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chip, trace = tmp_path / "chip.yaml", tmp_path / "tiny.yaml"
    assert old in base
    text = base.replace(old, new, 1)
    if "weights of tiny" in says:
        text = text.replace("size: 16 KiB", "size: 1 KiB")
    chip.write_text(text)
    trace.write_text(TRACE)
    arguments = ("run", str(chip), str(trace), "--out", str(tmp_path / "out"))
    status, said = call(capsys, monkeypatch, *arguments)
    assert status == 2 and not (tmp_path / "out").exists()
    of_trace = marker.startswith("name: tiny")
    line, column = place_of(TRACE if of_trace else text, marker)
    file = trace if of_trace else chip
    assert said.startswith(f"{file}:{line}:{column}: ") and says in said, said
    assert len(said.splitlines()) == 1


def test_what_cannot_be_located_stays(tmp_path: Path) -> None:
    path = tmp_path / "chip.yaml"
    path.write_text("a:\n  b: [1, {c: 2}]\n")

    def at(where: str, file: str = str(path)) -> tuple[int, int]:
        (found,) = located(InputError(Problem("code", "is wrong", "", where, file))).problems
        return found.line, found.column

    assert at("a.b[1].c") == (2, 14) and at("a.b[1].d") == (2, 10) and at("a.b[7]") == (2, 3)
    assert at("a") == (1, 1) and at("nothing") == (1, 1)
    assert at("") == at("a", "--set") == at("a", "missing.yaml") == (0, 0)
    path.write_text("a: [")
    assert at("a") == (0, 0)
