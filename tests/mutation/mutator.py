"""Faults made from the syntax tree of a module: one small change each, of seven kinds.

What says nothing about what the program computes is left out: annotations, docstrings, texts and what is
raised, imports, decorators, representations, and constants that set speed alone (equivalent by design:
plain and compiled code, large and small blocks give the same bits).
"""

from __future__ import annotations

import ast
import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

KINDS = ("operator", "constant", "bound", "term", "condition", "extreme", "return")
#: names whose values set speed, or how many words are printed, and no figure
SPEED = frozenset(
    {
        "COMPILE_ABOVE",
        "SMALL",
        "BLOCK",
        "CALL",
        "WIDTH",
        "LOAD_AFTER",
        "COMPILE_AFTER",
        "THREADS",
        "CHUNK_ROWS",
        "MOST_NAMES",
        "ROWS_AT_ONCE",
        "AT_ONCE",
        "FEW",
        "MANY",
        "BATCH",
        "WORKERS",
    }
)
#: calls whose arguments are words for people, bounds of a file's fields, or types
WORDS = frozenset(
    {
        "Problem",
        "InputError",
        "ConservationError",
        "ValueError",
        "LookupError",
        "TypeError",
        "KeyError",
        "Bounds",
        "Quantity",
        "Annotated",
        "Literal",
        "field",
        "_refused",
        "wrong",
        "refuse",
        "unknown",
        "isinstance",
        "cast",
        "lru_cache",
        "dataclass",
        "print",
        "echo",
        "TypeVar",
        "errstate",
    }
)

SWAPS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.MatMult: ast.Mult,
}
MOVES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}
OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ALONE = ast.Constant | ast.Name | ast.Attribute | ast.Call  # need no parentheses
EXTREMES = {
    "min": "max",
    "max": "min",
    "minimum": "maximum",
    "maximum": "minimum",
    "argmin": "argmax",
    "argmax": "argmin",
    "floor": "ceil",
    "ceil": "floor",
}


@dataclass(frozen=True)
class Fault:
    """One change: ``before`` at start (offset in characters) of a file becomes ``after``."""

    file: str
    line: int
    column: int
    kind: str
    start: int
    before: str
    after: str
    function: str = ""

    @property
    def key(self) -> str:
        """What the fault is called in a results file; kept over edits of other lines."""
        text = "\0".join((self.file, self.function, self.kind, self.before, self.after))
        return hashlib.sha256(text.encode()).hexdigest()[:12] + f":{self.line}:{self.column}"

    def __str__(self) -> str:
        before, after = (
            " ".join(text.split("\n")[0].split()) for text in (self.before, self.after)
        )
        return f"{self.file}:{self.line}:{self.column}: {self.kind}: {before} -> {after}"

    def planted(self, source: str) -> str:
        """The source with the fault in it; ValueError where the source is another."""
        end = self.start + len(self.before)
        if source[self.start : end] != self.before:
            raise ValueError(f"{self.file} has changed at line {self.line}")
        return source[: self.start] + self.after + source[end:]

    def changes(self, source: str) -> bool:
        """Whether the source with the fault is a program, and another one."""
        try:
            return ast.dump(ast.parse(self.planted(source))) != ast.dump(ast.parse(source))
        except SyntaxError:
            return False


def faults_of(file: str, source: str) -> list[Fault]:
    """Every fault of a module's source, in the order of the text; ``changes`` says which to keep."""
    walker = _Walker(file, source)
    walker.visit(ast.parse(source))
    return sorted(
        walker.faults, key=lambda fault: (fault.start, KINDS.index(fault.kind), fault.after)
    )


def drawn(sources: Mapping[str, str], count: int, seed: int) -> list[Fault]:
    """``count`` faults of some modules (file: source): parts (top folders) in turn, of each a kind and
    then a fault of it by chance, none twice."""
    faults = [fault for file, source in sources.items() for fault in faults_of(file, source)]
    chance = random.Random(seed)
    left: dict[str, dict[str, list[Fault]]] = {}
    for fault in faults:
        left.setdefault(part_of(fault.file), {}).setdefault(fault.kind, []).append(fault)
    chosen: list[Fault] = []
    while len(chosen) < count and left:
        for part in sorted(left):
            kinds = left[part]
            kind = chance.choice(sorted(kinds))
            fault = kinds[kind].pop(chance.randrange(len(kinds[kind])))
            if fault.changes(sources[fault.file]):
                chosen.append(fault)
            if not kinds[kind]:
                del kinds[kind]
            if not kinds:
                del left[part]
    return chosen[:count]


