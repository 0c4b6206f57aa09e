"""The rows of a MAC operator: the loops over its tiles, dealt to the array instances, and the passes of each.

A job is one tile on one instance. Its rows, in order: LOAD of the input, of the weights, of sums that an
earlier visit left at home; a pass after another (PRELOAD where what stays in the array changes, MATMUL);
ACCUMULATE over the instances that share a sum, REQUANTIZE, STORE. Operands of a MATMUL: input, weight, sums
(where a sum takes several passes), codes (where the array's own output pipeline finishes the sum).
"""

from __future__ import annotations

from typing import Any

from accelsim import jit
from accelsim.mapping.rows.mac_op import (
    ADD,
    ARRAY,
    CODES_AT,
    DMA_OUTPUT,
    FINISHER,
    FIRST_K,
    FUSED,
    HELD_INPUT,
    HELD_WEIGHT,
    INPUTS,
    INPUTS_AT,
    KNOWN,
    LAST_K,
    LEAD,
    LOADER,
    MATMUL,
    NOTHING,
    OWN,
    PRELOAD,
    REGISTERS_AT,
    REQUANTIZE,
    SEND,
    STAYS,
    SUMS,
    SUMS_AT,
    TURN_STAYS,
    TURN_VISIT,
    VISIT,
    WEIGHTS,
    WEIGHTS_AT,
    Buffer,
    Loops,
    Op,
    State,
)
from accelsim.mapping.rows.record import (
    ACCUMULATE,
    HOME,
    MOVE,
    READ,
    USES,
    WRITE,
    Route,
    Rows,
    What,
    begin,
    copy,
    cut,
    left,
    move,
    packed,
    share,
    touches,
    uses,
)
from accelsim.mapping.tiles import (
    BOX,
    CHANNELS,
    K_TILE,
    LOADED_BY,
    M_TILE,
    N_TILE,
    REACHES_BACK_TO,
    SAME_CHANNELS,
)
from accelsim.units.dataflows.base import IMAGES_AT


def job(loops: Loops, step: Any, i: Any) -> Any:
    """Instance, group and tiles m, n, k of a step on an instance; the group is -1 where it has none."""
    at, dealt, mine = loops.stride, loops.dealt, loops.mine
    m = step // at[0] % loops.steps[0] * dealt[0] + i * mine[0]
    n = step // at[1] % loops.steps[1] * dealt[1] + i * mine[1]
    k = step // at[2] % loops.steps[2] * dealt[2] + i * mine[2]
    if m < loops.tiles[0] and n < loops.tiles[1] and k < loops.tiles[2]:
        return i, step // loops.group, m, n, k
    return i, -1, 0, 0, 0


def absent(stays: Any, fetched: Any, key: Any, known: Any, at: Any) -> Any:
    """Whether a tile must be fetched, which is noted. fetched: of tiles that stay, here number ``key``.
    known[at]: number of the tile in the newest slot; known[at + 1]: slots taken."""
    if stays:
        if fetched[key]:
            return False
        fetched[key] = 1
        return True
    if known[at] == key:
        return False
    known[at] = key
    known[at + 1] += 1
    return True


def slot(buffer: Buffer, turn: Any, lane: Any) -> Any:
    """Address of the slot that is taken at a turn. lane: an instance."""
    return buffer.base + turn % buffer.slots * buffer.size + lane % buffer.sharing * buffer.lane


def input_box(op: Op, g: Any, m: Any, k: Any) -> Any:
    """What a LOAD of the input for tiles m and k brings."""
    at, row = K_TILE * k + CHANNELS, M_TILE * m + BOX
    channel, channels, row0, rows = op.k[at], op.k[at + 1], op.m[row + 2], op.m[row + 3]
    if op.rank == 4:
        low, images, column0, columns = op.m[row], op.m[row + 1], op.m[row + 4], op.m[row + 5]
        return low, images, g * op.channels + channel, channels, row0, rows, column0, columns
    if op.rank == 2:
        return row0, rows, g * op.channels + channel, channels, 0, 1, 0, 1
    return g, 1, row0, rows, channel, channels, 0, 1


def own(op: Op, route: Route, i: Any) -> Route:
    """A route by the DMA engine of an instance."""
    at = OWN * i + route.unit
    return Route(route.style, op.owned[at], route.inward, op.owned[at + LEAD])


