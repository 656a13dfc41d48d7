"""Items whose event may exist: which they are, who owns which event, and what was found out about them."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from bridge.event import EventDraft
from bridge.ledger.duplicates import name_maker
from bridge.ledger.outbox import give_turn
from bridge.ledger.state import ItemState
from bridge.reason import Reason

MOST_DOUBTS = 1000
"""So many are looked for in one reading of the ACD's list; the others follow in the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """An item that is uncertain, or under way, and its last attempt. Times are milliseconds since 1970 in UTC."""

    id: int
    key: str
    conversation: str
    event: EventDraft
    attempt: int
    sent_at: int
    """When the attempt began, written before its request left."""
    ended_at: int
    """When its outcome was given up on; when the attempt began, where it has not ended."""
    after_event: int | None = None
    """An event of ours that the ACD had made before the attempt began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The event of an item was found in the ACD's list."""

    doubt: Doubt
    acd_event_id: int


def doubts(conn: sqlite3.Connection) -> list[Doubt]:
    """The oldest uncertain items."""
    return _of_state(conn, ItemState.UNCERTAIN)


def end_by_now(conn: sqlite3.Connection, now: int) -> None:
    """Attempts in doubt that a clock, which was set back since, has ended in the future have ended now."""
    conn.execute(
        "UPDATE attempts SET ended_at = ?1 FROM items WHERE items.state = 'uncertain' "
        "AND items.id = attempts.item_id AND items.attempts = attempts.number AND attempts.ended_at > ?1",
        (now,),
    )


def under_way(conn: sqlite3.Connection) -> list[Doubt]:
    """The items whose request is under way, or is about to leave: an event in the ACD's list may be theirs."""
    return _of_state(conn, ItemState.SENDING)


def _of_state(conn: sqlite3.Connection, state: ItemState) -> list[Doubt]:
    rows = conn.execute(
        "SELECT i.id, i.key, i.conversation, i.event, a.number AS attempt, a.started_at AS sent_at, "
        "coalesce(a.ended_at, a.started_at) AS ended_at, a.after_event "
        "FROM items i JOIN attempts a ON a.item_id = i.id AND a.number = i.attempts "
        "WHERE i.state = ? ORDER BY i.id LIMIT ?",
        (state, MOST_DOUBTS),
    )
    return [doubt for row in rows.fetchall() if (doubt := _doubt(row)) is not None]


def _doubt(row: sqlite3.Row) -> Doubt | None:
    """The row as a value; None where this version cannot read its event, so that it waits for an operator."""
    try:
        event = EventDraft.from_dict(orjson.loads(row["event"]))
    except (TypeError, ValueError):
        return None
    return Doubt(**(dict(row) | {"event": event}))


def owners(conn: sqlite3.Connection, event_ids: Iterable[int]) -> dict[int, int]:
    """Which of these events were made for an item, and when its attempt had ended.

    An item that went into an event (`UPDATED`) does not own it: the one in doubt may have made it.
    """
    rows = conn.execute(
        "SELECT acd_event_id, min(settled_at) AS settled_at FROM items WHERE acd_event_id IN "
        "(SELECT value FROM json_each(?)) AND state = 'created' AND settled_at IS NOT NULL GROUP BY acd_event_id",
        (orjson.dumps(list(event_ids)).decode(),),
    )
    return {row["acd_event_id"]: row["settled_at"] for row in rows.fetchall()}


def resolve(
    conn: sqlite3.Connection,
    found: Sequence[Found],
    again: Sequence[Doubt],
    now: int,
    why_again: str = "its event was not in the ACD's list",
) -> Mapping[str, str]:
    """Settle the items whose event was found, and make the others due again; each item's new state by its key.

    An item that an operator has decided about meanwhile stays as it is, and so does one whose event turned out to be
    another item's.
    """
    states = {one.doubt.key: _settle(conn, one, now) for one in found}
    states |= {doubt.key: _post_again(conn, doubt, now, why_again) for doubt in again}
    return {key: state for key, state in states.items() if state}


def _settle(conn: sqlite3.Connection, found: Found, now: int) -> str:
    moved = conn.execute(
        "UPDATE items SET state = 'created', reason = ?, detail = ?, acd_event_id = ?, settled_at = ? "
        "WHERE id = ? AND state = 'uncertain' AND attempts = ? "
        "AND NOT EXISTS (SELECT 1 FROM items AS maker WHERE maker.acd_event_id = ? AND maker.state = 'created')",
        (
            Reason.NONE,
            "its event was found in the ACD's list",
            found.acd_event_id,
            now,
            found.doubt.id,
            found.doubt.attempt,
            found.acd_event_id,
        ),
    ).rowcount
    if not moved:
        return ""
    conn.execute(
        "UPDATE attempts SET acd_event_id = ? WHERE item_id = ? AND number = ?",
        (found.acd_event_id, found.doubt.id, found.doubt.attempt),
    )
    name_maker(conn, found.doubt.id)
    give_turn(conn, found.doubt.conversation)
    return "created"


def hold(conn: sqlite3.Connection, doubts: Sequence[Doubt]) -> Mapping[str, str]:
    """Hold these uncertain items for an operator's word; the new state of those that still were, by their keys."""
    rows = conn.execute(
        "UPDATE items SET state = 'held', reason = ?, detail = ? WHERE state = 'uncertain' "
        "AND id IN (SELECT value FROM json_each(?)) RETURNING key",
        (
            Reason.LIST_UNREADABLE,
            "look into the ACD before you post it again: its event may exist",
            orjson.dumps([doubt.id for doubt in doubts]).decode(),
        ),
    ).fetchall()
    return {row["key"]: "held" for row in rows}


def _post_again(conn: sqlite3.Connection, doubt: Doubt, now: int, why: str) -> str:
    moved = conn.execute(
        "UPDATE items SET state = 'pending', detail = ?, due_at = ?, tries = tries + 1 "
        "WHERE id = ? AND state = 'uncertain' AND attempts = ?",
        (why, now, doubt.id, doubt.attempt),
    ).rowcount
    return "pending" if moved else ""
