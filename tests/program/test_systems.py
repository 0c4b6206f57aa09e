"""Transfers over links by hand, on every engine: multicast, copies, all-reduce, pipelines over cores, image by image.

Of each the makespan of one request is worked out, and the interval between requests back to back, which is that of
the busiest port or unit. F flits of 8 bytes pass a link in F cycles, their head ``hop`` cycles a router; the last
result of a vector unit comes 3 cycles after the cycles for which it is busy.
"""

from __future__ import annotations

import numpy as np
import pytest

from accelsim.chip import Chip
from accelsim.program.validate import validate
from accelsim.timing import simulate
from tests.program.systems import Small, system

REQUESTS, SETTLED = 36, slice(10, 22)  # the last ones have the links for themselves
DEEP = 3


def assert_takes(small: Small, chip: Chip, makespan: int, interval: int) -> None:
    """Cycles of one request, and between the last ends of requests back to back."""
    one, many = small.program(), small.program(REQUESTS)
    for program in (one, many):
        validate(program)
    cycle = one.tick_hz // chip.clocks["core"]
    for engine in ("plain", "simpy"):
        assert simulate(one, chip, engine).makespan == makespan * cycle
        timeline = simulate(many, chip, engine)
        timeline.units(many)
        ends = np.maximum.reduceat(timeline.end, np.arange(REQUESTS) * len(one))
        assert ends[0] >= makespan * cycle
        assert (np.diff(ends)[SETTLED] == interval * cycle).all(), np.diff(ends) / cycle


#: link, cores, hop, more, flits, times that the busiest port carries them, routers on the longest way
MULTICAST = [
    ("bus", 2, 3, "", 8, 2, 1),
    ("bus", 2, 3, ", multicast: true", 8, 1, 1),
    ("bus", 5, 1, "", 4, 5, 1),
    ("bus", 5, 1, ", multicast: true", 4, 1, 1),
    ("crossbar", 4, 2, "", 16, 4, 1),
    ("crossbar", 4, 2, ", multicast: true", 16, 1, 1),
    ("ring", 2, 2, "", 8, 1, 2),  # one to the right, one to the left
    ("ring", 3, 2, "", 8, 2, 3),  # 3>0>1 and 3>0, 3>2
    ("ring", 3, 2, ", multicast: true", 8, 1, 3),
    ("ring", 4, 1, "", 32, 2, 3),
    ("ring", 3, 1, ", both_ways: false", 8, 3, 4),  # 3>0>1>2
    ("ring", 3, 1, ", both_ways: false, multicast: true", 8, 1, 4),
    ("mesh", 4, 3, "", 8, 3, 4),  # the first core shares the router of L2
    ("mesh", 4, 3, ", multicast: true", 8, 1, 4),
    ("torus", 4, 3, "", 8, 2, 3),  # 0>1>2 and 0>1, 0>3
    ("torus", 4, 3, ", multicast: true", 8, 1, 3),
]


@pytest.mark.parametrize(("kind", "cores", "hop", "more", "flits", "times", "routers"), MULTICAST)
def test_multicast(
    kind: str, cores: int, hop: int, more: str, flits: int, times: int, routers: int
) -> None:
    """From L2 to all cores in one transfer."""
    chip = system(kind, cores, hop, more)
    small = Small(chip)
    image = small.given_at("l2", 8 * flits)
    small.move(0, image, "l2", [small.l1(i) for i in range(cores)], routers * hop)
    assert_takes(small, chip, times * flits + routers * hop - 1, times * flits)


#: bytes a cycle of the L1s and of the link, setup, hop, bytes
COPIES = [
    (64, 8, 0, 1, 256),
    (8, 64, 0, 1, 256),
    (16, 64, 0, 5, 256),
    (64, 64, 0, 2, 256),
    (64, 64, 10, 2, 256),  # the engine's setup is longer than the bytes
    (8, 16, 10, 2, 256),
    (8, 16, 10, 0, 260),  # and four bytes more are a beat more
]


