"""The tables of docs/jobs.md: which verb takes which option. `python scripts/options.py` writes them anew."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import click

from accelsim.job import VERBS, Option, options

PAGE = Path(__file__).parent.parent / "docs/jobs.md"
BEGIN, END = "<!-- options: made by scripts/options.py -->", "<!-- end of options -->"


def taken(option: Option) -> str:
    """The verbs of an option, each exception with its reason."""
    if not option.but:
        return "all"
    reasons: dict[str, list[str]] = {}
    for verb, reason in option.but.items():
        reasons.setdefault(reason, []).append(verb)
    said = "; ".join(f"{', '.join(verbs)}: {reason}" for reason, verbs in reasons.items())
    few = option.verbs()
    return f"{', '.join(few)}; not {said}" if len(few) < len(option.but) else f"all but {said}"


def own_options(verb: str) -> list[str]:
    """Options of a command that are not its job's."""
    command = import_module(f"accelsim.cli.{verb}_command").command
    return [
        max(item.opts, key=len)
        for item in command.params
        if isinstance(item, click.Option)
        and not item.hidden
        and not (item.name or "").startswith("job_")
    ]


def tables() -> str:
    """Both tables."""
    lines = ["| key | option | verbs | what |", "|---|---|---|---|"]
    for name, option in options().items():
        asked = f"`{option.option}`" if option.option else "-"
        text = option.help.replace("|", "\\|")
        lines.append(f"| `{name}` | {asked} | {taken(option)} | {text} |")
    lines += ["", "| verb | options of its own, which change no result |", "|---|---|"]
    for verb in VERBS:
        lines.append(f"| `{verb}` | {' '.join(f'`{one}`' for one in own_options(verb))} |")
    return "\n".join(lines)


def with_tables(page: str) -> str:
    """A page with its tables made anew."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{tables()}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{PAGE}\n")
