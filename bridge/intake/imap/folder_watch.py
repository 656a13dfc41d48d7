"""One folder: compare it with its cursor, take in what is new, move the cursor with it."""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from bridge import metrics
from bridge.config.model import Mailbox
from bridge.cursor import FolderCursor
from bridge.intake.handover import Handover, Incoming
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.fetch_window import Headers, fetch_headers
from bridge.intake.imap.mail_text import with_texts
from bridge.intake.imap.renumbered import cut_off
from bridge.intake.imap.report import FolderReport
from bridge.intake.imap.scan_dates import first_uid_since
from bridge.intake.imap.selected import Selected
from bridge.intake.imap.sync import (
    FIRST_WINDOW,
    Backlog,
    Baseline,
    ListUids,
    Renumbered,
    Window,
    baseline_at,
    compare,
    moved,
)
from bridge.intake.imap.take_in import message_of, unreadable
from bridge.message import Message

MAX_STRIKES = 5
"""So often a single mail may break its connection, each time on a new one, before it is given up as
unreadable.
"""
YIELD_EVERY = 32
"""Mails read between two chances for everything else in the process."""

log = structlog.get_logger("bridge.intake")


class FolderWatch:
    """Takes in what is new in one folder. Keeps nothing but its cursor between two looks."""

    def __init__(
        self, mailbox: Mailbox, folder: str, handover: Handover, *, clock: Callable[[], float] = time.time
    ) -> None:
        self.report = FolderReport(mailbox.name, folder)
        self.progress = False
        """Whether mail was stored since it was last set to False."""
        self._mailbox = mailbox
        self._folder = folder
        self._handover = handover
        self._clock = clock
        self._cursor: FolderCursor | None = None
        self._stores = 0
        self._renumbered = False
        self._careful = False
        self._strikes: dict[int, int] = {}
        self._log = log.bind(mailbox=mailbox.name, folder=folder)

    async def look(self, connection: Connection) -> int:
        """Open the folder and take in all that is new; how many mails that were.

        Raises MailServerError, and StateFileError where nothing could be stored: the place is kept then, and
        the next look begins where this one ended.
        """
        taken, stores = 0, -1
        self._renumbered = False
        # What comes while something is stored is not told by every server when IDLE begins: look again.
        while stores != self._stores:
            stores = self._stores
            taken += await self._look_once(connection)
        self._careful = False
        self.report.looked(self._clock())
        return taken

    async def _look_once(self, connection: Connection) -> int:
        selected = await connection.examine(self._folder)
        self._cursor = await self._handover.cursor(self._mailbox.name, self._folder)
        decision = compare(
            self._cursor, selected, source=self._mailbox.name, folder=self._folder, start=self._mailbox.start
        )
        if isinstance(decision, Baseline):
            await self._begin(decision)
        elif isinstance(decision, Renumbered):
            await self._begin_anew(connection, selected, decision.old)
        return await self._read(connection, selected)

    async def _begin(self, baseline: Baseline) -> None:
        await self._store([], baseline.cursor)
        self._log.info("baseline-taken", first_uid=baseline.cursor.baseline, left_alone=baseline.left_alone)

    async def _begin_anew(self, connection: Connection, selected: Selected, old: FolderCursor) -> None:
        """See `bridge.intake.imap.renumbered` for what is read again and why."""
        if self._renumbered:
            raise MailServerError(
                Kind.PROTOCOL,
                f"UIDVALIDITY of folder {self._folder!r} is another one each time it is opened",
                hint="the server does not keep UIDs; it must be repaired before the folder can be watched",
            )
        self._renumbered = True
        since = cut_off(old, selected, last_look=self.report.last_look, now=self._clock())
        first = await first_uid_since(connection, since, selected)
        metrics.IMAP_FAILURES.labels(mailbox=self._mailbox.name, kind=Kind.UIDVALIDITY_CHANGED.value).inc()
        self._log.error(
            Kind.UIDVALIDITY_CHANGED.value,
            old_uidvalidity=old.uidvalidity,
            uidvalidity=selected.uidvalidity,
            read_from_uid=first,
            read_since=since.isoformat() if since else "the beginning",
            hint="the mail server numbered this folder anew; known mails make no second event",
        )
        cursor = baseline_at(first, selected, source=self._mailbox.name, folder=self._folder)
        await self._store([], cursor)

    async def _read(self, connection: Connection, selected: Selected) -> int:
        """Window after window; one is fetched while the one before is being stored."""
        assert self._cursor is not None  # noqa: S101 - `look` has stored one by now
        first, last = self._cursor.last_uid + 1, selected.uidnext - 1
        window = 1 if self._careful else FIRST_WINDOW
        backlog = Backlog(first, last, exists=selected.exists, window=window)
        taken = 0
        storing: asyncio.Task[None] | None = None
        try:
            while step := backlog.step():
                if isinstance(step, ListUids):
                    backlog.listed(await connection.search(step.first, step.last), step.last)
                    continue
                headers = await self._fetch(connection, step)
                through = headers.read_through(step.through)
                incoming = await self._incoming(connection, headers, through, selected.uidvalidity)
                backlog.read(through, headers.size)
                taken += len(incoming)
                if storing:
                    await storing
                storing = asyncio.create_task(self._store(incoming, moved(self._cursor, through)))
        finally:
            if storing:
                await storing
        return taken

    async def _store(self, incoming: Sequence[Incoming], cursor: FolderCursor) -> None:
        receipts = await self._handover.accept(incoming, cursor)
        self._cursor = self.report.cursor = cursor
        self._stores += 1
        if receipts:
            self.progress = True
            new = sum(receipt.new for receipt in receipts)
            self._log.info(
                "mail-taken", count=len(receipts), known=len(receipts) - new, last_uid=cursor.last_uid
            )

    async def _fetch(self, connection: Connection, window: Window) -> Headers:
        """A window that fails makes the next look begin with single mails, until the one to blame is
        found.
        """
        uid = window.uids[0] if len(window.uids) == 1 else 0
        if self._strikes.get(uid, 0) >= MAX_STRIKES:
            return Headers(frozenset([uid]), broken={uid: f"fetching it failed {MAX_STRIKES} times"})
        try:
            return await fetch_headers(connection, window)
        except MailServerError as failure:
            if failure.kind is not Kind.BUSY:
                self._careful = True
                self._strikes = {uid: self._strikes.get(uid, 0) + 1} if uid else self._strikes
            raise

    async def _incoming(
        self, connection: Connection, headers: Headers, through: int, uidvalidity: int
    ) -> list[Incoming]:
        source, folder = self._mailbox.name, self._folder
        found: dict[int, Incoming] = {
            uid: unreadable(why, uid, source, folder, uidvalidity) for uid, why in headers.broken.items()
        }
        asking: dict[int, Message] = {}
        for count, (uid, fetched) in enumerate(headers.fetched.items(), start=1):
            if uid > through or (uid in found and b"HEADER" not in fetched.sections):
                continue
            found[uid] = message = message_of(fetched, source=source, folder=folder, uidvalidity=uidvalidity)
            if isinstance(message, Message) and self._handover.wants_text(message):
                asking[uid] = message
            if count % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        found.update(await with_texts(connection, asking))
        return [found[uid] for uid in sorted(found) if uid <= through]
