"""The state file as a command sees it, for one look or one change, while the service may be working on it."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from bridge.ledger.compact import give_back
from bridge.ledger.file import explained, open_for_reading, open_for_writing

T = TypeVar("T")


def look(path: Path, function: Callable[[sqlite3.Connection], T]) -> T:
    """The answer of a reading function. Raises StateFileError."""
    with closing(open_for_reading(path)) as conn, explained(path):
        return function(conn)


def look_at_once(path: Path, function: Callable[[sqlite3.Connection], T]) -> T:
    """The same, and everything it reads is as of one moment. Raises StateFileError."""
    with closing(open_for_reading(path)) as conn, explained(path):
        conn.execute("BEGIN")
        return function(conn)


def change_and_wipe(path: Path, steps: Iterable[Callable[[sqlite3.Connection], T]]) -> tuple[list[T], bool]:
    """The answers of write functions, each in a transaction of its own, so that a service goes on in between.

    What was overwritten or removed is not left to be read in the file. Also says whether the WAL beside the file is
    empty of it by now; a service that is just reading may hold it up. Raises StateFileError.
    """
    open_for_reading(path).close()
    with closing(open_for_writing(path)) as conn, explained(path):
        conn.execute("PRAGMA secure_delete = ON")
        results = [_in_transaction(conn, step) for step in steps]
        while give_back(conn):
            pass
        busy: int = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return results, not busy


def change(path: Path, function: Callable[[sqlite3.Connection], T]) -> T:
    """The answer of a write function, once it is on disk. The file must be there. Raises StateFileError."""
    open_for_reading(path).close()
    with closing(open_for_writing(path)) as conn, explained(path):
        return _in_transaction(conn, function)


def _in_transaction(conn: sqlite3.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    conn.execute("BEGIN IMMEDIATE")
    result = function(conn)
    conn.execute("COMMIT")
    return result
