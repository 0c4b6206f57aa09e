"""The other passes over a Program's columns that the walk of shadow.py needs, for lists and for arrays."""

from __future__ import annotations

from typing import NamedTuple

from accelsim import jit
from accelsim.program.shadow import READ, WRITE, Column


@jit.allocates_nothing
def places(unit: Column, queue: Column, place: Column, first: Column, count: Column) -> bool:
    """Number of each command among its unit's; False where several queues feed a unit. first: -1 and count: 0
    for every unit."""
    for i in range(len(unit)):
        u = unit[i]
        place[i] = count[u]
        count[u] += 1
        if first[u] < 0:
            first[u] = queue[i]
        elif first[u] != queue[i]:
            return False
    return True


@jit.allocates_nothing
def collect(low: Column, high: Column, table: Column, found: Column, count: int) -> int:
    """Distinct ends of footprints into ``found``, behind so many; how many then.

    table: a hash table of a power of two entries, -1 at first, more than twice as long as ``found``, which
    takes them all or the answer is -1.
    """
    mask = len(table) - 1
    last_low, last_high = -1, -1
    for j in range(len(low)):
        if low[j] == last_low and high[j] == last_high:
            continue
        last_low, last_high = low[j], high[j]
        for key in (last_low, last_high):
            at = (key * 0x9E3779B1 ^ key >> 15) & mask
            while table[at] >= 0 and table[at] != key:
                at = (at + 1) & mask
            if table[at] < 0:
                if count == len(found):
                    return -1
                table[at] = key
                found[count] = key
                count += 1
    return count


@jit.allocates_nothing
def index_ends(edges: Column, table: Column, index: Column) -> None:
    """Positions of the sorted ``edges`` in a hash table as collect()'s."""
    mask = len(table) - 1
    for at in range(len(table)):
        table[at] = -1
    for position in range(len(edges)):
        key = edges[position]
        at = (key * 0x9E3779B1 ^ key >> 15) & mask
        while table[at] >= 0:
            at = (at + 1) & mask
        table[at] = key
        index[at] = position


@jit.allocates_nothing
def locate(values: Column, table: Column, index: Column, found: Column) -> None:
    """Position of every value. table, index: as index_ends() made them."""
    mask = len(table) - 1
    for j in range(len(values)):
        key = values[j]
        at = (key * 0x9E3779B1 ^ key >> 15) & mask
        while table[at] != key:
            at = (at + 1) & mask
        found[j] = index[at]


class Carried(NamedTuple):
    """What add_up() reads: where the operands of every command begin; their memory, access and bytes."""

    start: Column
    memory: Column
    access: Column
    size: Column


@jit.allocates_nothing
def add_up(
    rows: Carried,
    read: Column,
    write: Column,
    moved: Column,
    first: Column,
    port: Column,
    total: Column,
) -> int:
    """Bytes of each command on each port, ports rising: ``first`` of each command, ``port`` and ``total``;
    how many. read, write: ports of the memories, -1 for none. moved: 0 for every port."""
    start, memory, access, size = rows
    count = 0
    for i in range(len(start) - 1):
        begin = count
        first[i] = count
        for j in range(start[i], start[i + 1]):
            for side in range(2):
                p = read[memory[j]] if side == 0 else write[memory[j]]
                if p < 0 or access[j] == (WRITE if side == 0 else READ):
                    continue
                at = count
                while at > begin and port[at - 1] > p:
                    at -= 1
                if at == begin or port[at - 1] != p:
                    for x in range(count, at, -1):
                        port[x] = port[x - 1]
                    port[at] = p
                    count += 1
                moved[p] += size[j]
        for x in range(begin, count):
            total[x] = moved[port[x]]
            moved[port[x]] = 0
    first[len(start) - 1] = count
    return count
