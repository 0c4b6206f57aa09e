"""What used to raise: each is one line with what to do, or runs with its right value."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import accelsim
from accelsim import api, shipped
from accelsim.cli.dimensions import dims_of
from accelsim.config.inputs_file import load_arrays
from accelsim.config.quantities import QuantityError, any_quantity, quantity
from accelsim.config.values_file import load_npz
from accelsim.devices.files import load_device
from accelsim.errors import InputError, ProgramError
from accelsim.results import save
from accelsim.results.load import load_run
from accelsim.workload.validity import wrong_in

ROOT = Path(__file__).parents[2]
TWO = {
    "name": "two",
    "inputs": {"x": [4, 64]},
    "operators": [
        {"name": "a", "kind": "gemm", "input": "x", "n": 64},
        {"name": "s", "kind": "softmax", "input": "a"},
        {"name": "b", "kind": "gemm", "input": "s", "n": 64},
    ],
}


def written(path: Path, whole: Any) -> Path:
    path.write_text(json.dumps(whole))
    return path


def refusal(read: Any, *arguments: Any) -> str:
    """The lines of an InputError."""
    with pytest.raises(InputError) as caught:
        read(*arguments)
    return str(caught.value)


@pytest.mark.parametrize("kib", [9, 10, 12, 14, 16, 64])
def test_weights_that_stay_in_the_one_buffer_of_everything(kib: int, tmp_path: Path) -> None:
    """A hole of the weights' size stood in the shared buffer, so that sums lay on other operators' weights."""
    chip = yaml.safe_load((ROOT / "configs/chips/int8_edge.yaml").read_text())
    chip["weights"] = "resident"
    buffer = {"kind": "sram", "clock": "core", "size": f"{kib} KiB", "banks": 4, "width": "64 bit"}
    chip["memories"] = {"dram": chip["memories"]["dram"], "buf": buffer}
    for unit in chip["units"].values():
        unit |= {key: "buf" for key in ("input", "weight", "output") if key in unit}
    made = accelsim.load_chip(written(tmp_path / "chip.yaml", chip))
    work = accelsim.load_workload(written(tmp_path / "two.yaml", TWO))
    try:
        result = api.run(made, work)
    except ProgramError as error:
        pytest.fail(str(error))
    assert result.operators[0].dram_read_bytes == 256  # x alone: weights stay


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("input", ["a", {"y": 1}], "a mapping is not a tensor"),
        ("input", ["a", ["b"]], "a list is not a tensor"),
        ("input", ["a", None], "nothing is not a tensor"),
        ("output", {"y": 1}, "output: must be text"),
    ],
)
def test_inputs_of_another_kind(key: str, value: Any, said: str, tmp_path: Path) -> None:
    other = {"name": "z", "kind": "add", "input": ["a", "a"], key: value}
    whole = {**TWO, "operators": [TWO["operators"][0], other]}
    assert said in refusal(accelsim.load_workload, written(tmp_path / "t.yaml", whole))


def test_an_order_of_one_axis(tmp_path: Path) -> None:
    whole = {
        "name": "t",
        "inputs": {"x": [4]},
        "operators": [{"name": "z", "kind": "transpose", "input": "x", "order": 0}],
    }
    assert accelsim.load_workload(written(tmp_path / "t.yaml", whole)).tensors["z"].shape == (4,)


LAYER = {
    "id": 0,
    "equation": "O[b][k]+=W[k][c]*I[b][c]",
    "loop_dims": ["B", "K", "C"],
    "loop_sizes": [2, 3, 4],
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": [0]}, "is [0]"),
        ({"id": True}, "is True"),
        ({"dimension_relations": 3}, "is no list"),
        ({"operand_source": {"I": [0]}}, "is no mapping to numbers"),
        ({"equation": 3}, "is 3"),
        ({"loop_dims": ["B", "B", "C"]}, "each loop once"),
    ],
)
def test_zigzag_of_other_kinds(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    good = written(tmp_path / "good.yaml", [LAYER])
    assert accelsim.load_workload(good).macs == 24
    assert said in refusal(
        accelsim.load_workload, written(tmp_path / "net.yaml", [{**LAYER, **change}])
    )


def test_a_values_file_says_everything_at_once_with_the_option_that_helps(tmp_path: Path) -> None:
    with np.load(ROOT / "workloads/digits_mlp.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays |= {"x.range": np.array(3.0), "fc1.range": np.zeros(0), "fc1.weight": np.zeros((2, 2))}
    arrays["fc2.bias"] = np.full_like(arrays["fc2.bias"], np.nan)
    arrays |= {"fc1.weight.scale": np.ones(3), "fc1.scale": np.array(-1.0), "x.zero": np.array(0.5)}
    del arrays["fc2.weight"]
    path = tmp_path / "digits_mlp.npz"
    np.savez(path, **arrays)
    trace = (ROOT / "workloads/digits_mlp.yaml").read_text()
    (tmp_path / "digits_mlp.yaml").write_text(trace)
    work = accelsim.load_workload(tmp_path / "digits_mlp.yaml", 2)
    lines = refusal(api.load_values, work).splitlines()
    for key, said in (
        ("x.range", "has shape []"),
        ("fc1.range", "has shape [0]"),
        ("fc2.bias", "holds NaN"),
        ("fc1.weight", "has shape [2, 2]"),
        ("holds no tensor 'fc2.weight'", "add it with"),
        ("fc1.weight.scale", "store one number or 128"),
        ("fc1.scale", "is no scale"),
        ("x.zero", "is no code"),
    ):
        assert any(key in line and said in line for line in lines), (key, lines)
    assert sum("--calibrate max" in line for line in lines) == 2


def test_missing_ranges_are_named_all_at_once(tmp_path: Path) -> None:
    with np.load(ROOT / "workloads/digits_mlp.npz") as file:
        arrays = {name: file[name] for name in file.files if "range" not in name}
    np.savez(tmp_path / "digits_mlp.npz", **arrays)
    (tmp_path / "digits_mlp.yaml").write_text((ROOT / "workloads/digits_mlp.yaml").read_text())
    work = accelsim.load_workload(tmp_path / "digits_mlp.yaml", 2)
    x = {"x": np.full((2, 64), 0.5)}
    lines = refusal(api.run, accelsim.load_chip("int8_edge"), work, x).splitlines()
    assert len(lines) >= 2 and all("--calibrate max" in line for line in lines)


def test_a_small_file_that_unpacks_to_gibibytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, images=np.zeros(400 << 20, np.uint8))
    begin = time.process_time()
    assert "would unpack from" in refusal(load_npz, path)
    assert time.process_time() - begin < 5


@pytest.mark.parametrize("array", [np.zeros((0, 64)), np.zeros((3, 0))])
def test_inputs_of_no_rows(array: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "none.npz", images=array)
    assert "it holds nothing" in refusal(load_arrays, tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "nested deeper than 64 levels"),
        ("[]", "holds no keys"),
        ('{"g_max_us": ' + "9" * 400 + "}", "a number of 400 digits"),
        ('{"g_max_us": NaN}', "NaN is no number"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ('{"g_max_us": 1e999}', "too large"),
    ],
)
def test_device_files(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(text)
    assert said in refusal(load_device, tmp_path / "d.json")


@pytest.mark.parametrize(
    "text", ["1" + " " * 100_000 + "!", " " * 100_000, "1" * 100_000, "1 " + "a" * 100_000]
)
def test_a_quantity_takes_time_by_its_length(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(QuantityError):
        quantity(text, "B")
    any_quantity(text)
    assert time.process_time() - begin < 2
    assert quantity("  64   KiB  ", "B") == 65536 and any_quantity(" 3 GHz ") == (3e9, "Hz")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            ["memories.dram.bandwidth=1 B/s", "memories.dram.burst=1 MiB"],
            "raise the bandwidth or lower the burst",
        ),
        (["memories.dram.bandwidth=100 B/s", "memories.dram.burst=256 KiB"], "times in ticks of"),
    ],
)
def test_times_beyond_the_engines_integers(keys: list[str], said: str) -> None:
    def run() -> None:
        api.run(accelsim.load_chip("int8_edge", keys), accelsim.load_workload("small_cnn", 512))

    assert said in refusal(run)


def test_numbers_that_no_integer_holds(tmp_path: Path) -> None:
    for value in ("0x" + "f" * 5000, "9" * 5000, "1e999"):
        (tmp_path / "t.yaml").write_text(f"name: t\ninputs: {{x: [1, {value}]}}\noperators: []\n")
        assert "inputs.x[1]" in refusal(accelsim.load_workload, tmp_path / "t.yaml")
    assert "write --dim batch=1" in refusal(dims_of, ["n=" + "9" * 5000])


@pytest.mark.parametrize(
    ("head", "cells"),
    [
        (
            "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Stride height, "
            "Stride width,",
            "33, 65, 3, 7, 5, 9, 2, 3",
        ),
        (
            "Layer name, IFMAP Width, IFMAP Height, Filter Width, Filter Height, Channels, Num Filter, Stride width, "
            "Stride height,",
            "65, 33, 7, 3, 5, 9, 3, 2",
        ),
    ],
)
def test_strides_of_both_axes_by_the_header(head: str, cells: str, tmp_path: Path) -> None:
    """16 x 21 outputs, the last column's window past the edge as SCALE-Sim counts it; 16 x 20 lie inside."""
    (tmp_path / "net.csv").write_text(f"{head}\nuneven, {cells},\n")
    op = accelsim.load_workload(tmp_path / "net.csv").operators[0]
    assert (op.stride, op.kernel, op.out_height, op.out_width) == ((2, 3), (3, 7), 16, 21)  # type: ignore[union-attr]
    assert op.macs == 16 * 21 * 9 * 3 * 7 * 5  # type: ignore[union-attr]


