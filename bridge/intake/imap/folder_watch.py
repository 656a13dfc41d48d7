"""One folder: compare it with its cursor, take in what is new, move the cursor with it."""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence

import structlog

from bridge.config.mailbox import Mailbox
from bridge.cursor import FolderCursor
from bridge.errors import StateFileError
from bridge.intake.handover import Handover, Incoming
from bridge.intake.imap.audit import audit_folder
from bridge.intake.imap.backfill import FolderHistory
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.given_again import Others, given_again
from bridge.intake.imap.reanchor import Found, Reanchoring, anchored
from bridge.intake.imap.renumbered import Renumberings, cut_off, wanted_since
from bridge.intake.imap.report import FolderReport
from bridge.intake.imap.scan_dates import first_uid_since
from bridge.intake.imap.selected import Selected
from bridge.intake.imap.suspicion import Suspicion
from bridge.intake.imap.sync import (
    FIRST_WINDOW,
    Backlog,
    Baseline,
    Known,
    ListUids,
    Renumbered,
    Window,
    compare,
    moved,
)
from bridge.intake.imap.window_reader import WindowReader
from bridge.intake.mail.reading_rules import PLAIN, ReadingRules
from bridge.ledger.lanes import HISTORY, LIVE
from bridge.ledger.readings import Readings
from bridge.message import Noticed
from bridge.points import Point, passing

HELD_HINT = "`acd-bridge items list --state held` shows them; check some, then release or drop them"
MAX_OPENED = 8
"""So often a folder is opened in one look, before others have their turn."""
FIRST_AUDIT = 600.0
"""Seconds after the first look, and after an audit that failed or found something, at which a folder is audited."""
AUDIT_EVERY = 6 * 3600.0
"""Seconds between two audits of a folder."""
MAX_UIDS_TOLD = 20
"""Unaccounted UIDs that are named in the log; `acd-bridge audit` names more."""

log = structlog.get_logger("bridge.intake")


