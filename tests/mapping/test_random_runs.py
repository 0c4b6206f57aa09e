"""1,000 random (chip, operator, mapping): rules, conservation, bounds, traffic, exact outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from accelsim.energy import account
from accelsim.errors import InputError
from accelsim.formats import get
from accelsim.mapping import compile_program, plan
from accelsim.mapping.tensors import operator_formats, tensor_formats
from accelsim.numerics.execute import execute
from accelsim.numerics.lowering import weight_matrix
from accelsim.numerics.network import Network
from accelsim.numerics.quantize import Quantization, Requantizer
from accelsim.program.opcodes import Access
from accelsim.program.validate import validate
from accelsim.timing.bounds import check_bounds
from accelsim.timing.engine import simulate
from tests.mapping.random_cases import (
    random_chip,
    random_mapping,
    random_operator,
    reference_sums,
    single,
)


def network_for(op, chip, work, weight):
    """Codes as they are: outputs are the sums, scale 1, with a bias and an input zero of 1."""
    formats = tensor_formats(work, chip)
    one = np.float64(1.0)
    acts = {
        name: Quantization(formats[name], one, 1 if name == op.input else 0)
        for name in (op.input, op.output)
    }
    n = op.n
    identity = Requantizer(
        np.zeros(n, np.int64),
        np.full(n, 1 << 30),
        np.full(n, 30),
        0,
        get(formats[op.output]).minimum,
        get(formats[op.output]).maximum,
    )
    return Network(
        acts,
        {op.name: weight_matrix(op, weight).astype(np.int64)},
        {op.name: (identity,) * op.groups},
    )


def random_values(rng, op, chip):
    """Codes over the whole range of the operator's formats, some zero."""
    arrays = []
    for name, shape in zip(
        operator_formats(op, chip), (op.input_shape, op.weight_shape), strict=True
    ):
        record = get(name)
        codes = rng.integers(record.minimum, record.maximum + 1, shape)
        arrays.append(np.where(rng.random(shape) < 0.2, 0, codes))
    return arrays


def wrapped(values, bits, overflow):
    half = 1 << (bits - 1)
    if overflow == "saturate":
        return np.clip(values, -half, half - 1)
    return (values + half) % (2 * half) - half


def case(seed):
    """A chip, a workload of one operator, and mappings (None: the default)."""
    rng = np.random.default_rng(seed)
    while True:
        chip, op = random_chip(rng), random_operator(rng)
        work = single(op)
        mapping = random_mapping(rng, chip, work) if seed % 2 else None
        if seed % 2 and mapping is None:
            continue
        try:
            chosen = plan(chip, work, {"op": mapping} if mapping else None)
        except InputError:
            continue
        return rng, chip, work, op, chosen


FULL = [pytest.param(block, marks=pytest.mark.full) for block in range(10, 60)]


@pytest.mark.parametrize("block", [*range(10), *FULL])
def test_random_runs(block):
    checked_exact = 0
    for seed in range(block * 100, block * 100 + 100):
        rng, chip, work, op, chosen = case(seed)
        if (
            seed % 2
        ):  # bytes as they are; whole bursts have tests of their own (tests/energy/test_bursts.py)
            dram = replace(chip.dram, burst=1)
            chip = replace(chip, memories={**chip.memories, "dram": dram})
        program = compile_program(chip, work, chosen=chosen)
        validate(program, work)
        timeline = simulate(program, chip, "plain")
        timeline.units(program)
        check_bounds(program, timeline)
        x, w = random_values(rng, op, chip)
        network = network_for(op, chip, work, w)
        done = execute(program, work, chip, {"x": x}, network)
        assert done.macs == op.macs
        energy = account(program, chip, timeline, done.activity)
        energy.check(op.macs)
        exact = reference_sums(op, x, w, pad=1)
        bits, overflow = chip.array.accumulator.bits, chip.array.accumulator.overflow
        safe = np.abs(reference_sums(op, np.abs(x), np.abs(w), pad=1)).max() < 1 << (bits - 1)
        if overflow == "wrap" or safe:
            checked_exact += 1
            assert np.array_equal(done.tensors["y"], wrapped(exact, bits, overflow)), seed
        if chip.array.zero_gating:
            pairs = reference_sums(op, x != 0, w != 0, pad=1).sum()
            assert done.activity["zero_products"].sum() == op.macs - pairs, seed
        if seed % 2:
            assert_traffic(program, chip, work, op, chosen)
    assert checked_exact > 60


