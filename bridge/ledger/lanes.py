"""The two lanes of the outbox: live items, and history behind them. Both are claimed through one index."""

import sqlite3
from collections.abc import Sequence

import orjson

from bridge.ledger.item import NewItem

LIVE = 0
HISTORY = 1

_OF_LANE = """
    SELECT id FROM (SELECT id FROM items INDEXED BY items_due
        WHERE state = 'pending' AND turn = 1 AND lane = {lane} AND due_at <= :now
        ORDER BY due_at, id LIMIT {limit})
"""
_DUE = f"{_OF_LANE.format(lane=LIVE, limit=':limit')} UNION ALL {_OF_LANE.format(lane=HISTORY, limit=':history')}"
DUE = f"SELECT id FROM ({_DUE} LIMIT :limit)"
"""What is due: live items first, the oldest first within a lane. `:history` bounds the second lane."""

_ANY_HISTORY = "SELECT 1 FROM items INDEXED BY items_history WHERE state = 'pending' AND lane = 1 LIMIT 1"
_HURRY = """
    UPDATE items INDEXED BY items_history SET lane = 0
    WHERE state = 'pending' AND lane = 1 AND conversation IN (SELECT value FROM json_each(?))
"""


def history_places(limit: int, concurrency: int, under_way: int) -> int:
    """How many of `limit` free places history may take while so many of its items are under way.

    One place stays free of it (none, where there is only one), so that a live item that comes finds one although
    the ACD is slow.
    """
    return max(0, min(limit, max(1, concurrency - 1) - under_way))


def hurry(conn: sqlite3.Connection, items: Sequence[NewItem]) -> None:
    """History that stands before a live item in its conversation goes with the live lane.

    Otherwise the live item would wait for the whole history, for order holds within a conversation.
    """
    if conn.execute(_ANY_HISTORY).fetchone() is None:
        return
    conversations = list({item.conversation for item in items if item.lane == LIVE})
    if conversations:
        conn.execute(_HURRY, (orjson.dumps(conversations).decode(),))
