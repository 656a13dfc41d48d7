"""Notices of how events ended, to be sent over webhooks: the rows, which a trigger makes (0005_follow_up.sql)."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from bridge.ledger.access import Access


class NoticeOutcome(StrEnum):
    """How a notice ended. Also a label of the metric `acd_bridge_notices`."""

    TAKEN = "taken"  #: the receiver answered 2xx
    GONE = "gone"  #: the receiver answered 410: it wants no more of it
    GAVE_UP = "gave-up"  #: the time of `notify.give_up_after` ran out
    CANCELLED = "cancelled"  #: the configuration names no such receiver any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice that is due, with all that it tells. Times are milliseconds since 1970 in UTC."""

    item_id: int
    began_at: int
    tries: int
    """How often it was not taken."""
    key: str
    source: str
    kind: str
    route: str
    state: str
    """`created` or `updated`: whether the item made the event."""
    ticket_number: str | None
    message_id: str | None
    acd_event_id: int
    outcome: str
    """How the event ended: `done` or `error`."""
    settled_at: int | None
    new_at: int | None
    seen_at: int | None
    done_at: int | None
    ended_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of one try to send a notice."""

    item_id: int
    outcome: NoticeOutcome | None
    """None where it is tried again at `due_at`."""
    due_at: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeState:
    """How an item's notice stands, for people."""

    target: str
    due_at: int
    tries: int
    ended_at: int | None
    outcome: str
    detail: str


def set_targets(conn: sqlite3.Connection, targets: Sequence[str], longest: int, now: int) -> int:
    """Who can be told from now on. What waits for others is cancelled; how many that were.

    What a clock that was wrong has put beyond the longest wait, in milliseconds, comes sooner.
    """
    conn.execute(
        "UPDATE notices SET due_at = min(due_at, ?1 + ?2), began_at = min(began_at, ?1) "
        "WHERE ended_at IS NULL AND (due_at > ?1 + ?2 OR began_at > ?1)",
        (now, longest),
    )
    marks = ", ".join("?" * len(targets))
    return conn.execute(
        f"UPDATE notices SET ended_at = ?, outcome = ? WHERE ended_at IS NULL AND target NOT IN ({marks})",
        (now, NoticeOutcome.CANCELLED, *targets),
    ).rowcount


def due(conn: sqlite3.Connection, target: str, now: int, limit: int) -> list[Notice]:
    """The notices to this target that may be sent now, the longest due first."""
    rows = conn.execute(
        "SELECT n.item_id, n.began_at, n.tries, i.key, i.source, i.kind, i.route, i.state, "
        "i.message ->> 'ticket_number' AS ticket_number, i.message ->> 'message_id' AS message_id, "
        "f.acd_event_id, f.outcome, i.settled_at, f.new_at, f.seen_at, f.done_at, f.ended_at "
        "FROM notices n INDEXED BY notices_due JOIN items i ON i.id = n.item_id "
        "JOIN follow_ups f ON f.item_id = n.item_id "
        "WHERE n.ended_at IS NULL AND n.target = ? AND n.due_at <= ? ORDER BY n.due_at, n.item_id LIMIT ?",
        (target, now, limit),
    )
    return [Notice(**dict(row)) for row in rows.fetchall()]


def record(conn: sqlite3.Connection, sent: Sequence[Sent], now: int) -> None:
    """Write down what came of sending."""
    for one in sent:
        if one.outcome is None:
            conn.execute(
                "UPDATE notices SET tries = tries + 1, due_at = ?, detail = ? WHERE item_id = ? AND ended_at IS NULL",
                (one.due_at, one.detail, one.item_id),
            )
        else:
            conn.execute(
                "UPDATE notices SET ended_at = ?, outcome = ?, detail = ? WHERE item_id = ? AND ended_at IS NULL",
                (now, one.outcome, one.detail, one.item_id),
            )


def waiting(conn: sqlite3.Connection) -> dict[str, int]:
    """How many notices have not ended, by target."""
    rows = conn.execute(
        "SELECT target, count(*) FROM notices INDEXED BY notices_due WHERE ended_at IS NULL GROUP BY target"
    )
    return dict(rows.fetchall())


def state_of(conn: sqlite3.Connection, item_id: int) -> NoticeState | None:
    """How an item's notice stands; None where nobody is told."""
    row = conn.execute(
        "SELECT target, due_at, tries, ended_at, outcome, detail FROM notices WHERE item_id = ?", (item_id,)
    ).fetchone()
    return None if row is None else NoticeState(**dict(row))


class Notices:
    """What the running service asks of these rows. Every method may raise StateFileError."""

    def __init__(self, read: Access, write: Access) -> None:
        self._read = read
        self._write = write

    async def set_targets(self, targets: Sequence[str], *, longest: int, now: int) -> int:
        """See `set_targets`."""
        return await self._write(partial(set_targets, targets=targets, longest=longest, now=now))

    async def due(self, target: str, *, now: int, limit: int) -> list[Notice]:
        """See `due`."""
        return await self._read(partial(due, target=target, now=now, limit=limit))

    async def record(self, sent: Sequence[Sent], *, now: int) -> None:
        """See `record`; on disk when this returns."""
        await self._write(partial(record, sent=sent, now=now))

    async def waiting(self) -> dict[str, int]:
        """See `waiting`."""
        return await self._read(waiting)
