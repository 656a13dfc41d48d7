"""Old mail of one folder, read behind the live mail: a few windows, then the live mail has its turn again."""

from collections.abc import Sequence
from typing import NamedTuple

import structlog

from bridge.config.mailbox import Mailbox
from bridge.cursor import FolderCursor
from bridge.errors import StateFileError
from bridge.history import HistoryOrder
from bridge.intake.handover import Handover, Incoming
from bridge.intake.imap import uid_set
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.first_start import (
    first_order,
    is_wanted,
    moved_to,
    only_listed,
    placed,
    search_criteria,
)
from bridge.intake.imap.selected import Selected
from bridge.intake.imap.suspicion import Suspicion
from bridge.intake.imap.sync import FIRST_LISTING, MAX_LISTED, Backlog, ListUids, Window, next_listing
from bridge.intake.imap.window_reader import WindowReader
from bridge.intake.mail.reading_rules import PLAIN, ReadingRules
from bridge.message import Noticed
from bridge.points import Point, passing

WINDOWS_A_TURN = 8
"""So many windows are read before the folder is looked at for live mail again."""
WINDOW = 256
"""Messages in the first window of a turn."""
FORGOTTEN = "forgotten"
"""The state of a mail whose item was removed for its age: it was posted long ago."""

log = structlog.get_logger("bridge.intake")


class FolderHistory:
    """Carries out the order to read old mail of one folder, if there is one."""

    def __init__(
        self,
        mailbox: Mailbox,
        folder: str,
        handover: Handover,
        rules: ReadingRules = PLAIN,
        *,
        suspicion: Suspicion | None = None,
    ) -> None:
        self.progress = ""
        """Where the last order stands, in words."""
        self._mailbox = mailbox
        self._folder = folder
        self._handover = handover
        self._reader = WindowReader(mailbox, folder, handover, rules, suspicion=suspicion)
        self._log = log.bind(mailbox=mailbox.name, folder=folder)

    async def begin(self, connection: Connection, selected: Selected, baseline: FolderCursor) -> None:
        """At the first start, before the baseline is stored: write down what is to be read of the old mail.

        Where the bridge stops before the baseline is stored, this is done anew.
        """
        start = self._mailbox.start
        unseen = await self._unseen(connection, selected) if start == "unseen" else ()
        order = first_order(start, baseline, unseen)
        if order is not None:
            await self._handover.put_order(order)
            passing(Point.ORDER_WRITTEN)
            self._log.info("history-ordered", last_uid=order.last_uid, start=str(start))

    async def _unseen(self, connection: Connection, selected: Selected) -> Sequence[int]:
        unseen = await uids_matching(connection, selected, "UNSEEN")
        if unseen.unlisted:
            self._log.error(
                "unseen-mail-left-out",
                taken=len(unseen.uids),
                from_uid=unseen.unlisted,
                hint="there are more unseen mails than are noted at a first start; once these are read, "
                "`acd-bridge mailbox backfill` with a date reads the later ones, seen or not",
            )
        return unseen.uids

    async def turn(self, connection: Connection) -> bool:
        """Read some windows; whether the folder was opened, so that it must be looked at again.

        Raises MailServerError and StateFileError; the place is kept then.
        """
        order = await self._handover.order(self._mailbox.name, self._folder)
        self.progress = order.progress() if order else ""
        if order is None or order.ended:
            return False
        cursor = await self._handover.cursor(self._mailbox.name, self._folder)
        if cursor is None:
            return False
        selected = await connection.examine(self._folder)
        order = placed(order, cursor, selected)
        if order is not None:
            await self._windows(connection, selected, order)
        return True

    async def _windows(self, connection: Connection, selected: Selected, order: HistoryOrder) -> None:
        window = 1 if self._reader.careful else WINDOW
        backlog = Backlog(order.next_uid, order.last_uid, exists=selected.exists, window=window)
        wanted = None if order.uids is None else _uids_of(order)
        if order.ended or order.next_uid > order.last_uid:
            await self._store([], moved_to(order, order.last_uid) if not order.ended else order)
            return
        for _ in range(WINDOWS_A_TURN):
            step = await self._next_window(connection, backlog, order, wanted)
            if step is None:
                break
            try:
                order = await self._read(connection, step, order, backlog)
            except StateFileError:
                await self._reader.not_stored()
                raise
        await self._reader.all_read()

    async def _next_window(
        self, connection: Connection, backlog: Backlog, order: HistoryOrder, wanted: frozenset[int] | None
    ) -> Window | None:
        """The next window that holds anything; stretches without wanted mail are passed over."""
        criteria = search_criteria(order.since)
        while step := backlog.step():
            if isinstance(step, Window):
                return only_listed(step, wanted)
            backlog.listed(await self._listed(connection, step, criteria, wanted), step.last)
        if not order.ended:
            await self._store([], moved_to(order, order.last_uid))
        return None

    async def _listed(
        self, connection: Connection, step: ListUids, criteria: Sequence[str], wanted: frozenset[int] | None
    ) -> Sequence[int]:
        if wanted is not None:
            return [uid for uid in wanted if step.first <= uid <= step.last]
        return await connection.search(step.first, step.last, *criteria)

    async def _read(
        self, connection: Connection, window: Window, order: HistoryOrder, backlog: Backlog
    ) -> HistoryOrder:
        read = await self._reader.read(connection, window, order.uidvalidity)
        backlog.read(read.through, read.size)
        mails = {uid: mail for uid, mail in read.mails.items() if is_wanted(mail, order.since)}
        mails = await self._reader.tell_apart(connection, mails, order.uidvalidity)
        order = moved_to(order, read.through)
        await self._store(await self._not_forgotten(list(mails.values())), order)
        return order

    async def _not_forgotten(self, mails: Sequence[Incoming]) -> list[Incoming]:
        """Without those that were posted so long ago that their item is gone."""
        states = await self._handover.recognise(mails)
        return [mail for mail, state in zip(mails, states, strict=True) if state != FORGOTTEN]

    async def _store(self, mails: Sequence[Incoming], order: HistoryOrder) -> None:
        passing(Point.HISTORY_READ)
        receipts = await self._handover.accept(mails, order, noticed=Noticed.BACKFILL)
        new = sum(receipt.new for receipt in receipts)
        self._log.info(
            "history-done" if order.ended else "history-taken",
            count=len(receipts),
            known=len(receipts) - new,
            next_uid=order.next_uid,
            last_uid=order.last_uid,
            why=order.words,
        )


class Matching(NamedTuple):
    """The mails of a folder that match, as many as memory is spent on."""

    uids: Sequence[int]
    """Ascending."""
    unlisted: int
    """From this UID on there may be more; 0 where these are all."""


async def uids_matching(
    connection: Connection, selected: Selected, *criteria: str, first: int = 1
) -> Matching:
    """The UIDs of the open folder from `first` on that match. Raises MailServerError."""
    found: set[int] = set()
    listing = FIRST_LISTING
    while first < selected.uidnext and len(found) < MAX_LISTED:
        last = min(selected.uidnext - 1, first + listing - 1)
        part = {uid for uid in await connection.search(first, last, *criteria) if first <= uid <= last}
        found |= part
        first, listing = last + 1, next_listing(listing, len(part), selected.exists)
    uids = sorted(found)
    if len(uids) > MAX_LISTED:
        return Matching(uids[:MAX_LISTED], uids[MAX_LISTED])
    return Matching(uids, first if first < selected.uidnext else 0)


def _uids_of(order: HistoryOrder) -> frozenset[int]:
    return frozenset(uid_set.from_text((order.uids or "").encode(), MAX_LISTED + FIRST_LISTING))
