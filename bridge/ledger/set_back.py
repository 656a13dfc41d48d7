"""Times of the state file that lie ahead because the clock was wrong, and was set back while the service works."""

import sqlite3

_WAITING = {
    "items": "state = 'pending'",
    "mail_actions": "ended_at IS NULL",
    "follow_ups": "ended_at IS NULL",
    "notices": "ended_at IS NULL",
}


def set_back(conn: sqlite3.Connection, by: int, now: int) -> None:
    """The clock was set back by so many milliseconds to `now`: what is put off goes with it, and is still put off.

    What was due before is due now, and the time in which an item is given up begins now at the latest.
    """
    for table, waiting in _WAITING.items():
        conn.execute(
            f"UPDATE {table} SET due_at = max(?1, due_at - ?2) WHERE {waiting} AND due_at > ?1", (now, by)
        )
    conn.execute("UPDATE items SET accepted_at = ?1 WHERE state = 'pending' AND accepted_at > ?1", (now,))
