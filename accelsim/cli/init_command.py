"""accelsim init NAME --template T."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

#: template -> (kind, shipped file that it is a copy of)
TEMPLATES = {
    "chip": ("chip", "int8_edge"),
    "chip-int4": ("chip", "int4_edge"),
    "chip-multi": ("chip", "mixed_quad"),
    "chip-pcm": ("chip", "pcm_8level"),
    "sweep": ("sweep", "array_size"),
    "workload": ("workload", "small_cnn"),
    "workload-gemm": ("workload", "small_gemm"),
}


@click.command("init")
@click.argument("name")
@click.option(
    "--template", required=True, type=click.Choice(list(TEMPLATES)), help="What to start from."
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(name: str, template: str, force: bool) -> None:
    """Write NAME.yaml, a commented chip, workload or sweep file that runs, to be changed.

    A JSON Schema is written beside it, for completion in editors.
    """
    from accelsim import shipped
    from accelsim.cli.new_file import write_new
    from accelsim.config.schema import chip_schema, workload_schema
    from accelsim.errors import InputError, Problem
    from accelsim.sweeps.schema import sweep_schema

    path = Path(name if name.endswith(".yaml") else f"{name}.yaml")
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", path.stem) or path.name == ".yaml":
        raise InputError(
            Problem(
                "init.name",
                f"{path.stem!r} is not a plain name",
                "use letters, digits, _ . and -",
                file="NAME",
            )
        )
    kind, source = TEMPLATES[template]
    text = shipped.find(kind, source).read_text(encoding="utf-8")
    text = re.sub(rf"(?m)^name: {source}$", f"name: {_written(path.stem)}", text)
    if kind == "sweep":  # what the shipped one found is not known of a changed one
        text = re.sub(r"(?m)^answer:.*(?:\n[ \t]+.*)*\n", "", text)
    schema = path.with_name(f"accelsim-{kind}.schema.json")
    line = f"# yaml-language-server: $schema={schema.name}\n"
    write_new(path, line + text, force)
    whole = {"chip": chip_schema, "workload": workload_schema, "sweep": sweep_schema}[kind]
    write_new(schema, json.dumps(whole(), indent=1) + "\n", True)
    click.echo(f"{path}: a {kind} to change; check it with: accelsim check {path}")


def _written(name: str) -> str:
    """A name as YAML text: in quotes where YAML would read a number, a truth or nothing."""
    from accelsim.config.yaml_source import scalar

    return name if scalar(name, False) == name else f'"{name}"'