def part_of(file: str) -> str:
    """The part of the package that a file below it belongs to."""
    return Path(file).parts[0].removesuffix(".py")


def seed_of(commit: str) -> int:
    """The seed that a commit's hash gives."""
    return int(hashlib.sha256(commit.encode()).hexdigest()[:15], 16)


class _Walker(ast.NodeVisitor):
    """Collects faults; what it does not descend into has none."""

    def __init__(self, file: str, source: str) -> None:
        self.file, self.source = file, source
        self.faults: list[Fault] = []
        self.function: list[str] = []
        self.lines = [0]
        for line in source.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    # -- what is left out

    def skip(self, node: ast.AST) -> None:
        del node

    visit_Import = visit_ImportFrom = visit_Raise = visit_Assert = visit_JoinedStr = skip
    visit_Global = visit_Nonlocal = skip

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.function.append(node.name)
        for child in node.body:
            self.visit(child)
        self.function.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name in ("__repr__", "__str__"):
            return
        self.function.append(node.name)
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        if not any(
            isinstance(item, ast.Return) and item.value is not None for item in ast.walk(node)
        ):
            self.returns(body)
        for child in body:
            self.visit(child)
        self.function.pop()

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        names = {
            item.id
            for target in node.targets
            for item in ast.walk(target)
            if isinstance(item, ast.Name)
        }
        if names & SPEED or "__all__" in names:
            return
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        name = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        if name in WORDS:
            return
        if name in EXTREMES:
            self.extreme(node)
        if name in ("where", "choose") and len(node.args) == 3:
            self.exchanged(node)
        if name == "range" and node.args:
            stop = min(len(node.args), 2) - 1
            self.changed(
                node.args[stop], "bound", lambda arg: ast.BinOp(arg, ast.Sub(), ast.Constant(1))
            )
        self.visit(node.func)
        for argument in node.args:
            self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg not in (
                "axis",
                "dtype",
                "minlength",
                "ndmin",
                "kind",
                "fix",
                "path",
                "code",
            ):
                self.visit(keyword.value)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return
        self.negated(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.negated(node.test)
        self.generic_visit(node)

    # -- what is changed

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if _text(node.left) or _text(node.right) or _type(node.left) or _type(node.right):
            return
        if (swap := SWAPS.get(type(node.op))) is not None:
            self.changed(node, "operator", lambda made: _with(made, op=swap()))
        if isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.BitOr | ast.BitAnd):
            self.changed(node, "term", lambda made: made.left)
            if not isinstance(node.op, ast.Sub):
                self.changed(node, "term", lambda made: made.right)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self.changed(node, "operator", lambda made: _with(made, op=other))
        for number in range(len(node.values)):

            def dropped(made: ast.BoolOp, number: int = number) -> ast.expr:
                rest = [value for at, value in enumerate(made.values) if at != number]
                return rest[0] if len(rest) == 1 else _with(made, values=rest)

            self.changed(node, "term", dropped)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if _text(node.value) or isinstance(node.value, ast.List | ast.ListComp):
            return
        if (swap := SWAPS.get(type(node.op))) is not None:
            self.changed(node, "operator", lambda made: _with(made, op=swap()))
        self.changed(node, "term", lambda made: ast.Pass())
        self.visit(node.value)

    def visit_Compare(self, node: ast.Compare) -> None:
        if any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            self.changed(node, "condition", lambda made: ast.UnaryOp(ast.Not(), made))
            return
        for number, op in enumerate(node.ops):
            for table, kind in ((MOVES, "bound"), (OPPOSITES, "condition")):
                if (other := table.get(type(op))) is not None:

                    def moved(
                        made: ast.Compare, number: int = number, other: type[ast.cmpop] = other
                    ) -> ast.expr:
                        made.ops[number] = other()
                        return made

                    self.changed(node, kind, moved)
            if type(op) in MOVES and not _text(node.comparators[number]):

                def shifted(made: ast.Compare, number: int = number) -> ast.expr:
                    made.comparators[number] = ast.BinOp(
                        made.comparators[number], ast.Add(), ast.Constant(1)
                    )
                    return made

                self.changed(node, "bound", shifted)
        self.generic_visit(node)

    def visit_Slice(self, node: ast.Slice) -> None:
        if node.lower is not None:
            self.changed(
                node.lower, "bound", lambda low: ast.BinOp(low, ast.Add(), ast.Constant(1))
            )
        if node.upper is not None:
            self.changed(
                node.upper, "bound", lambda high: ast.BinOp(high, ast.Sub(), ast.Constant(1))
            )
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
            self.changed(node, "operator", lambda made: made.operand)
        elif isinstance(node.op, ast.Not):
            self.changed(node, "condition", lambda made: made.operand)
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self.changed(node, "constant", lambda made: ast.Constant(not value))
        elif isinstance(value, int):
            self.changed(node, "constant", lambda made: ast.Constant(value + 1))
            if value > 1:
                self.changed(node, "constant", lambda made: ast.Constant(value - 1))
        elif isinstance(value, float) and value not in (float("inf"),):
            self.changed(
                node, "constant", lambda made: ast.Constant(value * 1.25 if value else 1.0)
            )

    # -- how

    def returns(self, body: list[ast.stmt]) -> None:
        """Before each statement of a procedure but the first: nothing more is done."""
        for statement in body[1:]:
            start, end = self.span(statement)
            text = self.source[start:end]
            indent = " " * statement.col_offset
            self.add(statement, "return", start, text, f"return\n{indent}{text}")

    def negated(self, test: ast.expr) -> None:
        if not isinstance(test, ast.Compare | ast.UnaryOp) or isinstance(
            getattr(test, "op", None), ast.USub
        ):
            self.changed(test, "condition", lambda made: ast.UnaryOp(ast.Not(), made))

    def extreme(self, call: ast.Call) -> None:
        def other(made: ast.expr) -> ast.expr:
            if isinstance(made, ast.Attribute):
                return _with(made, attr=EXTREMES[made.attr])
            assert isinstance(made, ast.Name)
            return _with(made, id=EXTREMES[made.id])

        self.changed(call.func, "extreme", other)

    def exchanged(self, call: ast.Call) -> None:
        def other(made: ast.Call) -> ast.expr:
            made.args[1], made.args[2] = made.args[2], made.args[1]
            return made

        if ast.dump(call.args[1]) != ast.dump(call.args[2]):
            self.changed(call, "condition", other)

    def changed(self, node: ast.AST, kind: str, change: Callable[..., ast.AST]) -> None:
        """The fault that puts change(a copy of node) in its place."""
        start, end = self.span(node)
        before = self.source[start:end]
        made = ast.fix_missing_locations(change(deepcopy(node)))
        after = ast.unparse(made)
        if isinstance(node, ast.expr) and not isinstance(made, ALONE):
            after = f"({after})"
        if after != before:
            self.add(node, kind, start, before, after)

    def add(self, node: ast.AST, kind: str, start: int, before: str, after: str) -> None:
        fault = Fault(
            self.file,
            node.lineno,
            node.col_offset + 1,
            kind,
            start,
            before,
            after,  # type: ignore[attr-defined]
            ".".join(self.function),
        )
        self.faults.append(fault)

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Offsets in characters of a node's text."""
        return (
            self.offset(node.lineno, node.col_offset),  # type: ignore[attr-defined]
            self.offset(node.end_lineno, node.end_col_offset),
        )  # type: ignore[attr-defined]

    def offset(self, line: int, column: int) -> int:
        start = self.lines[line - 1]
        text = self.source[start : self.lines[line]].encode()[:column]  # columns of ast count bytes
        return start + len(text.decode())


def _with(node: ast.AST, **changes: object) -> ast.AST:
    for name, value in changes.items():
        setattr(node, name, value)
    return node


def _text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _type(node: ast.AST) -> bool:
    """Names of types beside |: Capitals without an underscore."""
    name = getattr(node, "id", getattr(node, "attr", ""))
    return bool(name[:1].isupper() and not name.isupper()) or (
        isinstance(node, ast.Constant) and node.value is None
    )


def iter_sources(package: Path, parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(file below the package, source) of the modules of some parts: folders, or modules without .py."""
    for part in parts:
        folder, module = package / part, package / f"{part}.py"
        for path in [module] if module.is_file() else sorted(folder.rglob("*.py")):
            yield path.relative_to(package).as_posix(), path.read_text()
