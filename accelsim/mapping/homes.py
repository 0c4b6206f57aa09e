"""Where each tensor between two operators stands, from its writer to its last reader.

A tensor has a home in a memory of a consumer, which then reads it there, in one of its producer, in one that
these stand behind, or off chip. Of a memory that stands in each of several cores it is one instance, to and from
which all cores copy; those of one time are spread over them. Homes that are needed at the same time lie side by side;
where there is not room for all, the tensor whose last reader is farthest goes. Operators' tiles get the largest part
of each memory that homes leave them. A vector operator of equal shapes writes over an input that nobody reads later.

What is read or written from the outside (inputs, weights, outputs, grown caches) stays off chip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from accelsim.chip import Chip
from accelsim.chip.machine import all_of, memory_of
from accelsim.chip.routes import KEYS, chain
from accelsim.errors import InputError
from accelsim.formats import get
from accelsim.mapping.lifetimes import Life, gaps_of, inputs_of, lives, moves, roots
from accelsim.mapping.rooms import UNDIVIDED, Room
from accelsim.mapping.rows.vector_tiles import in_a_row
from accelsim.mapping.units import Choice, side_of
from accelsim.workload import Operator, VectorOperator, Workload

MODES = ("off_chip", "on_chip")
DEFAULT = "on_chip"  # of every run that does not say
SHARES = (0.0, 0.25, 0.5, 0.75, 0.875)  # of a memory with tiles, what homes may take: each is tried


class Stand(NamedTuple):
    """Bytes of an instance of a memory, by its name, that a tensor has from its writer to its last reader."""

    memory: str
    address: int
    span: int


@dataclass(frozen=True, slots=True)
class Homes:
    """at: tensors at home on chip, by name; the others are off chip. rooms: of operators, by name, that have not
    all memories for their tiles, or read something where it stands. images: of a group of the batch, 0: of all; at
    and rooms are those of a group, one after another."""

    at: Mapping[str, Stand] = field(default_factory=dict)
    rooms: Mapping[str, Room] = field(default_factory=dict)
    images: int = 0

    @property
    def any_on_chip(self) -> bool:
        """Whether tensors are at home on chip, or weights stay there that were fetched once."""
        return bool(self.at) or any(room.kept for room in self.rooms.values())

    def room(self, operator: str) -> Room:
        """What an operator's tiles may take."""
        return self.rooms.get(operator, UNDIVIDED)


OFF_CHIP = Homes()


class Touched(NamedTuple):
    """What an operator touches: tensors by input number, the memories that it reads each in, the one that it
    writes. here: inputs that it can read at home in that memory."""

    inputs: tuple[str, ...]
    near: tuple[str, ...]
    output: str
    out: str
    here: tuple[int, ...]

    @property
    def tiles(self) -> set[str]:
        """Memories in which it has tiles."""
        return {*self.near, self.out}


def homes_of(
    chip: Chip,
    workload: Workload,
    formats: Mapping[str, str],
    on: Mapping[str, Choice] | None = None,
    needs: Mapping[str, Mapping[str, int]] | None = None,
    limits: tuple[float, bool] = (0.5, True),
) -> Homes:
    """Homes of the tensors of a workload. formats: of activations. on: the unit of every operator, nothing for a chip
    of one. needs: bytes of memories that operators' tiles take, where that is known. limits: the share of every other
    memory that homes may take, and whether they may be in memories that buffers are filled from."""
    return _Allocation(chip, workload, formats, on or {}, needs or {}, limits).homes()


def ways(
    chip: Chip,
    workload: Workload,
    formats: Mapping[str, str],
    on: Mapping[str, Choice],
    needs: Mapping[str, Mapping[str, int]],
    above: bool,
) -> Iterator[Homes]:
    """homes_of() by all SHARES that tell, each way once, the largest first. above: whether homes may be in memories
    that buffers are filled from."""
    seen = [OFF_CHIP]
    least = _Allocation(chip, workload, formats, on, needs, (SHARES[0], above))
    smallest = least.homes()
    if not least.all_nearest:  # else a larger share has nothing to give
        for share in reversed(SHARES[1:]):
            found = homes_of(chip, workload, formats, on, needs, (share, above))
            if found not in seen:
                seen.append(found)
                yield found
    if smallest not in seen:
        yield smallest


def has_levels(chip: Chip) -> bool:
    """Whether buffers are filled from memories on chip."""
    return any(len(chain(chip, memory)) > 2 for memory in chip.memories)


