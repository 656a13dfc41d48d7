"""What can be asked of the state file. Pure reading; every answer is bounded."""

import sqlite3

import orjson

from bridge.cursor import FolderCursor
from bridge.errors import StateFileError
from bridge.ledger.item import Attempt, Item, ItemFilter
from bridge.ledger.state import OPEN, ItemState

_ITEM = (
    "id, key, source, kind, place, conversation, state, reason, detail, route, tries, received_at, "
    "accepted_at, due_at, settled_at, acd_event_id, event, message"
)

_CURSOR = "source, folder, uidvalidity, baseline, last_uid, first_at, moved_at"


def totals(conn: sqlite3.Connection) -> dict[str, int]:
    """How many items are in each state; every state is named."""
    counted = dict(conn.execute("SELECT state, items FROM totals").fetchall())
    return {state.value: counted.get(state.value, 0) for state in ItemState}


def oldest_open(conn: sqlite3.Connection) -> int | None:
    """When the oldest item that is not settled was accepted; milliseconds since 1970."""
    first_of_each = [
        conn.execute("SELECT accepted_at FROM items WHERE state = ? ORDER BY id LIMIT 1", (state,)).fetchone()
        for state in OPEN
    ]
    return min((row["accepted_at"] for row in first_of_each if row is not None), default=None)


def next_due(conn: sqlite3.Connection) -> int | None:
    """When the next item may be posted; milliseconds since 1970."""
    found: int | None = conn.execute(
        "SELECT min(due_at) FROM (SELECT min(due_at) AS due_at FROM items INDEXED BY items_due "
        "WHERE state = 'pending' AND turn = 1 AND lane = 0 UNION ALL SELECT min(due_at) FROM items "
        "INDEXED BY items_due WHERE state = 'pending' AND turn = 1 AND lane = 1)"
    ).fetchone()[0]
    return found


def cursor(conn: sqlite3.Connection, source: str, folder: str) -> FolderCursor | None:
    """How far a folder is read."""
    row = conn.execute(
        f"SELECT {_CURSOR} FROM cursors WHERE source = ? AND folder = ?",
        (source, folder),
    ).fetchone()
    return None if row is None else FolderCursor(**dict(row))


def cursors(conn: sqlite3.Connection) -> list[FolderCursor]:
    """Every folder that was ever read."""
    rows = conn.execute(f"SELECT {_CURSOR} FROM cursors").fetchall()
    return [FolderCursor(**dict(row)) for row in rows]


def items(conn: sqlite3.Connection, wanted: ItemFilter) -> list[Item]:
    """The newest items that fit, newest first."""
    where, values = _where(wanted)
    rows = conn.execute(
        f"SELECT {_ITEM} FROM items {where} ORDER BY id DESC LIMIT ?", (*values, wanted.limit)
    )
    return [_item(row) for row in rows.fetchall()]


def keys(conn: sqlite3.Connection, wanted: ItemFilter) -> list[str]:
    """The keys of all items that fit, oldest first."""
    where, values = _where(wanted)
    rows = conn.execute(f"SELECT key FROM items {where} ORDER BY id LIMIT ?", (*values, wanted.limit))
    return [row["key"] for row in rows.fetchall()]


_CONDITIONS = {
    "source": "source = ?",
    "reason": "reason = ?",
    "sender": "lower(message ->> 'sender') = lower(?)",
    "ticket": "message ->> 'ticket_number' = ?",
    "since": "accepted_at >= ?",
    "until": "accepted_at < ?",
}


def _where(wanted: ItemFilter) -> tuple[str, list[str | int]]:
    conditions: list[str] = []
    values: list[str | int] = []
    if wanted.states:
        conditions.append(f"state IN ({', '.join('?' * len(wanted.states))})")
        values.extend(sorted(wanted.states))
    for name, condition in _CONDITIONS.items():
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if wanted.with_event:
        conditions.append("event IS NOT NULL")
    return (f"WHERE {' AND '.join(conditions)}" if conditions else ""), values


def item(conn: sqlite3.Connection, key: str) -> Item:
    """The item of this key, or of the only one that begins with it. Raises StateFileError."""
    rows = conn.execute(
        f"SELECT {_ITEM} FROM items WHERE key >= ?1 AND key < ?1 || char(1114111) LIMIT 2", (key,)
    ).fetchall()
    if not rows:
        raise StateFileError(
            f"there is no item {key!r}", hint="`acd-bridge items list` shows the newest ones"
        )
    if len(rows) > 1 and rows[0]["key"] != key:
        raise StateFileError(f"more than one item begins with {key!r}", hint="give more of its key")
    return _item(rows[0])


def attempts(conn: sqlite3.Connection, item_id: int) -> list[Attempt]:
    """The last 100 tries of an item, oldest first."""
    rows = conn.execute(
        "SELECT number, started_at, ended_at, outcome, reason, http_status, words, acd_event_id "
        "FROM attempts WHERE item_id = ? ORDER BY number DESC LIMIT 100",
        (item_id,),
    ).fetchall()
    return [Attempt(**dict(row)) for row in reversed(rows)]


def repeats(conn: sqlite3.Connection, item_id: int) -> list[tuple[str, int, int]]:
    """Where else the same message was found: place, when last (milliseconds since 1970), how often."""
    rows = conn.execute(
        "SELECT place, seen_at, times FROM repeats WHERE item_id = ? ORDER BY seen_at LIMIT 100", (item_id,)
    )
    return [(row["place"], row["seen_at"], row["times"]) for row in rows.fetchall()]


def _item(row: sqlite3.Row) -> Item:
    fields = dict(row)
    fields["state"] = ItemState(fields["state"])
    fields["event"] = None if fields["event"] is None else orjson.loads(fields["event"])
    fields["message"] = orjson.loads(fields["message"])
    return Item(**fields)
