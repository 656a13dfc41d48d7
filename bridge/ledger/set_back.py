"""Times of the state file that lie ahead because the clock was wrong, and was set back while the service works."""

import sqlite3

_WAITING = {
    "items": ("accepted_at", "state = 'pending'"),
    "mail_actions": (None, "ended_at IS NULL"),
    "follow_ups": ("began_at", "ended_at IS NULL"),
    "notices": ("began_at", "ended_at IS NULL"),
}
"""What waits, and the time from which on it is counted when it is given up."""


def set_back(conn: sqlite3.Connection, by: int, now: int) -> None:
    """The clock was set back by so many milliseconds to `now`: what is put off goes with it, and is still put off.

    What was due before is due now, and the time in which it is given up begins now at the latest.
    """
    for table, (since, waiting) in _WAITING.items():
        conn.execute(
            f"UPDATE {table} SET due_at = max(?1, due_at - ?2) WHERE {waiting} AND due_at > ?1", (now, by)
        )
        if since is not None:
            conn.execute(f"UPDATE {table} SET {since} = ?1 WHERE {waiting} AND {since} > ?1", (now,))
