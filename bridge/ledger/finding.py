"""Finding items by whatever an operator has at hand: key, Message-ID, ticket number or the ACD's event ID."""

import sqlite3

from bridge.ledger.item import Item
from bridge.ledger.queries import _ITEM as COLUMNS
from bridge.ledger.queries import _item as item_of

MOST = 20
"""Items that one look finds at the most."""
MAX_EVENT_ID = 2**63 - 1


def find(conn: sqlite3.Connection, words: str) -> list[Item]:
    """The items that these words name, newest first; the first kind of name that fits any counts."""
    words = words.strip().removeprefix("<").removesuffix(">")
    if not words:
        return []
    looks = (_by_key, _by_event, _by_ticket, _by_message_id)
    return next((found for look in looks if (found := look(conn, words))), [])


def _by_key(conn: sqlite3.Connection, key: str) -> list[Item]:
    return _items(conn, "key >= :words AND key < :words || char(1114111)", key)


def _by_event(conn: sqlite3.Connection, words: str) -> list[Item]:
    if not (words.isascii() and words.isdigit()) or int(words) > MAX_EVENT_ID:
        return []
    return _items(conn, "acd_event_id = :words", int(words))


def _by_ticket(conn: sqlite3.Connection, number: str) -> list[Item]:
    return _items(conn, "message ->> 'ticket_number' = :words", number)


def _by_message_id(conn: sqlite3.Connection, message_id: str) -> list[Item]:
    return _items(conn, f"id IN ({ids_of_message()})", message_id)


def ids_of_message(least: str = "0") -> str:
    """The query for the IDs of the items whose Message-ID is `:words`, from the ID on that `least` gives in SQL.

    It looks into each run of the index items_message_id (0006_duplicates.sql).
    """
    return f"""
        WITH RECURSIVE runs (run, last) AS (
            SELECT max({least}, (SELECT min(id) FROM items)) >> 12, (SELECT max(id) FROM items) >> 12
            UNION ALL SELECT run + 1, last FROM runs WHERE run < last)
        SELECT found.id FROM runs CROSS JOIN items AS found INDEXED BY items_message_id
        ON found.id >> 12 = runs.run AND found.message ->> 'message_id' = :words
    """


def _items(conn: sqlite3.Connection, where: str, words: str | int) -> list[Item]:
    rows = conn.execute(
        f"SELECT {COLUMNS} FROM items WHERE {where} ORDER BY id DESC LIMIT {MOST}", {"words": words}
    ).fetchall()
    return [item_of(row) for row in rows]


def raw_of(conn: sqlite3.Connection, item_id: int) -> bytes | None:
    """The message itself, where it was kept: that of a quarantined webhook."""
    row = conn.execute("SELECT raw FROM items WHERE id = ?", (item_id,)).fetchone()
    return None if row is None else row["raw"]
