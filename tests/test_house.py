"""The shape of the house: imports run one way, files stay short, start-up stays light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "accelsim"
#: layer of each part; imports go to a lower layer or stay in the part
LAYERS = {
    "escaping": -1,
    "errors": 0,
    "fields": 0,
    "drafts": 0,
    "resources": 1,
    "formats": 1,
    "jit": 0,
    "offered": 0,
    "noise": 1,
    "strict_json": 1,
    "workload": 1,
    "program": 2,
    "devices": 3,
    "analog": 4,
    "constants": 4,
    "units": 5,
    "chip": 6,
    "timing": 6.5,  # the default mappings of small workloads are timed
    "rtl": 7,
    "mapping": 7,
    "energy": 8,
    "numerics": 8,
    "explore": 9,
    "shipped": 9,
    "store": 9,
    "config": 10,
    "results": 11,
    "importers": 11,
    "reports": 12,
    "matching": 12,
    "training": 12,
    "loading": 12,
    "job": 13.5,
    "verbs": 15,
    "api": 13,
    "comparison": 14,
    "sensitivities": 14,
    "claims": 14,
    "sweeps": 14,
    "traces": 14,
    "validation": 14,
    "cli": 16,
    "jit_dot": 1,
}
READERS = {"timing", "energy", "numerics"}
LONGEST = 520


PARAMETERS, LINES = 8, 60  # of a function
MOST_WIDE = 10
#: the functions that are larger, each with its reason
WIDE = {
    "api.run": "public: all that a run can be asked for, by name",
    "comparison.compare": "public: all that a comparison can be asked for, by name",
    "explore.plan_search.search_plan": "public: all that a search can be asked for, by name",
    "numerics.matmul.matmul": "public: all that a product can be asked for, by name",
    "program.builder.ProgramBuilder.command": "public: the columns of a row, by name",
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Parts of accelsim that a module imports anywhere, type-checking imports left out."""
    tree = ast.parse(path.read_text())
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped.update(ast.walk(node))
    parts = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "accelsim":
            parts.update(alias.name for alias in node.names if not alias.name.startswith("_"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("accelsim."):
            parts.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            parts.update(a.name.split(".")[1] for a in node.names if a.name.startswith("accelsim."))
    return parts


def test_imports_run_one_way() -> None:
    wrong = []
    for path in modules():
        relative = path.relative_to(PACKAGE)
        part = relative.parts[0].removesuffix(".py")
        if part == "__init__":
            continue
        for other in imported(path) - {part}:
            if LAYERS[other] >= LAYERS[part] and not (part == "cli" or other == part):
                wrong.append(f"{relative} imports {other}")
            if part in READERS and other in READERS:
                wrong.append(f"{relative}: the readers never import each other ({other})")
            if other == "rtl":
                wrong.append(f"{relative}: the register-transfer model is a proof, not a part")
    assert not wrong, wrong


def test_pydantic_and_numba_stay_in_their_places() -> None:
    for path in modules():
        text = path.read_text()
        if path.name != "jit.py":
            assert "import numba" not in text, path
        if path.parts[-2] != "config":
            assert "import pydantic" not in text, path


def test_no_module_bears_a_verbs_name() -> None:
    """accelsim.sweep is what a user calls, or nothing; never a folder or a file of the package that shadows it."""
    import accelsim

    commands = {
        path.stem.removesuffix("_command") for path in (PACKAGE / "cli").glob("*_command.py")
    }
    verbs = {*accelsim.__all__, *commands, "train"}
    names = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in modules()}
    assert not names & verbs


def test_modules_stay_short() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in modules()
        if (count := len(path.read_text().splitlines())) > LONGEST
    }
    assert not long


