"""Forgetting: settled items that are old enough are removed, a few at a time."""

import sqlite3

from bridge.ledger.state import OPEN_LIST

BATCH = 2000
"""Bounds the time that other writes wait."""
_OVER = ("created", "updated", "filtered", "duplicate", "vanished")
_UNNEEDED = f"""NOT EXISTS (SELECT 1 FROM duplicates JOIN items AS first ON first.id = duplicates.first_item_id
    WHERE duplicates.item_id = items.id AND duplicates.kind = 'same-case' AND first.state IN {OPEN_LIST})
    AND NOT EXISTS (SELECT 1 FROM follow_ups WHERE item_id = items.id AND ended_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM notices WHERE item_id = items.id AND ended_at IS NULL)"""
"""What would take the place of an open item is needed as long as that may still fail, and what somebody is to be told
of until he has been told.
"""


def remove_settled(conn: sqlite3.Connection, before: int) -> int:
    """Remove some items that were settled before this time (milliseconds since 1970); how many.

    Dead letters and quarantined items stay until an operator decides about them. Records of duplicates stay longer,
    see `bridge.ledger.duplicates`.
    """
    return sum(_remove(conn, state, before) for state in _OVER)


def _remove(conn: sqlite3.Connection, state: str, before: int) -> int:
    # Items are settled about in the order of their acceptance: the first of each state are the oldest. Those that are
    # needed are passed over: an item that an operator leaves held keeps what would take its place, however many.
    return conn.execute(
        f"DELETE FROM items WHERE settled_at < ? AND id IN "
        f"(SELECT id FROM items WHERE state = ? AND {_UNNEEDED} ORDER BY id LIMIT ?)",
        (before, state, BATCH),
    ).rowcount
