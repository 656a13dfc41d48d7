"""What must hold in every state file, whatever happened before: SQLite's own checks and the ledger's invariants."""

import sqlite3
from dataclasses import dataclass

from bridge.ledger.state import OPEN_LIST

MOST_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold."""

    name: str
    meaning: str
    """What should be so."""
    number: int
    """In how many places it is not."""
    examples: tuple[str, ...]
    """Some of them: keys of items, or what else names the place."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """A statement about the file, and the query that finds where it does not hold; its first column names the place."""

    name: str
    meaning: str
    query: str


INVARIANTS = (
    Invariant(
        "totals",
        "the numbers of items by state are those that are kept beside them",
        """
        SELECT state FROM (
            SELECT state, items FROM totals WHERE items <> 0
            UNION ALL SELECT state, count(*) AS items FROM items GROUP BY state)
        GROUP BY state, items HAVING count(*) <> 2
        """,
    ),
    Invariant(
        "turn",
        "of the open items of a conversation the first has its turn, and no other",
        f"""
        SELECT key FROM items AS one WHERE state IN {OPEN_LIST} AND turn <> NOT EXISTS (
            SELECT 1 FROM items AS earlier INDEXED BY items_open
            WHERE earlier.conversation = one.conversation AND earlier.id < one.id
            AND earlier.state IN {OPEN_LIST})
        """,
    ),
    Invariant(
        "attempt-under-way",
        "an attempt that has not ended belongs to an item that is being sent, and is its last",
        """
        SELECT items.key FROM attempts JOIN items ON items.id = attempts.item_id
        WHERE attempts.ended_at IS NULL AND (items.state <> 'sending' OR attempts.number <> items.attempts)
        """,
    ),
    Invariant(
        "sending",
        "an item that is being sent has its attempt written down",
        """
        SELECT key FROM items WHERE state = 'sending' AND NOT EXISTS (
            SELECT 1 FROM attempts WHERE item_id = items.id AND number = items.attempts AND ended_at IS NULL)
        """,
    ),
    Invariant(
        "settled-at",
        "an item has a time of settlement exactly where it is settled",
        f"SELECT key FROM items WHERE (settled_at IS NULL) <> (state IN {OPEN_LIST})",
    ),
    Invariant(
        "event-to-post",
        "an item that is to be posted has an event",
        "SELECT key FROM items WHERE state IN ('pending', 'sending', 'uncertain') AND event IS NULL",
    ),
    Invariant(
        "event-id",
        "a delivered item knows the ID of its event in the ACD",
        "SELECT key FROM items WHERE state IN ('created', 'updated') AND acd_event_id IS NULL",
    ),
    Invariant(
        "one-event-one-item",
        "no two items made the same event",
        """
        SELECT 'event ' || acd_event_id FROM items WHERE state = 'created' AND acd_event_id IS NOT NULL
        GROUP BY acd_event_id HAVING count(*) > 1
        """,
    ),
    Invariant(
        "duplicate",
        "an item that another one stands for is a duplicate, and another source's was delivered or is still open",
        """
        SELECT duplicates.key FROM duplicates
        JOIN items AS one ON one.id = duplicates.item_id JOIN items AS first ON first.id = duplicates.first_item_id
        WHERE duplicates.kind <> 'updated' AND duplicates.over_at IS NULL AND (one.state <> 'duplicate'
            OR duplicates.kind = 'same-case' AND one.event IS NOT NULL
            AND first.state IN ('dead', 'quarantined', 'filtered', 'duplicate', 'vanished'))
        """,
    ),
    Invariant(
        "cursor",
        "a folder's cursor stands right before its baseline, or behind it",
        "SELECT source || '/' || folder FROM cursors WHERE last_uid < baseline - 1",
    ),
    Invariant(
        "numbering",
        "every place belongs to a folder's numbering",
        """
        SELECT DISTINCT 'numbering ' || numbering_id FROM places
        WHERE numbering_id NOT IN (SELECT id FROM numberings)
        """,
    ),
    Invariant(
        "follow-up",
        "only a delivered item's own event is followed, and it has an outcome exactly where that has ended",
        """
        SELECT key FROM follow_ups JOIN items ON items.id = item_id
        WHERE items.state NOT IN ('created', 'updated') OR items.acd_event_id IS NOT follow_ups.acd_event_id
        OR (ended_at IS NULL) <> (outcome = '')
        """,
    ),
    Invariant(
        "notice",
        "there is a notice only of an event that is followed, and it has an outcome exactly where it has ended",
        """
        SELECT key FROM notices JOIN items ON items.id = notices.item_id
        WHERE (notices.ended_at IS NULL) <> (notices.outcome = '')
        OR NOT EXISTS (SELECT 1 FROM follow_ups WHERE follow_ups.item_id = notices.item_id)
        """,
    ),
)


def violations(conn: sqlite3.Connection) -> list[Violation]:
    """Every invariant that does not hold, those of SQLite first. Reads the whole file."""
    found = [_damage(conn), _dangling(conn), *(_broken(conn, one) for one in INVARIANTS)]
    return [one for one in found if one is not None]


def _damage(conn: sqlite3.Connection) -> Violation | None:
    lines = [row[0] for row in conn.execute("PRAGMA integrity_check(100)").fetchall()]
    if lines == ["ok"]:
        return None
    return Violation("integrity", "SQLite finds the file whole", len(lines), tuple(lines[:MOST_EXAMPLES]))


def _dangling(conn: sqlite3.Connection) -> Violation | None:
    rows = conn.execute("PRAGMA foreign_key_check").fetchall()
    if not rows:
        return None
    tables = tuple(sorted({f"{row[0]} -> {row[2]}" for row in rows}))
    return Violation(
        "foreign-key", "every row that another row names is there", len(rows), tables[:MOST_EXAMPLES]
    )


def _broken(conn: sqlite3.Connection, invariant: Invariant) -> Violation | None:
    number = conn.execute(f"SELECT count(*) FROM ({invariant.query})").fetchone()[0]
    if not number:
        return None
    rows = conn.execute(f"SELECT * FROM ({invariant.query}) LIMIT {MOST_EXAMPLES}").fetchall()
    return Violation(invariant.name, invariant.meaning, number, tuple(str(row[0]) for row in rows))