def functions_in(tree: ast.AST, inside: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function of a tree with its name, that of what it stands in before it."""
    for node in ast.iter_child_nodes(tree):
        own = (
            f"{inside}.{node.name}" if isinstance(node, ast.FunctionDef | ast.ClassDef) else inside
        )
        if isinstance(node, ast.FunctionDef):
            yield own, node
        yield from functions_in(node, own)


def size_of(function: ast.FunctionDef, text: list[str]) -> tuple[int, int]:
    """Parameters of a function, self left out, and its lines of code: no blanks, comments and docstrings."""
    strings = [node for node in ast.walk(function) if isinstance(node, ast.Expr)]
    prose = {
        line
        for node in strings
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    lines = [
        text[number - 1].strip()
        for number in range(function.lineno, (function.end_lineno or 0) + 1)
        if number not in prose
    ]
    taken = function.args
    names = [one.arg for one in taken.posonlyargs + taken.args + taken.kwonlyargs]
    return (
        len(names) - (names[:1] in (["self"], ["cls"])),
        sum(bool(line) and not line.startswith("#") for line in lines),
    )


def test_functions_stay_small() -> None:
    wide = {}
    for path in modules():
        text = path.read_text()
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for name, function in functions_in(ast.parse(text), module):
            parameters, lines = size_of(function, text.splitlines())
            if parameters > PARAMETERS or lines > LINES:
                wide[name] = (parameters, lines)
    assert wide.keys() == WIDE.keys(), wide
    assert len(WIDE) <= MOST_WIDE and all(WIDE.values())


def test_the_size_of_a_function() -> None:
    text = (
        "class A:\n    def f(self, a, /, b, *, c=1):\n"
        '        """Two\n        lines."""\n\n        # a comment\n'
        "        def g(x):\n            return (\n                x\n            )\n"
        "        return g(a)  # and another\n"
    )
    found = {
        name: size_of(function, text.splitlines())
        for name, function in functions_in(ast.parse(text), "m")
    }
    assert found == {"m.A.f": (3, 6), "m.A.f.g": (1, 4)}


def imports_of(path: Path) -> set[str]:
    """Modules of the package that a module imports when it runs, inside functions too."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_no_circles_where_plans_and_values_are_made() -> None:
    """No module of mapping, program, units, numerics imports what imports it, by whatever way."""
    parts = ("mapping", "program", "units", "numerics")
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in modules()
        if path.relative_to(PACKAGE).parts[0] in parts and path.name != "__init__.py"
    }
    left = {name: imports_of(path) & names.keys() for name, path in names.items()}
    while free := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in free}
    assert not left


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(done.stdout.split())


def test_help_loads_no_numpy() -> None:
    code = (
        "import sys; sys.argv = ['accelsim', '--help']\nfrom accelsim.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass"
    )
    assert not {"numpy", "yaml", "numba", "matplotlib"} & loaded_by(code)


def test_check_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['accelsim', 'check', 'configs/chips/int8_edge.yaml']\n"
        "from accelsim.cli.main import main\ntry: main()\nexcept SystemExit: pass"
    )
    modules = loaded_by(code)
    assert not {"numba", "matplotlib", "simpy", "scipy", "rich", "pydantic"} & modules


def test_a_first_small_run_compiles_nothing() -> None:
    code = (
        "import accelsim\nchip = accelsim.load_chip('int8_edge')\n"
        "accelsim.run(chip, accelsim.load_workload('small_gemm'))"
    )
    assert not {"numba", "matplotlib", "simpy"} & loaded_by(code)
    code = (
        "import accelsim, numpy\nwork = accelsim.load_workload('digits_mlp')\n"
        "x = numpy.full(work.tensors['x'].shape, 0.5)\n"
        "accelsim.run(accelsim.load_chip('pcm_8level'), work, {'x': x})"
    )
    assert not {"numba", "matplotlib", "simpy"} & loaded_by(code)


def test_no_text_of_a_picture_is_below_8_points() -> None:
    """Pictures are drawn at column width, so a size in the source is the size on paper."""
    small = [
        f"{path.name}:{number}"
        for path in PACKAGE.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if any(float(size) < 8 for size in re.findall(r"font_?size\"?[=:]\s*([\d.]+)", line))
    ]
    assert not small