def lane_of(buffer: Buffer, i: Any) -> Any:
    """The instance whose LOADs bring an instance's tiles: its own, or the first of those that they serve."""
    return i if buffer.apart else i // buffer.together * buffer.together


def bring(
    op: Op, rows: Rows, route: Route, buffer: Buffer, lane: Any, near: Any, box: Any, source: Any
) -> None:
    """The LOAD of a tile into the buffer of one instance, or of all that read it. near: which of an
    instance's memories, address, span. source: memory, address, span; HOME and anything for all of it there."""
    which, address, span = near
    near = op.owned[OWN * lane + which], address, span
    if source[0] == HOME:
        move(rows, own(op, route, lane), buffer.stored, (0, buffer.whole), near, box)
    else:
        copy(rows, own(op, route, lane), buffer.stored, source, near, box)
    if not buffer.apart:
        end = min(lane + buffer.together, op.loops.instances)
        for other in range(lane + buffer.sharing, end, buffer.sharing):
            near = op.owned[OWN * other + which], address, span
            uses(rows, WRITE, buffer.stored, near, box)


def fetch_input(op: Op, state: State, rows: Rows, spot: Any) -> Any:
    """The LOAD of a job's input, unless it is there; memory, address and span that its passes read: tiles of it, or
    all where it is at home."""
    i, g, m, _, k = spot
    x, tiles = op.input, op.loops.tiles
    if x.here:
        return HOME, 0, x.whole
    lane, tile = lane_of(x, i), op.m[M_TILE * m + LOADED_BY]
    deep = op.k[K_TILE * k + SAME_CHANNELS]
    key = (g * tiles[2] + deep) * tiles[0] + tile + lane // x.sharing * x.keys
    at = KNOWN * lane + HELD_INPUT
    new = absent(x.stays, state.input, key, state.known, at)
    if x.stays:  # the LOADs bring pieces; a tile reads its own and earlier ones
        base, row = x.base + g * x.group, deep * (tiles[0] + 1)
        if new:
            low, end = op.pieces[row + tile], op.pieces[row + tile + 1]
            piece = INPUTS_AT, base + low, end - low
            box = input_box(op, g, tile, k)
            bring(op, rows, op.load_input, x, lane, piece, box, (HOME, 0, 0))
        low, end = op.pieces[row + op.m[M_TILE * m + REACHES_BACK_TO]], op.pieces[row + m + 1]
        return op.owned[OWN * i + INPUTS_AT], base + low, end - low
    address = slot(x, state.known[at + 1], lane)
    if new:
        near = INPUTS_AT, address, x.size
        box = input_box(op, g, m, k)
        bring(op, rows, op.load_input, x, lane, near, box, (HOME, 0, 0))
    return op.owned[OWN * i + INPUTS_AT], address, x.size


def fetch_weight(op: Op, state: State, rows: Rows, spot: Any) -> Any:
    """The LOAD of a job's weights, unless they are there; memory, address and span that its passes read."""
    i, g, _, n, k = spot
    w, tiles = op.weight, op.loops.tiles
    k0, nk, n0, nn = op.k[K_TILE * k], op.k[K_TILE * k + 1], op.n[N_TILE * n], op.n[N_TILE * n + 1]
    lane = lane_of(w, i)
    key = (g * tiles[2] + k) * tiles[1] + n + lane // w.sharing * w.keys
    at = KNOWN * lane + HELD_WEIGHT
    new = op.cold == 1 and absent(w.stays, state.weight, key, state.known, at)
    address, span = slot(w, state.known[at + 1], lane), w.size
    if w.stays:
        address = w.base + g * w.group + op.weights[k * tiles[1] + n]
        span = packed(nk * nn, w.used.bits)
    if new:
        near, box = (WEIGHTS_AT, address, span), (g, 1, k0, nk, n0, nn, 0, 1)
        place = op.kept.base + g * op.kept.group + op.weights[k * tiles[1] + n]
        source, there = (op.kept.memory, place, packed(nk * nn, w.used.bits)), 1
        tile = (g * tiles[2] + k) * tiles[1] + n
        if op.kept.memory >= 0:
            there = op.kept.there + rows.local[7 * w.used.tensor + 6] + state.kept[tile]
        if op.kept.memory >= 0 and there > 0:
            bring(op, rows, op.load_weight, w, lane, near, box, source)
        else:
            bring(op, rows, op.load_weight, w, lane, near, box, (HOME, 0, 0))
        if there == 0:  # the LOAD leaves the tile in both places
            uses(rows, WRITE, w.used, source, box)
            state.kept[tile] = 1
    return op.owned[OWN * i + WEIGHTS_AT], address, span


