"""Events of settled items that are followed in the ACD: the rows, which a trigger makes (0005_follow_up.sql)."""

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from bridge.ledger.access import Access


class FollowUpOutcome(StrEnum):
    """How the following of an event ended. Also a label of the metric `acd_bridge_follow_ups`."""

    DONE = "done"  #: the event is Done in the ACD
    ERROR = "error"  #: the event is in Error in the ACD
    UNKNOWN = "unknown"  #: the ACD knows no event of this ID any more, as after it has purged it
    GAVE_UP = "gave-up"  #: the time of `follow_up.give_up_after` ran out before the event had ended
    CANCELLED = "cancelled"  #: its route does not follow events any more


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedRoute:
    """A route whose events are followed, and who is told of their end."""

    route: str
    notify: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """An event that has not ended, as far as is known. Times are milliseconds since 1970 in UTC."""

    item_id: int
    key: str
    acd_event_id: int
    own: bool
    """Whether the event was made when the item was settled; else it was there before, or was found later."""
    began_at: int
    """When the item was settled."""
    steady: int
    """Looks since anything new was found."""
    looked_at: int | None
    status: int | None
    reached: frozenset[str] = frozenset()
    """Those of `new_at`, `seen_at` and `done_at` that are known already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look at an event found, and what follows from it."""

    item_id: int
    due_at: int
    """When it is looked at next, unless it has ended."""
    steady: int
    told: bool
    """Whether the ACD told the event's state."""
    status: int | None = None
    status_name: str = ""
    new_at: int | None = None
    seen_at: int | None = None
    done_at: int | None = None
    outcome: FollowUpOutcome | None = None
    """None where it goes on."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpState:
    """How the following of an item's event stands, for people."""

    acd_event_id: int
    status: int | None
    status_name: str
    new_at: int | None
    seen_at: int | None
    done_at: int | None
    looks: int
    looked_at: int | None
    due_at: int
    ended_at: int | None
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpTotals:
    """How many events are followed, and since when the oldest look is due; milliseconds since 1970."""

    waiting: int
    next_due: int | None


def set_routes(
    conn: sqlite3.Connection, routes: Sequence[FollowedRoute], first: int, longest: int, now: int
) -> int:
    """Which routes follow their events from now on. What waits for others is cancelled; how many that were.

    `first` and `longest` are milliseconds to the first look, and between two looks. What a clock that was wrong, or a
    longer wait, has put into a further future comes sooner.
    """
    conn.execute("DELETE FROM follow_up_routes")
    conn.executemany(
        "INSERT INTO follow_up_routes (route, first, notify) VALUES (?, ?, ?)",
        [(one.route, first, one.notify) for one in routes],
    )
    conn.execute(
        "UPDATE follow_ups SET due_at = min(due_at, ?1 + ?2), began_at = min(began_at, ?1) "
        "WHERE ended_at IS NULL AND (due_at > ?1 + ?2 OR began_at > ?1)",
        (now, longest),
    )
    return conn.execute(
        "UPDATE follow_ups SET ended_at = ?, outcome = ? WHERE ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM items "
        "JOIN follow_up_routes ON follow_up_routes.route = items.route WHERE items.id = follow_ups.item_id)",
        (now, FollowUpOutcome.CANCELLED),
    ).rowcount


def due(conn: sqlite3.Connection, now: int, limit: int) -> list[Followed]:
    """The events that are due to be looked at, the longest due first."""
    rows = conn.execute(
        "SELECT f.item_id, i.key, f.acd_event_id, f.began_at, f.steady, f.looked_at, "
        "f.status, f.new_at, f.seen_at, f.done_at, EXISTS (SELECT 1 FROM attempts AS last "
        "WHERE last.item_id = i.id AND last.number = i.attempts AND last.outcome = 'created') AS own "
        "FROM follow_ups f INDEXED BY follow_ups_due JOIN items i ON i.id = f.item_id "
        "WHERE f.ended_at IS NULL AND f.due_at <= ? ORDER BY f.due_at, f.item_id LIMIT ?",
        (now, limit),
    )
    return [_followed(dict(row)) for row in rows.fetchall()]


def _followed(fields: dict[str, Any]) -> Followed:
    times = {name: fields.pop(name) for name in ("new_at", "seen_at", "done_at")}
    reached = frozenset(name for name, time in times.items() if time is not None)
    return Followed(**(fields | {"own": bool(fields["own"]), "reached": reached}))


def record(conn: sqlite3.Connection, looked: Sequence[Looked], now: int) -> None:
    """Write down what looks found. With an event's end go the action on its mail and the notice, by triggers.

    What has ended meanwhile stays as it is, and a time that is known is not changed any more.
    """
    conn.executemany(_RECORD, [asdict(one) | {"now": now, "outcome": one.outcome or ""} for one in looked])


_RECORD = """
    UPDATE follow_ups SET due_at = :due_at, looks = looks + 1, steady = :steady, detail = :detail,
        looked_at = CASE WHEN :told THEN :now ELSE looked_at END,
        status = CASE WHEN :told THEN :status ELSE status END,
        status_name = CASE WHEN :told THEN :status_name ELSE status_name END,
        new_at = coalesce(new_at, :new_at), seen_at = coalesce(seen_at, :seen_at),
        done_at = coalesce(done_at, :done_at),
        ended_at = CASE WHEN :outcome <> '' THEN :now END, outcome = :outcome
    WHERE item_id = :item_id AND ended_at IS NULL
"""


def totals(conn: sqlite3.Connection) -> FollowUpTotals:
    """How many events are followed, and when the next look is due."""
    row = conn.execute(
        "SELECT count(*) AS waiting, min(due_at) AS next_due FROM follow_ups INDEXED BY follow_ups_due "
        "WHERE ended_at IS NULL"
    ).fetchone()
    return FollowUpTotals(**dict(row))


def state_of(conn: sqlite3.Connection, item_id: int) -> FollowUpState | None:
    """How the following of an item's event stands; None where it is not followed."""
    row = conn.execute(
        "SELECT acd_event_id, status, status_name, new_at, seen_at, done_at, looks, looked_at, due_at, ended_at, "
        "outcome, detail FROM follow_ups WHERE item_id = ?",
        (item_id,),
    ).fetchone()
    return None if row is None else FollowUpState(**dict(row))


class FollowUps:
    """What the running service asks of these rows. Every method may raise StateFileError."""

    def __init__(self, read: Access, write: Access) -> None:
        self._read = read
        self._write = write

    async def set_routes(self, routes: Sequence[FollowedRoute], *, first: int, longest: int, now: int) -> int:
        """See `set_routes`. Before the first item is settled."""
        return await self._write(partial(set_routes, routes=routes, first=first, longest=longest, now=now))

    async def due(self, *, now: int, limit: int) -> list[Followed]:
        """See `due`."""
        return await self._read(partial(due, now=now, limit=limit))

    async def record(self, looked: Sequence[Looked], *, now: int) -> None:
        """See `record`; on disk when this returns."""
        await self._write(partial(record, looked=looked, now=now))

    async def totals(self) -> FollowUpTotals:
        """See `totals`."""
        return await self._read(totals)
