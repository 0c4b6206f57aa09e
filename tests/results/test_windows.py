"""Operators' cycles add up to the run, utilisation is that of the table, and tables add up as printed."""

from __future__ import annotations

import csv
import io
import re
from fractions import Fraction

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accelsim import api, shipped
from accelsim.cli.main import cli
from accelsim.errors import InputError
from accelsim.mapping.chips import path_of
from accelsim.reports.pictures import Share
from accelsim.results.files import operators_csv, to_dict
from accelsim.results.result import Result, peak_macs_per_cycle
from accelsim.results.rounding import apportioned, column, decimals_of, percentages
from accelsim.timing.windows import Windows, covered

CHIPS = shipped.names("chip")
LIGHT = ("digits_cnn", "digits_mlp", "digits_residual", "small_cnn", "small_gemm")
HEAVY = [name for name in shipped.names("workload") if name not in LIGHT]
quick = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
times = st.lists(st.integers(0, 10_000), min_size=1, max_size=30)


def made(chip: str, work: str) -> Result:
    """The run of a shipped pair; chips of crossbars get as many as hold the network, or write them anew."""
    loaded = api.load_chip(chip)
    workload = api.load_workload(work)
    if loaded.crossbar is not None:
        tiles = path_of(loaded.crossbar.name, "units")
        wanted = f"{tiles}.count=24" if work in LIGHT else f"{tiles}.unmapped=reprogram"
        loaded = api.load_chip(chip, [wanted])
    return api.run(loaded, workload)


def check(result: Result) -> None:
    """What a user computes from the table."""
    rows = list(csv.DictReader(io.StringIO(operators_csv(result).decode())))
    assert sum(int(row["cycles"]) for row in rows) == result.cycles
    assert sum(row["cycles"] for row in to_dict(result)["operators"]) == result.cycles
    peak = peak_macs_per_cycle(result.chip)
    for row in rows:
        cycles, macs = int(row["cycles"]), int(row["macs"])
        assert 0 <= cycles <= int(row["to_cycle"]) <= result.cycles
        assert row["utilisation"] == (repr(macs / (peak * cycles)) if cycles else "")
        assert 0 <= float(row["computing_cycles"]) <= cycles + 1


@pytest.mark.parametrize("work", LIGHT)
@pytest.mark.parametrize("chip", CHIPS)
def test_operators_cycles_are_the_run(chip: str, work: str) -> None:
    check(made(chip, work))


#: row stationary folds matrix products as rows of one column: millions of commands
SLIDING = ("alexnet", "dlrm", "efficientnet_b0", "mobilenet_v2", "resnet18", "resnet50", "vgg16")
LARGE = [(c, w) for c in CHIPS for w in HEAVY if c != "eyeriss_like" or w in SLIDING]


@pytest.mark.full
@pytest.mark.parametrize(("chip", "work"), LARGE)
def test_operators_cycles_are_the_run_of_large_networks(chip: str, work: str) -> None:
    try:
        result = made(chip, work)
    except (
        InputError
    ) as error:  # no room on the chip, or one tensor in two formats: refused, in one line
        assert re.search("has|need|give both the same input format", str(error)), error
        return
    check(result)


def test_resnet18_on_int8_edge() -> None:
    """Shares worked out apart from the table, of bytes that are moved as they are counted (bursts of one)."""
    chip = api.load_chip("int8_edge", ["memories.dram.burst=1 B"])
    result = api.run(chip, api.load_workload("resnet18"))
    found = {row.name: 100 * (row.utilisation or 0) for row in result.operators}
    right = {
        "conv1": 90.1,
        "layer1_0_conv1": 99.4,
        "layer1_0_conv2": 99.1,
        "layer2_0_down": 54.5,
        "fc": 1.8,
    }
    for name, share in right.items():
        assert found[name] == pytest.approx(share, abs=1.0)
    assert sum(row.cycles for row in result.operators) == result.cycles