class FolderWatch:
    """Takes in what is new in one folder. Keeps nothing but its cursor between two looks."""

    def __init__(
        self,
        mailbox: Mailbox,
        folder: str,
        handover: Handover,
        *,
        readings: Readings | None = None,
        rules: ReadingRules = PLAIN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        def suspicion(lane: int) -> Suspicion | None:
            return Suspicion(readings, mailbox.name, folder, lane) if readings else None

        self.report = FolderReport(mailbox.name, folder)
        self.progress = False
        """Whether mail was stored since it was last set to False."""
        self.behind = False
        """Whether more came all the time during the last look, so that the next one must not wait for news."""
        self._mailbox = mailbox
        self._folder = folder
        self._handover = handover
        self._clock = clock
        self._cursor: FolderCursor | None = None
        self._noticed = Noticed.LOOK
        self._stores = 0
        self._reader = WindowReader(mailbox, folder, handover, rules, suspicion=suspicion(LIVE))
        self._missed = WindowReader(mailbox, folder, handover, rules)
        self._history = FolderHistory(mailbox, folder, handover, rules, suspicion=suspicion(HISTORY))
        self._suspected: tuple[Connection, int] | None = None
        """On which connection which other UIDVALIDITY was seen first."""
        self._renumberings = Renumberings()
        self._compared: Connection | None = None
        """The connection on which the newest UIDs still meant what they meant before."""
        self._unanswered = False
        """Whether the last connection was lost while it was to tell that."""
        self._others: Others = frozenset()
        self._excused: Others = frozenset()
        """What was told when the folder was last gone through, and is no reason to do it again."""
        self._audit_due: float | None = None
        self._log = log.bind(mailbox=mailbox.name, folder=folder)

    async def look(self, connection: Connection, noticed: Noticed = Noticed.LOOK) -> int:
        """Open the folder and take in all that is new; how many mails that were. `noticed` is why it is looked at.

        Raises MailServerError, and StateFileError where nothing could be stored: the place is kept then, and
        the next look begins where this one ended.
        """
        taken, opened = 0, 0
        self._noticed, self.behind = noticed, False
        # What comes while something is stored is not told by every server when IDLE begins: look again.
        while True:
            stores = self._stores
            selected = await connection.examine(self._folder)
            try:
                taken += await self._look_once(connection, selected)
            except StateFileError:
                await self._reader.not_stored()
                raise
            more, opened = stores != self._stores, opened + 1
            if not more or opened == MAX_OPENED:
                break
        self.behind = more
        await self._reader.all_read()
        self.report.looked(self._clock())
        if self._audit_is_due():
            await self._audit(connection, selected)
        return taken

    async def _look_once(self, connection: Connection, selected: Selected) -> int:
        self._cursor = await self._handover.cursor(self._mailbox.name, self._folder)
        decision = await self._compare(connection, selected)
        if isinstance(decision, Renumbered):
            self._confirm(connection, selected, decision.old)
            await self._begin_anew(connection, selected, decision.old)
        elif self._suspected is not None:
            self._log.warning("uidvalidity-is-the-old-one", uidvalidity=selected.uidvalidity)
        self._suspected = None
        if isinstance(decision, Baseline):
            await self._begin(connection, selected, decision)
        return await self._read(connection, selected)

    async def _compare(self, connection: Connection, selected: Selected) -> Baseline | Renumbered | Known:
        decision = compare(self._cursor, selected, source=self._mailbox.name, folder=self._folder)
        if isinstance(decision, Known) and self._cursor is not None and self._compared is not connection:
            if await self._given_again(connection, self._cursor):
                return Renumbered(self._cursor)
            self._compared = connection
        return decision

    async def _given_again(self, connection: Connection, cursor: FolderCursor) -> bool:
        """Whether UIDs mean other mails than before. Not asked where the last connection did not outlive it: a server
        that cannot answer must not keep the folder from being read.
        """
        if self._unanswered:
            self._unanswered = False
            self._log.warning(
                "uids-not-compared", hint="the last connection was lost by it; the next one tries again"
            )
            return False
        try:
            self._others = await given_again(connection, self._handover, cursor)
        except MailServerError as failure:
            self._unanswered = failure.kind is not Kind.BUSY
            raise
        return bool(self._others - self._excused)

    async def go_back(self, connection: Connection) -> bool:
        """Read some of the folder's old mail, where that was asked for; whether to look for live mail again.

        Raises as `look` does.
        """
        if not self.report.connected:
            return False
        more = await self._history.turn(connection)
        self.report.history = self._history.progress
        self.progress = self.progress or more
        return more

    async def _begin(self, connection: Connection, selected: Selected, baseline: Baseline) -> None:
        await self._history.begin(connection, selected, baseline.cursor)
        await self._store([], baseline.cursor)
        self._log.info("baseline-taken", first_uid=baseline.cursor.baseline, there_before=baseline.before)

    def _confirm(self, connection: Connection, selected: Selected, old: FolderCursor) -> None:
        """Raises MailServerError unless another connection saw the same: a server in trouble may err once."""
        before, self._suspected = self._suspected, (connection, selected.uidvalidity)
        if before is None or before[0] is connection or before[1] != selected.uidvalidity:
            raise MailServerError(
                Kind.UIDVALIDITY_CHANGED,
                f"folder {self._folder!r} had UIDVALIDITY {old.uidvalidity} and {old.last_uid} as its last UID, "
                f"and has {selected.uidvalidity} and {selected.uidnext - 1} now",
                hint=f"the mail server seems to {_what_it_did(selected, old)}; a new connection will tell",
            )
        if self._renumberings.too_many(self._clock()):
            raise MailServerError(
                Kind.UIDVALIDITY_CHANGED,
                f"the UIDVALIDITY of folder {self._folder!r} is another one again and again",
                hint="the server does not keep UIDs; it must be repaired before the folder can be watched",
            )

    async def _begin_anew(self, connection: Connection, selected: Selected, old: FolderCursor) -> None:
        """See `bridge.intake.imap.renumbered` for what is read again and why."""
        cut = cut_off(old)
        since = wanted_since(cut, await self._handover.order(self._mailbox.name, self._folder))
        work = Reanchoring(connection, self._reader, self._handover, selected, since=since)
        first = await first_uid_since(connection, cut, selected)
        found = await work.look_through(first)
        passing(Point.RENUMBERED_READ)
        await work.hand_over(found, self._handed_over)
        passing(Point.RENUMBERED_STORED)
        await self._store([], anchored(selected, old, first))
        self._renumberings.note(self._clock())
        self._excused = self._others
        self._tell_anchored(found, old, selected)

    def _handed_over(self, new: int, held: bool) -> None:  # noqa: FBT001 - a callback's arguments have no names
        self.progress = True
        self._log.info("mail-taken-after-renumbering", count=new, held=held)

    def _tell_anchored(self, found: Found, old: FolderCursor, selected: Selected) -> None:
        tell = self._log.error if found.held else self._log.warning
        tell(
            "folder-anchored-anew",
            old_uidvalidity=old.uidvalidity,
            uidvalidity=selected.uidvalidity,
            known=found.known,
            left_alone=found.left_alone,
            new=len(found.new),
            held=found.held,
            hint=HELD_HINT if found.held else "known mails make no second event",
        )

    async def _read(self, connection: Connection, selected: Selected) -> int:
        """Window after window; one is fetched while the one before is being stored."""
        assert self._cursor is not None  # noqa: S101 - `look` has stored one by now
        first, last = self._cursor.last_uid + 1, selected.uidnext - 1
        window = 1 if self._reader.careful else FIRST_WINDOW
        backlog = Backlog(first, last, exists=selected.exists, window=window)
        taken = 0
        storing: asyncio.Task[None] | None = None
        try:
            while step := backlog.step():
                if isinstance(step, ListUids):
                    backlog.listed(await connection.search(step.first, step.last), step.last)
                    continue
                if storing and self._reader.suspects:
                    await storing
                read = await self._reader.read(connection, step, selected.uidvalidity)
                backlog.read(read.through, read.size)
                taken += len(read.mails)
                if storing:
                    await storing
                mails = await self._reader.tell_apart(connection, read.mails, selected.uidvalidity)
                cursor = moved(self._cursor, read.through)
                storing = asyncio.create_task(self._store(list(mails.values()), cursor))
        finally:
            if storing:
                await storing
        return taken

    async def _store(self, incoming: Sequence[Incoming], cursor: FolderCursor) -> None:
        passing(Point.WINDOW_READ)
        receipts = await self._handover.accept(incoming, cursor, noticed=self._noticed)
        passing(Point.WINDOW_STORED)
        self._cursor = self.report.cursor = cursor
        self._stores += 1
        if receipts:
            self.progress = True
            new = sum(receipt.new for receipt in receipts)
            self._log.info(
                "mail-taken", count=len(receipts), known=len(receipts) - new, last_uid=cursor.last_uid
            )

    def _audit_is_due(self) -> bool:
        now = time.monotonic()
        if self._audit_due is None:
            self._audit_due = now + FIRST_AUDIT
        return now >= self._audit_due

    async def _audit(self, connection: Connection, selected: Selected) -> None:
        """Compare the folder with the state file. What is not accounted for was missed, and is taken in now."""
        assert self._cursor is not None  # noqa: S101 - `look` has stored one by now
        # Before it begins: one that breaks the connection must not be begun again with each new one.
        self._audit_due = time.monotonic() + FIRST_AUDIT
        audit = await audit_folder(connection, selected, self._cursor, self._handover.states_of)
        self.report.audited(self._clock(), audit.unaccounted)
        if not audit.unaccounted:
            self._audit_due = time.monotonic() + AUDIT_EVERY
            self._log.info("folder-audited", mails=audit.on_server, unaccounted=0)
            return
        self._log.error(
            "mail-unaccounted",
            count=audit.unaccounted,
            uids=audit.uids[:MAX_UIDS_TOLD],
            hint="these mails were missed and are taken in now; please report it",
        )
        await self._take_missed(connection, audit.uids, selected.uidvalidity)

    async def _take_missed(self, connection: Connection, uids: Sequence[int], uidvalidity: int) -> None:
        at = 0
        while at < len(uids):
            asked = uids[at : at + (1 if self._missed.careful else FIRST_WINDOW)]
            read = await self._missed.read(connection, Window(asked, asked[-1]), uidvalidity)
            mails = await self._missed.tell_apart(connection, read.mails, uidvalidity)
            receipts = await self._handover.accept(list(mails.values()), noticed=Noticed.AUDIT)
            self._log.info("missed-mail-taken", count=len(receipts), new=sum(one.new for one in receipts))
            at = bisect_right(uids, read.through)
        await self._missed.all_read()


def _what_it_did(selected: Selected, old: FolderCursor) -> str:
    if selected.uidvalidity != old.uidvalidity:
        return "have numbered this folder anew"
    return "give UIDs a second time, as one does that was restored from a backup"
