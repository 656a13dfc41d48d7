"""One event for the copies of a letter: which item has it."""

import sqlite3
from dataclasses import replace

from bridge.ledger.item import NewItem
from bridge.ledger.state import OPEN, ItemState
from bridge.reason import Reason

_FIRST = """
    SELECT items.key FROM letters JOIN items ON items.id = letters.item_id
    WHERE letters.letter = ? AND items.key <> ?
    AND items.state IN ('pending', 'sending', 'uncertain', 'held', 'created', 'updated')
"""


def as_copy(conn: sqlite3.Connection, item: NewItem) -> NewItem:
    """The item as a duplicate, where another one has the letter's event, or will have it.

    One that was dropped, refused or never mapped stands for nothing: a mail rescued from a junk folder is posted.
    """
    if not item.letter or item.state not in OPEN:
        return item
    first = conn.execute(_FIRST, (item.letter, item.key)).fetchone()
    if first is None:
        return item
    return replace(item, state=ItemState.DUPLICATE, reason=Reason.SAME_LETTER, detail=f"of {first[0]}")


def note(conn: sqlite3.Connection, item: NewItem, item_id: int | None) -> None:
    """Remember that this new item has its letter's event from now on."""
    if item.letter and item.state in OPEN:
        conn.execute(
            "INSERT INTO letters (letter, item_id) VALUES (?, ?) "
            "ON CONFLICT (letter) DO UPDATE SET item_id = excluded.item_id",
            (item.letter, item_id),
        )
