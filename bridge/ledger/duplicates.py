"""Duplicates: items that went into an event that was there before, and items that another item stands for.

A row carries what an operator needs by itself, since it outlives its items.
"""

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from bridge.ledger.state import OPEN_LIST

BATCH = 2000
"""Rows that are removed at once; bounds the time that other writes wait."""
MOST_OF_AN_ITEM = 100
MOST_REPEATS = 1000
"""Repeats of one event that are told one by one; their number is always whole."""


class DuplicateKind(StrEnum):
    """Why an item is a duplicate."""

    UPDATED = "updated"  #: the ACD had such an event already and added to it (`Result_` = `UPDATED`)
    SAME_CASE = "same-case"  #: the case came by another source too, whose item stands for this one
    SAME_LETTER = "same-letter"  #: another copy of the mail stands for this one


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """One item that made no event of its own. Times are milliseconds since 1970 in UTC."""

    at: int
    kind: DuplicateKind
    acd_event_id: int | None
    """None as long as the item that stands for it has no event."""
    key: str
    source: str
    sender: str
    subject: str
    ticket_number: str
    first_key: str | None
    """The item that made the event, or is to make it; None where none is known."""
    first_source: str | None
    first_at: int | None
    over_at: int | None
    """Since when it stands for itself; None where it still is a duplicate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatedEvent:
    """An event, and what went into it beside its first item."""

    acd_event_id: int | None
    """None as long as the first item has no event."""
    first_key: str | None
    first_source: str | None
    first_at: int | None
    repeats: int
    """How many fit what was asked for."""
    first_repeat_at: int
    last_repeat_at: int
    each: tuple[Duplicate, ...]
    """The newest of them, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateFilter:
    """Which repeats are asked for. All given conditions must hold."""

    acd_event_id: int | None = None
    ticket_number: str | None = None
    since: int | None = None
    """Repeated at this time or later."""


EVERY_DUPLICATE = DuplicateFilter()

_CONDITIONS = {
    "acd_event_id": "acd_event_id = ?",
    # The second term is that of the index.
    "ticket_number": "ticket_number = ? AND ticket_number <> ''",
    "since": "at >= ?",
}
_COLUMNS = (
    "at, kind, acd_event_id, key, source, sender, subject, ticket_number, "
    "first_key, first_source, first_at, over_at"
)
_REPEATS = "over_at IS NULL AND kind <> 'same-letter'"
"""What is told: not each label of a mail."""
_RECORD_UPDATED = """
    INSERT INTO duplicates (kind, at, acd_event_id, item_id, key, source, sender, subject, ticket_number,
                            first_item_id, first_key, first_source, first_at)
    SELECT 'updated', :now, i.acd_event_id, i.id, i.key, i.source, coalesce(i.message ->> 'sender', ''),
        coalesce(i.message ->> 'subject', ''), coalesce(i.message ->> 'ticket_number', ''),
        f.id, coalesce(f.key, known.first_key), coalesce(f.source, known.first_source),
        coalesce(f.accepted_at, known.first_at)
    FROM json_each(:ids) AS one JOIN items AS i ON i.id = one.value
    LEFT JOIN items AS f ON f.id = (SELECT min(id) FROM items
        WHERE acd_event_id = i.acd_event_id AND state = 'created')
    LEFT JOIN duplicates AS known ON f.id IS NULL AND known.id = (SELECT min(id) FROM duplicates
        WHERE acd_event_id = i.acd_event_id AND first_key IS NOT NULL)
    WHERE i.state = 'updated' AND i.acd_event_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM duplicates AS noted
        WHERE noted.kind = 'updated' AND noted.item_id = i.id AND noted.acd_event_id = i.acd_event_id)
"""
_EVENTS = """
    SELECT {name} AS name, count(*) AS repeats, min(at) AS first_repeat_at, max(at) AS last_repeat_at
    FROM duplicates WHERE acd_event_id IS {null} AND {repeats} {where} GROUP BY {name}
"""


def record_updated(conn: sqlite3.Connection, ids: str, now: int) -> None:
    """The ACD answered `UPDATED` for these settled items; `ids` is a JSON list.

    Safe to do twice. The first item may be gone by now; what earlier duplicates of the event know of it is taken over.
    """
    conn.execute(_RECORD_UPDATED, {"ids": ids, "now": now})