def homes_in_words(homes: Homes, chip: Chip, batch: int) -> list[str]:
    """What a run takes for granted of groups of images, homes on chip, and of levels of memory. batch: images in
    all."""
    used = {memory_of(chip, stand.memory) for stand in homes.at.values()}
    kept = {room.kept.memory for room in homes.rooms.values() if room.kept is not None}
    levels = {
        memory.behind
        for memory in chip.memories.values()
        if memory.part == "sram" and memory.behind and chip.memories[memory.behind].part == "sram"
    }
    near = {str(getattr(unit, key, "")) for unit in chip.units.values() for key in KEYS}
    found = []
    if homes.images:
        found.append(
            f"the batch of {batch} runs in groups of {homes.images}, one after another (images: {batch} runs it whole)"
        )
    if used:
        found.append(
            f"tensors between operators at home in {', '.join(sorted(used))}: the DMA engine copies from one "
            "memory on chip to another"
        )
    if kept:
        found.append(
            f"weights that are fetched more than once stay in {', '.join(sorted(kept))}: their first LOAD writes "
            "both memories at once"
        )
    used |= kept
    if above := sorted(levels & used):
        found.append(f"what is at home off chip passes {', '.join(above)} by")
    if idle := sorted(levels - used - near):
        found.append(
            f"nothing is at home in {', '.join(idle)}: what comes from off the chip passes it by"
        )
    return found


def touched_by(chip: Chip, op: Operator) -> Touched:
    """What an operator touches. chip: as its unit sees it."""
    if isinstance(op, VectorOperator):
        unit = chip.vector_unit
        every = tuple(range(len(op.inputs)))
        return Touched(op.inputs, (unit.input,) * len(every), op.output, unit.output, every)
    inputs = inputs_of(op)
    if (crossbar := chip.crossbar) is not None:
        return Touched(inputs, (crossbar.input,) * 2, op.output, crossbar.output, (0,))
    array = chip.array
    return Touched(inputs, (array.input, array.weight), op.output, array.output, (0,))


