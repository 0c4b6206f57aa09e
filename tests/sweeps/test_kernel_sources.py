"""What the cache of kernels is keyed by holds every file that compiled code may come from."""

from __future__ import annotations

import ast
from pathlib import Path

import accelsim
from accelsim import jit
from accelsim.sweeps.identity import BYSTANDERS, EVALUATION

PACKAGE = Path(accelsim.__file__).parent


def imported(path: Path) -> set[Path]:
    """Files of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "accelsim" and len(parts) > 1:
                place = PACKAGE.joinpath(*parts[1:])
                found |= {
                    file
                    for file in (place.with_suffix(".py"), place / "__init__.py")
                    if file.exists()
                }
    return found


def test_kernels_come_from_files_that_the_cache_knows() -> None:
    files = list(PACKAGE.rglob("*.py"))
    todo = [
        path
        for path in files
        if path.name != "jit.py"
        and "jit." in path.read_text()
        and any(word in path.read_text() for word in ("jit.compiled", "compiled_with("))
    ]
    assert len(todo) > 15
    seen: set[Path] = set()
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += imported(path)
    outside = {
        path
        for path in seen
        if path.relative_to(PACKAGE).with_suffix("").parts[0] in jit.NO_KERNELS
    }
    assert not outside, outside
    assert all(
        (PACKAGE / name).exists() or (PACKAGE / f"{name}.py").exists() for name in jit.NO_KERNELS
    )


def test_results_depend_on_all_but_named_parts_that_are_there() -> None:
    named = [*BYSTANDERS, *(f"sweeps/{name}" for name in EVALUATION)]
    assert all((PACKAGE / name).exists() for name in named)
