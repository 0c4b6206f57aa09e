"""Parameters of layer traces: expressions, repetitions, overrides, sweeps; wrong ones by line and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accelsim import Job, api, verbs
from accelsim.config.trace_parameters import ExpressionError, evaluate
from accelsim.errors import InputError
from accelsim.sweeps.asked import How
from tests.results.test_explained import run_cli

TRACE = """name: t
parameters: {context: 8, batch: 2, sizes: [4, 6]}
batch: batch
tokens: context * batch
inputs: {x: [batch, context * 2]}
operators:
  - {name: a, kind: gemm, input: x, n: context // 2 + 1}
  - repeat: {i: sizes}
    each:
      - {name: "b{i}", kind: gemm, input: a, n: "{sizes[i]}"}
"""


def written(folder: Path, text: str) -> str:
    (folder / "t.yaml").write_text(text)
    return str(folder / "t.yaml")


def test_sizes_follow_their_parameters(tmp_path: Path) -> None:
    path = written(tmp_path, TRACE)
    work = api.load_workload(path)
    assert (work.inferences, work.tokens) == (2, 16)
    assert [op.output_shape for op in work.operators] == [(2, 5), (2, 4), (2, 6)]
    longer = api.load_workload(path, parameters={"context": 32, "sizes": [1, 2, 3]})
    assert longer.tensors["x"].shape == (2, 64) and [op.name for op in longer.operators] == [
        "a",
        "b0",
        "b1",
        "b2",
    ]
    assert longer.notes["parameters"] == {"context": 32, "batch": 2, "sizes": [1, 2, 3]}
    more = api.load_workload(path, batch=5)  # the parameter of that name
    assert (more.inferences, more.tensors["x"].shape, more.tokens) == (5, (5, 16), 40)


whole = st.integers(-50, 50)
expressions = st.recursive(
    st.one_of(
        st.integers(0, 99).map(str), st.sampled_from(["a", "bb", "c[1]", "len(c)", "sum(c)"])
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%", " + "]), inner).map("".join),
        inner.map("({})".format),
        inner.map("-{}".format),
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(text=expressions, a=st.integers(0, 9), bb=st.integers(0, 9))
def test_expressions_mean_what_python_says(text: str, a: int, bb: int) -> None:
    scope = {"a": a, "bb": bb, "c": [3, 5, 7]}
    try:
        right = eval(text, {"len": len, "sum": sum}, dict(scope))
    except ZeroDivisionError:
        with pytest.raises(ExpressionError, match="division by 0"):
            evaluate(text, scope)
        return
    if abs(right) < 1 << 50:
        assert evaluate(text, scope) == right


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 +", "a number is missing at character 4"),
        ("(1", r"\) is missing at character 3"),
        ("1 2", "'2' is too many at character 3"),
        ("1 / 2", "'/' has no meaning at character 3"),
        ("a.b", r"'\.' has no meaning at character 2"),
        ("c", "c is a list"),
        ("c[3]", "c has no element 3"),
        ("len(a)", "a is no list"),
        ("d", "there is no parameter 'd'"),
        ("1 % 0", "division by 0 at character 3"),
        ("9" * 25, "beyond 62 bits"),
        ("(" * 900, "missing|parentheses"),
        ("1" * 2000, "longer than 1,000"),
        ("__import__", "no parameter '__import__'"),
        ("", "a number is missing"),
    ],
)
def test_wrong_expressions(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said):
        evaluate(text, {"a": 1, "c": [1, 2, 3]})


#: (what is replaced, by what, line, column, words)
WRONG = [
    (
        "context: 8",
        "context: -8",
        2,
        23,
        "parameters.context: must be a whole number from 0 on or a list of them",
    ),
    ("context: 8", "context: [8, a]", 2, 23, "must be a whole number from 0 on or a list of them"),
    ("context: 8", "'con text': 8", 2, 14, "is no name of a parameter"),
    ("context: 8", "len: 8", 2, 14, "is no name of a parameter"),
    ("parameters: {", "parameters: [{", 2, 13, "parameters: must hold keys"),
    ("context // 2 + 1", "contxt", 7, 40, "operators[0].n: there is no parameter 'contxt'"),
    ("context // 2 + 1", "context //", 7, 40, "a number is missing at character 11"),
    ("context // 2 + 1", "context - 8", 7, 40, "0 is outside 1.."),
    ("context // 2 + 1", "sizes", 7, 40, "sizes is a list at character 1"),
    ("context * 2]", "context ** 2]", 5, 21, "'*' is no number at character 10"),
    ("batch: batch", "batch: batches", 3, 8, "batch: there is no parameter 'batches'"),
    ("{i: sizes}", "{i: size}", 8, 17, "repeat.i: there is no parameter 'size'"),
    ("{i: sizes}", "{batch: sizes}", 8, 14, "is no new name"),
    ("{i: sizes}", "sizes", 8, 5, "counts nothing"),
    ("{i: sizes}", "{i: 0 - 1}", 8, 17, "is -1 times"),
    ("{i: sizes}", "{i: 9999999}", 8, 17, "is 9999999 times"),
    ('"b{i}"', '"b{j}"', 10, 16, "there is no parameter 'j'"),
    ('"b{i}"', "b", 10, 16, "stands already"),
    ('"{sizes[i]}"', '"{sizes[i + 1]}"', 10, 49, "sizes has no element 2"),
    ("    each:", "    all: 1\n    each:", 8, 5, "goes with each alone"),
]


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "said"), WRONG, ids=lambda value: str(value)[:24]
)
def test_wrong_parameters(
    old: str, new: str, line: int, column: int, said: str, tmp_path: Path
) -> None:
    text = TRACE.replace(old, new, 1)
    if new.endswith("[{"):
        text = text.replace("6]}", "6]}]", 1)
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        api.load_workload(path)
    lines = [str(problem) for problem in caught.value.problems]
    assert any(one.startswith(f"{path}:{line}:{column}: ") and said in one for one in lines), lines


@pytest.mark.parametrize(
    ("parameters", "batch", "said"),
    [
        ({"contxt": 4}, None, "--set workload.contxt: there is no parameter 'contxt'"),
        ({"sizes": 4}, None, "4 is not what sizes is; write a list"),
        ({"context": [4]}, None, "is not what context is"),
        ({"batch": 3}, 4, "--batch: is 4, and workload.batch is 3"),
    ],
)
def test_wrong_overrides(
    parameters: dict[str, object], batch: int | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said.replace("[", r"\[")):
        api.load_workload(written(tmp_path, TRACE), batch, parameters=parameters)


def test_a_trace_without_parameters_has_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leave it out: the trace has no parameters"):
        api.load_workload("small_cnn", parameters={"context": 2})
    with pytest.raises(InputError, match="must be a whole number, not 'x'"):
        api.load_workload(written(tmp_path, "name: t\ninputs: {x: [1, x]}\noperators: []\n"))


def test_the_option_the_key_and_the_axis_mean_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, TRACE)
    run_cli("run", "int8_edge", path, "--set", "workload.context=32", "--out", str(tmp_path / "a"))
    (tmp_path / "job.yaml").write_text(
        f"chip: int8_edge\nworkload: {path}\nset: {{workload.context: 32}}\n"
    )
    run_cli("run", "--job", str(tmp_path / "job.yaml"), "--out", str(tmp_path / "b"))
    for name in ("result.json", "inputs.json", "job.yaml"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert "parameters" in (tmp_path / "a/job.yaml").read_text()
    (tmp_path / "s.yaml").write_text(
        "name: s\nbases: {edge: {chip: int8_edge}}\nworkloads: [t.yaml]\n"
        "vary:\n  - {key: workload.context, values: [8, 32, 64]}\n"
        "  - {key: batch, values: [2, 3]}\nmeasures: [latency, energy]\n"
    )
    how = How(store=str(tmp_path / "store"), executor="serial")
    done = verbs.sweep(Job(sweep=str(tmp_path / "s.yaml")), how)
    assert (len(done.run.keys), done.run.failed) == (6, 0) and done.run.columns is not None
    joules = sorted(float(x) for x in done.run.columns.measure("energy_chip_joules"))
    right = [
        verbs.run(
            Job(chip="int8_edge", workload=path, batch=batch, parameters={"context": size})
        ).joules
        for size in (8, 32, 64)
        for batch in (2, 3)
    ]
    assert joules == sorted(right)
    (tmp_path / "s.yaml").write_text(
        "name: s\nbases: {edge: {chip: int8_edge}}\nworkloads: [t.yaml]\n"
        "vary: [{key: workload.contxt, values: [8, 32]}]\n"
    )
    with pytest.raises(InputError, match=r"3:13: workloads.0.: t has no parameter 'contxt'"):
        verbs.sweep(Job(sweep=str(tmp_path / "s.yaml")), how)


def test_requests_of_other_contexts_in_one_batch() -> None:
    """One request is GPT-2's decoding as the zoo writes it; several share the stored weights alone."""
    plain = api.load_workload("gpt2_decode")
    one = api.load_workload("gpt2_decode_ragged", parameters={"contexts": [1024]})
    assert (one.macs, one.parameters, one.tokens) == (plain.macs, plain.parameters, 1)
    contexts = [1024, 512, 256, 128]
    several = api.load_workload("gpt2_decode_ragged")
    assert (several.inferences, several.tokens) == (4, 4)
    attention = 12 * 2 * 768  # multiply-accumulates a token of context
    stored = plain.macs - attention * 1024
    assert several.macs == 4 * stored + attention * sum(contexts)
    assert several.parameters == plain.parameters
    caches = {spec.shape for name, spec in several.tensors.items() if "_k_cache" in name}
    assert caches == {(12, context - 1, 64) for context in contexts}