@pytest.mark.parametrize("letters", [240, 250, 252, 255, 256, 4090, 5000])
@pytest.mark.parametrize("kind", ["chip", "workload", "sweep"])
def test_names_longer_than_a_file_can_have(kind: str, letters: int, tmp_path: Path) -> None:
    for beside in (None, tmp_path):
        assert "is neither a file nor a shipped" in refusal(
            shipped.find, kind, "x" * letters, beside
        )
        assert "is neither a file nor" in refusal(shipped.find, kind, "\0", beside)


def test_sizes_that_operators_come_to(tmp_path: Path) -> None:
    """Each dimension may be written; the vector that flattening makes of them is beyond what is counted."""
    flat = {
        "name": "t",
        "inputs": {"x": [1, 512, 1 << 10, 1 << 6]},
        "operators": [{"name": "f", "kind": "flatten", "input": "x"}],
    }
    path = written(tmp_path / "t.yaml", flat)
    assert "f has a tensor of [1, 33554432]; use dimensions of at most 16,777,216" in refusal(
        accelsim.load_workload, path
    )
    flat["inputs"] = {"x": [1, 512, 1 << 9, 1 << 6]}
    work = accelsim.load_workload(written(path, flat))
    assert work.operators[0].output_shape == (1, 1 << 24)


def test_one_head_keeps_its_dimension_and_the_run_reads_back(tmp_path: Path) -> None:
    """A product of one group reads [1, m, k] as [m, k], whether it is the first operand or the second."""
    rows = {"name": "b", "kind": "slice", "input": "a", "shape": [1, 6, 4]}
    both = {"kind": "gemm", "input": "b", "weight": "b", "weight_transposed": True, "n": 6}
    operators = [
        {"name": "a", "kind": "gemm", "input": "x", "n": 5},
        rows,
        {"name": "c", **both},
        {"name": "d", "kind": "gemm", "input": "b", "n": 3},
    ]
    head = {"name": "head", "inputs": {"x": [1, 6, 8]}, "operators": operators}
    work = accelsim.load_workload(written(tmp_path / "head.yaml", head))
    made = api.run(accelsim.load_chip("int8_edge"), work)
    save(made, tmp_path / "run")
    assert load_run(tmp_path / "run").cycles == made.cycles
    assert not wrong_in(work)
