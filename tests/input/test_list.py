"""accelsim list: every kind lists something, and without one the kinds are listed."""

from __future__ import annotations

from click.testing import CliRunner

from accelsim.cli.main import cli


def listed(*arguments: str) -> list[str]:
    """Lines of `accelsim list`."""
    done = CliRunner().invoke(cli, ["list", *arguments])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_every_kind_that_is_listed_has_members() -> None:
    kinds = listed()
    assert {"chips", "workloads", "sweeps", "formats", "devices", "claims"} <= set(kinds)
    for kind in kinds:
        lines = listed(kind)
        assert lines and all(line.isprintable() for line in lines)
    assert "int8_edge" in listed("chips")