@quick
@given(times)
def test_windows_fill_the_run(ends: list[int]) -> None:
    end = np.array(ends, np.int64)
    windows = Windows.of(end)
    assert windows.ticks.sum() == end.max() and (windows.ticks >= 0).all()
    for tick in (1, 3, 7):
        assert windows.cycles(tick).sum() == -(-int(end.max()) // tick)
    for i, own in enumerate(ends):  # the definition, slowly; of equal ends the first takes all
        before = [x for j, x in enumerate(ends) if x < own or (x == own and j < i)]
        assert windows.ticks[i] == own - max(before, default=0)


@quick
@given(times, st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 500)), max_size=30))
def test_stretches_in_windows(ends: list[int], pieces: list[tuple[int, int]]) -> None:
    windows = Windows.of(np.array(ends, np.int64))
    start = np.array([a for a, _ in pieces], np.int64)
    stop = start + np.array([b for _, b in pieces], np.int64)
    edges = windows.edges
    slow = [
        sum(
            max(0, min(b, high) - max(a, low))
            for a, b in zip(start.tolist(), stop.tolist(), strict=True)
        )
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    assert covered(edges, start, stop).tolist() == slow
    assert windows.within(start, stop)[windows.order].tolist() == slow


def test_sums_beyond_int64_are_exact() -> None:
    """10,000 stretches at 10 ** 17 ticks: their sum does not fit, what lies between two edges does."""
    start = np.full(10_000, 10**17, np.int64)
    assert covered(np.array([0, 10**17, 10**17 + 5, 10**18]), start, start + 8).tolist() == [
        0,
        50_000,
        30_000,
    ]


@quick
@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), max_size=40), st.integers(0, 4))
def test_parts_add_up_as_printed(values: list[float], decimals: int) -> None:
    parts = apportioned(values, decimals)
    exact = [Fraction(value) for value in values]
    assert sum(parts, Fraction(0)) == Fraction(
        round(sum(exact, Fraction(0)) * 10**decimals), 10**decimals
    )
    for part, value in zip(parts, exact, strict=True):
        assert abs(part - value) * 10**decimals < 1 and (value or part == 0)
    printed = [Fraction(text.replace(",", "")) for text in column(values, decimals)]
    assert printed == [*parts, sum(parts, Fraction(0))]
    assert sum(apportioned(values, decimals, Fraction(7)), Fraction(0)) == (7 if any(values) else 0)


def test_digits_of_a_total() -> None:
    assert [decimals_of(x) for x in (0.0, 0.506, 31.7, 2146.0, 3e7)] == [2, 5, 3, 2, 2]
    assert sum(percentages([1.0, 1.0, 1.0])) == pytest.approx(100, abs=1e-12)


def printed(*arguments: str) -> list[list[str]]:
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert done.exception is None
    return [re.split(r" {2,}", line) for line in done.output.splitlines()]


@pytest.mark.parametrize("chip", ["int8_edge", "int4_edge", "mixed_quad"])
def test_the_printed_table_adds_up(chip: str) -> None:
    lines = printed("run", chip, "small_cnn")
    end = next(i for i, line in enumerate(lines) if line[0] == "total")
    rows = [
        [float(cell.replace(",", "").replace("-", "0")) for cell in line[1:]]
        for line in lines[1:end]
    ]
    total = [float(cell.replace(",", "")) for cell in lines[end][1:]]
    for place in (0, 1, 4, 5):  # MACs, cycles, KiB, uJ
        assert sum(round(1e6 * row[place]) for row in rows) == round(1e6 * total[place])
    peak = float(
        re.search(r"of ([\d,]+) MACs a cycle", lines[end + 1][0]).group(1).replace(",", "")
    )  # type: ignore[union-attr]
    for row in [*(row for row in rows if row[0]), total]:
        assert f"{100 * row[0] / (peak * row[1]):.1f}" == f"{row[2]:.1f}"


def test_others_are_weighted_by_what_they_could_have_done() -> None:
    """A short operator at 10 % and a long one at 90 %: together 82 %, not 50 %."""
    share = Share(np.array([10.0, 810.0, 5.0]), np.array([100.0, 900.0, 10.0]))
    merged = share.merged(np.array([2]), np.array([0, 1]))
    assert merged.percent.tolist() == [50.0, 82.0]
    assert np.isnan(Share(np.zeros(1), np.array([9.0])).percent).all()