def assert_traffic(program, chip, work, op, chosen):
    """A resident tensor is read off chip at most once; outputs are written once."""
    o = program.operands
    dram = [memory.name for memory in program.memories].index("dram")
    mapping = chosen.mappings["op"]
    names = [tensor.name for tensor in program.tensors]
    roles = [(tensor.name, tensor.view) for tensor in program.tensors]
    formats = operator_formats(op, chip)

    def moved(chosen_rows, access):
        mine = (o.memory == dram) & (o.access == access) & np.isin(o.tensor, chosen_rows)
        return int((o.bytes[mine] * 8).sum()), int(mine.sum())

    weight = [i for i, role in enumerate(roles) if role[1] == "weight"]
    bits, loads = moved(weight, Access.READ)
    whole = int(np.prod(op.weight_shape)) * get(formats[1]).bits
    if mapping.weight_resident:
        assert whole <= bits < whole + 8 * loads
    source = [names.index("x")]
    bits, loads = moved(source, Access.READ)
    whole = int(np.prod(op.input_shape)) * get(formats[0]).bits
    private = chip.memories[chip.array.input].scope == "private" and chip.array.split != "n"
    if mapping.input_resident and not (private and chip.array.count > 1) and mapping.k == op.k:
        narrow = get(formats[0]).bits % 8  # every row of a box of narrow elements takes whole bytes
        assert bits < whole + 8 * loads or (narrow and bits < 2 * whole), "fetched more than once"
    out = [i for i, role in enumerate(roles) if role[1] == "matrix"]
    bits, stores = moved(out, Access.WRITE)
    whole = int(np.prod(op.output_shape)) * get(tensor_formats(work, chip)["y"]).bits
    assert whole <= bits < whole + 8 * stores


def test_values_do_not_depend_on_split_or_tiling_of_m_and_n():
    """The same codes from every mapping that leaves k whole, for saturating accumulators too."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        op = random_operator(rng)
        work = single(op)
        outputs = []
        base = random_chip(rng, fused_epilogue=True)
        for turn in range(12):
            array = replace(
                base.array, count=int(rng.choice([1, 2])), split=str(rng.choice(["m", "n"]))
            )
            chip = replace(base, units={**base.units, "array": array})
            mapping = random_mapping(rng, chip, work)
            if mapping is None:
                continue
            mapping = replace(mapping, k=op.k, order="mnk", dataflow=1)
            try:
                chosen = plan(chip, work, {"op": mapping})
            except InputError:
                continue
            program = compile_program(chip, work, chosen=chosen)
            validate(program, work)
            x, w = random_values(np.random.default_rng(seed), op, chip)
            done = execute(program, work, chip, {"x": x}, network_for(op, chip, work, w))
            outputs.append(done.tensors["y"])
            del turn
        for other in outputs[1:]:
            assert np.array_equal(outputs[0], other), seed


def test_more_bandwidth_never_costs_cycles():
    """A fixed Program whose ports have one user each: no arbitration, so time is monotone."""
    rng = np.random.default_rng(5)
    compared = 0
    for seed in range(40):
        _, chip, work, _, chosen = case(seed)
        program = compile_program(chip, work, chosen=chosen)
        ports = tuple(replace(port, arbiter=1) for port in program.ports)
        owner = np.repeat(program.commands.unit, np.diff(program.demands.start))
        alone = {p for p in range(len(ports)) if len(set(owner[program.demands.port == p])) <= 1}
        spans = []
        for speed in (8, 4, 2, 1):
            program.ports = tuple(
                replace(port, beat=port.beat * speed if i in alone else 0)
                for i, port in enumerate(ports)
            )
            spans.append(simulate(program, chip, "plain").makespan)
        assert spans == sorted(spans, reverse=True), seed
        compared += spans[0] > spans[-1]
    del rng
    assert compared > 10
