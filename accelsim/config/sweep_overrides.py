"""--set of a sweep's own keys: "sample.random=20", "execution.workers=4", "seed=1"."""

from __future__ import annotations

from collections.abc import Sequence

from accelsim.config.overrides import apply_overrides
from accelsim.config.yaml_source import Node, Place

#: of these keys one excludes the other
ONE_OF = {"sample": ("sobol", "random")}


def override_sweep(root: Node, overrides: Sequence[str]) -> Node:
    """The document of a sweep with values replaced; a section that is missing, or is a word like
    `sample: grid`, is begun. InputError for overrides that lead nowhere."""
    for text in overrides:
        section, dot, inner = text.partition("=")[0].strip().partition(".")
        if dot and root.is_map:
            rivals = (
                [name for name in ONE_OF.get(section, ()) if name != inner]
                if inner in ONE_OF.get(section, ())
                else []
            )
            root = _begun(root, section, rivals)
        root = apply_overrides(root, [text])
    return root


def _begun(root: Node, section: str, rivals: list[str]) -> Node:
    """The document with a section that has keys, without the given ones."""
    place, old = root.value.get(section, (Place(f"--set {section}"), None))
    if old is not None and (old.is_list or (section not in ONE_OF and not old.is_map)):
        return root
    inner = (
        {key: item for key, item in old.value.items() if key not in rivals}
        if old and old.is_map
        else {}
    )
    return Node({**root.value, section: (place, Node(inner, place))}, root.place)
