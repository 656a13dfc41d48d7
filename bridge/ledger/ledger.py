"""The ledger: what the running service asks of the state file. Nothing outside this room writes SQL."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from bridge.cursor import FolderCursor
from bridge.ledger import accepting, doubt, outbox, queries, retention
from bridge.ledger.doubt import Doubt, Found
from bridge.ledger.file import ServiceLock, explained, open_for_reading
from bridge.ledger.item import Claimed, NewItem, Settlement, Stored
from bridge.ledger.writer import Writer

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

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open the state file for the one service that works on it."""
        lock = ServiceLock.take(path)
        try:
            writer = Writer(path)
            return cls(path, lock, writer, open_for_reading(path))
        except BaseException:
            lock.release()
            raise

    async def close(self) -> None:
        """Finish what waits, then close."""
        await self._writer.close()
        async with self._reading:
            self._reader.close()
        self._lock.release()

    async def accept(
        self, items: Sequence[NewItem], cursor: FolderCursor | None, *, now: int
    ) -> list[Stored]:
        """Store items and cursor in one transaction; return when it is on disk."""
        return await self._writer.write(partial(accepting.accept, items=items, cursor=cursor, now=now))

    async def turn(
        self, settled: Sequence[tuple[Claimed, Settlement]], limit: int, *, now: int
    ) -> list[Claimed]:
        """One turn of the delivery, in one transaction: write down how attempts ended, then claim due items.

        The claimed items' attempts are on disk when this returns, before any request is sent.
        """
        return await self._writer.write(partial(outbox.turn, settled=settled, limit=limit, now=now))

    async def doubts(self) -> list[Doubt]:
        """The oldest uncertain items."""
        return await self._read(doubt.doubts)

    async def owners(self, event_ids: Sequence[int]) -> dict[int, int]:
        """Which of these events belong to an item, and when its attempt had ended."""
        return await self._read(partial(doubt.owners, event_ids=event_ids))

    async def resolve(self, found: Sequence[Found], again: Sequence[Doubt], *, now: int) -> Mapping[str, str]:
        """Settle what was found and make the others due again; each item's new state by its key."""
        return await self._writer.write(partial(doubt.resolve, found=found, again=again, now=now))

    async def recover(self, *, now: int) -> int:
        """At start: what was being sent is uncertain now. Returns how many."""
        return await self._writer.write(partial(outbox.recover, now=now))

    async def remove_settled(self, *, before: int) -> int:
        """Remove some items that were settled before this time. Returns how many; 0 when there are none left."""
        return await self._writer.write(partial(retention.remove_settled, before=before))

    async def cursor(self, source: str, folder: str) -> FolderCursor | None:
        """How far a folder is read."""
        return await self._read(partial(queries.cursor, source=source, folder=folder))

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
                return await asyncio.to_thread(function, self._reader)