def name_maker(conn: sqlite3.Connection, item_id: int) -> None:
    """An item turned out to have made its event: repeats of it that were noted before name it as the first."""
    conn.execute(
        "UPDATE duplicates SET first_item_id = maker.id, first_key = maker.key, first_source = maker.source, "
        "first_at = maker.accepted_at FROM items AS maker WHERE maker.id = ? AND maker.state = 'created' "
        "AND duplicates.acd_event_id = maker.acd_event_id AND duplicates.first_key IS NULL",
        (item_id,),
    )


def newest(
    conn: sqlite3.Connection, limit: int, wanted: DuplicateFilter = EVERY_DUPLICATE
) -> list[Duplicate]:
    """The newest duplicates, newest first."""
    where, values = _where(wanted)
    rows = conn.execute(
        f"SELECT {_COLUMNS} FROM duplicates WHERE {_REPEATS} {where} ORDER BY at DESC, id DESC LIMIT ?",
        (*values, limit),
    )
    return [_duplicate(row) for row in rows.fetchall()]


def repeated_events(
    conn: sqlite3.Connection, limit: int, wanted: DuplicateFilter = EVERY_DUPLICATE
) -> list[RepeatedEvent]:
    """The events with repeats that fit, the one that was repeated last first."""
    where, values = _where(wanted)
    made = _EVENTS.format(name="acd_event_id", null="NOT NULL", repeats=_REPEATS, where=where)
    to_be_made = _EVENTS.format(name="first_key", null="NULL", repeats=_REPEATS, where=where)
    rows = conn.execute(
        f"SELECT * FROM ({made} UNION ALL {to_be_made}) ORDER BY last_repeat_at DESC, name DESC LIMIT ?",
        (*values, *values, limit),
    ).fetchall()
    return [_repeated_event(conn, row, wanted) for row in rows]


def _repeated_event(conn: sqlite3.Connection, row: sqlite3.Row, wanted: DuplicateFilter) -> RepeatedEvent:
    name = row["name"]
    its = "acd_event_id = ?" if isinstance(name, int) else "acd_event_id IS NULL AND first_key IS ?"
    where, values = _where(wanted)
    each = conn.execute(
        f"SELECT {_COLUMNS} FROM duplicates WHERE {its} AND {_REPEATS} {where} "
        "ORDER BY at DESC, id DESC LIMIT ?",
        (name, *values, MOST_REPEATS),
    ).fetchall()
    # An item that went into an event may stand for another one; the event's own first item is the oldest.
    first = conn.execute(
        f"SELECT first_key, first_source, first_at FROM duplicates WHERE {its} "
        "ORDER BY first_at IS NULL, first_at LIMIT 1",
        (name,),
    ).fetchone()
    return RepeatedEvent(
        acd_event_id=name if isinstance(name, int) else None,
        **dict(first),
        repeats=row["repeats"],
        first_repeat_at=row["first_repeat_at"],
        last_repeat_at=row["last_repeat_at"],
        each=tuple(_duplicate(one) for one in each),
    )


def of_item(conn: sqlite3.Connection, item_id: int) -> list[Duplicate]:
    """Where this item is the duplicate, or the first; the newest, oldest first."""
    rows = conn.execute(
        f"SELECT {_COLUMNS} FROM duplicates WHERE item_id = ?1 OR first_item_id = ?1 ORDER BY id DESC LIMIT ?2",
        (item_id, MOST_OF_AN_ITEM),
    ).fetchall()
    return [_duplicate(row) for row in reversed(rows)]


def remove_old(conn: sqlite3.Connection, before: int) -> int:
    """Remove some that are of before this time (milliseconds since 1970); how many.

    What may still take the place of an open item is found by its record.
    """
    return conn.execute(
        "DELETE FROM duplicates WHERE id IN (SELECT id FROM duplicates WHERE at < ? ORDER BY at LIMIT ?) "
        f"AND NOT (kind = 'same-case' AND over_at IS NULL AND EXISTS (SELECT 1 FROM items "
        f"WHERE items.id = duplicates.first_item_id AND items.state IN {OPEN_LIST}))",
        (before, BATCH),
    ).rowcount


def _where(wanted: DuplicateFilter) -> tuple[str, list[str | int]]:
    given = {name: value for name in _CONDITIONS if (value := getattr(wanted, name)) is not None}
    return "".join(f" AND {_CONDITIONS[name]}" for name in given), list(given.values())


def _duplicate(row: sqlite3.Row) -> Duplicate:
    return Duplicate(**(dict(row) | {"kind": DuplicateKind(row["kind"])}))
