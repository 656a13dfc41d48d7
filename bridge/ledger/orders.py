"""Orders to read old mail: given, carried out window by window, ended. One row for each folder."""

import sqlite3
from collections.abc import Sequence

from bridge.errors import StateFileError
from bridge.history import HistoryOrder
from bridge.ledger.item import Stored

_COLUMNS = "source, folder, since, uids, uidvalidity, next_uid, last_uid, words, taken, known, asked_at"


def order(conn: sqlite3.Connection, source: str, folder: str) -> HistoryOrder | None:
    """The folder's order, running or ended."""
    row = conn.execute(
        f"SELECT {_COLUMNS}, ended_at FROM orders WHERE source = ? AND folder = ?", (source, folder)
    ).fetchone()
    return None if row is None else _order(row)


def orders(conn: sqlite3.Connection) -> list[HistoryOrder]:
    """The last order of every folder that had one."""
    rows = conn.execute(f"SELECT {_COLUMNS}, ended_at FROM orders ORDER BY source, folder").fetchall()
    return [_order(row) for row in rows]


def ask(conn: sqlite3.Connection, wanted: HistoryOrder, now: int) -> None:
    """Give an order. Raises StateFileError where the folder has one that has not ended."""
    known = order(conn, wanted.source, wanted.folder)
    if known is not None and not known.ended:
        raise StateFileError(
            f"old mail of {wanted.source}/{wanted.folder} is being read already ({known.progress()})",
            hint="wait until `acd-bridge status` shows that it is done",
        )
    put(conn, wanted, now)


def put(conn: sqlite3.Connection, wanted: HistoryOrder, now: int) -> None:
    """Write an order down in the place of the folder's former one; what it has taken so far is kept."""
    conn.execute(
        "INSERT OR REPLACE INTO orders (source, folder, since, uids, uidvalidity, next_uid, last_uid, words, "
        "taken, known, asked_at, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            wanted.source,
            wanted.folder,
            wanted.since,
            wanted.uids,
            wanted.uidvalidity,
            wanted.next_uid,
            wanted.last_uid,
            wanted.words,
            wanted.taken,
            wanted.known,
            wanted.asked_at or now,
            now if wanted.ended else None,
        ),
    )


def advance(conn: sqlite3.Connection, at: HistoryOrder, stored: Sequence[Stored], now: int) -> None:
    """Move an order on, in the transaction that stores what was read."""
    new = sum(one.new for one in stored)
    conn.execute(
        "UPDATE orders SET uidvalidity = ?, next_uid = ?, last_uid = ?, words = ?, taken = taken + ?, "
        "known = known + ?, ended_at = ? WHERE source = ? AND folder = ?",
        (
            at.uidvalidity,
            at.next_uid,
            at.last_uid,
            at.words,
            new,
            len(stored) - new,
            now if at.ended else None,
            at.source,
            at.folder,
        ),
    )
    if at.ended and at.is_whole and not at.words:
        _lower_baseline(conn, at)


def _lower_baseline(conn: sqlite3.Connection, at: HistoryOrder) -> None:
    """Everything before the baseline is accounted for by now, so that the audit may ask for it too."""
    conn.execute(
        "UPDATE cursors SET baseline = 1 WHERE source = ? AND folder = ? AND uidvalidity = ? AND baseline = ?",
        (at.source, at.folder, at.uidvalidity, at.last_uid + 1),
    )


def _order(row: sqlite3.Row) -> HistoryOrder:
    fields = dict(row)
    return HistoryOrder(ended=fields.pop("ended_at") is not None, **fields)
