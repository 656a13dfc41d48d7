"""What a server may say in the middle of any answer (RFC 9051 sections 5.2 and 7) changes none, and is not lost."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from bridge.config.mailbox import Mailbox
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.fetch_window import fetch_headers
from bridge.intake.imap.open_connection import open_connection
from bridge.intake.imap.selected import Selected
from bridge.intake.imap.sync import Window
from bridge.intake.imap.writable import Writable
from tests.integration.imap.hostile import HostileServer, fetch_line, hostile


async def subjects(connection: Connection) -> list[str]:
    headers = await fetch_headers(connection, Window([1, 2], 2))
    return sorted(one.sections[b"HEADER"].split(b"\r\n")[0].decode() for one in headers.fetched.values())


ANSWERS: dict[str, tuple[list[bytes], Callable[[Connection], Awaitable[Any]], Any]] = {
    "EXAMINE": (
        [b"* 2 EXISTS\r\n", b"* OK [UIDVALIDITY 7] valid\r\n", b"* OK [UIDNEXT 3] next\r\n"],
        lambda connection: connection.examine("INBOX"),
        Selected(7, 3, 2),
    ),
    "SELECT": (
        [b"* 2 EXISTS\r\n", b"* OK [UIDVALIDITY 7] valid\r\n", b"* OK [PERMANENTFLAGS (\\Seen)] kept\r\n"],
        lambda connection: connection.select("INBOX"),
        Writable(7, kept=frozenset({"\\seen"})),
    ),
    "STATUS": (
        [b'* STATUS "INBOX" (UIDNEXT 3)\r\n'],
        lambda connection: connection._uidnext("INBOX"),
        3,
    ),
    "LIST": (
        [b'* LIST () "/" "INBOX"\r\n', b'* LIST () "/" "Junk"\r\n'],
        lambda connection: connection.folders(),
        ["INBOX", "Junk"],
    ),
    "UID SEARCH": (
        [b"* SEARCH 1\r\n", b"* SEARCH 2\r\n"],
        lambda connection: connection.search(1, 2),
        [1, 2],
    ),
    "UID FETCH": (
        [fetch_line(1), fetch_line(2)],
        subjects,
        ["Subject: mail-1", "Subject: mail-2"],
    ),
}
"""By command: the parts of an honest answer, how it is asked for, and what comes of it."""

EXISTS, EXPUNGE, BYE = b"* 3 EXISTS\r\n", b"* 2 EXPUNGE\r\n", b"* BYE shutting down\r\n"
FLAGS = b"* 2 FETCH (FLAGS (\\Seen))\r\n"
FLAGS_OF_A_UID = b"* 2 FETCH (UID 2 FLAGS (\\Seen))\r\n"
ALERT = b"* OK [ALERT] the disk is nearly full\r\n"


def with_noise(command: str, noise: bytes, at: int) -> Callable[[bytes], bytes]:
    parts = ANSWERS[command][0]
    told = b"".join([*parts[:at], noise, *parts[at:], b"TAG OK done\r\n"])
    return lambda _: told


async def opened(server: HostileServer) -> Connection:
    settings = {"name": "m", "host": "127.0.0.1", "port": server.port, "username": "u", "password": "p"}
    box = Mailbox.model_validate({**settings, "security": "none", "timeout": 2})
    connection = await open_connection(box)
    await connection.examine("INBOX")
    return connection


@pytest.mark.parametrize("noise", [EXISTS, EXPUNGE, FLAGS, FLAGS_OF_A_UID, ALERT])
@pytest.mark.parametrize("command", ANSWERS)
async def test_the_answer_is_the_same(command: str, noise: bytes) -> None:
    """What comes before, within and behind an answer is no part of it; new mail is news, and nothing else is."""
    parts, ask, expected = ANSWERS[command]
    for at in range(len(parts) + 1):
        async with hostile(uids=[1, 2], uidnext=3) as server, await opened(server) as connection:
            server.override[command] = with_noise(command, noise, at)
            answer = await ask(connection)
            if isinstance(answer, Selected):
                # How many mails there are is told for the folder's size alone; UIDNEXT says what is to be read.
                answer = replace(answer, exists=2)
            assert answer == expected
            assert await connection.wait(0) is (noise == EXISTS)


@pytest.mark.parametrize("command", ANSWERS)
async def test_a_farewell_ends_the_connection(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """BYE in the middle of an answer leaves the answer as it is; the connection is over after it, and says why."""
    monkeypatch.setattr("bridge.intake.imap.protocol.BYE_GRACE", 0.01)
    parts, ask, expected = ANSWERS[command]
    for at in range(len(parts) + 1):
        async with hostile(uids=[1, 2], uidnext=3) as server, await opened(server) as connection:
            server.override[command] = with_noise(command, BYE, at)
            assert await ask(connection) == expected
            with pytest.raises(MailServerError, match="BYE: shutting down") as caught:
                await connection.stay(2)
            assert caught.value.kind is Kind.LOST
