"""Which mails are about to be read, on disk before they are: for a mail that ends the process itself.

Only written after an end that was not in order, so that nothing is paid for it otherwise.
"""

import sqlite3
from functools import partial
from typing import NamedTuple

from bridge.ledger.access import Access


class Reading(NamedTuple):
    """Some mails of a folder, from one UID to another."""

    uidvalidity: int
    first_uid: int
    last_uid: int
    tries: int
    """How often the reading of these was begun and may have ended the process, this time included."""


class Readings:
    """The state file's readings. `lane` is 0 for live mail and 1 for history, which has a place of its own.

    Every method may raise StateFileError.
    """

    def __init__(self, read: Access, write: Access) -> None:
        self._read = read
        self._write = write

    async def last(self, source: str, folder: str, lane: int) -> Reading | None:
        """What was being read when the process ended, as far as it was written down."""
        return await self._read(partial(last, source=source, folder=folder, lane=lane))

    async def begin(self, source: str, folder: str, lane: int, reading: Reading) -> None:
        """Write it down, in the place of the one before; return when it is on disk."""
        await self._write(partial(begin, source=source, folder=folder, lane=lane, reading=reading))

    async def end(self, source: str, folder: str, lane: int) -> None:
        """All of the folder was read."""
        await self._write(partial(end, source=source, folder=folder, lane=lane))


def last(conn: sqlite3.Connection, source: str, folder: str, lane: int) -> Reading | None:
    """The folder's reading."""
    row = conn.execute(
        "SELECT uidvalidity, first_uid, last_uid, tries FROM readings "
        "WHERE source = ? AND folder = ? AND lane = ?",
        (source, folder, lane),
    ).fetchone()
    return None if row is None else Reading(*row)


def begin(conn: sqlite3.Connection, source: str, folder: str, lane: int, reading: Reading) -> None:
    """One reading a folder and lane."""
    conn.execute(
        "INSERT OR REPLACE INTO readings (source, folder, lane, uidvalidity, first_uid, last_uid, tries) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (source, folder, lane, *reading),
    )


def end(conn: sqlite3.Connection, source: str, folder: str, lane: int) -> None:
    """Forget the folder's reading."""
    conn.execute("DELETE FROM readings WHERE source = ? AND folder = ? AND lane = ?", (source, folder, lane))


def opened(conn: sqlite3.Connection) -> bool:
    """Note that a service works on the file; whether the one before it has closed it."""
    before = conn.execute("SELECT closed FROM last_run").fetchone()
    conn.execute("INSERT OR REPLACE INTO last_run (id, closed) VALUES (1, 0)")
    return before is None or bool(before[0])


def closed(conn: sqlite3.Connection) -> None:
    """Note that the service ends in order: no mail was to blame for anything."""
    conn.execute("INSERT OR REPLACE INTO last_run (id, closed) VALUES (1, 1)")
    conn.execute("DELETE FROM readings")
