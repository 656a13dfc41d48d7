"""A folder that was numbered anew is gone through once: what is known, what was left alone, what is new.

First all of it is read and nothing posted, so that the number of new mails is known before the first of them is
handed over. The cursor is stored last: where this is interrupted, it begins anew and finds the same.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bridge.cursor import FolderCursor
from bridge.intake.handover import Handover, Incoming, Unreadable
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.renumbered import Fate, fate_of, must_be_held
from bridge.intake.imap.selected import Selected
from bridge.intake.imap.sync import MAX_WINDOW, Backlog, ListUids, Window, next_window
from bridge.intake.imap.take_in import NO_DATE
from bridge.intake.imap.window_reader import WindowReader
from bridge.ledger.state import ItemState
from bridge.message import Message, Noticed
from bridge.reason import Reason


@dataclass(slots=True)
class Found:
    """What is in the folder, by what becomes of it."""

    known: int = 0
    left_alone: int = 0
    held_before: int = 0
    new: "array[int]" = field(default_factory=lambda: array("L"))
    """Their UIDs: eight bytes each."""

    @property
    def held(self) -> bool:
        """Whether the new ones must wait for an operator."""
        return must_be_held(len(self.new), self.held_before)


class Reanchoring:
    """Goes through one folder. `since`: unknown mails that came before are left alone."""

    def __init__(
        self,
        connection: Connection,
        reader: WindowReader,
        handover: Handover,
        selected: Selected,
        *,
        since: datetime | None,
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._handover = handover
        self._selected = selected
        self._since = since

    async def look_through(self, first: int) -> Found:
        """Read all of it, note where known mails are now, and count the others."""
        found = Found()
        backlog = Backlog(
            first, self._selected.uidnext - 1, exists=self._selected.exists, window=self._window()
        )
        while step := backlog.step():
            if isinstance(step, ListUids):
                backlog.listed(await self._connection.search(step.first, step.last), step.last)
                continue
            mails, through, size = await self._read(step, texts=False)
            await self._sort(mails, found)
            backlog.read(through, size)
        return found

    async def hand_over(self, found: Found, accepted: Callable[[int, bool], None]) -> None:
        """Hand the new ones over, held where there are too many; `accepted` is told how many, and whether held."""
        reason = Reason.RENUMBERED if found.held else Reason.NONE
        at, window = 0, self._window()
        while at < len(found.new):
            uids = found.new[at : at + window].tolist()
            mails, through, size = await self._read(Window(uids, uids[-1]), texts=True)
            receipts = await self._handover.accept(
                list(mails.values()), noticed=Noticed.RENUMBERING, set_aside=reason
            )
            accepted(sum(receipt.new for receipt in receipts), found.held)
            at = bisect_right(found.new, through)
            window = 1 if self._reader.careful else next_window(window, size)

    async def _read(self, window: Window, *, texts: bool) -> tuple[dict[int, Incoming], int, int]:
        uidvalidity = self._selected.uidvalidity
        read = await self._reader.read(self._connection, window, uidvalidity, texts=texts)
        mails = await self._reader.tell_apart(self._connection, read.mails, uidvalidity)
        return mails, read.through, read.size

    async def _sort(self, mails: dict[int, Incoming], found: Found) -> None:
        states = await self._handover.recognise(list(mails.values()))
        old: list[Incoming] = []
        for (uid, mail), state in zip(mails.items(), states, strict=True):
            match fate_of(state, _came(mail), self._since):
                case Fate.KNOWN:
                    found.known += 1
                    found.held_before += state == ItemState.HELD
                case Fate.LEFT_ALONE:
                    old.append(mail)
                case Fate.NEW:
                    found.new.append(uid)
        if old:
            await self._handover.accept(old, noticed=Noticed.RENUMBERING, set_aside=Reason.LEFT_ALONE)
            found.left_alone += len(old)

    def _window(self) -> int:
        return 1 if self._reader.careful else MAX_WINDOW


def _came(mail: Incoming) -> datetime | None:
    if isinstance(mail, Message | Unreadable) and mail.received_at != NO_DATE:
        return mail.received_at
    return None


def anchored(selected: Selected, old: FolderCursor, first: int) -> FolderCursor:
    """The cursor of a folder of which everything from `first` on is accounted for."""
    return FolderCursor(
        source=old.source,
        folder=old.folder,
        uidvalidity=selected.uidvalidity,
        baseline=first,
        last_uid=selected.uidnext - 1,
    )