@pytest.mark.parametrize(("near", "wide", "setup", "hop", "size"), COPIES)
def test_copies_take_the_slowest_port(
    near: int, wide: int, setup: int, hop: int, size: int
) -> None:
    """From one core's L1 to another's: read, carried and written at once, or as long as the engine's setup."""
    chip = system("crossbar", 2, hop, setup=setup, near=near // 8, wide=wide)
    small = Small(chip)
    held = small.given_at(small.l1(0), size)
    small.move(0, held, small.l1(0), [small.l1(1)], hop)
    busy = max(setup, -(-size // near), -(-size // wide))
    assert_takes(small, chip, busy + max(hop - 1, 0), busy)


#: link, routers on each way, times that the busiest port carries the bytes, hop, flits
BY_HOME = [
    ("crossbar", 1, 1, 4, 12),
    ("bus", 1, 2, 4, 12),
    ("ring", 2, 1, 3, 20),
    ("crossbar", 1, 1, 0, 5),
    ("bus", 1, 2, 1, 1),
]


@pytest.mark.parametrize(("kind", "routers", "times", "hop", "flits"), BY_HOME)
def test_a_copy_by_way_of_the_memory_behind_is_stored_there(
    kind: str, routers: int, times: int, hop: int, flits: int
) -> None:
    """One engine stores to L2, the other loads: one after the other, then both at once."""
    chip = system(kind, 2, hop)
    small = Small(chip)
    held = small.given_at(small.l1(0), 8 * flits)
    small.move(0, held, small.l1(0), ["l2"], routers * hop)
    small.move(1, held, "l2", [small.l1(1)], routers * hop)
    each = flits + max(routers * hop - 1, 0)
    assert_takes(small, chip, 2 * each, times * flits)


#: link, cores, hop, flits, cycles of an addition
REDUCED = [
    ("crossbar", 2, 2, 16, 8),
    ("crossbar", 3, 2, 16, 8),
    ("crossbar", 4, 1, 8, 20),
    ("crossbar", 6, 3, 40, 12),
    ("bus", 2, 2, 16, 8),
    ("bus", 3, 1, 16, 8),
    ("bus", 4, 4, 4, 30),
]


@pytest.mark.parametrize(("kind", "cores", "hop", "flits", "adds"), REDUCED)
def test_all_reduce(kind: str, cores: int, hop: int, flits: int, adds: int) -> None:
    """All send to the first core, which adds them up one after another and sends the sum to all.

    The n - 1 transfers take the way into the first core in turns of a flit, so the first one's last flit is the
    (n - 1)(F - 1) + 1st; each addition waits for the one before. Back to back the way in carries (n - 1) F flits, a
    bus those of the sum, too; an addition is behind the one before by its latency, the first of the next sum only
    by the cycles that the unit is busy.
    """
    chip = system(kind, cores, hop, ", multicast: true")
    small, others = Small(chip), range(1, cores)
    total = small.given_at(small.l1(0), 8 * flits)
    parts = [small.given_at(small.l1(i), 8 * flits) for i in others]
    for i, part in zip(others, parts, strict=True):
        small.move(i, part, small.l1(i), [small.l1(0)], hop)
    for part in parts:
        total = small.work(0, [total, part], adds)
    small.move(0, total, small.l1(0), [small.l1(i) for i in others], hop)
    came = (cores - 1) * (flits - 1) + 1 + hop - 1
    added = came + (cores - 1) * (adds + DEEP)
    port = (cores - 1 + (kind == "bus")) * flits
    chain = (cores - 2) * (adds + DEEP) + adds
    assert_takes(small, chip, added + flits + hop - 1, max(port, chain))


@pytest.mark.parametrize(("hop", "flits", "adds"), [(1, 8, 4), (2, 16, 30), (5, 12, 12)])
def test_all_reduce_of_two_on_a_ring(hop: int, flits: int, adds: int) -> None:
    """A link each way."""
    chip = system("ring", 2, hop)
    small = Small(chip)
    mine, part = (small.given_at(small.l1(i), 8 * flits) for i in range(2))
    small.move(1, part, small.l1(1), [small.l1(0)], 2 * hop)
    total = small.work(0, [mine, part], adds)
    small.move(0, total, small.l1(0), [small.l1(1)], 2 * hop)
    each = flits + 2 * hop - 1
    assert_takes(small, chip, 2 * each + adds + DEEP, max(flits, adds))


#: link, routers on each way, times that a port carries an image, hop, flits, cycles of the stages
STAGES = [
    ("crossbar", 1, 1, 2, 16, 10, 12),
    ("crossbar", 1, 1, 2, 16, 40, 12),
    ("crossbar", 1, 1, 3, 16, 12, 40),
    ("bus", 1, 3, 2, 16, 10, 12),
    ("bus", 1, 3, 1, 8, 60, 12),
    ("ring", 2, 1, 2, 16, 20, 12),
    ("ring", 2, 1, 1, 32, 20, 12),
]


@pytest.mark.parametrize(("kind", "routers", "times", "hop", "flits", "first", "second"), STAGES)
def test_layers_on_cores_of_their_own(
    kind: str, routers: int, times: int, hop: int, flits: int, first: int, second: int
) -> None:
    """Loaded by one core, worked on, sent to the other, worked on, stored."""
    chip = system(kind, 2, hop)
    small, lead = Small(chip), routers * hop
    image = small.given_at("l2", 8 * flits)
    small.move(0, image, "l2", [small.l1(0)], lead)
    half = small.work(0, [image], first)
    small.move(0, half, small.l1(0), [small.l1(1)], lead, "output")
    made = small.work(1, [half], second)
    small.move(1, made, small.l1(1), ["l2"], lead, "output")
    latency = 3 * (flits + lead - 1) + first + second + 2 * DEEP
    assert_takes(small, chip, latency, max(times * flits, first, second))


#: link, cores, times that a port carries all images, hop, flits, cycles of the work
DEALT = [
    ("crossbar", 2, 1, 2, 16, 10),
    ("crossbar", 4, 1, 1, 8, 20),
    ("crossbar", 4, 1, 1, 8, 50),
    ("bus", 2, 2, 2, 16, 10),
    ("bus", 3, 2, 3, 4, 40),
]


@pytest.mark.parametrize(("kind", "cores", "times", "hop", "flits", "work"), DEALT)
def test_an_image_on_each_core(
    kind: str, cores: int, times: int, hop: int, flits: int, work: int
) -> None:
    """All load at once and share the way out of L2, a flit each in turn; stores share the way in."""
    chip = system(kind, cores, hop)
    small = Small(chip)
    for core in range(cores):
        image = small.given_at("l2", 8 * flits)
        small.move(core, image, "l2", [small.l1(core)], hop)
    for core in range(cores):
        made = small.work(core, [core], work)
        small.move(core, made, small.l1(core), ["l2"], hop, "output")
    came = cores * (flits - 1) + 1 + hop - 1  # the first one's
    latency = came + work + DEEP + cores * flits + hop - 1
    assert_takes(small, chip, latency, max(times * cores * flits, work))


@pytest.mark.parametrize(
    ("images", "flits", "work"), [(1, 8, 20), (4, 8, 20), (4, 24, 20), (9, 4, 3)]
)
def test_image_by_image(images: int, flits: int, work: int) -> None:
    """Images of a request follow one another at the pace of the slower of transfers and work."""
    chip = system("crossbar", 1, 2)
    small, made = Small(chip), []
    for _ in range(images):
        image = small.given_at("l2", 8 * flits)
        small.move(0, image, "l2", [small.l1(0)], 2)
        made.append(small.work(0, [image], work))
        small.move(0, made[-1], small.l1(0), ["l2"], 2, "output")
    pace = max(flits, work)
    latency = 2 * (flits + 1) + work + DEEP + (images - 1) * pace
    assert_takes(small, chip, latency, images * pace)
