"""What is held, and what is remembered for holding: rates, loops that are going on, and letting items go."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from bridge.ledger.item import NewItem, Stored
from bridge.ledger.lanes import LIVE
from bridge.ledger.state import ItemState
from bridge.reason import Reason

MOST_RECENT = 5000
"""Items that are looked at when the memory of senders and conversations is made anew."""
SLOTS_KEPT = 7 * 24 * 6
RECENT_MS = 600_000


@dataclass(frozen=True, slots=True)
class LoopNote:
    """A suspected loop: its sender or conversation, the held item, and how many mails it has so far."""

    name: str
    key: str
    mails: int
    at: int
    """When its last mail came; milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the state file knows of the last minutes and days."""

    rates: Sequence[tuple[str, int, int]] = ()
    """Source, slot, number."""
    recent: Sequence[tuple[NewItem, int]] = ()
    """Items of the last ten minutes, oldest first, and when they were accepted."""
    loops: Sequence[LoopNote] = ()


def memory(conn: sqlite3.Connection, now: int) -> Memory:
    """What is to be remembered when the service starts."""
    rates = conn.execute(
        "SELECT source, slot, items FROM rates WHERE slot >= ? ORDER BY slot",
        (now // RECENT_MS - SLOTS_KEPT,),
    ).fetchall()
    recent = conn.execute(
        "SELECT key, source, kind, place, conversation, state, received_at, accepted_at, message FROM items "
        "WHERE id > (SELECT max(id) FROM items) - ? AND lane = ? AND kind = 'mail' "
        "AND state IN ('pending', 'sending', 'uncertain', 'created', 'updated') AND accepted_at >= ? ORDER BY id",
        (MOST_RECENT, LIVE, now - RECENT_MS),
    ).fetchall()
    loops = conn.execute("SELECT name, key, mails, last_at FROM loops").fetchall()
    return Memory(
        rates=[tuple(row) for row in rates],
        recent=[_recent(row) for row in recent],
        loops=[LoopNote(*row) for row in loops],
    )


def _recent(row: sqlite3.Row) -> tuple[NewItem, int]:
    fields = dict(row)
    accepted_at = fields.pop("accepted_at")
    fields |= {"state": ItemState(fields["state"]), "message": orjson.loads(fields["message"])}
    return NewItem(**fields), accepted_at


def note_rates(
    conn: sqlite3.Connection,
    items: Sequence[NewItem],
    slots: Sequence[int | None],
    stored: Sequence[Stored],
) -> None:
    """Count what was new, for the usual rate of its source."""
    rows = zip(items, slots, stored, strict=True) if slots else ()
    counted = Counter((item.source, slot) for item, slot, one in rows if one.new and slot is not None)
    for (source, slot), number in counted.items():
        conn.execute(
            "INSERT INTO rates (source, slot, items) VALUES (?, ?, ?) "
            "ON CONFLICT (source, slot) DO UPDATE SET items = items + excluded.items",
            (source, slot, number),
        )


def note_loops(conn: sqlite3.Connection, loops: Iterable[LoopNote]) -> None:
    """Write down how far each loop has gone, with the held item that stands for it."""
    for one in loops:
        conn.execute(
            "INSERT OR REPLACE INTO loops (name, key, mails, last_at) VALUES (?, ?, ?, ?)",
            (one.name, one.key, one.mails, one.at),
        )
        conn.execute(
            "UPDATE items SET detail = ? WHERE key = ? AND state = 'held'",
            (f"stands for {one.mails} mails of a suspected loop", one.key),
        )


def hold_waiting(conn: sqlite3.Connection, sources: Sequence[str], now: int) -> None:
    """Hold what these sources sent in the last ten minutes and was not posted yet: a burst is held whole."""
    conn.execute(
        "UPDATE items SET state = 'held', reason = ? WHERE state = 'pending' AND attempts = 0 AND lane = ? "
        "AND accepted_at >= ? AND source IN (SELECT value FROM json_each(?))",
        (Reason.BURST, LIVE, now - RECENT_MS, orjson.dumps(list(sources)).decode()),
    )


def known(conn: sqlite3.Connection, keys: Sequence[str]) -> frozenset[str]:
    """Which of these keys belong to items."""
    rows = conn.execute(
        "SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM items WHERE key = value)",
        (orjson.dumps(list(keys)).decode(),),
    )
    return frozenset(row[0] for row in rows.fetchall())


def let_go(conn: sqlite3.Connection, keys: Iterable[str]) -> list[str]:
    """Which of these items stand for no loop any more: an operator had them posted, or they are gone."""
    return [key for key in keys if not _stands(conn, key)]


def _stands(conn: sqlite3.Connection, key: str) -> bool:
    row = conn.execute("SELECT state FROM items WHERE key = ?", (key,)).fetchone()
    return row is not None and row["state"] in {"held", "filtered"}


def remove_old(conn: sqlite3.Connection, now: int) -> None:
    """Forget rates of more than seven days ago, and loops that were quiet for a day."""
    conn.execute("DELETE FROM rates WHERE slot < ?", (now // RECENT_MS - SLOTS_KEPT,))
    conn.execute("DELETE FROM loops WHERE last_at < ?", (now - 86_400_000,))
