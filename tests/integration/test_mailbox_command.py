"""`acd-bridge mailbox test` as an operator calls it."""

import asyncio
import json
from pathlib import Path

from typer.testing import CliRunner, Result

from bridge.cli.commands import app
from tests.integration.imap.hostile import HostileServer, hostile

FILE = """
[acd]
url = "https://acd.example.org"
clients_id = 1
token = "t"
[state]
path = "FOLDER/state.db"
[[mailbox]]
name = "support"
host = "127.0.0.1"
port = PORT
security = "none"
username = "anna"
password = "very-secret"
timeout = 2
[[route]]
name = "all"
event = { type = 5, group = 1 }
"""


async def call(server: HostileServer, folder: Path, *arguments: str) -> Result:
    file = folder / "bridge.toml"
    file.write_text(FILE.replace("PORT", str(server.port)).replace("FOLDER", str(folder)))
    given = ["mailbox", "test", *arguments, "--config", str(file)]
    result = await asyncio.to_thread(CliRunner().invoke, app, given)
    assert "very-secret" not in result.output
    return result


async def test_each_step_has_its_line(tmp_path: Path) -> None:
    """A mailbox that works is exit code 0, with a line a step on stdout; no state file is made for it."""
    async with hostile() as server:
        result = await call(server, tmp_path, "support")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert {line[0] for line in lines} == {"ok"}
    assert [line[-1] == "ms)" for line in lines] == [True, True, False, True, True, True, True]
    assert [line[1] for line in lines] == ["name", "tcp", "tls", "capabilities", "sign-in", "folder", "idle"]
    assert not (tmp_path / "state.db").exists()


async def test_the_first_failure(tmp_path: Path) -> None:
    """It ends there with exit code 69, and says what is wrong and what to do; terminal codes do not get through."""
    async with hostile(login=b"NO [AUTHENTICATIONFAILED] \x1b[31mno") as server:
        result = await call(server, tmp_path, "support")
    assert result.exit_code == 69
    assert result.stdout.splitlines()[-1].startswith("failed  sign-in")
    assert "mailbox[support].password" in result.stderr
    assert "hint: " in result.stderr
    assert "\x1b" not in result.output


async def test_a_step_that_fails_says_how_long_it_took(tmp_path: Path) -> None:
    """A server that does not answer has its time-out told; what has no time of its own has none told."""
    async with hostile(override={"LOGIN": lambda _: b""}) as server:
        steps = json.loads((await call(server, tmp_path, "support", "--json")).stdout)["steps"]
    seconds = {step["name"]: step["seconds"] for step in steps}
    assert seconds["sign-in"] >= 2
    assert seconds["tls"] is None


async def test_json(tmp_path: Path) -> None:
    """Programs get the same as one document, failed or not."""
    async with hostile(capabilities=b"IMAP4rev1") as server:
        good = json.loads((await call(server, tmp_path, "support", "--json")).stdout)
        server.override["EXAMINE"] = lambda _: b"TAG NO [NONEXISTENT] no such folder\r\n"
        result = await call(server, tmp_path, "support", "--json")
    assert (good["mailbox"], good["ok"]) == ("support", True)
    assert "no IDLE" in good["steps"][-1]["what"]
    bad = json.loads(result.stdout)
    assert result.exit_code == 69
    assert not bad["ok"]
    assert (bad["steps"][-1]["name"], bad["steps"][-1]["ok"]) == ("folder INBOX", False)
    assert bad["steps"][-1]["problem"]["key"] == "mailbox[support].folders"


async def test_a_name_that_is_not_there(tmp_path: Path) -> None:
    """Another name is a wrong call, answered with the names that there are; nothing is connected."""
    async with hostile() as server:
        result = await call(server, tmp_path, "sales")
        assert server.commands == []
    assert result.exit_code == 64
    assert "'support'" in result.stderr
