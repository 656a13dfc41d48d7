"""A folder under everybody's hands, against the real watch and the real state file: neither loss nor double."""

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, cast

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from bridge.accept import Acceptance
from bridge.config.flood import Flood
from bridge.config.mailbox import Mailbox
from bridge.config.route import Route
from bridge.errors import StateFileError
from bridge.flood.gate import FloodGate
from bridge.intake.imap.audit import audit_folder
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import MailServerError
from bridge.intake.imap.folder_watch import FolderWatch
from bridge.ledger import queries
from bridge.ledger.item import ItemFilter
from bridge.ledger.ledger import Ledger
from bridge.ledger.state import ItemState
from bridge.ledger.visit import look
from bridge.reason import Reason
from bridge.routing.compile import compile_routes
from tests.unit.imap.model_folder import Mail, ModelConnection, ModelFolder

MAILBOX = Mailbox.model_validate(
    {"name": "support", "host": "mail.example.org", "username": "u", "password": "p"}
)
ROUTE = Route.model_validate({"name": "all", "event": {"type": 5, "group": 1}})
NO_LOOPS = Flood(sender=0, conversation=0)


class Crashing(Acceptance):
    """The real handover, which may break before or after a transaction is on disk."""

    crash = ""

    async def accept(self, *arguments: Any, **more: Any) -> Any:
        if self.crash == "before":
            raise StateFileError("crashed before the transaction")
        receipts = await super().accept(*arguments, **more)
        if self.crash == "after":
            raise StateFileError("crashed after the transaction")
        return receipts


