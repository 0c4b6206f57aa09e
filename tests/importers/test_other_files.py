"""ZigZag, ONNXim and plain tables: layers as by hand, round trips through convert, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from accelsim import api
from accelsim.errors import InputError
from tests.results.test_explained import run_cli

ZIGZAG = """
- id: 0  # a strided convolution that needs padding
  operator_type: Conv
  equation: O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]
  dimension_relations: [ix=2*ox+1*fx, iy=2*oy+1*fy]
  loop_dims: [B, K, C, OY, OX, FY, FX]
  loop_sizes: [1, 8, 3, 16, 16, 3, 3]
  operand_precision: {W: 8, I: 8, O: 16, O_final: 8}
  operand_source: {I: 0, W: 0}
- id: 1
  operator_type: Conv
  equation: O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]
  dimension_relations: [ix=1*ox+1*fx, iy=1*oy+1*fy]
  loop_dims: [B, K, C, OY, OX, FY, FX]
  loop_sizes: [1, 8, 8, 16, 16, 3, 3]
  operand_source: {I: 0, W: 1}
- id: 2
  operator_type: Add
  equation: O[b][g][oy][ox]=W[b][g][oy][ox]+I[b][g][oy][ox]
  loop_dims: [B, G, OY, OX]
  loop_sizes: [1, 8, 16, 16]
  operand_source: {W: 0, I: 1}
- id: 3
  operator_type: Pooling
  equation: O[b][g][oy][ox]+=W[fx][fy]*I[b][g][iy][ix]
  dimension_relations: [ix=16*ox+1*fx, iy=16*oy+1*fy]
  loop_dims: [B, G, OY, OX, FX, FY]
  loop_sizes: [1, 8, 1, 1, 16, 16]
  operand_source: {I: 2, W: 3}
- id: 4
  operator_type: Gemm
  equation: O[b][k]+=W[k][c]*I[b][c]
  loop_dims: [B, K, C]
  loop_sizes: [1, 10, 8]
  operand_source: {I: 3, W: 4}
- id: 5
  operator_type: MatMul
  equation: O[g][b][k]+=W[g][c][k]*I[g][b][c]
  loop_dims: [G, B, K, C]
  loop_sizes: [2, 3, 4, 5]
  operand_source: {I: 5, W: 5}
