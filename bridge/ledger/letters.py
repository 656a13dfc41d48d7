"""One event for the copies of a letter: which item stands for a new copy."""

import sqlite3

from bridge.ledger.duplicates import DuplicateKind
from bridge.ledger.item import NewItem
from bridge.ledger.standing import First
from bridge.ledger.state import OPEN
from bridge.reason import Reason

_FIRST = """
    SELECT first.id, first.key, first.source, first.accepted_at, first.acd_event_id
    FROM letters JOIN items AS holder ON holder.id = letters.item_id
    JOIN items AS first ON first.id = CASE holder.state WHEN 'duplicate' THEN (SELECT first_item_id FROM duplicates
        WHERE item_id = holder.id AND kind = 'same-case' AND over_at IS NULL) ELSE holder.id END
    WHERE letters.letter = ? AND holder.key <> ?
    AND first.state IN ('pending', 'sending', 'uncertain', 'held', 'created', 'updated')
"""


def first_of(conn: sqlite3.Connection, item: NewItem) -> First | None:
    """The item that has the letter's event, or will have it: one of its copies, or what stands for that one.

    One that was dropped, refused or never mapped stands for nothing: a mail rescued from a junk folder is posted.
    """
    if not item.letter or item.state not in OPEN:
        return None
    row = conn.execute(_FIRST, (item.letter, item.key)).fetchone()
    return None if row is None else First(kind=DuplicateKind.SAME_LETTER, **dict(row))


def note(conn: sqlite3.Connection, item: NewItem, item_id: int) -> None:
    """Remember that this new item has its letter's event from now on, by itself or by the other half of its case."""
    if item.letter and (item.state in OPEN or item.reason is Reason.SAME_CASE):
        conn.execute(
            "INSERT INTO letters (letter, item_id) VALUES (?, ?) "
            "ON CONFLICT (letter) DO UPDATE SET item_id = excluded.item_id",
            (item.letter, item_id),
        )
