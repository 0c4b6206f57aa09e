"""Folders that are wrong: one line a problem, with file, line and column, and what to write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from accelsim.cli.main import cli
from accelsim.config.yaml_source import load_yaml
from accelsim.errors import InputError
from accelsim.validation import load_case
from accelsim.validation.reader import leaves, number_of

GOOD = """\
format: 1
chip: int8_edge
sources:
  paper: A paper, 2020, table 3
values:
  - {of: [technology, clocks, precision, weights, operating_points], mark: spec, source: paper}
  - {of: [memories, units], mark: component, source: paper}
  - {of: [memories.dram.latency], mark: assumed, source: as of others}
figures:
  - name: cycles of a small network
    tier: timing
    value: 4416
    unit: cycles
    condition: one image
    source: paper
    kind: rtl
    confidence: high
    compute: cycles
    run: {workload: small_cnn}
  - name: its bytes off chip
    tier: traffic
    value: 20
    unit: kB
    condition: one image
    source: paper
    kind: measured
    confidence: medium
    compute: moved
    memory: dram
    by: [loads]
    run: {workload: small_cnn}
"""

#: (text, in its place, what is said, line)
WRONG = [
    ("  paper: A paper, 2020, table 3", "  letter: A letter", "'paper' is none of the sources", 6),
    ("mark: spec", "mark: guess", "'guess' is not a choice here", 6),
    ("mark: spec, source: paper", "mark: spec", "source: is missing", 6),
    ("[memories, units]", "[memories, unit]", "no value at or below 'unit'", 7),
    ("[memories, units]", "[memories]", "has no mark: spec, component or assumed", 0),
    ("of: [memories, units]", "of: memories", "must be a list", 7),
    ("tier: timing", "tier: time", "did you mean timing?", 11),
    ("value: 4416", "value: many", "must be a number", 12),
    ("value: 4416", "value: 0", "is outside", 12),
    ("unit: cycles", "unit: ms", "'ms' is no unit of cycles", 13),
    (
        "    condition: one image\n    source: paper\n    kind: rtl",
        "    source: paper\n    kind: rtl",
        "condition: is missing",
        10,
    ),
    ("    source: paper\n    kind: rtl", "    kind: rtl", "source: is missing", 10),
    (
        "source: paper\n    kind: rtl",
        "source: nobody\n    kind: rtl",
        "'nobody' is none of the sources",
        15,
    ),
    ("kind: rtl", "kind: guessed", "'guessed' is not a choice here", 16),
    ("confidence: high", "confidence: certain", "'certain' is not a choice here", 17),
    ("compute: cycles", "compute: cycle", "did you mean cycles?", 18),
    ("compute: cycles", "compute: cycles\n    memory: dram", "is not of the measure cycles", 19),
    ("compute: cycles", "compute: cycles\n    boundary: core", "is not of the measure cycles", 19),
    ("compute: cycles\n    run: {workload: small_cnn}", "compute: cycles", "run: is missing", 10),
    (
        "compute: cycles\n    run: {workload: small_cnn}",
        "compute: cycles\n    run: {chip: int8_edge}",
        "chip: is int8_edge.yaml",
        19,
    ),
    (
        "compute: cycles\n    run: {workload: small_cnn}",
        "compute: cycles\n    run: {workloads: small_cnn}",
        "did you mean workload?",
        19,
    ),
    (
        "compute: cycles\n    run: {workload: small_cnn}",
        "compute: cycles\n    run: {workload: small_cnn, batch: 0}",
        "batch",
        19,
    ),
    ("    memory: dram\n", "", "has no memory ''", 28),
    ("memory: dram", "memory: drum", "has no memory 'drum'", 29),
    ("by: [loads]", "by: [reads]", "'reads' is not a choice here", 30),
    (
        "compute: moved\n    memory: dram\n    by: [loads]",
        "compute: joules\n    units: [nothing]",
        "is no unit of joules",
        23,
    ),
    (
        "compute: moved\n    memory: dram\n    by: [loads]",
        "compute: area\n    parts: [wires]",
        "with an area is called 'wires'",
        29,
    ),
    ("unit: kB", "unit: kb", "write one of B, kB, MB", 23),
    ("name: its bytes off chip", "name: cycles of a small network", "two figures are called", 20),
    (
        "    memory: dram\n",
        "    memory: dram\n    uses: [units.array.nothing]\n",
        "no value at or below 'units.array.nothing'",
        30,
    ),
    ("    memory: dram\n", "    memory: dram\n    needs: more\n", "there is no such key here", 30),
    ("figures:\n", "figure:\n", "figures: is missing", 1),
    ("format: 1", "format: 9", "a newer accelsim wrote this file", 1),
    ("chip: int8_edge", "chip: int8_edges", "did you mean int8_edge?", 0),
]


def folder(tmp_path: Path, text: str) -> Path:
    (tmp_path / "expected.yaml").write_text(text)
    return tmp_path


def test_the_good_one_is_good(tmp_path: Path) -> None:
    case = load_case(folder(tmp_path, GOOD))
    assert [figure.published for figure in case.figures] == [4416.0, 20e3]
    assert case.assumed == {"memories.dram.latency": "100 ns"}


@pytest.mark.parametrize(("text", "other", "said", "line"), WRONG)
def test_a_wrong_file_is_refused_at_its_place(
    tmp_path: Path, text: str, other: str, said: str, line: int
) -> None:
    assert text in GOOD
    path = folder(tmp_path, GOOD.replace(text, other, 1))
    with pytest.raises(InputError) as caught:
        load_case(path)
    assert said in str(caught.value)
    if line:
        assert re.search(rf"expected\.yaml:{line}:\d+: ", str(caught.value))


def test_what_entered_the_chip_file_is_no_figure(tmp_path: Path) -> None:
    """A figure of the same number and unit as a value of the chip file says so, or is refused."""
    text = GOOD.replace("compute: cycles", "compute: seconds").replace("unit: cycles", "unit: ns")
    text = text.replace("value: 4416", "value: 100")
    with pytest.raises(
        InputError, match=r"memories\.dram\.latency: is the figure 'cycles of a small"
    ):
        load_case(folder(tmp_path, text))
    said = text.replace("compute: seconds", "compute: seconds\n    uses: [memories.dram.latency]")
    assert load_case(folder(tmp_path, said)).figures[0].uses == ("memories.dram.latency",)


def test_a_name_that_is_nothing(tmp_path: Path) -> None:
    for names, said in (
        (["eyerisss"], "did you mean eyeriss?"),
        ([str(tmp_path)], "has no expected.yaml"),
        (["--tier", "speed", "eyeriss"], "'speed'"),
    ):
        done = CliRunner().invoke(cli, ["validate", *names])
        assert done.exit_code != 0 and said in str(done.exception) + done.output


def test_every_value_of_a_chip_file_is_a_leaf() -> None:
    root = load_yaml(Path(__file__).parents[2] / "configs" / "chips" / "int8_edge.yaml")
    found = dict(leaves(root))
    assert found["memories.dram.latency"][0] == "100 ns" and "name" not in found
    assert number_of("100 ns") == (100.0, "ns") and number_of(3) == (3.0, "")
    assert number_of("sram") is None and number_of(True) is None
