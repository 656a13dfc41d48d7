from pathlib import Path

import pytest

from bridge.config.load import parse_config, secret_problems

FILE = """
[acd]
url = "https://acd.example.org"
clients_id = 1
token = { credential = "acd" }
[[mailbox]]
name = "support"
host = "h"
username = "u"
password = { file = "FOLDER/imap" }
[[webhook]]
name = "helpdesk"
secrets = ["plain", { env = "ACD_BRIDGE_TEST_SECRET" }]
basic = { username = "u", password = { file = "FOLDER/basic" } }
[listen]
webhooks = "127.0.0.1:0"
[[route]]
name = "all"
event = { type = 5, group = 1 }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("acd", "imap", "basic"):
        (tmp_path / name).write_text(f"value-of-{name}\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("ACD_BRIDGE_TEST_SECRET", "value")
    return tmp_path


def keys(folder: Path) -> list[str]:
    config = parse_config(FILE.replace("FOLDER", str(folder)), "test.toml")
    return [problem.key for problem in secret_problems(config)]


def test_secrets_that_are_there_are_no_problem(folder: Path) -> None:
    """Credentials, files, variables and plain texts that can be read pass."""
    assert keys(folder) == []


def test_every_secret_that_is_missing_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each place that cannot be read is a problem of its own, with its key's path."""
    (folder / "acd").unlink()
    (folder / "imap").write_text(" \n")
    (folder / "basic").write_bytes(b"\xff")
    monkeypatch.delenv("ACD_BRIDGE_TEST_SECRET")
    assert keys(folder) == [
        "acd.token", "mailbox[support].password", "webhook[helpdesk].secrets[1]",
        "webhook[helpdesk].basic.password",
    ]  # fmt: skip


def test_a_secret_of_several_lines_is_a_problem(folder: Path) -> None:
    """A file with more than the secret would put a line end into a header or command."""
    (folder / "imap").write_text("one\ntwo\n")
    config = parse_config(FILE.replace("FOLDER", str(folder)), "test.toml")
    problems = secret_problems(config)
    assert [problem.key for problem in problems] == ["mailbox[support].password"]
    assert "one" not in str(problems[0]).replace("one line", "")
