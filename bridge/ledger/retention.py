"""Forgetting: settled items that are old enough are removed, a few at a time."""

import sqlite3

BATCH = 2000
"""Bounds the time that other writes wait."""
_OVER = ("created", "updated", "filtered", "duplicate", "vanished")


def remove_settled(conn: sqlite3.Connection, before: int) -> int:
    """Remove some items that were settled before this time (milliseconds since 1970); how many.

    Dead letters and quarantined items stay until an operator decides about them.
    """
    return sum(_remove(conn, state, before) for state in _OVER)


def _remove(conn: sqlite3.Connection, state: str, before: int) -> int:
    # Items are settled about in the order of their acceptance: the first of each state are the oldest.
    return conn.execute(
        "DELETE FROM items WHERE settled_at < ? AND id IN "
        "(SELECT id FROM items WHERE state = ? ORDER BY id LIMIT ?)",
        (before, state, BATCH),
    ).rowcount
