"""Write functions of the operator: another try, or away with it."""

import sqlite3
from collections.abc import Callable, Sequence

from bridge.ledger.outbox import give_turn
from bridge.ledger.state import DROPPABLE, OPEN_LIST, RETRYABLE, ItemState
from bridge.reason import Reason

STANDS_FOR_IT = (Reason.SUSPECTED_LOOP, Reason.SAME_LETTER, Reason.SAME_CASE)
"""Why an item is a duplicate that may be let go: another one stands for it."""


def retry(conn: sqlite3.Connection, keys: Sequence[str], now: int) -> dict[str, bool]:
    """Make items due now. False for those that have no event, are under way, or were delivered."""
    return _reopen(conn, keys, now, _retry_one)


def _reopen(
    conn: sqlite3.Connection,
    keys: Sequence[str],
    now: int,
    reopen_one: Callable[[sqlite3.Connection, str, int], str | None],
) -> dict[str, bool]:
    """Reopen each, then seat each conversation once: it may have as many items as there are keys."""
    reopened = {key: reopen_one(conn, key, now) for key in keys}
    for conversation in {one for one in reopened.values() if one is not None}:
        _seat_anew(conn, conversation)
    return {key: conversation is not None for key, conversation in reopened.items()}


def _retry_one(conn: sqlite3.Connection, key: str, now: int) -> str | None:
    row = conn.execute("SELECT id, state, conversation, event FROM items WHERE key = ?", (key,)).fetchone()
    if row is None or row["event"] is None or ItemState(row["state"]) not in RETRYABLE:
        return None
    # accepted_at moves too: the time of acd.give_up_after begins anew.
    conn.execute(
        "UPDATE items SET state = 'pending', reason = ?1, due_at = ?2, accepted_at = ?2, settled_at = NULL, "
        "tries = 0 WHERE id = ?3",
        (Reason.OPERATOR_RETRY, now, row["id"]),
    )
    conversation: str = row["conversation"]
    return conversation


def release(conn: sqlite3.Connection, keys: Sequence[str], now: int) -> dict[str, bool]:
    """Let held items go, and those that another item stands for. False for all others."""
    return _reopen(conn, keys, now, _release_one)


def _release_one(conn: sqlite3.Connection, key: str, now: int) -> str | None:
    # accepted_at moves too: the time of acd.give_up_after begins anew.
    row = conn.execute(
        "UPDATE items SET state = 'pending', reason = ?1, detail = '', due_at = ?2, accepted_at = ?2, "
        "settled_at = NULL WHERE key = ?3 AND event IS NOT NULL "
        "AND (state = 'held' OR (state = 'duplicate' AND reason IN (?4, ?5, ?6))) RETURNING conversation",
        (Reason.OPERATOR_RELEASE, now, key, *STANDS_FOR_IT),
    ).fetchone()
    return None if row is None else str(row["conversation"])


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
