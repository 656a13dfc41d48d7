import re
from contextlib import suppress
from pathlib import Path

import pytest

from bridge.check import given_by_the_service_manager, whole_file
from bridge.config.load import parse_sound_part
from bridge.errors import ConfigError

EXAMPLE = Path(__file__).parents[3] / "config" / "bridge.toml"
ACD = '[acd]\nurl = "http://acd.example"\nclients_id = 1\ntoken = "t"\n'
GOOD = '[[route]]\nname = "good"\nevent = { type = "Email", group = "Support" }\n'
MISSPELT = '[[route]]\nname = "misspelt"\nwhen = "knid == 1"\nevent = { type = "Email", group = "Support" }\n'
WRONG = '[[route]]\nname = "wrong"\nfrob = 1\nevent = { type = "Email", group = "Support" }\n'


def routes_of(text: str) -> list[str]:
    config = parse_sound_part(text, "file").config
    assert config is not None
    return [route.name for route in config.route]


def test_a_wrong_entry_costs_only_itself() -> None:
    """Entries of lists that are wrong are left out, the others stay in their order."""
    assert routes_of(ACD + WRONG + GOOD + MISSPELT) == ["good", "misspelt"]


def test_an_unknown_key_costs_only_itself() -> None:
    """The table of a key that nobody knows is still looked at."""
    found = parse_sound_part(f"{ACD}frob = 1\n{GOOD}", "file")
    assert found.config is not None
    assert found.config.acd.url == "http://acd.example"
    assert (found.left_out, [problem.key for problem in found.problems]) == (frozenset(), ["acd.frob"])


@pytest.mark.parametrize(
    ("table", "left_out"),
    [
        ("[acd]\nurl = 5\n", {"acd"}),
        ("", {"acd"}),
        (f"{ACD}[state]\nretention_days = 'x'\n", {"state"}),
        (f"{ACD}[frob]\n", {"frob"}),
        (f"mailbox = 3\n{ACD}", {"mailbox"}),
    ],
)
def test_a_wrong_table_is_left_out(table: str, left_out: set[str]) -> None:
    """Routes are looked at although a table beside them is wrong, and what stands in its place says nothing."""
    found = parse_sound_part(table + GOOD, "file")
    assert found.config is not None
    assert found.left_out == left_out
    assert found.problems


@pytest.mark.parametrize("text", [ACD, ACD + WRONG, "route = 1"])
def test_nothing_is_left(text: str) -> None:
    """Where no route is sound there is nothing to look at further; the problems are told."""
    found = parse_sound_part(text, "file")
    assert found.config is None
    assert found.problems


def test_form_and_meaning_are_told_at_once(tmp_path: Path) -> None:
    """A misspelt key, a misspelt variable and a missing secret show together; a left-out table's default shows not."""
    path = tmp_path / "bridge.toml"
    state = "[state]\nretention_days = 'x'\n"
    mailbox = '[[mailbox]]\nname = "m"\nhost = "h"\nusername = "u"\npassword = { file = "/nowhere" }\n'
    path.write_text(ACD + state + mailbox + WRONG + MISSPELT)
    assert [problem.key for problem in whole_file(path).problems] == [
        "state.retention_days",
        "route[wrong].frob",
        "route[misspelt].when",
        "mailbox[m].password",
    ]


ODD = ('"a\\u0000b"', "1e400", "nan", "[[1]]", "{ name = [1] }", "2026-01-01")
KEY = re.compile(r"^((?:# )?\w+) = .*$", re.MULTILINE)


@pytest.mark.parametrize("odd", ODD)
def test_no_value_is_more_than_a_problem(tmp_path: Path, odd: str) -> None:
    """Whatever a key of the example has for a value, the answer is a list of problems, and no traceback."""
    text, file = EXAMPLE.read_text(), tmp_path / "bridge.toml"
    for key in KEY.finditer(text):
        file.write_text(f"{text[: key.start()]}{key[1].removeprefix('# ')} = {odd}{text[key.end() :]}")
        with suppress(ConfigError):
            found = whole_file(file)
            assert found.problems or found.config


def test_a_path_that_no_file_can_have(tmp_path: Path) -> None:
    """It is a problem of the key, also where systemd would make the folder."""
    file = tmp_path / "bridge.toml"
    for path in (f"/{'x' * 300}/state.db", f"/var/lib/{'x' * 300}/state.db"):
        file.write_text(f"{ACD}[state]\npath = '{path}'\n{GOOD}")
        found = whole_file(file)
        assert [(one.key, one.what) for one in found.problems] == [
            ("state.path", "cannot be used: File name too long")
        ]
        assert found.config is not None
        given_by_the_service_manager(found.config)


def test_no_toml(tmp_path: Path) -> None:
    """What is no TOML has one problem, and nothing more is looked at."""
    path = tmp_path / "bridge.toml"
    path.write_text("[acd\n")
    with pytest.raises(ConfigError, match="line 1"):
        whole_file(path)
