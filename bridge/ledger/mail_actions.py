"""What is still to be done with the mails of settled items: the rows, which triggers make.

Those are in 0005_follow_up.sql, and for mails that another item stands for in 0007_copies.sql.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import orjson

from bridge.ledger.access import Access

LONGEST_WAIT_MS = 86_400_000
"""No action is put off for longer."""
MOST_PLACES = 10
"""Places of one item that are looked at: where it was found first, and again."""


class ActionOutcome(StrEnum):
    """How an action on a mail ended. Also a label of the metric `acd_bridge_mail_actions`."""

    DONE = "done"  #: the mail server did it
    DELETED_FLAG = "marked-deleted"  #: as far as the server can: it is marked as deleted and still there
    VANISHED = "vanished"  #: the mail was gone, or nobody knows any more which one it was
    CANCELLED = "cancelled"  #: the configuration asks for no action any more


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAction:
    """A mail whose item is settled. Times are milliseconds since 1970 in UTC."""

    item_id: int
    places: tuple[str, ...]
    """`folder/uidvalidity/uid`: where it was found first, then by the newest numbering of its folder."""
    message_id: str
    """Empty where it has none."""
    received_at: int
    """When the mail came (INTERNALDATE); 0 where the server did not tell it."""
    tries: int
    begun: bool
    """Whether a copy may be in the target folder already: it was begun, and its end was not written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionState:
    """How an item's action stands, for people."""

    due_at: int
    tries: int
    ended_at: int | None
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """An action that the mail server refused; tried again at `due_at`."""

    item_id: int
    due_at: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An action that is over."""

    item_id: int
    outcome: ActionOutcome
    detail: str = ""


def set_sources(
    conn: sqlite3.Connection, sources: Sequence[str], now: int, when_done: Sequence[str] = ()
) -> int:
    """Which mailboxes have an action from now on: once an item is settled, or once its event is Done.

    What waits for others is cancelled; how many that were. What a clock that was wrong has put into a far future is due
    now.
    """
    conn.execute(
        "UPDATE mail_actions SET due_at = ?1 WHERE ended_at IS NULL AND due_at > ?1 + ?2",
        (now, LONGEST_WAIT_MS),
    )
    stages = [(one, "settled") for one in set(sources)] + [(one, "done") for one in set(when_done)]
    conn.execute("DELETE FROM mail_action_sources")
    conn.executemany("INSERT INTO mail_action_sources (source, stage) VALUES (?, ?)", stages)
    return conn.execute(
        "UPDATE mail_actions SET ended_at = ?, outcome = ? WHERE ended_at IS NULL "
        "AND source NOT IN (SELECT source FROM mail_action_sources)",
        (now, ActionOutcome.CANCELLED),
    ).rowcount


def due(conn: sqlite3.Connection, source: str, now: int, limit: int) -> list[MailAction]:
    """The actions of a mailbox that may be tried now, oldest first."""
    rows = conn.execute(
        "SELECT a.item_id, a.tries, a.begun_at, i.place, i.received_at, i.message ->> 'message_id' AS message_id, "
        "(SELECT json_group_array(place) FROM (SELECT n.folder || '/' || n.uidvalidity || '/' || p.uid AS place "
        "FROM places p JOIN numberings n ON n.id = p.numbering_id WHERE p.key = i.key "
        "ORDER BY n.id DESC LIMIT ?)) AS places "
        "FROM mail_actions a INDEXED BY mail_actions_due JOIN items i ON i.id = a.item_id "
        "WHERE a.ended_at IS NULL AND a.source = ? AND a.due_at <= ? ORDER BY a.due_at, a.item_id LIMIT ?",
        (MOST_PLACES, source, now, limit),
    )
    return [_action(row) for row in rows.fetchall()]


def _action(row: sqlite3.Row) -> MailAction:
    return MailAction(
        item_id=row["item_id"],
        places=(row["place"], *orjson.loads(row["places"])),
        message_id=row["message_id"] or "",
        received_at=row["received_at"],
        tries=row["tries"],
        begun=row["begun_at"] is not None,
    )


def waiting(conn: sqlite3.Connection, source: str) -> int:
    """How many actions of a mailbox have not ended."""
    count: int = conn.execute(
        "SELECT count(*) FROM mail_actions INDEXED BY mail_actions_due WHERE ended_at IS NULL AND source = ?",
        (source,),
    ).fetchone()[0]
    return count


def begin(conn: sqlite3.Connection, item_ids: Sequence[int], now: int) -> None:
    """Write down that copies of these may be made from now on."""
    conn.executemany(
        "UPDATE mail_actions SET begun_at = ? WHERE item_id = ?", [(now, one) for one in item_ids]
    )


def record(
    conn: sqlite3.Connection, ended: Sequence[Ended], postponed: Sequence[Postponed], now: int
) -> None:
    """Write down what came of actions."""
    conn.executemany(
        "UPDATE mail_actions SET ended_at = ?, outcome = ?, detail = ? WHERE item_id = ?",
        [(now, one.outcome, one.detail, one.item_id) for one in ended],
    )
    conn.executemany(
        "UPDATE mail_actions SET tries = tries + 1, due_at = ?, detail = ? WHERE item_id = ?",
        [(one.due_at, one.detail, one.item_id) for one in postponed],
    )


def state_of(conn: sqlite3.Connection, item_id: int) -> ActionState | None:
    """How an item's action stands; None where there is none."""
    row = conn.execute(
        "SELECT due_at, tries, ended_at, outcome, detail FROM mail_actions WHERE item_id = ?", (item_id,)
    ).fetchone()
    return None if row is None else ActionState(**dict(row))


def waits_for_done(conn: sqlite3.Connection, item_id: int) -> bool:
    """Whether the item's mail gets its action only when its event, which is still followed, is Done.

    The event may be that of another item that stands for it.
    """
    row = conn.execute(
        "SELECT 1 FROM items i JOIN mail_action_sources s ON s.source = i.source AND s.stage = 'done' "
        "JOIN follow_ups f ON f.ended_at IS NULL AND f.item_id IN (SELECT i.id UNION ALL "
        "SELECT first_item_id FROM duplicates WHERE item_id = i.id AND kind <> 'updated' AND over_at IS NULL) "
        "WHERE i.id = ? AND i.kind = 'mail'",
        (item_id,),
    ).fetchone()
    return row is not None


class MailActions:
    """What the running service asks of these rows. Every method may raise StateFileError."""

    def __init__(self, read: Access, write: Access) -> None:
        self._read = read
        self._write = write

    async def set_sources(self, sources: Sequence[str], *, when_done: Sequence[str] = (), now: int) -> int:
        """See `set_sources`. Before the first item is settled."""
        return await self._write(partial(set_sources, sources=sources, when_done=when_done, now=now))

    async def due(self, source: str, *, now: int, limit: int) -> list[MailAction]:
        """See `due`."""
        return await self._read(partial(due, source=source, now=now, limit=limit))

    async def waiting(self, source: str) -> int:
        """See `waiting`."""
        return await self._read(partial(waiting, source=source))

    async def begin(self, item_ids: Sequence[int], *, now: int) -> None:
        """See `begin`; on disk when this returns."""
        await self._write(partial(begin, item_ids=item_ids, now=now))

    async def record(self, ended: Sequence[Ended], postponed: Sequence[Postponed], *, now: int) -> None:
        """See `record`; on disk when this returns."""
        await self._write(partial(record, ended=ended, postponed=postponed, now=now))