class _Allocation:
    """Homes as they are given away. needs, limits: as homes_of() takes them."""

    def __init__(
        self,
        chip: Chip,
        workload: Workload,
        formats: Mapping[str, str],
        on: Mapping[str, Choice],
        needs: Mapping[str, Mapping[str, int]],
        limits: tuple[float, bool],
    ) -> None:
        self.chip, self.workload, self.formats = chip, workload, formats
        self.needs, (self.share, self.above) = needs, limits
        self.root = roots(workload)
        self.touched = [touched_by(side_of(chip, on, op.name), op) for op in workload.operators]
        self.inputs = [[self.root[name] for name in touched.inputs] for touched in self.touched]
        self.places: dict[tuple[str, str], tuple[str, ...]] = {}  # of a tensor in a memory
        self.lives = {life.name: life for life in self._lives()}
        self.at: dict[str, Stand] = {}
        self.living: list[list[str]] = [
            [] for _ in workload.operators
        ]  # tensors at home, by operator

    def homes(self) -> Homes:
        """Homes of all tensors, in the order in which they are written."""
        for life in self.lives.values():
            self._settle(life, life.memories)
        rooms = {
            op.name: room
            for number, op in enumerate(self.workload.operators)
            if (room := self._room(number)) != UNDIVIDED
        }
        return Homes(dict(self.at), rooms) if self.at else OFF_CHIP

    @property
    def all_nearest(self) -> bool:
        """Whether every tensor stands in the best of the memories where it may."""
        return all(
            name in self.at and self._memory(name) == life.memories[0]
            for name, life in self.lives.items()
        )

    # -- lives ---------------------------------------------------------------------------------

    def _lives(self) -> Iterator[Life]:
        """Tensors that may be at home on chip, in the order in which they are written."""
        for life, readers in lives(self.workload, self.formats):
            memories = self._memories(life.name, life.first, readers)
            if memories:
                yield life._replace(memories=memories)

    def _memories(self, name: str, writer: int, readers: list[int]) -> tuple[str, ...]:
        """Where a tensor may be at home: where its readers can use it, where it is written, above these."""
        near: dict[str, None] = {}
        for number in readers:
            touched = self.touched[number]
            for i in touched.here:
                if self.inputs[number][i] == name:
                    near[touched.near[i]] = None
        near[self.touched[writer].out] = None
        for memory in list(near):
            for above in chain(self.chip, memory) if self.above else ():
                if self.chip.memories[above].part == "sram":
                    near[above] = None
        for memory in near:
            if self._serves(memory):
                self.places[name, memory] = self._reached(memory, name, writer, readers)
        serving = [memory for memory in near if self.places.get((name, memory))]
        return tuple(sorted(serving, key=lambda memory: not self._alone(memory)))

    def _serves(self, memory: str) -> bool:
        """Whether tensors may stand in a memory: one that no weights stay in."""
        return not any(
            side.weights == "resident"
            and side.mac_array is not None
            and memory == side.array.weight
            for side in self.chip.sides.values()
        )

    def _alone(self, memory: str) -> bool:
        """Whether a memory stands once, so that a unit can read there what all of it reads."""
        return len(all_of(self.chip, memory)) == 1

    def _memory(self, name: str) -> str:
        """The memory in one of whose instances a tensor stands."""
        return memory_of(self.chip, self.at[name].memory)

    def _reached(self, memory: str, name: str, writer: int, readers: list[int]) -> tuple[str, ...]:
        """Instances of a memory to which a tensor comes in one transfer from all where it is made, and from which in
        one to all where it is read."""
        made, used = self.touched[writer].out, dict[str, None]()
        for number in readers:
            pairs = zip(self.touched[number].near, self.inputs[number], strict=True)
            used |= {near: None for near, read in pairs if read == name}
        key = ("home", memory, made, *used)
        if key not in self.chip.memo:
            self.chip.memo[key] = tuple(
                place
                for place in all_of(self.chip, memory)
                if all(self._direct(start, place) for start in all_of(self.chip, made))
                and all(
                    self._direct(place, end) for near in used for end in all_of(self.chip, near)
                )
            )
        found: tuple[str, ...] = self.chip.memo[key]
        return found

    def _direct(self, start: str, end: str) -> bool:
        """Whether at most one transfer leads from an instance of a memory to another."""
        try:
            return len(self.chip.route(start, end).hops) <= 1
        except InputError:  # none leads there
            return False

    # -- places --------------------------------------------------------------------------------

    def _settle(self, life: Life, memories: tuple[str, ...]) -> None:
        """Find a home in one of the memories; a tensor with a farther last reader makes way, and is settled anew."""
        for memory in memories:
            stand = self._found(life, memory)
            victim = None
            if stand is None:
                victim = self._farthest(life, memory)
                if victim is None:
                    continue
                given = self.at[victim.name]
                self._leave(victim)
                stand = self._found(life, memory)
                if stand is None:
                    self._take(victim, given)
                    continue
            self._take(life, stand)
            if victim is not None:
                rest = victim.memories[victim.memories.index(memory) + 1 :]
                self._settle(victim, rest)
            return

    def _take(self, life: Life, stand: Stand) -> None:
        self.at[life.name] = stand
        for number in range(life.first, life.last + 1):
            self.living[number].append(life.name)

    def _leave(self, life: Life) -> None:
        del self.at[life.name]
        for number in range(life.first, life.last + 1):
            self.living[number].remove(life.name)

    def _farthest(self, life: Life, memory: str) -> Life | None:
        """The tensor at home in a memory when another one is written whose last reader is farthest, and farther
        than the other one's; none that was written over an input, or is."""
        there = [
            self.lives[name]
            for name in self.living[life.first]
            if self._memory(name) == memory and not self._shares(name)
        ]
        far = max(there, key=lambda one: one.last, default=None)
        return far if far is not None and far.last > life.last else None

    def _shares(self, name: str) -> bool:
        """Whether a tensor's bytes are another one's, too, at its first or last operator."""
        own, life = self.at[name], self.lives[name]
        return any(
            other != name and _overlap(self.at[other], own)
            for number in (life.first, life.last)
            for other in self.living[number]
        )

    def _found(self, life: Life, memory: str) -> Stand | None:
        """Where in a memory a tensor leaves operators the most room: of several instances, in that of the input that it
        is written over, else in the one that holds the fewest bytes meanwhile; None where it fits nowhere."""
        numbers = range(life.first, life.last + 1)
        over = self._written_over(life, memory)
        held = [self.at[name] for number in numbers for name in self.living[number]]

        def rank(place: str) -> tuple[bool, int]:
            first = over is not None and self.at[over].memory == place
            return not first, sum(stand.span for stand in held if stand.memory == place)

        size = self.chip.memories[memory].size
        gaps = [gaps_of(self._taken(number, memory), size) for number in numbers]
        needs = [self._reserve(number, memory, life.name) for number in numbers]
        for place in sorted(self.places[life.name, memory], key=rank):
            lows: dict[int, None] = {}
            if over is not None and self._is_free(life, place, over):
                lows[self.at[over].address] = None
            taken = {
                (stand.address, stand.address + stand.span)
                for stand in held
                if stand.memory == place
            }
            for low, high in gaps_of(taken, size):
                if high - low >= life.size:
                    lows |= {low: None, high - life.size: None}
            best, most = None, (-1, 0)
            for low in lows:
                left = _left(gaps, needs, low, low + life.size)
                if left > most:
                    best, most = Stand(place, low, life.size), left
            if best is not None:
                return best
        return None

    def _is_free(self, life: Life, place: str, over: str) -> bool:
        """Whether nothing but the input that a tensor is written over stands in its way there: a tensor that is settled
        anew finds later ones in place."""
        stand = Stand(place, self.at[over].address, life.size)
        return self.at[over].memory == place and not any(
            name != over and _overlap(self.at[name], stand)
            for number in range(life.first, life.last + 1)
            for name in self.living[number]
        )

    def _taken(self, number: int, memory: str) -> set[tuple[int, int]]:
        """Bytes that homes take of some instance of a memory while an operator runs: tiles lie alike in all."""
        return {
            (self.at[name].address, self.at[name].address + self.at[name].span)
            for name in self.living[number]
            if self._memory(name) == memory
        }

    def _reserve(self, number: int, memory: str, coming: str = "") -> int:
        """Bytes of a memory that an operator's tiles must have. coming: a tensor that would be at home there."""
        op, touched = self.workload.operators[number], self.touched[number]
        if not moves(op) or memory not in touched.tiles:
            return 0
        if memory != touched.out and all(
            near != memory or i in self._here(number, memory, coming)
            for i, near in enumerate(touched.near)
        ):
            return 0
        if op.name in self.needs:
            return self.needs[op.name].get(memory, 0)
        return int((1 - self.share) * self.chip.memories[memory].size)

    def _here(self, number: int, memory: str, coming: str = "") -> set[int]:
        """Inputs that an operator reads at home in a memory."""
        touched = self.touched[number]
        found = set()
        for i in touched.here:
            name = self.inputs[number][i]
            stands = name == coming or (name in self.at and self._memory(name) == memory)
            if touched.near[i] == memory and stands and self._alone(memory):
                found.add(i)
        return found

    def _written_over(self, life: Life, memory: str) -> str | None:
        """An input at home in a memory that its writer may write a tensor over: one of as many elements in a row,
        none wider, that nobody reads later."""
        op = self.workload.operators[life.first]
        if not isinstance(op, VectorOperator):
            return None
        bits = tuple(get(self.formats[name]).bits for name in (*op.inputs, op.output))
        every = Room(on_chip=tuple(range(len(bits))))
        if not in_a_row(op, bits, len(op.inputs), every):
            return None
        for i, name in enumerate(op.inputs):
            own = self.lives.get(self.root[name])
            if own is None or own.name not in self.at or self._memory(own.name) != memory:
                continue
            if own.last == life.first and bits[i] >= bits[-1] and in_a_row(op, bits, i, every):
                return own.name
        return None

    # -- rooms ---------------------------------------------------------------------------------

    def _room(self, number: int) -> Room:
        """What homes leave an operator."""
        op, touched = self.workload.operators[number], self.touched[number]
        if not moves(op):
            return UNDIVIDED
        parts = []
        for memory in sorted(touched.tiles):
            taken = self._taken(number, memory)
            if taken:
                base, size = _largest(taken, self.chip.memories[memory].size)
                parts.append((memory, base, size))
        here = {i for memory in touched.tiles for i in self._here(number, memory)}
        names = [*self.inputs[number], touched.output]
        on_chip = tuple(i for i, name in enumerate(names) if name in self.at)
        return Room(tuple(parts), tuple(sorted(here)), on_chip, once=True)


def _overlap(a: Stand, b: Stand) -> bool:
    return (
        a.memory == b.memory and a.address < b.address + b.span and b.address < a.address + a.span
    )


def _left(
    gaps: list[list[tuple[int, int]]], needs: list[int], low: int, high: int
) -> tuple[int, int]:
    """What a home would leave the operators meanwhile: the least room of any beyond what it must have, negative
    where that is not enough; and the room of all, so that free bytes stay in one piece. gaps, needs: of each."""
    least, total = 1 << 62, 0
    for free, need in zip(gaps, needs, strict=True):
        room = 0
        for begin, end in free:
            apart = end <= low or begin >= high
            room = max(room, end - begin if apart else max(low - begin, end - high))
        least = min(least, room - need)
        total += room
    return least, total


def _largest(taken: Iterable[tuple[int, int]], size: int) -> tuple[int, int]:
    """First byte and size of the largest gap."""
    low, high = max(gaps_of(taken, size), key=lambda gap: gap[1] - gap[0], default=(0, 0))
    return low, high - low
