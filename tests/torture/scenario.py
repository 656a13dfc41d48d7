"""One round of a torture test: the whole application between a helpdesk, a mail server and the ACD.

A helpdesk posts until it hears 200, mails come in and are moved away after delivery, one message goes into an event
that is there already, one is refused, the answer to one is lost, and in the middle the application is stopped and
started again. Whatever else a test breaks meanwhile, in the end the auditor must find nothing.
"""

import asyncio
import imaplib
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.acd.simulator.faults import Fault, Kind
from bridge.acd.simulator.server import Simulator
from bridge.config.model import Config
from bridge.intake.imap.retry import RetryTimes, Waits
from bridge.ledger import queries
from bridge.ledger.mail_actions import waiting
from bridge.ledger.state import OPEN
from bridge.ledger.verify import violations
from bridge.ledger.visit import look
from bridge.testing.mail_server import MailServer
from tests.torture.auditor import Done, Findings, Row, audit, broken_invariants, rows_of
from tests.torture.cutting_proxy import CuttingProxy
from tests.torture.service import Service
from tests.wait import Condition, until
from tests.whole import config_of, hook_url, mail, mailbox, simulator

ROUND_WITHIN_SECONDS = 20.0
"""A round takes below one second; what is not done by then waits for ever."""
USER = "user"
DONE_FOLDER = "Done"
REFUSED = "refused 1"
"""The label that no ACD takes: its route names a group that is not there."""
ROUTES: Sequence[dict[str, Any]] = (
    {"name": "refused", "when": "'refused' in subject", "event": {"type": "Ticket", "group": 999}},
    # Billing makes no second event of one ticket: the simulated ACD answers UPDATED.
    {"name": "updated", "when": "'updated' in subject", "event": {"type": "Ticket", "group": "Billing"}},
    {"name": "tickets", "when": "kind == 'ticket'", "event": {"type": "Ticket", "group": "Sales"}},
    {"name": "mails", "event": {"type": "Email", "group": "Support"}},
)
DESK = {"name": "desk", "preset": "generic", "unsigned": True}


class Round:
    """Who takes part in one round, and what they did."""

    def __init__(
        self, folder: Path, acd: Simulator, mails: tuple[str, int], user: str, proxy: CuttingProxy
    ) -> None:
        wanted = {"action": "move", "folder": DONE_FOLDER}
        # Earlier than every mail here: old mail is read, and the audit still begins at the baseline.
        box = mailbox(user, proxy.port, after_delivery=wanted, start="2020-01-01")
        self.config = _hurried(
            config_of(
                folder, acd, mailboxes=[box], webhooks=[DESK], routes=ROUTES, settle=0.1, retry_first=0.02
            )
        )
        self.acd = acd
        self.proxy = proxy
        self.service = Service(self.config)
        self.handed_in: list[str] = []
        self.done: list[Done] = []
        self._mails = mails
        self._user = user
        _record(acd, self.done)

    async def play(self, within: float = ROUND_WITHIN_SECONDS) -> Findings:
        """Play the whole scenario, for so many seconds at most; what the auditor finds in the end."""
        wrong: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(str(context)))
        try:
            async with asyncio.timeout(within), aiohttp.ClientSession() as session:
                await self.deliver("old 1")
                await self._first_half(session)
                await self.deliver("mail 2")
                await self._second_half(session)
        except TimeoutError:
            wrong.append(f"it does not end: {self._waiting()}")
        return await self.findings(wrong)

    async def _first_half(self, session: aiohttp.ClientSession) -> None:
        async with self.service.running():
            desk = asyncio.gather(
                self.hand_in(session, "plain 1", "plain 2"),
                self.hand_in(session, "updated 1", "updated 2", REFUSED),
            )
            await at_last(self._is_watched)
            await self.deliver("mail 1")
            await desk
            await at_last(lambda: "mail 1" in self._labels())

    async def _second_half(self, session: aiohttp.ClientSession) -> None:
        async with self.service.running():
            self.acd.faults.add(Fault(kind=Kind.HALF, path="/acd/events/create", count=1))
            await self.hand_in(session, "plain 3", "other 1")
            await self.deliver("mail 3")
            await at_last(self.is_over)

    async def hand_in(self, session: aiohttp.ClientSession, *labels: str) -> None:
        """Let the helpdesk post these, one after the other, each until it is answered 200."""
        for label in labels:
            await at_last(partial(self._accepted, session, label))
            self.handed_in.append(label)

    async def _accepted(self, session: aiohttp.ClientSession, label: str) -> bool:
        """Whether the application is up and answers 200; a helpdesk comes again until then."""
        if self.service.app is None:
            return False
        ticket, _, _ = label.partition(" ")
        body = {"data": {"number": ticket, "subject": label, "requestor_email": "bo@example.org"}}
        try:
            async with session.post(
                hook_url(self.service.app, "desk"), json=body, headers={"webhook-id": label}
            ) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, OSError):
            return False

    async def deliver(self, label: str) -> None:
        """Put a mail into the inbox; the first of its conversation, or an answer to that."""
        name, _, number = label.partition(" ")
        more = f"References: <{name}-1@example.org>\r\n" if number != "1" else ""
        raw = mail(f"{name}-{number}", subject=label, more=more)
        await asyncio.to_thread(_append, self._mails, self._user, raw)
        self.handed_in.append(label)

    def _labels(self) -> list[str]:
        return [row.label for row in rows_of(self.config.state.path)]

    def _is_watched(self) -> bool:
        return self.service.app is not None and len(look(self.config.state.path, queries.cursors)) == 1

    def is_over(self) -> bool:
        """Whether all that was handed in has its final state, and every mail is moved."""
        rows = rows_of(self.config.state.path)
        return (
            {*self.handed_in} <= {row.label for row in rows}
            and not any(row.state in OPEN for row in rows)
            and not look(self.config.state.path, partial(waiting, source=self._user))
        )

    def _waiting(self) -> str:
        """What still waits, for people."""
        rows = rows_of(self.config.state.path)
        missing = {*self.handed_in} - {row.label for row in rows}
        still_open = [f"{row.label} is {row.state}" for row in rows if row.state in OPEN]
        actions = look(self.config.state.path, partial(waiting, source=self._user))
        return f"not taken in {sorted(missing)}, open {still_open}, {actions} mails to move; {self.service}"

    async def findings(self, wrong: Sequence[str] = ()) -> Findings:
        """What the auditor finds, after what is known to be wrong already."""
        rows = rows_of(self.config.state.path)
        broken = [*wrong, *broken_invariants(self.config.state.path)]
        broken += [f"{one.name}: {one.examples}" for one in look(self.config.state.path, violations)]
        broken += await asyncio.to_thread(self._wrong_mails)
        if REFUSED in self.handed_in and Row(REFUSED, "dead") not in rows:
            broken.append("the refused message is no dead letter")
        handed_in = [label for label in self.handed_in if label != REFUSED]
        return audit(handed_in, self.done, rows, broken)

    def _wrong_mails(self) -> list[str]:
        """Each mail is moved once its event is there: none is left, lost or doubled."""
        with _client(self._mails, self._user) as client:
            left, moved = (_subjects(client, folder) for folder in ("INBOX", DONE_FOLDER))
        delivered = [label for label in self.handed_in if label.startswith(("mail", "old"))]
        wrong = [f"mail left behind: {one}" for one in left]
        return wrong + [f"moved: {sorted(moved)}"] * (sorted(moved) != sorted(delivered))


