"""Giving space back: what was removed leaves the file, in small steps while the service works."""

import sqlite3

INCREMENTAL = 2
"""auto_vacuum=INCREMENTAL (sqlite.org/pragma.html#pragma_auto_vacuum): free pages leave when they are told to."""
PAGES = 500
"""Free pages given back in one step; it bounds the time that other writes wait, to some milliseconds."""
SMALL_BYTES = 64 * 1024 * 1024
"""An older file up to this size is written anew at a start, so that it can give space back; it takes a second."""


def prepare(conn: sqlite3.Connection, *, size: int) -> None:
    """Let the file give space back from now on. Of an older file that is large, nothing changes.

    To be called before the first table is made, or outside a transaction.
    """
    if _mode(conn) == INCREMENTAL or size > SMALL_BYTES:
        return
    conn.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
    if size:
        conn.execute("VACUUM")


def _mode(conn: sqlite3.Connection) -> int:
    return int(conn.execute("PRAGMA auto_vacuum").fetchone()[0])


def give_back(conn: sqlite3.Connection, pages: int = PAGES) -> int:
    """Give some free pages back to the file system; how many. 0 where nothing is free, or the file cannot."""
    before = _free(conn)
    conn.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    return before - _free(conn)


def _free(conn: sqlite3.Connection) -> int:
    return int(conn.execute("PRAGMA freelist_count").fetchone()[0])