"""
LLAMA = {
    "activation_function": "swish",
    "num_attention_heads": 8,
    "num_kv_heads": 2,
    "vocab_size": 1000,
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 172,
    "ffn_type": "llama",
    "max_seq_length": 8192,
}


def test_zigzag_layers(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(ZIGZAG)
    work = api.load_workload(path)
    by_name = {op.name: op for op in work.operators}
    macs = [16 * 16 * 8 * 27, 16 * 16 * 8 * 72, 0, 0, 80, 2 * 3 * 4 * 5]
    assert [getattr(by_name[f"layer{i}"], "macs", 0) for i in range(6)] == macs
    assert by_name["layer1"].padding == (1, 1, 1, 1) and by_name["layer1"].input == "layer0"
    assert by_name["layer2"].inputs == ("layer1", "layer0")
    assert by_name["layer3"].output_shape == (1, 8, 1, 1)
    assert by_name["layer4"].input == "layer3:1x8"
    assert by_name["layer5"].groups == 2
    assert work.notes["unused"] == ["operand_precision: the chip's formats are used"]
    assert api.run(api.load_chip("int8_edge"), work).joules > 0
    text = run_cli("convert", str(path), str(tmp_path / "out.yaml"))
    assert "assumed: padding" in text and "not used: operand_precision" in text
    assert api.load_workload(tmp_path / "out.yaml").operators == work.operators


@pytest.mark.parametrize(("rows", "past"), [(1, 0), (5, 0), (1, 30), (3, 30)])
def test_onnxim_language_models(rows: int, past: int, tmp_path: Path) -> None:
    path = tmp_path / "llama.json"
    path.write_text(json.dumps(LLAMA))
    dims = {"rows": rows, "past": past} if past else {"rows": rows}
    work = api.load_workload(path, dims=dims)
    width, kv, hidden, keys = 64, 16, 172, rows + past
    layer = rows * (2 * width * width + 2 * width * kv + 3 * width * hidden) + 2 * 64 * rows * keys
    assert work.macs == 2 * layer + width * 1000
    assert work.parameters == 2 * (
        2 * width * width + 2 * width * kv + 3 * width * hidden + 2 * width
    ) + (2 * 1000 * width + width)
    assert api.run(api.load_chip("int8_128"), work).workload.macs == work.macs
    lists = tmp_path / "models.json"
    lists.write_text(json.dumps({"models": [{"name": "llama"}]}))
    assert api.load_workload(lists, dims=dims).macs == work.macs
    said = run_cli("convert", str(path), str(tmp_path / "o.yaml"), "--dim", f"rows={rows}")
    assert "max_seq_length" in said and "rotary positions" in said


def test_tables_of_products(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("# products\nname, K, M, N\nfirst, 3, 4, 5\nsecond 30 40 50\n")
    work = api.load_workload(path)
    assert [(op.name, op.m, op.n, op.k) for op in work.operators] == [
        ("first", 4, 5, 3),
        ("second", 40, 50, 30),
    ]
    path.write_text("8 16 32\n9\t17\t33\n")
    assert [op.macs for op in api.load_workload(path).operators] == [8 * 16 * 32, 9 * 17 * 33]
    run_cli("convert", str(path), str(tmp_path / "t.yaml"))
    assert api.load_workload(tmp_path / "t.yaml").macs == 8 * 16 * 32 + 9 * 17 * 33


BAD = [
    ("net.yaml", "- 3\n", "zigzag.layer"),
    ("net.yaml", "- []\n", "zigzag.layer"),
    ("net.yaml", ZIGZAG.replace("loop_sizes: [1, 8, 3,", "loop_sizes: [8, 3,"), "zigzag.sizes"),
    ("net.yaml", ZIGZAG.replace("[1, 8, 3, 16", "[1, 8, 3, -16"), "zigzag.sizes"),
    ("net.yaml", ZIGZAG.replace("id: 1", "id: 0"), "zigzag.id"),
    ("net.yaml", ZIGZAG.replace("{I: 0, W: 1}", "{I: 4, W: 1}"), "zigzag.source"),
    ("net.yaml", ZIGZAG.replace("{I: 0, W: 1}", "[0]"), "zigzag.source"),
    ("net.yaml", ZIGZAG.replace("ix=2*ox+1*fx", "ix=ox**2"), "zigzag.relation"),
    ("net.yaml", ZIGZAG.replace("W[g][c][k]*I", "W*I"), "zigzag.equation"),
    (
        "net.yaml",
        ZIGZAG.replace("[2, 3, 4, 5]", "[16777216, 16777216, 16777216, 5]"),
        "zigzag.size",
    ),
    ("net.yaml", "[]\n", "zigzag.kind"),
    ("llama.json", "[1, 2]", "onnxim.kind"),
    ("llama.json", json.dumps({**LLAMA, "hidden_size": "wide"}), "onnxim.number"),
    (
        "llama.json",
        json.dumps({k: v for k, v in LLAMA.items() if k != "vocab_size"}),
        "onnxim.number",
    ),
    ("llama.json", json.dumps({**LLAMA, "num_attention_heads": 7}), "onnxim.heads"),
    ("llama.json", json.dumps({**LLAMA, "num_hidden_layers": 513}), "onnxim.layers"),
    ("llama.json", json.dumps({**LLAMA, "activation_function": "magic"}), "onnxim.activation"),
    ("llama.json", json.dumps({"models": []}), "onnxim.models"),
    ("llama.json", json.dumps({"models": [{"name": "none"}]}), "onnxim.models"),
    ("llama.json", json.dumps({"models": [{"name": "../../etc/passwd"}]}), "onnxim.models"),
    ("t.txt", "", "table.empty"),
    ("t.txt", "1 2\n", "table.columns"),
    ("t.txt", "1 2 x\n", "table.number"),
    ("t.txt", "1 2 0\n", "table.number"),
    ("t.txt", "1 2 99999999999999\n", "table.number"),
    ("t.txt", "16777216 16777216 16777216\n", "table.size"),
]


@pytest.mark.parametrize(
    ("name", "text", "code"), BAD, ids=[f"{i} {b[2]}" for i, b in enumerate(BAD)]
)
def test_wrong_files_are_refused(name: str, text: str, code: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        api.load_workload(tmp_path / name)
    assert caught.value.problems[0].code == code, caught.value
    assert caught.value.problems[0].fix