@asynccontextmanager
async def embedded() -> AsyncIterator[tuple[str, int]]:
    """A mail server in this process, whose one account has the name `user`."""
    server = await MailServer.start([USER])
    try:
        yield server.host, server.port
    finally:
        await server.close()


@asynccontextmanager
async def between(folder: Path, server: tuple[str, int], user: str) -> AsyncIterator[Round]:
    """A round between this mail server and an ACD of its own."""
    async with simulator() as acd, CuttingProxy.to(*server) as proxy:
        await asyncio.to_thread(_make_folder, server, user)
        yield Round(folder, acd, server, user, proxy)


async def at_last(condition: Condition) -> None:
    """The round's own bound ends a wait that has no end."""
    await until(condition, within=2 * ROUND_WITHIN_SECONDS)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the pauses out of the application: a round waits for nothing but the things themselves."""
    waits = Waits(0.02, 0.1)
    times = RetryTimes(outage=waits, configuration=waits, busy=waits)
    monkeypatch.setattr("bridge.intake.imap.mailbox.RetryTimes", lambda: times)
    for name, seconds in (
        ("intake.imap.after_delivery.FIRST_WAIT", 0.02),
        ("intake.imap.after_delivery_keeper.LOOK_EVERY_SECONDS", 0.02),
        ("delivery.worker.STATE_FILE_PAUSE_SECONDS", 0.02),
        ("delivery.worker.LOOK_AGAIN_SECONDS", 0.1),
        ("delivery.reconciler.LOOK_EVERY_SECONDS", 0.2),
        ("delivery.reconciler.LEAST_BETWEEN_READINGS", 0.02),
    ):
        monkeypatch.setattr(f"bridge.{name}", seconds)


def _hurried(config: Config) -> Config:
    """Shorter times than a configuration may have."""
    boxes = tuple(one.model_copy(update={"poll": 0.1, "timeout": 0.4}) for one in config.mailbox)
    return config.model_copy(update={"mailbox": boxes})


def _record(acd: Simulator, done: list[Done]) -> None:
    """Note what the simulated ACD does, in its order."""
    create = acd.store.create

    def recorded(fields: dict[str, Any], raw: bytes) -> Any:
        event, updated = create(fields, raw)
        done.append(Done(fields["Subject"], event.number, created=not updated))
        return event, updated

    acd.store.create = recorded  # type: ignore[method-assign] # the record is the test's


@contextmanager
def _client(server: tuple[str, int], user: str) -> Iterator[imaplib.IMAP4]:
    with imaplib.IMAP4(*server, timeout=10) as client:
        client.login(user, "secret")
        yield client


def _make_folder(server: tuple[str, int], user: str) -> None:
    with _client(server, user) as client:
        client.create(DONE_FOLDER)


def _append(server: tuple[str, int], user: str, raw: bytes) -> None:
    with _client(server, user) as client:
        status, words = client.append("INBOX", "", "", raw)
        assert status == "OK", words


def _subjects(client: imaplib.IMAP4, folder: str) -> list[str]:
    client.select(folder, readonly=True)
    _, answers = client.uid("FETCH", "1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    texts = [one[1].decode() for one in answers if isinstance(one, tuple)]
    return [found[1].strip() for text in texts if (found := re.search(r"(?i)subject: (.*)", text))]
