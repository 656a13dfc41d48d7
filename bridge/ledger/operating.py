"""Write functions of the operator: another try, or away with it."""

import sqlite3
from collections.abc import Sequence

from bridge.ledger.accepting import OPEN_LIST
from bridge.ledger.outbox import give_turn
from bridge.ledger.state import DROPPABLE, RETRYABLE, ItemState
from bridge.reason import Reason


def retry(conn: sqlite3.Connection, keys: Sequence[str], now: int) -> dict[str, bool]:
    """Make items due now. False for those that have no event, are under way, or were delivered."""
    return {key: _retry_one(conn, key, now) for key in keys}


def _retry_one(conn: sqlite3.Connection, key: str, now: int) -> bool:
    row = conn.execute("SELECT id, state, conversation, event FROM items WHERE key = ?", (key,)).fetchone()
    if row is None or row["event"] is None or ItemState(row["state"]) not in RETRYABLE:
        return False
    # accepted_at moves too: the time of acd.give_up_after begins anew.
    conn.execute(
        "UPDATE items SET state = 'pending', reason = ?1, due_at = ?2, accepted_at = ?2, settled_at = NULL, "
        "tries = 0 WHERE id = ?3",
        (Reason.OPERATOR_RETRY, now, row["id"]),
    )
    _seat_anew(conn, row["conversation"])
    return True


def drop(conn: sqlite3.Connection, keys: Sequence[str], why: str, now: int) -> dict[str, bool]:
    """Drop items for good. False for those that are under way, delivered or dropped already."""
    return {key: _drop_one(conn, key, why, now) for key in keys}


def _drop_one(conn: sqlite3.Connection, key: str, why: str, now: int) -> bool:
    row = conn.execute("SELECT id, state, conversation FROM items WHERE key = ?", (key,)).fetchone()
    if row is None or ItemState(row["state"]) not in DROPPABLE:
        return False
    conn.execute(
        "UPDATE items SET state = 'filtered', reason = ?, detail = ?, settled_at = ? WHERE id = ?",
        (Reason.OPERATOR_DROP, why, now, row["id"]),
    )
    give_turn(conn, row["conversation"])
    return True


def _seat_anew(conn: sqlite3.Connection, conversation: str) -> None:
    """A reopened item may stand before others of its conversation that have their turn already."""
    conn.execute(
        f"UPDATE items SET turn = (id = (SELECT min(id) FROM items WHERE conversation = ?1 "
        f"AND state IN {OPEN_LIST})) WHERE conversation = ?1 AND state IN {OPEN_LIST}",
        (conversation,),
    )
