"""The ledger: what the running service asks of the state file. Nothing outside this room writes SQL."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from bridge.cursor import FolderCursor
from bridge.errors import StateFileError
from bridge.history import HistoryOrder
from bridge.ledger import (
    accepting,
    compact,
    doubt,
    duplicates,
    holding,
    orders,
    outbox,
    queries,
    readings,
    retention,
    set_back,
)
from bridge.ledger import places as places_of
from bridge.ledger.accepting import NO_NOTES, FloodNotes
from bridge.ledger.doubt import Doubt, Found
from bridge.ledger.file import ServiceLock, explained, open_for_reading
from bridge.ledger.follow_ups import FollowUps
from bridge.ledger.item import Claimed, NewItem, Settlement, Stored
from bridge.ledger.mail_actions import MailActions
from bridge.ledger.notices import Notices
from bridge.ledger.places import Place
from bridge.ledger.readings import Readings
from bridge.ledger.refresh_tokens import RefreshTokens
from bridge.ledger.writer import Writer
from bridge.points import Point, passing

T = TypeVar("T")


class Ledger:
    """The state file of a running service.

    Every method may raise StateFileError. Times are milliseconds since 1970 in UTC.
    """

    def __init__(self, path: Path, lock: ServiceLock, writer: Writer, reader: sqlite3.Connection) -> None:
        self._path = path
        self._lock = lock
        self._writer = writer
        self._reader = reader
        self._reading = asyncio.Lock()
        self.closed_before = True
        """Whether the service before this one has closed the file. If not, it was killed, or something ended it."""

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the state file for the one service that works on it."""
        lock = ServiceLock.take(path)
        try:
            writer = Writer(path)
        except BaseException:
            lock.release()
            raise
        try:
            reader = open_for_reading(path)
        except BaseException:
            await writer.close()
            lock.release()
            raise
        ledger = cls(path, lock, writer, reader)
        try:
            ledger.closed_before = await writer.write(readings.opened)
        except BaseException:
            await ledger.close()
            raise
        return ledger

    async def close(self) -> None:
        """Finish what waits, then close.

        The writer closes last: only the last connection that may write empties the WAL into the file and removes
        it, so that the file alone is whole.
        """
        async with self._reading:
            self._reader.close()
        try:
            # Where this cannot be written the next start is a careful one, and no worse.
            with suppress(StateFileError):
                await self._writer.write(readings.closed)
        except Exception:
            await self._end()
            raise
        passing(Point.FILE_CLOSES)
        await self._end()

    async def _end(self) -> None:
        await self._writer.close()
        self._lock.release()

    async def accept(
        self,
        items: Sequence[NewItem],
        cursor: FolderCursor | HistoryOrder | None,
        *,
        now: int,
        flood: FloodNotes = NO_NOTES,
    ) -> list[Stored]:
        """Store items and cursor in one transaction; return when it is on disk."""
        return await self._writer.write(
            partial(accepting.accept, items=items, cursor=cursor, now=now, flood=flood)
        )

    async def turn(
        self,
        settled: Sequence[tuple[Claimed, Settlement]],
        limit: int,
        *,
        now: int,
        history: int | None = None,
        back: Sequence[Claimed] = (),
        in_hand: Sequence[Claimed] | None = None,
    ) -> list[Claimed]:
        """One turn of the delivery, in one transaction: write down how attempts ended, then claim due items.

        Live items go first; `history` bounds how many of the second lane are claimed. `back` are claimed items
        whose requests were never begun. After a turn that raised, it is safe to settle the same again, and
        `in_hand` is everything else that is claimed: whatever that turn claimed nevertheless is taken back.

        The claimed items' attempts are on disk when this returns, before any request is sent.
        """
        return await self._writer.write(
            partial(
                outbox.turn,
                settled=settled,
                limit=limit,
                now=now,
                history=history,
                back=back,
                in_hand=in_hand,
            )
        )

    async def doubts(self) -> list[Doubt]:
        """The oldest uncertain items."""
        return await self._read(doubt.doubts)

    async def end_doubts_by_now(self, *, now: int) -> None:
        """No attempt in doubt has ended in the future, wherever the clock was then."""
        await self._writer.write(partial(doubt.end_by_now, now=now))

    async def under_way(self) -> list[Doubt]:
        """The items whose request is under way, or is about to leave."""
        return await self._read(doubt.under_way)

    async def owners(self, event_ids: Sequence[int]) -> dict[int, int]:
        """Which of these events were made for an item, and when its attempt had ended."""
        return await self._read(partial(doubt.owners, event_ids=event_ids))

    async def resolve(self, found: Sequence[Found], again: Sequence[Doubt], *, now: int) -> Mapping[str, str]:
        """Settle what was found and make the others due again; each item's new state by its key."""
        return await self._writer.write(partial(doubt.resolve, found=found, again=again, now=now))

    async def resend(self, doubts: Sequence[Doubt], why: str, *, now: int) -> Mapping[str, str]:
        """Make uncertain items due again although nobody looked; each item's new state by its key."""
        return await self._writer.write(
            partial(doubt.resolve, found=(), again=doubts, now=now, why_again=why)
        )

    async def hold(self, doubts: Sequence[Doubt]) -> Mapping[str, str]:
        """Hold uncertain items for an operator; each item's new state by its key."""
        return await self._writer.write(partial(doubt.hold, doubts=doubts))

    async def recover(self, *, now: int) -> int:
        """At start: what was being sent is uncertain now. Returns how many."""
        return await self._writer.write(partial(outbox.recover, now=now))

    async def set_back(self, *, by: int, now: int) -> None:
        """The clock was set back by so many milliseconds: nothing waits until it has caught up."""
        await self._writer.write(partial(set_back.set_back, by=by, now=now))

    async def remove_settled(self, *, before: int) -> int:
        """Remove some items that were settled before this time. Returns how many; 0 when there are none left."""
        return await self._writer.write(partial(retention.remove_settled, before=before))

    async def remove_duplicates(self, *, before: int) -> int:
        """Remove some records of duplicates of before this time. Returns how many; 0 when there are none left."""
        return await self._writer.write(partial(duplicates.remove_old, before=before))

    async def give_back(self) -> int:
        """Give some free pages of the file back to the system. Returns how many; 0 when there are none left."""
        return await self._writer.write(compact.give_back)

    async def cursor(self, source: str, folder: str) -> FolderCursor | None:
        """How far a folder is read."""
        return await self._read(partial(queries.cursor, source=source, folder=folder))

    async def recognise(self, places: Sequence[Place], *, now: int) -> list[str]:
        """The state of each of these mails that is known; where those were found is on disk when this returns."""
        return await self._writer.write(partial(places_of.recognise, places=places, now=now))

    async def uids_of(
        self, source: str, folder: str, uidvalidity: int, keys: Sequence[str]
    ) -> list[list[int]]:
        """For each key, the UIDs of this numbering at which its mail was found."""
        function = partial(
            places_of.uids_of, source=source, folder=folder, uidvalidity=uidvalidity, keys=keys
        )
        return await self._read(function)

    async def newest(self, source: str, folder: str, uidvalidity: int, last_uid: int) -> dict[int, str]:
        """The Message-IDs of the newest mails up to this UID, by UID."""
        return await self._read(
            partial(
                places_of.newest, source=source, folder=folder, uidvalidity=uidvalidity, last_uid=last_uid
            )
        )

    async def states_of(
        self, source: str, folder: str, uidvalidity: int, uids: Sequence[int]
    ) -> dict[int, str]:
        """The states of those of these UIDs that are accounted for."""
        return await self._read(
            partial(places_of.states, source=source, folder=folder, uidvalidity=uidvalidity, uids=uids)
        )

    async def remove_former(self) -> int:
        """Remove some places of folders that were numbered anew since. Returns how many."""
        return await self._writer.write(places_of.remove_former)

    @property
    def refresh_tokens(self) -> RefreshTokens:
        """Refresh tokens that token servers gave in place of the configured ones."""
        return RefreshTokens(self._read, self._writer.write)

    @property
    def readings(self) -> Readings | None:
        """Where mails are written down before they are read; None where the file was closed before."""
        return None if self.closed_before else Readings(self._read, self._writer.write)

    @property
    def mail_actions(self) -> MailActions:
        """What is to be done with the mails of settled items."""
        return MailActions(self._read, self._writer.write)

    @property
    def follow_ups(self) -> FollowUps:
        """Events of settled items that are followed in the ACD."""
        return FollowUps(self._read, self._writer.write)

    @property
    def notices(self) -> Notices:
        """Who is still to be told how events ended."""
        return Notices(self._read, self._writer.write)

    async def put_order(self, order: HistoryOrder, *, now: int) -> None:
        """Write down which old mail of a folder is to be read."""
        await self._writer.write(partial(orders.put, wanted=order, now=now))

    async def order(self, source: str, folder: str) -> HistoryOrder | None:
        """The last order to read old mail of a folder."""
        return await self._read(partial(orders.order, source=source, folder=folder))

    async def flood_memory(self, *, now: int) -> holding.Memory:
        """What is remembered of the last minutes and days, to judge what comes next."""
        return await self._read(partial(holding.memory, now=now))

    async def known(self, keys: Sequence[str]) -> frozenset[str]:
        """Which of these keys belong to items."""
        return await self._read(partial(holding.known, keys=keys))

    async def let_go(self, keys: Sequence[str]) -> list[str]:
        """Which of these held items stand for no loop any more."""
        return await self._read(partial(holding.let_go, keys=keys))

    async def forget_floods(self, *, now: int) -> None:
        """Forget old rates and loops."""
        await self._writer.write(partial(holding.remove_old, now=now))

    async def next_due(self) -> int | None:
        """When the next item may be posted."""
        return await self._read(queries.next_due)

    async def totals(self) -> dict[str, int]:
        """How many items are in each state."""
        return await self._read(queries.totals)

    async def oldest_open(self) -> int | None:
        """When the oldest item that is not settled was accepted."""
        return await self._read(queries.oldest_open)

    async def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        async with self._reading:
            with explained(self._path):
                passing(Point.READ_BEGINS)
                reading = asyncio.ensure_future(asyncio.to_thread(function, self._reader))
                try:
                    return await asyncio.shield(reading)
                finally:
                    # A thread cannot be cancelled: closing the connection under it would crash the process. Who is
                    # cancelled while he waits for it is on his way out already.
                    while not reading.done():
                        with suppress(asyncio.CancelledError):
                            await asyncio.wait({reading})
