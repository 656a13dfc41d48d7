"""One case that comes by two sources: which item stands for a new one. Decided where the new one is stored."""

import sqlite3

import orjson

from bridge.ledger.duplicates import DuplicateKind
from bridge.ledger.finding import ids_of_message
from bridge.ledger.item import NewItem
from bridge.ledger.lanes import LIVE
from bridge.ledger.standing import First
from bridge.ledger.state import ItemState

MOST_LOOKED_AT = 50
"""Items of one name that are looked at, the newest. What is not found is posted: nothing is lost by the bound."""
NEWEST = 65_536
"""A Message-ID is looked for among so many items at least, for the same reason."""

_FIRST = """
    SELECT id, key, source, accepted_at, acd_event_id FROM (
        SELECT id, key, source, state, lane, received_at, accepted_at, acd_event_id FROM items
        WHERE {named} ORDER BY id DESC LIMIT :most) AS one
    WHERE state IN ('pending', 'sending', 'uncertain', 'held', 'created', 'updated')
    AND source IN (SELECT value FROM json_each(:sources))
    AND (abs(received_at - :received_at) <= :within
        OR (lane = {live} AND :lane = {live} AND abs({taken_in} - :now) <= :within))
    AND NOT EXISTS (SELECT 1 FROM duplicates AS d
        WHERE d.kind = 'same-case' AND d.first_item_id = one.id AND d.source = :source)
    AND NOT EXISTS (SELECT 1 FROM duplicates AS d
        WHERE d.kind = 'same-case' AND d.item_id = one.id AND d.first_source = :source)
    ORDER BY id LIMIT 1
"""
# A retry moves accepted_at; an attempt from before it tells that the item had been there.
_TAKEN_IN = """
    min(accepted_at, ifnull((SELECT started_at FROM attempts WHERE item_id = one.id AND number = 1), accepted_at))
"""
_NAMED = {
    "message_id": f"id IN ({ids_of_message(f'(SELECT max(id) FROM items) - {NEWEST}')})",
    "ticket_number": "message ->> 'ticket_number' = :words",
}
"""The Message-ID first: it tells the one of several messages of a ticket that this one belongs to."""
_BY_NAME = {name: _FIRST.format(named=named, live=LIVE, taken_in=_TAKEN_IN) for name, named in _NAMED.items()}


def first_of(conn: sqlite3.Connection, item: NewItem, now: int) -> First | None:
    """The oldest item of the same case that came by another source and will have, or has, an event.

    An item stands for one message of each other source: the next one of that source is a case's next message.
    """
    if item.same_case is None or item.state is not ItemState.PENDING:
        return None
    values = {
        "source": item.source,
        "sources": orjson.dumps(sorted(item.same_case.sources)).decode(),
        "within": item.same_case.within,
        "received_at": item.received_at,
        "lane": item.lane,
        "now": now,
        "most": MOST_LOOKED_AT,
    }
    named = ((query, item.message[name]) for name, query in _BY_NAME.items() if name in item.message)
    rows = (conn.execute(query, values | {"words": words}).fetchone() for query, words in named)
    return next((First(kind=DuplicateKind.SAME_CASE, **dict(row)) for row in rows if row is not None), None)