def visits(loops: Loops, known: Any, step: Any, spot: Any) -> Any:
    """Whether a job is the first and the last of a visit: of jobs in a row that add to one output tile."""
    i, g, m, n, _ = spot
    visit = (g * loops.tiles[0] + m) * loops.tiles[1] + n
    begins = known[KNOWN * i + VISIT] != visit
    if begins:
        known[KNOWN * i + VISIT] = visit
        known[KNOWN * i + TURN_VISIT] += 1
    ahead = step + 1
    while ahead < loops.total:
        _, g2, m2, n2, _ = job(loops, ahead, i)
        if g2 >= 0:
            return begins, g2 != g or m2 != m or n2 != n
        ahead += 1
    return begins, True


def result_at(op: Op, known: Any, i: Any, elements: Any) -> Any:
    """Where an instance's output tile of now lies: memory, address and span of its sums, of its codes."""
    s, y = op.sums, op.output
    turn = known[KNOWN * i + TURN_VISIT] % y.slots
    sums, codes = packed(elements, s.used.bits), packed(elements, y.used.bits)
    return (
        (op.owned[OWN * i + SUMS_AT], slot(s, turn, i), sums),
        (op.owned[OWN * i + CODES_AT], slot(y, turn, i), codes),
    )


def output_box(m_tiles: Any, n_tiles: Any, g: Any, m: Any, n: Any) -> Any:
    """The output tile of m and n."""
    row, column = M_TILE * m, N_TILE * n
    return g, 1, m_tiles[row], m_tiles[row + 1], n_tiles[column], n_tiles[column + 1], 0, 1


def spilled(out: Any, bits: Any, box: Any) -> Any:
    """Address and span of an output tile's sums at home, between two visits: tile after tile, in whole bytes
    a sum. out: m, n of the operator."""
    g, _, m0, nm, n0, nn, _, _ = box
    word = cut(bits, 8)
    return ((g * out[1] + n0) * out[0] + m0 * nn) * word, nm * nn * word


def hold(
    rows: Rows, unit: Any, extents: Any, what: What, source: Any, target: Any, box: Any
) -> None:
    """PRELOAD of a box of what stays from its buffer into registers."""
    begin(rows, PRELOAD, unit, 0, extents)
    uses(rows, READ, what, source, box)
    uses(rows, WRITE, what, target, box)


