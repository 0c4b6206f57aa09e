"""Which test files stand nearest to a module: by imports, read from the sources, nothing run."""

from __future__ import annotations

import ast
from collections import deque
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FAR = 99


def module_of(path: Path) -> str:
    """The dotted name of a file below the root."""
    name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


@lru_cache(maxsize=1)
def import_graph() -> dict[str, set[str]]:
    """What each module of the package and of the tests imports of them."""
    paths = {
        module_of(path): path
        for top in ("accelsim", "tests")
        for path in (ROOT / top).rglob("*.py")
    }
    graph: dict[str, set[str]] = {}
    for name, path in paths.items():
        found = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
        graph[name] = {item for item in found if item in paths}
    return graph


def distances(start: str) -> dict[str, int]:
    """How many imports lie between a module and each that it reaches."""
    graph, found, waiting = import_graph(), {start: 0}, deque([start])
    while waiting:
        here = waiting.popleft()
        for other in graph.get(here, ()):
            if other not in found:
                found[other] = found[here] + 1
                waiting.append(other)
    return found


@lru_cache(maxsize=1)
def test_files() -> dict[str, dict[str, int]]:
    """Every test file, with how far it is from each module."""
    paths = [
        path
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if "mutation" not in path.relative_to(ROOT).parts
    ]
    return {path.relative_to(ROOT).as_posix(): distances(module_of(path)) for path in paths}


def nearest_first(file: str) -> list[str]:
    """All test files, those nearest to a module (file below accelsim/) first: what is called like it, then
    by the number of imports between, two less in the folder of its part or where the module is imported."""
    name = "accelsim." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    part, stem = file.split("/")[0].removesuffix(".py"), Path(file).stem

    def rank(test: str) -> tuple[int, int, str]:
        away = test_files()[test].get(name, FAR)
        own = part in Path(test).parts[:-1] or away <= 1
        called = f"test_{stem}" == Path(test).stem and (
            own or stem not in ("base", "files", "library")
        )
        return away - 2 * own - FAR * called, -own, test

    return sorted(test_files(), key=rank)
