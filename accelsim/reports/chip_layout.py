"""Where the parts of a chip lie in its picture: boxes in rows, cores as boxes of boxes, links as bands between.

All lengths are inches, y downwards. Off-chip memory stands at the top, then the memories of a core by their depth in
the tree, those that units use in one row, its inner cores, its units; a link lies below the topmost row that it joins.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from accelsim.chip import Chip
from accelsim.chip.cores import local, scope_of
from accelsim.chip.routes import Joint, graph, upper

WIDEST = 6.7
CHARACTER, TITLE, LINE = 0.066, 0.077, 0.132  # of a character of text and of a title, of a line
PAD, GAP, ROW = 0.09, 0.16, 0.26  # within a box, between boxes of a row, between rows
BAND = {1: 0.3, 2: 0.56}  # by a link's dimensions
SHADOW = 0.05
HEAD = LINE + 1.9 * PAD  # of a core, with its title


@dataclass
class Box:
    """A memory or a unit. what: memories, off_chip, units, or crossbars, which are analog."""

    name: str
    what: str
    lines: tuple[str, ...]
    x: float = 0.0
    y: float = 0.0
    w: float = 0.0
    h: float = 0.0

    def measure(self) -> None:
        """Its size from its text."""
        wide = max((len(line) for line in self.lines[1:]), default=0) * CHARACTER
        self.w = max(0.75, wide, len(self.lines[0]) * TITLE) + 2 * PAD
        self.h = len(self.lines) * LINE + 1.4 * PAD

    def put(self, x: float, y: float) -> None:
        """Set its upper left corner."""
        self.x, self.y = x, y


@dataclass
class Band(Box):
    """A link, as wide as the core that it lies in."""

    joint: Joint | None = None
    dimensions: int = 1

    def measure(self) -> None:
        self.w = len(self.lines[0]) * CHARACTER + BAND[self.dimensions] + 3 * PAD
        self.h = BAND[self.dimensions]


@dataclass
class Group(Box):
    """A core, drawn once. many: how often it stands in the one around it, in words; framed: whether it has a frame;
    frame: how wide that is, without the shadows of the others."""

    rows: list[list[Box]] = field(default_factory=list)
    many: str = ""
    framed: bool = True
    frame: float = 0.0

    def measure(self) -> None:
        room = WIDEST - 4 * PAD * (scope_depth(self.name) + 1)
        for row in self.rows:
            for item in row:
                item.measure()
        self.rows = [part for row in self.rows for part in _broken(row, room)]
        inner = [max(sum(item.w + GAP for item in row) - GAP, 0.0) for row in self.rows]
        title = (len(self.lines[0]) + len(self.many) + 2) * TITLE if self.framed else 0.0
        self.frame = max([*inner, title]) + 2 * PAD * self.framed
        self.w = self.frame + 2 * SHADOW * bool(self.many)
        heights = sum(max(item.h for item in row) + ROW for row in self.rows) - ROW
        self.h = heights + (HEAD + 1.4 * PAD if self.framed else 0.0) + 2 * SHADOW * bool(self.many)

    def put(self, x: float, y: float) -> None:
        super().put(x, y)
        here = y + (HEAD if self.framed else 0.0)
        room = self.frame - 2 * PAD * self.framed
        for row in self.rows:
            wide = sum(item.w + GAP for item in row) - GAP
            at = x + PAD * self.framed + (room - wide) / 2
            for item in row:
                if isinstance(item, Band):
                    at, item.w = x + PAD * self.framed, room
                item.put(at, here)
                at += item.w + GAP
            here += max(item.h for item in row) + ROW


def scope_depth(scope: str) -> int:
    """In how many cores something of that name lies."""
    return scope.count(".") + 1 if scope else 0


def _broken(row: list[Box], room: float) -> list[list[Box]]:
    """A row in as many rows as the width needs."""
    rows: list[list[Box]] = [[]]
    used = 0.0
    for item in row:
        if rows[-1] and used + item.w > room:
            rows.append([])
            used = 0.0
        rows[-1].append(item)
        used += item.w + GAP
    return rows


def layout(chip: Chip) -> Group:
    """The picture's boxes, placed: off-chip memory of no core, and below it the chip."""
    outside = [box for box in _memories(chip, "") if box.what == "off_chip"]
    whole = Group("", "cores", ("",), rows=[[*outside], [_group(chip, "")]], framed=False)
    whole.measure()
    whole.put(PAD, PAD)
    return whole


