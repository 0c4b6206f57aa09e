"""The zoo: counts equal to published ones, files equal to their script, every network runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from accelsim import api, shipped
from accelsim.workload import Conv2d, Workload

FOLDER = Path(__file__).parents[2] / "workloads"
#: name -> (parameters, multiply-accumulates, relative tolerance of the latter, where from). Parameters
#: are exact; 0 stands for one that is only known to three digits and is checked below.
PUBLISHED = {
    "alexnet": (
        60_965_224,
        724e6,
        0.01,
        "Krizhevsky 2012; counts: Sze et al., Proc. IEEE 2017, table II",
    ),
    "vgg16": (138_357_544, 15.47e9, 0.001, "torchvision: 138,357,544, 15.47 GFLOPS"),
    "resnet18": (11_689_512, 1.814e9, 0.001, "torchvision: 11,689,512, 1.81 GFLOPS"),
    "resnet50": (25_557_032, 4.09e9, 0.001, "torchvision: 25,557,032, 4.09 GFLOPS"),
    "mobilenet_v2": (3_504_872, 0.3008e9, 0.001, "torchvision: 3,504,872; Sandler 2018: 300 M"),
    "efficientnet_b0": (5_288_548, 0.39e9, 0.015, "torchvision: 5,288,548; Tan 2019: 0.39 B"),
    "vit_b16": (86_567_656, 17.56e9, 0.001, "torchvision: 86,567,656, 17.56 GFLOPS"),
    "bert_base": (
        109_482_240,
        11.25e9,
        0.01,
        "Devlin 2019: 110 M; Sun et al. 2020: 22.5 B FLOPS at 128",
    ),
    "gpt2_prefill": (124_439_808, 0, 0, "Radford 2019 as released: 124 M"),
    "gpt2_decode": (124_439_808, 0, 0, "the same"),
    "llama_7b_prefill": (6_738_415_616, 0, 0, "Touvron 2023 as released: 6.7 B"),
    "llama_7b_decode": (6_738_415_616, 0, 0, "the same"),
    "transformer_base": (0, 0, 0, "Vaswani 2017, table 3: 65 M"),
    "speech_dnn": (0, 0, 0, "Chen 2018, table 1: 43 MB of FP32"),
    "speech_lstm": (0, 0, 0, "Zhang 2019: 43 M, 165 MB"),
    "dlrm": (0, 0, 0, "Naumov 2019, section 5: 540 M"),
    "digits_mlp": (64 * 128 + 128 + 128 * 10 + 10, 64 * 128 + 128 * 10, 0, "by hand"),
    "digits_residual": (
        144 + 2 * 2304 + 3456 + 960 + 82,
        64 * (144 + 2 * 2304) + 16 * 3456 + 960,
        0,
        "by hand",
    ),
    "digits_cnn": (6_090, 84_224, 0, "by hand: 16 x 9, 32 x 144, 10 x 128 weights and 58 biases"),
}
#: batch norms of which the file holds the shift (as a bias) but not the scale
FOLDED = ("resnet18", "resnet50", "mobilenet_v2", "efficientnet_b0")
LARGE = ("llama_7b_prefill", "llama_7b_decode", "speech_lstm", "gpt2_prefill")  # in the long tests


def load(name: str) -> Workload:
    return api.load_workload(name)


def scales(work: Workload) -> int:
    """Scales of the batch norms that were folded: one a filter, but for biased convolutions of a squeeze."""
    return sum(
        op.filters
        for op in work.operators
        if isinstance(op, Conv2d) and not op.name.endswith(("_reduce", "_raise"))
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_counts_equal_the_published_ones(name: str) -> None:
    parameters, macs, tolerance, _ = PUBLISHED[name]
    work = load(name)
    found = work.parameters + (scales(work) if name in FOLDED else 0)
    if parameters:
        assert found == parameters
    if macs:
        assert work.macs == pytest.approx(macs, rel=tolerance or 1e-12)


def test_counts_that_are_published_in_round_numbers() -> None:
    for name, millions in (("transformer_base", 65), ("speech_lstm", 43), ("dlrm", 540)):
        assert load(name).parameters / 1e6 == pytest.approx(millions, rel=0.04), name
    assert 4 * load("speech_dnn").parameters == pytest.approx(43.2e6, rel=0.001)
    assert 4 * load("speech_lstm").parameters / 2**20 == pytest.approx(165, rel=0.01)
    weights = 6_738_415_616 - 32000 * 4096  # the table of words is only read from
    step = 32 * 2 * 2048 * 4096  # scores and mixes over the context
    norms = 65 * 4096
    assert load("llama_7b_decode").macs == weights - norms + step


def test_prefill_of_one_token_is_decode_without_a_past() -> None:
    sys.path.insert(0, str(FOLDER))
    from zoo_transformers import gpt2

    past, none = gpt2(1, 1023), gpt2(1, 0)
    assert sum("append" in line for line in past.lines) == 24
    assert sum("kind: gemm" in line for line in past.lines) == sum(
        "kind: gemm" in line for line in none.lines
    )


def test_files_are_what_the_script_writes() -> None:
    sys.path.insert(0, str(FOLDER))
    import make_zoo
    from zoo_transformers import made

    files = [
        make_zoo.alexnet(),
        make_zoo.resnet50(),
        make_zoo.speech_dnn(),
        make_zoo.vgg16(),
        make_zoo.mobilenet_v2(),
        make_zoo.efficientnet_b0(),
        make_zoo.dlrm(),
        *made(),
    ]
    for lines in files:
        name = lines[0].split(": ")[1]
        assert (FOLDER / f"{name}.yaml").read_text() == "\n".join(lines) + "\n", name
        assert any(line.startswith("source: ") for line in lines)
    assert {lines[0].split(": ")[1] for lines in files} | {
        "resnet18",
        "digits_mlp",
        "digits_cnn",
        "digits_residual",
    } == (set(PUBLISHED))
    assert set(PUBLISHED) <= set(shipped.names("workload"))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.full) if name in LARGE else name for name in PUBLISHED],
)
def test_every_network_runs(name: str) -> None:
    result = api.run(api.load_chip("int8_128"), load(name))
    assert result.joules > 0
    assert sum(row.macs for row in result.operators) == result.workload.macs
