"""Finding items by whatever an operator has at hand: key, Message-ID, ticket number or the ACD's event ID."""

import sqlite3

import orjson

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
    return _items(conn, "key >= ?1 AND key < ?1 || char(1114111)", key)


def _by_event(conn: sqlite3.Connection, words: str) -> list[Item]:
    if not (words.isascii() and words.isdigit()) or int(words) > MAX_EVENT_ID:
        return []
    return _items(conn, "acd_event_id = ?1", int(words))


def _by_ticket(conn: sqlite3.Connection, number: str) -> list[Item]:
    # No index: people ask this seldom, and every new item would pay for it.
    return _items(conn, "conversation = 'ticket ' || ?1", number)


def _by_message_id(conn: sqlite3.Connection, message_id: str) -> list[Item]:
    if "@" not in message_id:
        return []
    # The text is looked through first: that is faster than reading every JSON.
    written = orjson.dumps(message_id).decode().strip('"')
    return _items(conn, "instr(message, ?2) AND message ->> 'message_id' = ?1", message_id, written)


def _items(conn: sqlite3.Connection, where: str, *values: str | int) -> list[Item]:
    rows = conn.execute(
        f"SELECT {COLUMNS} FROM items WHERE {where} ORDER BY id DESC LIMIT {MOST}", values
    ).fetchall()
    return [item_of(row) for row in rows]


def raw_of(conn: sqlite3.Connection, item_id: int) -> bytes | None:
    """The message itself, where it was kept: that of a quarantined webhook."""
    row = conn.execute("SELECT raw FROM items WHERE id = ?", (item_id,)).fetchone()
    return None if row is None else row["raw"]
