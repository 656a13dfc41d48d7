"""What the commands share: tables on a narrow terminal, and how the version is asked for."""

import io
import json
import sys

import pytest
from typer.testing import CliRunner

from bridge import __version__
from bridge.cli import app
from bridge.cli.common import print_table

KEY = "0123456789abcdef0123"


class Terminal(io.StringIO):
    """A terminal that keeps what was printed on it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_key_is_whole_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """A key that was cut or wrapped could not be copied into the next command."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    long = "a subject that is longer than any terminal " * 5
    names = ("key", "accepted", "source", "state", "reason", "event", "sender", "subject")
    row = (
        KEY,
        "2026-11-23T08:44:43.000+00:00",
        "support",
        "quarantined",
        "no-route",
        77,
        "a@example.org",
        long,
    )
    print_table(names, [row], whole=("key",))
    assert KEY in terminal.getvalue()


@pytest.mark.parametrize("words", [["--version"], ["version"]])
def test_the_version_in_both_ways(words: list[str]) -> None:
    """People try the option first; it prints what the command prints."""
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, result.stdout) == (0, f"acd-bridge {__version__}\n")


def test_the_version_for_programs() -> None:
    """`--json` is everywhere."""
    result = CliRunner().invoke(app, ["version", "--json"])
    assert json.loads(result.stdout) == {"version": __version__}
