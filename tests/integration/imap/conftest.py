"""The mail servers that the IMAP side is tried on, and how to watch them."""

import asyncio
import imaplib
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bridge.config.mailbox import Mailbox
from bridge.intake.imap.fetch_response import parse_fetch
from bridge.intake.imap.folder_name import encode
from bridge.intake.imap.mailbox import MailboxIntake
from bridge.intake.imap.retry import RetryTimes, Waits
from bridge.testing.handover import FakeHandover
from bridge.testing.mail_server import MailServer
from tests.dovecot import Dovecot
from tests.simulation.mail_folders import Folder, Mail
from tests.simulation.mail_server import MailServer as SimulatedServer
from tests.simulation.mail_server import Session
from tests.wait import until

if TYPE_CHECKING:
    from tests.simulation.loop import SimLoop

QUICK = RetryTimes(
    outage=Waits(0.05, 0.2), configuration=Waits(0.1, 0.2), busy=Waits(0.1, 0.2), survival=60.0
)
"""Waits for tests, in which an outage is over when the test says so."""

_users = (f"user{number}" for number in itertools.count())


def mail(subject: str, body: str = "text", *fields: str) -> bytes:
    """A small mail."""
    lines = [
        f"Subject: {subject}",
        "From: Anna <anna@example.org>",
        f"Message-ID: <{subject}@example.org>",
        *fields,
    ]
    return "\r\n".join([*lines, "", body, ""]).encode()


@dataclass
class MailHost:
    """A mail server, seen as another mail program of one account sees it. Any server will do."""

    host: str
    port: int
    user: str

    async def deliver(self, *subjects: str, folder: str = "INBOX") -> None:
        await self.append(*(mail(subject) for subject in subjects), folder=folder)

    async def append(self, *mails: bytes, folder: str = "INBOX") -> None:
        def work(client: imaplib.IMAP4) -> None:
            for raw in mails:
                _ok(client.append(_wire(folder), "", "", raw))

        await self._as_client(work)

    async def make_folder(self, name: str) -> None:
        await self._as_client(lambda client: _ok(client.create(_wire(name))))

    async def expunge(self, uid: int, folder: str = "INBOX") -> None:
        def work(client: imaplib.IMAP4) -> None:
            _ok(client.select(_wire(folder)))
            _ok(client.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)"))
            _ok(client.expunge())

        await self._as_client(work)

    async def move(self, uid: int, target: str, folder: str = "INBOX") -> None:
        def work(client: imaplib.IMAP4) -> None:
            _ok(client.select(_wire(folder)))
            _ok(client.uid("MOVE", str(uid), _wire(target)))

        await self._as_client(work)

    async def mark_seen(self, *numbers: int, folder: str = "INBOX") -> None:
        """Mark the n-th mails of a folder as read."""

        def work(client: imaplib.IMAP4) -> None:
            _ok(client.select(_wire(folder)))
            for number in numbers:
                _ok(client.store(str(number), "+FLAGS", r"(\Seen)"))

        await self._as_client(work)

    async def flags(self, folder: str = "INBOX") -> bytes:
        """What the server tells of all flags in a folder."""

        def work(client: imaplib.IMAP4) -> bytes:
            _ok(client.select(_wire(folder), readonly=True))
            return b"".join(line for line in _ok(client.fetch("1:*", "(FLAGS)")) if isinstance(line, bytes))

        return bytes(await self._as_client(work))

    async def came(self, folder: str = "INBOX") -> dict[int, int]:
        """When each mail of a folder came, in milliseconds since 1970, by its UID."""

        def work(client: imaplib.IMAP4) -> list[bytes]:
            _ok(client.select(_wire(folder), readonly=True))
            return [one for one in _ok(client.fetch("1:*", "(UID INTERNALDATE)")) if isinstance(one, bytes)]

        told = [
            parse_fetch([b"* " + one.replace(b" (", b" FETCH (", 1)]) for one in await self._as_client(work)
        ]
        return {one.uid: round(one.internaldate.timestamp() * 1000) for one in told if one.internaldate}

    async def _as_client(self, work: Callable[[imaplib.IMAP4], Any]) -> Any:
        def run() -> Any:
            with imaplib.IMAP4(self.host, self.port, timeout=10) as client:
                client.login(self.user, "secret")
                return work(client)

        return await asyncio.to_thread(run)

    def mailbox(self, **settings: Any) -> Mailbox:
        given = {"host": self.host, "port": self.port, "security": "none", "poll": 60, "timeout": 5}
        return Mailbox(
            **{"name": "support", "username": self.user, "password": "secret", **given, **settings}
        )


