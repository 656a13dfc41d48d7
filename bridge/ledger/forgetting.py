"""Taking a person's data out of the state file: what must be known of an item stays, who it was does not."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Self

import orjson

from bridge.ledger.outbox import give_turn
from bridge.ledger.state import OPEN, ItemState
from bridge.reason import Reason

FORGOTTEN = {"forgotten": True}
"""What is left of a message."""

_HOLDS_IT = """
    holds(message, ?1) OR holds(event, ?1) OR holds(conversation, ?1) OR holds(detail, ?1) OR holds(raw, ?1)
    OR EXISTS (SELECT 1 FROM attempts WHERE item_id = items.id AND holds(words, ?1))
"""

_FORGET_DUPLICATES = "UPDATE duplicates SET sender = '', subject = '', ticket_number = '' WHERE"
_HELD_BY_A_DUPLICATE = """
    item_id IS NULL
    AND (holds(sender, ?1) OR holds(subject, ?1) OR holds(ticket_number, ?1))
"""


@dataclass(frozen=True, slots=True)
class Holding:
    """Where an address stands."""

    settled: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    """Keys of those that still wait for something."""
    under_way: tuple[str, ...] = ()
    """Keys of those whose request is under way, or whose outcome is not known yet."""
    duplicates: int = 0
    """Records of duplicates whose items are gone."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Of all these items."""
        return (*self.settled, *self.open, *self.under_way)


@dataclass(slots=True)
class Forgotten:
    """What was taken out: how many of each."""

    items: int = 0
    dropped: int = 0
    """How many of those were open, and were dropped."""
    attempts: int = 0
    repeats: int = 0
    loops: int = 0
    duplicates: int = 0
    """How many records of duplicates, also of items that are gone."""

    def __add__(self, other: Self) -> "Forgotten":
        return Forgotten(*(sum(pair) for pair in zip(astuple(self), astuple(other), strict=True)))


def holding(conn: sqlite3.Connection, address: str) -> Holding:
    """Where the address stands, as sender, recipient or in any text. It is looked for in small letters."""
    _teach(conn)
    rows = conn.execute(
        f"SELECT key, state FROM items WHERE {_HOLDS_IT} ORDER BY id", _forms(address)
    ).fetchall()
    found: dict[str, list[str]] = {"settled": [], "open": [], "under_way": []}
    for row in rows:
        found[_kind(ItemState(row["state"]))].append(row["key"])
    gone: int = conn.execute(
        f"SELECT count(*) FROM duplicates WHERE {_HELD_BY_A_DUPLICATE}", (address.lower(),)
    ).fetchone()[0]
    return Holding(**{kind: tuple(keys) for kind, keys in found.items()}, duplicates=gone)


def _teach(conn: sqlite3.Connection) -> None:
    """SQLite's own lower() knows the letters of ASCII alone, and no JSON."""
    conn.create_function("holds", 2, _holds, deterministic=True)


def _holds(kept: str | bytes | None, small: str) -> bool:
    """Whether these words are in what is kept, whatever their case."""
    if isinstance(kept, bytes):
        return small in kept.decode(errors="replace").lower() or small in _unescaped(kept).lower()
    return kept is not None and small in kept.lower()


def _unescaped(body: bytes) -> str:
    """A webhook's body, whose JSON may write any letter as an escape."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""


def _forms(address: str) -> tuple[str]:
    """The address as JSON writes it within quotes: a quote or backslash of its own is escaped there."""
    return (orjson.dumps(address.lower()).decode()[1:-1],)


def _kind(state: ItemState) -> str:
    if state in {ItemState.SENDING, ItemState.UNCERTAIN}:
        return "under_way"
    return "open" if state in OPEN else "settled"


def forget_items(conn: sqlite3.Connection, keys: Iterable[str], now: int, *, drop_open: bool) -> Forgotten:
    """Take out what is a person's of those of these items that are settled, and of open ones if asked.

    Key, state, times, place, route and event ID stay, so that nothing is posted twice and all is still accounted for.
    What changed its state since it was looked for is judged by the state that it has now.
    """
    done = Forgotten()
    for key in keys:
        row = conn.execute("SELECT id, state, conversation FROM items WHERE key = ?", (key,)).fetchone()
        kind = "" if row is None else _kind(ItemState(row["state"]))
        if kind == "settled" or (kind == "open" and drop_open):
            _forget_item(conn, row, now, done)
    return done


def forget_records(conn: sqlite3.Connection, address: str) -> Forgotten:
    """Take the address out of what is kept beside items: records of duplicates whose items are gone, and of loops."""
    _teach(conn)
    small = (address.lower(),)
    return Forgotten(
        duplicates=conn.execute(f"{_FORGET_DUPLICATES} {_HELD_BY_A_DUPLICATE}", small).rowcount,
        loops=conn.execute("DELETE FROM loops WHERE holds(name, ?)", small).rowcount,
    )


def _forget_item(conn: sqlite3.Connection, row: sqlite3.Row, now: int, done: Forgotten) -> None:
    item_id, state = row["id"], ItemState(row["state"])
    if state in OPEN:
        conn.execute(
            "UPDATE items SET state = 'filtered', reason = ?, settled_at = ? WHERE id = ?",
            (Reason.OPERATOR_DROP, now, item_id),
        )
        done.dropped += 1
    conn.execute(
        "UPDATE items SET message = ?, event = NULL, digest = NULL, raw = NULL, detail = '', "
        "conversation = 'forgotten ' || key WHERE id = ?",
        (orjson.dumps(FORGOTTEN).decode(), item_id),
    )
    if state in OPEN:
        give_turn(conn, row["conversation"])
    done.items += 1
    done.attempts += conn.execute(
        "UPDATE attempts SET words = NULL, digest = '' WHERE item_id = ?", (item_id,)
    ).rowcount
    done.duplicates += conn.execute(f"{_FORGET_DUPLICATES} item_id = ?", (item_id,)).rowcount
    done.repeats += conn.execute("DELETE FROM repeats WHERE item_id = ?", (item_id,)).rowcount
