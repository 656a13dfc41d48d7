"""What the commands share: tables on a narrow terminal, and how the version is asked for."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bridge import __version__
from bridge.cli.commands import app
from bridge.cli.common import print_json, print_table
from bridge.cli.root import FILES, command_line
from bridge.ledger.file import open_for_writing

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


def test_nothing_is_cut_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times and states are wrapped, and no dots stand in their place; a time takes two words."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    names = ("key", "accepted", "state", "subject")
    print_table(names, [(KEY, "2026-11-23T08:44:43.000+00:00", "quarantined", "words " * 9)], whole=("key",))
    shown = terminal.getvalue()
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    assert {"2026-11-23", "08:44:43Z", "quarantined"} <= set(shown.split())


def test_words_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks like an emoji's name or like a style in a subject or a group's name is neither."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    print_table(("subject",), [(":warning: [bold]1:a:2[/bold]",)])
    assert ":warning: [bold]1:a:2[/bold]" in terminal.getvalue()


def test_programs_get_times_as_they_are_stored(capsys: pytest.CaptureFixture[str]) -> None:
    """Beside a terminal nothing is shortened."""
    print_table(("key", "accepted"), [(KEY, "2026-11-23T08:44:43.123+00:00")])
    assert capsys.readouterr().out == f"key\taccepted\n{KEY}\t2026-11-23T08:44:43.123+00:00\n"


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ({"file": os.fsdecode(b"/tmp/\xff")}, {"file": "/tmp/?"}),
        ([{"ID": 2**70, "Name": "a"}], [{"ID": str(2**70), "Name": "a"}]),
    ],
    ids=["a path that is no text", "a number beyond 64 bits"],
)
def test_json_is_well_formed_always(
    capsys: pytest.CaptureFixture[str], value: object, printed: object
) -> None:
    """What JSON cannot hold is put into other words, and is no traceback."""
    print_json(value)
    assert json.loads(capsys.readouterr().out) == printed


@pytest.mark.parametrize(
    "words",
    [
        ["items", "list", "--limit", str(2**63)],
        ["duplicates", "--limit", str(2**63)],
        ["duplicates", "--event", str(2**63)],
    ],
)
def test_numbers_that_the_state_file_cannot_hold_are_a_wrong_use(tmp_path: Path, words: list[str]) -> None:
    """The option is named, before anything is opened."""
    result = CliRunner().invoke(app, [*words, "--config", str(tmp_path / "none.toml")])
    assert result.exit_code == 2
    assert words[-2] in result.stderr


@pytest.mark.parametrize("words", [["--version"], ["version"]])
def test_the_version_in_both_ways(words: list[str]) -> None:
    """People try the option first; it prints what the command prints."""
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, result.stdout) == (0, f"acd-bridge {__version__}\n")


def test_the_version_for_programs() -> None:
    """`--json` is everywhere."""
    result = CliRunner().invoke(app, ["version", "--json"])
    assert json.loads(result.stdout) == {"version": __version__}


def names(root: typer.Typer) -> set[str]:
    command = typer.main.get_command(root)
    assert isinstance(command, typer.core.TyperGroup)
    return set(command.commands)


@pytest.mark.parametrize("command", FILES)
def test_each_command_is_in_its_file(command: str) -> None:
    """A command that is called by its name finds itself and its subcommands without the files of others."""
    alone, whole = (typer.main.get_command(root) for root in (command_line([command]), app))
    assert isinstance(alone, typer.core.TyperGroup)
    assert isinstance(whole, typer.core.TyperGroup)
    of_alone, of_whole = alone.commands[command], whole.commands[command]
    assert getattr(of_alone, "commands", {}).keys() == getattr(of_whole, "commands", {}).keys()


def test_every_command_is_known_by_its_first_word() -> None:
    """A command that the table of files forgets would not be found by its name."""
    assert names(app) == {*FILES, "version"}


def test_a_look_at_the_state_file_does_not_load_the_service() -> None:
    """Commands that people call in loops do not pay for the HTTP client and the mail reader."""
    code = (
        "import sys; from bridge.cli.root import command_line; command_line(['status']); "
        "print([name for name in ('aiohttp', 'aioimaplib', 'jinja2') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


@pytest.mark.parametrize(
    "words",
    [["items", "list", "--sender", "WORD"], ["state", "forget", "WORD", "--yes"]],
    ids=["list", "forget"],
)
def test_a_word_that_is_no_text_is_a_wrong_use(tmp_path: Path, words: list[str]) -> None:
    """A terminal in Latin-1 sends bytes that are no UTF-8: that is said, and is no traceback."""
    open_for_writing(tmp_path / "state.db").close()
    config = tmp_path / "b.toml"
    config.write_text(
        '[acd]\nurl = "http://acd"\nclients_id = 1\ntoken = "t"\n'
        f'[state]\npath = "{tmp_path / "state.db"}"\n[[route]]\nname = "all"\nevent = {{ type = 5, group = 1 }}\n'
    )
    word = os.fsdecode(b"m\xfcller@x")
    given = [word if one == "WORD" else one for one in words]
    command = [sys.executable, "-m", "bridge", *given, "-c", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (64, "")
    assert ended.stderr == "error: a word of the command line is no text in UTF-8\n"
