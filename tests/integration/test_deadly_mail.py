"""A mail that kills the real process, and a service that is started again as systemd does."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from bridge.errors import StateFileError
from bridge.ledger import queries
from bridge.ledger.visit import look
from bridge.testing.mail_server import MailServer
from tests.wait import until
from tests.whole import mail, simulator

STARTS = 9
"""systemd gives up at the tenth."""

# What reads a header with this field dies, as by a defect of a library.
PROGRAM = """
import os, signal
from bridge.intake.imap import take_in
read = take_in.read_mail
def deadly(header, **more):
    if b"X-Deadly" in header:
        os.kill(os.getpid(), signal.SIGKILL)
    return read(header, **more)
take_in.read_mail = deadly
from bridge.cli.commands import app
app()
"""
CONFIG = """
[acd]
url = "{acd}"
clients_id = 1
token = "simulator"
[state]
path = "{folder}/state.db"
[[mailbox]]
name = "support"
host = "127.0.0.1"
port = {port}
security = "none"
poll = 1
username = "support"
password = "secret"
[[route]]
name = "all"
event = {{ type = "Email", group = "Support" }}
"""


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    running = await MailServer.start(["support"])
    yield running
    await running.close()


async def start(config: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, "run", "--config", str(config),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def test_a_mail_that_kills_the_process_stops_nobody(tmp_path: Path, server: MailServer) -> None:
    """Within fewer starts than systemd makes, the deadly mail is an event, and so are those before and behind it."""
    async with simulator() as acd:
        config = tmp_path / "bridge.toml"
        config.write_text(CONFIG.format(acd=acd.url, folder=tmp_path, port=server.port))
        process = await start(config)
        await until(lambda: _watched(tmp_path), within=60)
        for number, more in enumerate(["", "X-Deadly: 1\r\n", ""]):
            await server.deliver("support", mail(number, more=more))
        deaths = 0
        try:
            while len(acd.events) < 3:
                await until(lambda: process.returncode is not None or len(acd.events) == 3, within=60)  # noqa: B023 - awaited at once
                if process.returncode is not None:
                    deaths += 1
                    assert deaths < STARTS
                    process = await start(config)
            process.terminate()
            assert await process.wait() == 0
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        assert sorted(event["Subject"] for event in acd.events) == ["Mail 0", "Mail 1", "Mail 2"]
        assert deaths >= 2


def _watched(folder: Path) -> bool:
    with suppress(StateFileError):  # it is not there, or not whole yet
        return bool(look(folder / "state.db", queries.cursors))
    return False