class FolderMachine(RuleBasedStateMachine):
    """Mails come, go, move and are numbered anew; the watch looks, crashes and starts again."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.place = TemporaryDirectory()
        self.path = Path(self.place.name) / "state.db"
        self.now = 1_800_000_000.0
        self.folder = ModelFolder()
        self.elsewhere: list[Mail] = []
        self.names = 0
        self.seen: dict[bytes, int] = {}
        """For each kind of mail, how many were in the folder at one good look at the most."""
        self.made: Counter[bytes] = Counter()
        """For each kind, how many were delivered after the baseline."""
        self.before: list[Mail] = []

    async def _open(self) -> None:
        self.ledger = await Ledger.open(self.path)
        router, _ = compile_routes([ROUTE])
        self.handover = Crashing(
            router,
            self.ledger,
            clock=lambda: self.now,
            knock=lambda: None,
            flood=FloodGate(self.ledger, NO_LOOPS),
        )
        self.start_again()

    @initialize(old=st.integers(0, 4))
    def first_start(self, old: int) -> None:
        """Some mail is there before the bridge is."""
        for number in range(old):
            mail = Mail.made(f"old-{number}", self.now - 86_400 * (number + 1))
            self.before.append(mail)
            self.folder.add(mail)
        self.runner.run(self._open())
        self._look()

    @rule(
        gap=st.sampled_from([0, 0, 0, 3, 40]), message_id=st.booleans(), copies=st.sampled_from([1, 1, 2, 3])
    )
    def deliver(self, gap: int, copies: int, *, message_id: bool) -> None:
        """A mail comes, or several that look the same within one second; UIDs may be left out."""
        self.names += 1
        self.now += 1
        for _ in range(copies):
            mail = Mail.made(f"mail-{self.names}", self.now, message_id=message_id)
            self.folder.add(mail, gap=gap)
            self.made[mail.header] += 1

    @precondition(lambda self: self._mine())
    @rule(data=st.data())
    def expunge(self, data: st.DataObject) -> None:
        """Somebody deletes a mail."""
        self.folder.remove(data.draw(st.sampled_from(self._mine())))

    @precondition(lambda self: self._mine())
    @rule(data=st.data())
    def move_out(self, data: st.DataObject) -> None:
        """Somebody moves a mail elsewhere."""
        self.elsewhere.append(self.folder.remove(data.draw(st.sampled_from(self._mine()))))

    @precondition(lambda self: self.elsewhere)
    @rule(data=st.data())
    def move_back(self, data: st.DataObject) -> None:
        """It comes back, with another UID and its old date."""
        mail = self.elsewhere.pop(data.draw(st.integers(0, len(self.elsewhere) - 1)))
        self.folder.add(mail)

    @precondition(lambda self: self._mine())
    @rule(data=st.data())
    def move_out_and_back(self, data: st.DataObject) -> None:
        """The same, and the watch looks at each step."""
        self._look()
        assume(self._mine())
        mail = self.folder.remove(data.draw(st.sampled_from(self._mine())))
        self._look()
        self.folder.add(mail)
        self._look()

    @rule()
    def vanish(self) -> None:
        """A mail goes between the listing and the reading of the look that lists it."""
        self.deliver(gap=40, copies=1, message_id=True)
        self.folder.vanish.add(self.folder.uidnext - 1)
        self._look()

    @rule(order=st.randoms(use_true_random=False))
    def renumber(self, order: Random) -> None:
        """All UIDs are lost, and the new ones are in any order."""
        self.now += 3600
        self.folder.renumber(order)

    @rule()
    def disappear(self) -> None:
        """The folder is not there, until it is."""
        self.folder.missing = not self.folder.missing

    @rule()
    def start_again(self) -> None:
        """The bridge is started anew, and knows only what is on disk."""
        self.watch = FolderWatch(MAILBOX, "INBOX", self.handover, clock=lambda: self.now)
        self.connection = self._new_connection()

    @rule(crash=st.sampled_from(["before", "after"]))
    def crash(self, crash: str) -> None:
        """It breaks around a transaction, and is started anew."""
        self.handover.crash = crash
        self._look()
        self.handover.crash = ""
        self.start_again()

    @rule()
    def look(self) -> None:
        """The watch looks."""
        self._look()

    def teardown(self) -> None:
        """In peace, everything that is there is taken in, once."""
        try:
            if hasattr(self, "ledger"):
                self.folder.missing = False
                for _ in range(3):
                    self._look()
                self._check()
        finally:
            if hasattr(self, "ledger"):
                self.runner.run(self.ledger.close())
            self.runner.close()
            self.place.cleanup()

    def _mine(self) -> list[int]:
        """UIDs of mails that came after the first start."""
        return [uid for uid, mail in self.folder.mails.items() if mail not in self.before]

    def _new_connection(self) -> Connection:
        return cast("Connection", ModelConnection(self.folder))

    def _look(self) -> None:
        try:
            self.runner.run(self.watch.look(self.connection))
        except (MailServerError, StateFileError):
            self.connection = self._new_connection()
        else:
            there = Counter(mail.header for mail in self.folder.mails.values())
            for header, count in there.items():
                self.seen[header] = max(self.seen.get(header, 0), count)

    def _check(self) -> None:
        items = look(self.path, partial(queries.items, wanted=ItemFilter(limit=10_000)))
        posted = Counter(item.message.get("subject") for item in items if item.state is ItemState.PENDING)
        for mail in self.before:
            assert posted[_subject(mail.header)] == 0, "old mail was posted"
        for header, made in self.made.items():
            count = posted[_subject(header)]
            if b"Message-ID" in header:
                assert count <= 1, "a mail was posted twice"
                assert count == 1 or header not in self.seen, "a mail was lost"
            else:
                assert self.seen.get(header, 0) <= count <= made, "copies were lost, or posted twice"
        assert {item.reason for item in items} <= {"", Reason.MESSAGE_VANISHED, Reason.LEFT_ALONE}
        self._check_audit()

    def _check_audit(self) -> None:
        async def audit() -> Any:
            connection = self._new_connection()
            cursor = await self.handover.cursor("support", "INBOX")
            assert cursor is not None
            selected = await connection.examine("INBOX")
            return await audit_folder(connection, selected, cursor, self.handover.states_of)

        audited = self.runner.run(audit())
        assert audited.unaccounted == 0, audited
        assert audited.last_uid == self.folder.uidnext - 1


def _subject(header: bytes) -> str:
    return header.split(b"Subject: ")[1].split(b"\r\n")[0].decode()


FolderMachine.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestFolder = FolderMachine.TestCase