def _memories(chip: Chip, scope: str) -> list[Box]:
    found = []
    for name, memory in chip.memories.items():
        if scope_of(name) == scope:
            copies = " (one an array)" if memory.scope == "private" else ""
            what = "off_chip" if memory.part == "dram" else "memories"
            found.append(Box(name, what, (f"{local(name)}{copies}", *memory.caption())))
    return found


def _depth(chip: Chip, name: str) -> int:
    """Memories of its own core that stand behind one, those off the chip aside."""
    scope, depth, here = scope_of(name), 0, name
    while (here := upper(chip, here) or "") and scope_of(here) == scope:
        if chip.memories[here].part == "dram":
            break
        depth += 1
    return depth


def _levels(chip: Chip, scope: str) -> dict[int, list[Box]]:
    """Memories of a core by the row that they stand in: those that no other is filled from all in the lowest one, the
    deepest first, so that what passes a level by stands beside those that do not; off-chip memory of a core in -1."""
    boxes = _memories(chip, scope)
    filled_from = {upper(chip, box.name) for box in boxes}
    depth = {box.name: _depth(chip, box.name) for box in boxes if box.what != "off_chip"}
    lowest, levels = max(depth.values(), default=0), dict[int, list[Box]]()
    for box in sorted(boxes, key=lambda box: -depth.get(box.name, 0)):
        if box.what != "off_chip":
            row = depth[box.name] if box.name in filled_from else lowest
            levels.setdefault(row, []).append(box)
        elif scope:
            levels.setdefault(-1, []).append(box)
    return levels


def _group(chip: Chip, scope: str) -> Group:
    levels = _levels(chip, scope)
    inner: list[Box] = [
        _group(chip, name) for name in chip.templates if scope_of(name) == scope and name
    ]
    units: list[Box] = []
    for name, unit in chip.units.items():
        if scope_of(name) == scope:
            times = f"{unit.count} x " if unit.count > 1 else ""
            what = "crossbars" if unit.part == "crossbar" else "units"
            units.append(Box(name, what, (f"{times}{local(name)}", *unit.caption())))
    below = max(levels, default=-1) + 1
    ranked: dict[float, list[Box]] = {float(level): boxes for level, boxes in levels.items()}
    ranked |= {float(below): inner, float(below + 1): units}
    for joint in graph(chip).joints:
        if scope_of(joint.link.name) == scope and joint.name == chip.instances(joint.link.name)[0]:
            rank = _rank(chip, joint, scope, levels, below)
            name, what = local(joint.link.name), joint.link.caption(joint.shape)
            text = what if name == joint.link.kind else f"{name}: {what}"
            band = Band(
                joint.link.name, "links", (text,), joint=joint, dimensions=joint.link.dimensions
            )
            while rank in ranked:  # each in a row of its own
                rank += 0.01
            ranked[rank] = [band]
    rows = [ranked[rank] for rank in sorted(ranked) if ranked[rank]]
    title = chip.name if not scope else local(scope)
    return Group(scope, "cores", (title,), rows=rows, many=_many(chip, scope))


def _rank(chip: Chip, joint: Joint, scope: str, levels: dict[int, list[Box]], below: int) -> float:
    """Behind which row a link lies: that of the topmost memory that it joins."""
    nodes = {*joint.link.nodes, *joint.link.placed}
    found = [level for level, boxes in levels.items() if any(box.name in nodes for box in boxes)]
    outside = any(
        node in chip.memories and (scope_of(node) != scope or chip.memories[node].part == "dram")
        for node in nodes
        if not node.startswith(f"{scope}." if scope else ".") and "." not in node
    )
    if outside and not scope:
        return -0.5
    if any(node in chip.memories and not node.startswith(f"{scope}.") for node in nodes) and scope:
        return min(levels, default=0) - 0.5
    return (min(found) if found else below - 1) + 0.5


def _many(chip: Chip, scope: str) -> str:
    if not scope or chip.templates[scope].count == 1:
        return ""
    template = chip.templates[scope]
    if template.grid is not None:
        return f"x {template.count} ({template.grid[0]} x {template.grid[1]})"
    return f"x {template.count}"
