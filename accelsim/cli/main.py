"""The command line: one file a command, imported when it is called."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module

import click

#: command -> its one line of help; the code is in the file of that name
COMMANDS = {
    "run": "Simulate a workload on a chip: cycles, joules, outputs.",
    "replay": "Run the layers of a recorded trace on any chip, each from its own inputs.",
    "check": "Check chip, workload, sweep and value files and say what they are.",
    "explain": "Say where the cycles and joules of a run went, and what to change.",
    "sensitivity": "Say which layer costs most accuracy in few bits.",
    "compare": "Compare chips, digital or PCM, on one workload, with accuracy over age.",
    "show": "Show a chip: its memories, links, cores and units, also as a picture.",
    "format": "Show a number format: range, precision, special values, number line.",
    "device": "Fit a device file to measured conductances.",
    "reproduce": "Compute a published claim: figures, assumptions, limits, picture.",
    "validate": "Hold the program against published figures of chips: error by tier.",
    "sweep": "Run many chips on workloads, kept in a store that can be resumed.",
    "diff": "Say what changed between two runs, in terms that add up exactly.",
    "report": "Make one HTML page with pictures of runs; a trace for Perfetto.",
    "init": "Write a commented chip, workload or sweep file to start from.",
    "convert": "Convert SCALE-Sim's files into chip files and layer traces.",
    "list": "List formats, chips, workloads, dataflows, energy families and more.",
}

#: of a path or an exception in a message
LONGEST_PLACE = 200
#: exit status of a bug of ours (EX_SOFTWARE of sysexits.h)
BUG = 70


class _Lazy(click.Group):
    """Loads a command's module only when it is used, so that --help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = import_module(f"accelsim.cli.{name}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from accelsim import __version__

        click.echo(f"accelsim {__version__}")
        ctx.exit()


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    callback=_version,
    expose_value=False,
    is_eager=True,
    help="Show the version.",
)
def cli() -> None:
    """Cycles, joules and bit-exact outputs of low-precision accelerators, from one plan."""


class _Terminated(KeyboardInterrupt):
    """SIGTERM: unwinds as Ctrl-C does, so that nothing half-written stays."""


def _terminate(number: int, frame: object) -> None:
    raise _Terminated


def main() -> None:
    """Entry point. Exit status: 0 done, 2 wrong input or a refusal of the system (one line a problem),
    70 a bug of ours (one line that names a file with the traceback; with ACCELSIM_TRACEBACK=1 it is raised),
    130 interrupted, 143 terminated."""
    try:
        from accelsim.escaping import on_terminal

        with on_terminal():
            _main()
    except KeyboardInterrupt as stop:  # before or behind all that has a better word for it
        _stopped(stop)


def _main() -> None:
    import signal

    from accelsim.errors import InputError

    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        with contextlib.suppress(ValueError):  # not the main thread: somebody else's program
            signal.signal(signal.SIGTERM, _terminate)
    try:
        cli(standalone_mode=False)
        sys.stdout.flush()
    except InputError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        sys.exit(2)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort as stop:  # click's own word for a KeyboardInterrupt
        _stopped(stop.__cause__)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except KeyboardInterrupt as stop:
        _stopped(stop)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        _refused(error)
    except Exception as error:
        _bug(error)


def _bug(error: Exception) -> None:
    """One line for an exception that nothing expects, with its traceback in a file, and exit status 70."""
    import os
    import platform
    import tempfile
    import traceback

    from accelsim import __version__
    from accelsim.escaping import visible

    if os.environ.get("ACCELSIM_TRACEBACK"):
        raise error
    text = visible(f"{type(error).__name__}: {error}")
    said = text if len(text) <= LONGEST_PLACE else text[: LONGEST_PLACE - 3] + "..."
    whole = [
        f"accelsim {__version__}, Python {platform.python_version()}, {platform.platform()}\n",
        f"arguments: {sys.argv[1:]!r}\n\n",
        *traceback.format_exception(error),
    ]
    try:
        number, path = tempfile.mkstemp(prefix="accelsim-bug-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(whole)
    except OSError:
        path = "no file (there is no place for one; ACCELSIM_TRACEBACK=1 shows it)"
    click.echo(
        f"accelsim: this is a bug of accelsim, not of the input: {said}; please report it with {path}",
        err=True,
    )
    sys.exit(BUG)


def _stopped(cause: BaseException | None) -> None:
    terminated = isinstance(cause, _Terminated)
    click.echo("terminated" if terminated else "interrupted", err=True)
    sys.exit(143 if terminated else 130)


def _refused(error: OSError) -> None:
    """One line for what the system refused (a name too long, a full disk), and exit status 2."""
    import os

    from accelsim.errors import Problem

    place = "output" if error.filename is None else os.fsdecode(error.filename)
    if len(place) > LONGEST_PLACE:
        place = place[: LONGEST_PLACE - 3] + "..."
    fix = "make room or give another place" if error.filename is None else "give another path"
    problem = Problem(
        "system.refused", f"cannot be used: {error.strerror or error}", fix, file=place
    )
    click.echo(str(problem), err=True)
    if error.filename is None:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), 1
        )  # what Python still holds of the output goes nowhere
    sys.exit(2)


if __name__ == "__main__":
    main()
