"""What is wrong with a Program, collected so that all of it is said at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from accelsim.errors import Problem, ProgramError
from accelsim.program.opcodes import Opcode
from accelsim.program.table import Program

Ints = NDArray[np.int64]
SHOWN = 20  # problems of one rule that are listed; the rest is counted


class Findings:
    """Problems found so far; at most SHOWN of one code are kept in full."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.problems: list[Problem] = []

    def rows(self, code: str, rows: Ints, message: str, fix: str | list[str] = "") -> None:
        """One problem for each command row. fix: for all, or of each."""
        fixes = [fix] * len(rows) if isinstance(fix, str) else fix
        for row, own in zip(rows[:SHOWN].tolist(), fixes[:SHOWN], strict=True):
            opcode = int(self.program.commands.opcode[row])
            name = Opcode(opcode).name if 0 <= opcode < len(Opcode) else f"opcode {opcode}"
            self.problems.append(Problem(code, message, own, path=f"command {row} ({name})"))
        if len(rows) > SHOWN:
            more = f"and {len(rows) - SHOWN} more commands: {message}"
            self.problems.append(Problem(code, more, fix if isinstance(fix, str) else ""))

    def one(self, code: str, path: str, message: str, fix: str = "") -> None:
        """A problem that is not a single command's."""
        self.problems.append(Problem(code, message, fix, path=path))

    def stop(self) -> None:
        """Raise ProgramError with everything that was found, if anything was."""
        if self.problems:
            raise ProgramError(self.problems)