@dataclass
class Watched:
    """A mailbox being watched, and what was handed over."""

    intake: MailboxIntake
    handover: FakeHandover = field(default_factory=FakeHandover)

    def folder(self, name: str = "INBOX") -> dict[str, Any]:
        status: dict[str, Any] = next(one for one in self.intake.status()["folders"] if one["folder"] == name)
        return status

    async def looked(self) -> None:
        """Wait until every folder was looked at."""
        await until(lambda: all(one["connected"] for one in self.intake.status()["folders"]))

    async def has(self, *subjects: str, folder: str = "INBOX", within: float = 5.0) -> None:
        """Wait for exactly these mails of a folder, in this order."""
        await until(lambda: len(self.handover.subjects(folder)) >= len(subjects), within)
        assert self.handover.subjects(folder) == list(subjects)


class SimulatedHost(MailHost):
    """The mail server of the simulated network on a real socket. What others do is done by hand there."""

    def __init__(self, server: SimulatedServer, user: str) -> None:
        super().__init__("127.0.0.1", server.port, user)
        self._folders = server.folders

    async def append(self, *mails: bytes, folder: str = "INBOX") -> None:
        for raw in mails:
            self._folders[folder].add(Mail("", raw, time.time()))

    async def make_folder(self, name: str) -> None:
        self._folders.setdefault(name, Folder(name))

    async def expunge(self, uid: int, folder: str = "INBOX") -> None:
        self._folders[folder].take(uid)

    async def move(self, uid: int, target: str, folder: str = "INBOX") -> None:
        self._folders[target].add(self._folders[folder].take(uid))

    async def flags(self, folder: str = "INBOX") -> bytes:
        return " ".join(flag for mail in self._folders[folder].mails.values() for flag in mail.flags).encode()


class RealSockets:
    """As much of the simulated loop as that mail server asks for."""

    def __init__(self) -> None:
        self.random = Random(0)
        self._sessions: list[Session] = []
        self._server: asyncio.Server | None = None

    async def create_server(self, factory: Callable[[], Session], *, port: int) -> Any:
        def session() -> Session:
            self._sessions.append(factory())
            return self._sessions[-1]

        self._server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", port)
        return SimpleNamespace(port=self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        for session in self._sessions:
            session._transport.abort()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


@asynccontextmanager
async def simulated_host(user: str) -> AsyncIterator[SimulatedHost]:
    """Such a host while the block runs."""
    sockets = RealSockets()
    server = SimulatedServer(cast("SimLoop", sockets))
    await server.start()
    try:
        yield SimulatedHost(server, user)
    finally:
        await sockets.close()


@asynccontextmanager
async def watching(
    mailbox: Mailbox, handover: FakeHandover | None = None, times: RetryTimes = QUICK
) -> AsyncIterator[Watched]:
    """Watch a mailbox while the block runs; nothing may be left over after it."""
    handover = handover or FakeHandover()
    intake = MailboxIntake(mailbox, handover, times=times)
    task = asyncio.create_task(intake.run())
    try:
        yield Watched(intake, handover)
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def user() -> str:
    return next(_users)


@pytest.fixture
def dovecot_host(shared_dovecot: Dovecot, user: str) -> MailHost:
    return MailHost(shared_dovecot.host, shared_dovecot.port, user)


REAL = ["embedded", pytest.param("dovecot", marks=pytest.mark.dovecot)]

and_simulated = pytest.mark.parametrize("mail_host", [*REAL, "simulated"], indirect=True)
"""Also on the mail server of the simulated network, so that what is proven with it counts for real ones."""


@pytest.fixture(params=REAL)
async def mail_host(request: pytest.FixtureRequest, user: str) -> AsyncIterator[MailHost]:
    """An account on the embedded server, and again on Dovecot."""
    if request.param == "dovecot":
        server = request.getfixturevalue("shared_dovecot")
        yield MailHost(server.host, server.port, user)
        return
    if request.param == "simulated":
        async with simulated_host(user) as host:
            yield host
        return
    embedded = await MailServer.start([user])
    try:
        yield MailHost(embedded.host, embedded.port, user)
    finally:
        await embedded.close()


def _wire(folder: str) -> str:
    return '"' + encode(folder).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _ok(answer: tuple[str, list[Any]]) -> list[Any]:
    assert answer[0] == "OK", answer
    return answer[1]
