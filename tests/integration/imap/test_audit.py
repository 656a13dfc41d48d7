"""`acd-bridge audit` against a mail server and a state file."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from bridge.cli.commands import app as commands
from bridge.testing.mail_server import MailServer
from tests.wait import until
from tests.whole import bridge, config_of, mail, mailbox, mails_watched, simulator, totals

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pymap")


def config_file(folder: Path, port: int) -> Path:
    file = folder / "bridge.toml"
    file.write_text(f"""
acd = {{ url = "http://127.0.0.1:9", clients_id = 1, token = "t" }}
state = {{ path = "{folder / "state.db"}" }}
[[mailbox]]
name = "support"
host = "127.0.0.1"
port = {port}
security = "none"
username = "support"
password = "secret"
[[route]]
name = "all"
event = {{ type = "Email", group = "Support" }}
""")
    return file


async def audit(file: Path, *arguments: str) -> Result:
    call = ["audit", "--config", str(file), *arguments]
    return await asyncio.to_thread(CliRunner().invoke, commands, call)


async def one(file: Path) -> tuple[int, dict[str, Any]]:
    """The exit code, and what is said of the only folder."""
    result = await audit(file, "--json")
    (found,) = orjson.loads(result.stdout)
    return result.exit_code, found


@pytest.fixture
async def mails() -> AsyncIterator[MailServer]:
    server = await MailServer.start(["support"])
    yield server
    await server.close()


async def taken(folder: Path, mails: MailServer) -> Path:
    """Three mails were posted after one that was left alone; the configuration file of that."""
    await mails.deliver("support", mail("old"))
    async with simulator() as acd:
        config = config_of(folder, acd, mailboxes=[mailbox("support", mails.port)])
        async with bridge(config):
            await until(lambda: mails_watched(config))
            for number in range(3):
                await mails.deliver("support", mail(number))
            await until(lambda: totals(config)["created"] == 3, within=15)
    return config_file(folder, mails.port)


async def test_everything_is_accounted_for(tmp_path: Path, mails: MailServer) -> None:
    """Exit code 0, with the counts by state; mail from before the baseline is no part of it."""
    file = await taken(tmp_path, mails)
    code, found = await one(file)
    assert code == 0
    assert (found["on_server"], found["unaccounted"], found["gone"]) == (3, 0, 0)
    assert found["states"] == {"created": 3}
    assert "\tcreated 3\t0\n" in (await audit(file, "support")).stdout


async def test_a_missing_mail_is_named(tmp_path: Path, mails: MailServer) -> None:
    """Exit code 1 and its UID, in JSON and in words."""
    file = await taken(tmp_path, mails)
    with closing(sqlite3.connect(tmp_path / "state.db")) as conn, conn:
        (uid,) = conn.execute("SELECT max(uid) FROM places").fetchone()
        conn.execute("DELETE FROM places WHERE uid = ?", (uid,))
    code, found = await one(file)
    assert (code, found["unaccounted"], found["uids"], found["states"]) == (1, 1, [uid], {"created": 2})
    assert f"unaccounted: {uid}\n" in (await audit(file)).stderr


async def test_what_cannot_be_compared_is_told(tmp_path: Path, mails: MailServer) -> None:
    """A folder of another UIDVALIDITY, or never seen: 1. No server: 69. No such mailbox: 64. No file: 74."""
    assert (await audit(config_file(tmp_path, mails.port))).exit_code == 74
    file = await taken(tmp_path, mails)
    nobody = await audit(file, "nobody")
    assert nobody.exit_code == 64
    assert "hint: the configuration has 'support'" in nobody.stderr
    assert (await audit(config_file(tmp_path, 9))).exit_code == 69
    file = config_file(tmp_path, mails.port)
    for change in ("UPDATE cursors SET uidvalidity = 1", "DELETE FROM cursors"):
        with closing(sqlite3.connect(tmp_path / "state.db")) as conn, conn:
            conn.execute(change)
        code, found = await one(file)
        assert (code, found["unaccounted"]) == (1, None)
        assert found["problem"]
