"""Many chips from one chip file: the document is parsed and read once, then only what changes."""

from __future__ import annotations

from collections.abc import Iterable

from accelsim.chip import Chip
from accelsim.config.chip_file import ChipReader
from accelsim.config.chip_use import with_used
from accelsim.config.overrides import node_of, replaced
from accelsim.config.yaml_source import Node, Place, parse_yaml
from accelsim.errors import InputError, Problem
from accelsim.store.record import canonical
from accelsim.store.spec import Base, Plain

Sets = Iterable[tuple[str, Plain | Node]]


class Variants:
    """The chips that a chip file gives with keys replaced.

    text, source: the file's content and name. sets: keys replaced in all of them. A value is plain,
    in the chip file's syntax, or a Node, whose place a problem with it then names. InputError when the
    file with the sets is no chip.
    """

    def __init__(self, text: str, source: str, sets: Sets = ()) -> None:
        self.source = source
        self.root = _with(with_used(parse_yaml(text, source), source), sets)
        reader = ChipReader(self.root, source)
        self.base = reader.chip()
        self._kept = reader.parts  # by id of Nodes that self.root keeps alive

    def chip(self, sets: Sets = ()) -> Chip:
        """The Chip with more keys replaced, in order: the one that config.load_chip gives for the same
        file and --set, with the same problems as InputError. Sections that no key touches are shared."""
        return ChipReader(_with(self.root, sets), self.source, self._kept).chip()


_KEPT: dict[tuple[str, str, str, str], Variants] = {}


def variants_of(base: Base) -> Variants:
    """The Variants of a sweep's base; those of the last 64 are kept. InputError where a file that the base
    names, its device's, holds something else by now."""
    key = (base.source, base.text, canonical(base.sets), base.digest)
    if key not in _KEPT:
        made = Variants(base.text, base.source, base.sets)
        if made.base.digest != base.digest:
            raise InputError(
                Problem(
                    "sweep.changed",
                    "names a device file that has changed since the sweep was read",
                    "run the sweep again",
                    file=base.source,
                )
            )
        if len(_KEPT) >= 64:
            _KEPT.clear()
        _KEPT[key] = made
    return _KEPT[key]


def _with(root: Node, sets: Sets) -> Node:
    problems = []
    for key, value in sets:
        node = value if isinstance(value, Node) else node_of(value, Place(f"--set {key}"))
        said = value.place if isinstance(value, Node) else Place("--set")
        found = replaced(root, key, node, said)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            root = found
    if problems:
        raise InputError(problems)
    return root
