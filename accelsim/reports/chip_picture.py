"""A chip in words and as a picture: memories, links, cores, units and how wide they are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, NamedTuple

from accelsim.chip import Chip, machine
from accelsim.chip.cores import prefixes, scope_of
from accelsim.chip.routes import copies_in_core, graph, upper
from accelsim.fields import binary
from accelsim.reports.chip_layout import PAD, SHADOW, Band, Box, Group, layout
from accelsim.reports.style import COLUMN_INCHES, blank

FILL = {
    "off_chip": "#FBE3D3",
    "memories": "#D6E9F6",
    "units": "#DCEFD8",
    "crossbars": "#FFF2CC",
    "cores": "#FFFFFF",
}
EDGE = {
    "off_chip": "#D55E00",
    "memories": "#0072B2",
    "units": "#3C7D3C",
    "crossbars": "#9A6A00",
    "cores": "#555555",
}
ROLES = {"input": "#0072B2", "weight": "#E69F00", "output": "#009E73"}
LINK, TREE = "#7B3294", "#888888"
LEGEND = 0.3  # inches below
TURN = 0.05  # inches before a box at which a line turns to it


def rows(chip: Chip) -> list[list[str]]:
    """What stands in the chip, one line a memory, link and unit: its name, how often it stands, what it is, and
    what it is joined to."""
    found = []
    for name, memory in chip.memories.items():
        often = len(prefixes(chip, scope_of(name))) * copies_in_core(chip, name)
        behind = upper(chip, name)
        joined = f"behind it {behind}" if behind else ""
        found.append([name, memory.kind, f"{often:,}", ", ".join(memory.caption()), joined])
    for joint in graph(chip).joints:
        link = joint.link
        if joint.name == chip.instances(link.name)[0]:
            often, ports = len(prefixes(chip, scope_of(link.name))), list(link.ports(joint.shape))
            what = f"{link.caption(joint.shape)}; {len(ports)} port{'s' * (len(ports) != 1)}"
            found.append([link.name, link.kind, f"{often:,}", what, ", ".join(_nodes(link))])
    for name, unit in chip.units.items():
        often = len(prefixes(chip, scope_of(name))) * unit.count
        named = [getattr(unit, key, "") for key in (*ROLES, "memory")]
        joined = ", ".join(dict.fromkeys(each for each in named if each))
        found.append([name, unit.kind, f"{often:,}", ", ".join(unit.caption()), joined])
    return found


def _nodes(link: Any) -> list[str]:
    return list(dict.fromkeys((*link.nodes, *link.placed)))


def summary(chip: Chip) -> str:
    """How much there is of it all, in one line."""
    tables = machine(chip)
    cores = len(chip.cores) - 1
    stored = sum(
        memory.size * len(prefixes(chip, scope_of(name))) * copies_in_core(chip, name)
        for name, memory in chip.memories.items()
        if memory.part != "dram"
    )
    return (
        f"{chip.name}: {cores or 'one'} core{'s' * (cores > 1)}, {len(tables.memories)} memories, "
        f"{len(tables.units)} units, {len(tables.ports)} ports; {binary(stored)} of buffers on the chip"
    )


# -- the picture -----------------------------------------------------------------------------------


def draw(chip: Chip) -> bytes:
    """PNG of column width: cores drawn once, with how often they stand."""
    whole = layout(chip)
    wide, high = max(whole.w + 2 * PAD, 3.4), whole.h + 2 * PAD + LEGEND
    made = blank(high)
    made.set_figwidth(min(max(wide, 3.4), 2 * COLUMN_INCHES))
    axes = made.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0.0, wide)
    axes.set_ylim(high, 0.0)
    made.set_layout_engine("none")
    boxes = {box.name: box for box in _all(whole) if not isinstance(box, Group)}
    groups = {box.name: box for box in _all(whole) if isinstance(box, Group) and box.name}
    for box in _all(whole):
        _box(axes, box)
    _legend(axes, _lines(axes, chip, boxes, groups))
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", dpi=200, metadata={"Software": None})
    return buffer.getvalue()


def _all(group: Group) -> Iterator[Box]:
    """Every box, outer before inner ones."""
    yield group
    for row in group.rows:
        for item in row:
            if isinstance(item, Group):
                yield from _all(item)
            else:
                yield item


def _box(axes: Any, box: Box) -> None:
    from matplotlib.patches import FancyBboxPatch, Rectangle

    if isinstance(box, Band):
        _band(axes, box)
        return
    if isinstance(box, Group):
        if not box.framed:
            return
        for shift in (2 * SHADOW, SHADOW) if box.many else ():
            axes.add_patch(
                Rectangle(
                    (box.x + shift, box.y + shift),
                    box.frame,
                    box.h - 2 * SHADOW,
                    facecolor="white",
                    edgecolor=EDGE["cores"],
                    linewidth=0.6,
                )
            )
    axes.add_patch(
        FancyBboxPatch(
            (box.x, box.y),
            box.frame if isinstance(box, Group) else box.w,
            box.h - 2 * SHADOW * (isinstance(box, Group) and bool(box.many)),
            boxstyle="square,pad=0" if isinstance(box, Group) else "round,pad=0,rounding_size=0.04",
            facecolor=FILL[box.what],
            edgecolor=EDGE[box.what],
            linewidth=1.1 if box.what == "crossbars" else 0.8,
            linestyle="--" if box.what == "crossbars" else "-",
            zorder=2 if not isinstance(box, Group) else 1,
        )
    )
    if isinstance(box, Group):
        text = f"{box.lines[0]}  {box.many}".rstrip()
        axes.text(box.x + PAD, box.y + PAD, text, va="top", weight="bold", zorder=4)
        return
    middle, step = box.x + box.w / 2, (box.h - 0.5 * PAD) / len(box.lines)
    for number, line in enumerate(box.lines):
        at = box.y + 0.4 * PAD + (number + 0.5) * step
        weight = "bold" if number == 0 else "normal"
        axes.text(middle, at, line, ha="center", va="center", weight=weight, zorder=4)


def _band(axes: Any, band: Band) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle(
            (band.x, band.y),
            band.w,
            band.h,
            facecolor="#EFE3F5",
            edgecolor=LINK,
            linewidth=0.8,
            zorder=2,
        )
    )
    _glyph(axes, band)
    at = band.x + band.h + 1.5 * PAD
    axes.text(at, band.y + band.h / 2, band.lines[0], va="center", zorder=4)


def _glyph(axes: Any, band: Band) -> None:
    """A small sign of the kind of link: what its ports join, for up to 8 stations a side."""
    assert band.joint is not None
    kind, side = band.joint.link.kind, band.h - 1.2 * PAD
    left, top = band.x + PAD, band.y + 0.6 * PAD
    style = {"color": LINK, "linewidth": 0.8, "zorder": 3}
    if band.dimensions == 2:
        rows, columns = (min(8, size) for size in band.joint.shape)
        xs = [left + side * (c + 0.5) / columns for c in range(columns)]
        ys = [top + side * (r + 0.5) / rows for r in range(rows)]
        for y in ys:
            axes.plot([xs[0], xs[-1]], [y, y], **style)
        for x in xs:
            axes.plot([x, x], [ys[0], ys[-1]], **style)
        points = [(x, y) for x in xs for y in ys]
        mark = min(2.2, 0.32 * 72 * side / max(rows, columns))
        axes.plot(*zip(*points, strict=True), "s", color=LINK, markersize=mark, zorder=3)
        return
    middle, center = top + side / 2, left + side / 2
    if kind == "ring":
        axes.plot(center, middle, "o", mfc="none", mec=LINK, markersize=9, zorder=3)
        for dx, dy in ((0.06, 0), (-0.06, 0), (0, 0.06), (0, -0.06)):
            axes.plot(center + dx, middle + dy, "s", color=LINK, markersize=2.2, zorder=3)
    elif kind == "crossbar":
        for way in (1, -1):
            axes.plot([left, left + side], [middle - way * 0.05, middle + way * 0.05], **style)
    elif kind == "point":
        axes.plot([left, left + side], [middle, middle], **style)
        axes.plot([left, left + side], [middle, middle], "s", color=LINK, markersize=2.2, zorder=3)
    else:
        axes.plot([left, left + side], [middle, middle], **{**style, "linewidth": 2.0})
        for x in (0.15, 0.5, 0.85):
            axes.plot([left + x * side] * 2, [middle, middle + 0.06], **style)


def _lines(axes: Any, chip: Chip, boxes: dict[str, Box], groups: dict[str, Group]) -> list[str]:
    """What is joined: by links, in the tree where no link joins, units with what they read and write. Colours of
    what was drawn."""
    wanted: list[tuple[Box, Box, str]] = []  # lower, upper, colour
    for band in boxes.values():
        if isinstance(band, Band) and band.joint is not None:
            for node in _nodes(band.joint.link):
                target = boxes.get(node) or groups[node]
                pair = (band, target) if target.y < band.y else (target, band)
                wanted.append((*pair, LINK))
    here = graph(chip)
    for name in chip.memories:
        behind = upper(chip, name)
        one = chip.instances(name)[0]
        lower = one if one in here.behind else f"{one}.0"
        if behind and not here.hop(lower, here.behind[lower] or ""):
            wanted.append((boxes[name], boxes[behind], TREE))
    for name, unit in chip.units.items():
        for key, colour in ROLES.items():
            if (target_name := getattr(unit, key, "")) in boxes:
                wanted.append((boxes[name], boxes[target_name], colour))
    tops = _spread([(lower, upper) for lower, upper, _ in wanted])
    bottoms = _spread([(upper, lower) for lower, upper, _ in wanted])
    solid = [box for box in boxes.values() if not isinstance(box, Band)]
    lanes: list[float] = []
    frames = [x for group in groups.values() for x in (group.x, group.x + group.frame)]
    for (below, above, colour), x, other in zip(wanted, tops, bottoms, strict=True):
        _line(axes, (below, x), (above, other), colour, Around(solid, frames, lanes))
    return [colour for _, _, colour in wanted]


def _spread(ends: list[tuple[Box, Box]]) -> list[float]:
    """A place on the first box of each pair, side by side in the order in which the others stand."""
    found = [0.0] * len(ends)
    mine: dict[int, list[int]] = {}
    for number, (box, _) in enumerate(ends):
        mine.setdefault(id(box), []).append(number)
    for numbers in mine.values():
        box = ends[numbers[0]][0]
        if isinstance(box, Band):  # straight above or below what it joins
            continue
        numbers.sort(key=lambda n: ends[n][1].x + ends[n][1].w / 2)
        for place, number in enumerate(numbers):
            found[number] = box.x + box.w * (0.15 + 0.7 * (place + 0.5) / len(numbers))
    return found


class Around(NamedTuple):
    """What a line keeps clear of: boxes, the sides of cores, places of lines that turned."""

    solid: list[Box]
    frames: list[float]
    lanes: list[float]


def _line(
    axes: Any,
    low: tuple[Box, float],
    high: tuple[Box, float],
    colour: str,
    around: Around,
) -> None:
    """A line from the top of one box to the bottom of another. To a link it goes straight, beside what lies
    between."""
    (lower, x), (upper, other) = low, high
    top, bottom = upper.y + upper.h, lower.y
    style = {"color": colour, "zorder": 1.5, "linewidth": 1.4 if colour == LINK else 0.9}
    if colour != LINK:
        axes.plot([x, other], [bottom, top], **style)
        return
    down = isinstance(upper, Band)
    node, band, here = (lower, upper, x) if down else (upper, lower, other)
    turn = bottom - TURN if down else top + TURN
    between = sorted((turn, top if down else bottom))
    lane = _lane(here, between, node, band, around)
    if lane == here:
        axes.plot([here, here], [bottom, top], **style)
        return
    around.lanes.append(lane)
    points = [
        (here, bottom if down else top),
        (here, turn),
        (lane, turn),
        (lane, top if down else bottom),
    ]
    axes.plot(*zip(*points, strict=True), **style)


def _lane(here: float, between: list[float], node: Box, band: Box, around: Around) -> float:
    """The nearest place beside all boxes at these heights, and beside frames and lines that turned before."""
    blocking = [
        box
        for box in around.solid
        if box is not node and box.y < between[1] and box.y + box.h > between[0]
    ]
    places = (band.x + 0.06 + 0.05 * i for i in range(int(band.w / 0.05) - 1))
    for x in (here, *sorted(places, key=lambda place: abs(place - here))):
        free = all(not box.x - 0.05 < x < box.x + box.w + 0.05 for box in blocking)
        beside = all(abs(x - lane) > 0.055 for lane in around.lanes)
        clear = all(abs(x - frame) > 0.035 for frame in around.frames)
        if free and (x == here or (beside and clear)):
            return x
    return here


def _legend(axes: Any, drawn: list[str]) -> None:
    """What the lines that were drawn mean."""
    from matplotlib.lines import Line2D

    names = dict(zip(ROLES.values(), ("input of a unit", "weights", "output"), strict=True))
    names |= {TREE: "filled from, spilled to", LINK: "link"}
    handles = [
        Line2D([], [], color=colour, linewidth=1.4 if colour == LINK else 0.9, label=text)
        for colour, text in names.items()
        if colour in drawn
    ]
    axes.legend(
        handles=handles,
        loc="lower center",
        ncols=len(handles),
        handlelength=1.2,
        columnspacing=1.0,
        borderaxespad=0.3,
    )