def taken(op: Op, m: Any, pm: Any) -> Any:
    """Fifth extents of a pass of pm outputs and of its PRELOAD; input elements that it reads, for how many
    products of k."""
    slide, code = op.passes.slide, op.passes.exit_row
    if slide.width == 0:
        return code, 0, pm, 1
    images = op.m[M_TILE * m + BOX + 1]
    high = max(1, pm // (images * slide.width))
    code += high + (images << IMAGES_AT)
    down = (high - 1) * slide.stride_height + slide.kernel_height
    across = (slide.width - 1) * slide.stride_width + slide.kernel_width
    return code, code, images * down * across, slide.kernel_height * slide.kernel_width


def passes(op: Op, known: Any, rows: Rows, spot: Any, near: Any, ends: Any) -> None:
    """The passes of a job: m, then n, then k, the last one fastest. near: memory, address and span of
    input, weights, sums and codes. ends: whether the job starts, completes its sums."""
    i, g, m, n, k = spot
    source_x, source_w, sums, codes = near
    first_job, last_job = ends
    limit_m, limit_n, limit_k = op.passes.limit
    stays, dataflow, fused = op.passes.stays, op.passes.dataflow, op.passes.fused
    depth, size = op.passes.depth, op.passes.size
    cuts_far, cuts_k = op.passes.cuts
    x, w, y = op.input.used, op.weight.used, op.output.used
    s = What(SUMS + i * op.loops.mine[2], op.sums.used.bits, op.sums.used.form)
    m0, nm, n0, nn = op.m[M_TILE * m], op.m[M_TILE * m + 1], op.n[N_TILE * n], op.n[N_TILE * n + 1]
    k0, nk = op.k[K_TILE * k], op.k[K_TILE * k + 1]
    array, loader = op.owned[OWN * i + ARRAY], op.owned[OWN * i + LOADER]
    registers = op.owned[OWN * i + REGISTERS_AT]
    tile = (g * op.loops.tiles[2] + k) * op.loops.tiles[1] + n
    if stays == INPUTS:
        tile = (g * op.loops.tiles[2] + k) * op.loops.tiles[0] + m
    held, turn = known[KNOWN * i + STAYS], known[KNOWN * i + TURN_STAYS]
    kept = registers, turn % depth * size, size
    pass_m, pass_n, pass_k = limit_m or nm, limit_n or nn, limit_k or nk
    for pm0 in range(0, nm, pass_m):
        pm = min(pass_m, nm - pm0)
        code, held_code, read, deep = taken(op, m, pm)
        for pn0 in range(0, nn, pass_n):
            pn = min(pass_n, nn - pn0)
            c = g, 1, m0 + pm0, pm, n0 + pn0, pn, 0, 1
            before = pn0 * nm + pm0 * pn
            for pk0 in range(0, nk, pass_k):
                pk = min(pass_k, nk - pk0)
                a = g, 1, m0 + pm0, pm, k0 + pk0, pk, 0, 1
                b = g, 1, k0 + pk0, pk, n0 + pn0, pn, 0, 1
                if stays != NOTHING:
                    far = pn0 // pass_n if stays == WEIGHTS else pm0 // pass_m
                    key = (tile * cuts_far + far) * cuts_k + pk0 // pass_k
                    if key != held:
                        held, turn = key, turn + 1
                        kept = registers, turn % depth * size, size
                        if stays == WEIGHTS:
                            hold(
                                rows, loader, (0, pn, pk, dataflow, held_code), w, source_w, kept, b
                            )
                        else:
                            hold(
                                rows, loader, (pm, 0, pk, dataflow, held_code), x, source_x, kept, a
                            )
                first = first_job and pk0 == 0
                last = last_job and pk0 + pk == nk
                final = last and fused == 1
                flags = FIRST_K * first + LAST_K * last + FUSED * final
                begin(rows, MATMUL + flags, array, flags, (pm, pn, pk, dataflow, code))
                moved = packed(read * (pk // deep), x.bits)
                touches(rows, READ, x, kept if stays == INPUTS else source_x, moved, a)
                uses(rows, READ, w, kept if stays == WEIGHTS else source_w, b)
                if not (first and final):
                    access = WRITE if first else READ if final else ACCUMULATE
                    uses(rows, access, s, block(sums, before, pm * pn, s.bits), c)
                if final:
                    uses(rows, WRITE, y, block(codes, before, pm * pn, y.bits), c)
    known[KNOWN * i + STAYS], known[KNOWN * i + TURN_STAYS] = held, turn


def block(place: Any, before: Any, elements: Any, bits: Any) -> Any:
    """Where a pass's results lie in its tile's place, so many elements after its start."""
    low = before * bits // 8
    return place[0], place[1] + low, packed(before + elements, bits) - low


def gather(op: Op, rows: Rows, what: What, other: Any, part: Any, box: Any) -> Any:
    """Bring another core's sums to the first instance's memory; where they lie then."""
    near = op.owned[SUMS_AT], op.gathered, part[2]
    if op.sent:
        send = own(op, Route(SEND, DMA_OUTPUT, 0, 0), other)
        begin(rows, SEND, send.unit, 0, (part[2], 1, op.sent - 1, 0, 0))
        uses(rows, READ, what, part, box)
        uses(rows, WRITE, what, near, box)
        return near
    far = spilled(op.out, what.bits, box)
    move(rows, own(op, op.spill, other), what, far, part, box)
    move(rows, own(op, op.reload, 0), what, far, near, box)
    return near


def add_up(op: Op, known: Any, rows: Rows, box: Any) -> None:
    """The sums of the other instances, added to the first one's."""
    elements = box[3] * box[5]
    whole, _ = result_at(op, known, 0, elements)
    bits, form = op.sums.used.bits, op.sums.used.form
    for other in range(1, op.summands):
        part, _ = result_at(op, known, other, elements)
        what = What(SUMS + other, bits, form)
        if op.gathered >= 0 and op.owned[OWN * other + FINISHER] != op.owned[FINISHER]:
            part = gather(op, rows, what, other, part, box)
        begin(rows, ADD, op.owned[FINISHER], 0, (elements, elements, 0, 0, 0))
        uses(rows, READ, what, part, box)
        uses(rows, ACCUMULATE, op.sums.used, whole, box)


def finish(op: Op, state: State, rows: Rows, i: Any, box: Any) -> None:
    """What follows the last pass of an output tile: its sums become codes, which go home."""
    elements, known = box[3] * box[5], state.known
    if op.loops.mine[2] and op.owned[OWN * i + FINISHER] != op.owned[FINISHER]:
        i = 0  # the core that has the sums
    sums, codes = result_at(op, known, i, elements)
    if not op.passes.fused:
        if op.loops.mine[2]:
            add_up(op, known, rows, box)
            sums, _ = result_at(op, known, 0, elements)
        finisher = op.owned[OWN * i + FINISHER]
        begin(rows, REQUANTIZE, finisher, 0, (elements, elements, 0, 0, 0))
        uses(rows, READ, op.sums.used, sums, box)
        uses(rows, WRITE, op.output.used, codes, box)
    writer = (0 if op.loops.mine[2] else i // op.engine), op.engines
    far = left(rows, op.output.used, op.output.whole, writer, (state.at[2], op.results))
    state.at[2] += 1
    move(rows, own(op, op.store, i), op.output.used, far, codes, box)


def do_job(op: Op, state: State, rows: Rows, step: Any, spot: Any) -> None:
    """The rows of one job."""
    i, g, m, n, k = spot
    instances, tiles_k, dealt = op.loops.instances, op.loops.tiles[2], op.loops.mine[2]
    source_x = fetch_input(op, state, rows, spot)
    source_w = fetch_weight(op, state, rows, spot)
    begins, ends = visits(op.loops, state.known, step, spot)
    box = output_box(op.m, op.n, g, m, n)
    sums, codes = result_at(op, state.known, i, box[3] * box[5])
    first = k == (i if dealt else 0)
    last = k + instances >= tiles_k if dealt else k == tiles_k - 1
    if begins and not first:
        far = spilled(op.out, op.sums.used.bits, box)
        move(rows, own(op, op.reload, i), op.sums.used, far, sums, box)
    passes(op, state.known, rows, spot, (source_x, source_w, sums, codes), (first, last))
    if ends and k == tiles_k - 1:
        finish(op, state, rows, i, box)
    elif ends and not last:
        far = spilled(op.out, op.sums.used.bits, box)
        move(rows, own(op, op.spill, i), op.sums.used, far, sums, box)


@jit.allocates_nothing
def mac_rows(op: Op, state: State, rows: Rows) -> bool:
    """One job after another, while there is room for the largest. True when all rows are written."""
    loops, at = op.loops, state.at
    while at[0] < loops.total:
        if rows.at[0] > rows.limit[0] or rows.at[1] > rows.limit[1]:
            return False
        spot = job(loops, at[0], at[1])
        if spot[1] >= 0:
            do_job(op, state, rows, at[0], spot)
        at[1] += 1
        if at[1] == loops.instances:
            at[0], at[1] = at[0] + 1, 0
    return True


RESULT: jit.Helpers = (packed, slot)
BRING: jit.Helpers = (own, (move, MOVE), (copy, MOVE), (uses, USES))
FETCH: jit.Helpers = (absent, slot, lane_of, (bring, BRING))
PASSES: jit.Helpers = (
    begin,
    packed,
    touches,
    taken,
    (uses, USES),
    (block, (packed,)),
    (hold, (begin, (uses, USES))),
)
GATHER: jit.Helpers = (own, begin, (uses, USES), (spilled, (cut,)), (move, MOVE))
ADD_UP: jit.Helpers = (begin, (uses, USES), (result_at, RESULT), (gather, GATHER))
JOB: jit.Helpers = (
    (fetch_input, (*FETCH, input_box)),
    (fetch_weight, (*FETCH, packed, (uses, USES))),
    (visits, (job,)),
    output_box,
    (result_at, RESULT),
    (spilled, (cut,)),
    own,
    (move, MOVE),
    (passes, PASSES),
    (finish, (own, (left, (share,)), (move, MOVE), (add_up, ADD_UP), *ADD_UP)),
)
MAC_HELPERS: jit.Helpers = (job, (do_job, JOB))
