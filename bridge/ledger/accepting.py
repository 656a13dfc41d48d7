"""Write functions of the intake: new items, and with them the cursor, in one transaction."""

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from bridge.cursor import FolderCursor
from bridge.history import HistoryOrder
from bridge.ledger import holding, letters, orders, same_case, standing
from bridge.ledger.holding import LoopNote
from bridge.ledger.item import NewItem, Stored
from bridge.ledger.lanes import hurry
from bridge.ledger.places import note, place_of
from bridge.ledger.state import OPEN, OPEN_LIST, ItemState

_INSERT = f"""
    INSERT INTO items (key, source, kind, place, conversation, state, reason, detail, route, turn, lane,
                       received_at, accepted_at, due_at, settled_at, event, digest, message, raw)
    VALUES (:key, :source, :kind, :place, :conversation, :state, :reason, :detail, :route,
            NOT EXISTS (SELECT 1 FROM items INDEXED BY items_open
                        WHERE conversation = :conversation AND state IN {OPEN_LIST}),
            :lane, :received_at, :now, :now, :settled_at, :event, :digest, :message, :raw)
    ON CONFLICT (key) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class FloodNotes:
    """What is to be written down about floods together with a batch of items."""

    slots: Sequence[int | None] = ()
    """For each item the ten minutes for whose rate it counts; see `bridge.flood.burst`."""
    loops: Sequence[LoopNote] = ()
    bursts: Sequence[str] = ()
    """Sources whose burst began: what of them still waits is held too."""


NO_NOTES = FloodNotes()


def accept(
    conn: sqlite3.Connection,
    items: Sequence[NewItem],
    cursor: FolderCursor | HistoryOrder | None,
    now: int,
    flood: FloodNotes = NO_NOTES,
) -> list[Stored]:
    """Store the items and the cursor. An item whose key is there already is noted as found again."""
    stored = [_accept_one(conn, item, now) for item in items]
    found = (place_of(item.source, item.place, item.key) for item in items if item.kind == "mail")
    note(conn, (place for place in found if place is not None))
    hurry(conn, items)
    holding.note_rates(conn, items, flood.slots, stored)
    holding.note_loops(conn, flood.loops)
    if flood.bursts:
        holding.hold_waiting(conn, flood.bursts, now)
    if isinstance(cursor, HistoryOrder):
        orders.advance(conn, cursor, stored, now)
    elif cursor is not None:
        save_cursor(conn, cursor, now)
    return stored


def _accept_one(conn: sqlite3.Connection, item: NewItem, now: int) -> Stored:
    first = letters.first_of(conn, item) or same_case.first_of(conn, item, now)
    if first is not None:
        item = standing.as_duplicate(item, first)
    item_id = _insert(conn, item, now)
    if item_id is None:
        return _found_again(conn, item, now)
    letters.note(conn, item, item_id)
    if first is not None:
        standing.record(conn, item, item_id, first, now)
    return Stored(key=item.key, state=item.state, new=True, reason=item.reason)


def _insert(conn: sqlite3.Connection, item: NewItem, now: int) -> int | None:
    """The row's ID, or None where the key is there already."""
    event = None if item.event is None else orjson.dumps(item.event.as_dict())
    inserting = conn.execute(
        _INSERT,
        {
            "key": item.key,
            "source": item.source,
            "kind": item.kind,
            "place": item.place,
            "conversation": item.conversation,
            "state": item.state,
            "reason": item.reason,
            "detail": item.detail,
            "route": item.route,
            "lane": item.lane,
            "received_at": item.received_at,
            "now": now,
            "settled_at": None if item.state in OPEN else now,
            "event": None if event is None else event.decode(),
            "digest": None if event is None else hashlib.sha256(event).hexdigest(),
            "message": orjson.dumps(item.message).decode(),
            "raw": item.raw,
        },
    )
    return inserting.lastrowid if inserting.rowcount else None


def _found_again(conn: sqlite3.Connection, item: NewItem, now: int) -> Stored:
    known = conn.execute("SELECT id, place, state FROM items WHERE key = ?", (item.key,)).fetchone()
    if known["place"] != item.place or item.kind == "ticket":
        conn.execute(
            "INSERT INTO repeats (item_id, place, seen_at) VALUES (?, ?, ?) "
            "ON CONFLICT (item_id, place) DO UPDATE SET times = times + 1, seen_at = excluded.seen_at",
            (known["id"], item.place, now),
        )
    return Stored(key=item.key, state=ItemState(known["state"]), new=False)


def save_cursor(conn: sqlite3.Connection, cursor: FolderCursor, now: int) -> None:
    """Remember how far the folder is read."""
    conn.execute(
        "INSERT INTO cursors (source, folder, uidvalidity, baseline, last_uid, first_at, moved_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, folder) DO UPDATE SET "
        "uidvalidity = excluded.uidvalidity, baseline = excluded.baseline, last_uid = excluded.last_uid, "
        "moved_at = excluded.moved_at",
        (cursor.source, cursor.folder, cursor.uidvalidity, cursor.baseline, cursor.last_uid, now, now),
    )
