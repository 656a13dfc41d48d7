"""Write functions of the delivery: claim what is due, write down what came of it."""

import hashlib
import sqlite3
from collections.abc import Sequence

import orjson

from bridge.event import EventDraft
from bridge.ledger.accepting import OPEN_LIST
from bridge.ledger.item import Claimed, Settlement
from bridge.ledger.state import OPEN, ItemState
from bridge.reason import Reason

DUE = """
    SELECT id FROM items INDEXED BY items_due
    WHERE state = 'pending' AND turn = 1 AND due_at <= ? ORDER BY due_at, id LIMIT ?
"""
_CLAIM = f"""
    UPDATE items SET state = 'sending' WHERE id IN ({DUE})
    RETURNING id, key, source, conversation, tries, accepted_at, event,
              (SELECT coalesce(max(number), 0) + 1 FROM attempts WHERE item_id = items.id) AS attempt
"""


def claim(conn: sqlite3.Connection, limit: int, now: int) -> list[Claimed]:
    """Take up to `limit` due items, oldest first, and write their attempts down before any request is sent.

    At most one item of a conversation is taken: only the first that is open has its turn.
    """
    rows = conn.execute(_CLAIM, (now, limit)).fetchall()
    conn.executemany(
        "INSERT INTO attempts (item_id, number, started_at, digest) VALUES (?, ?, ?, ?)",
        [(row["id"], row["attempt"], now, hashlib.sha256(row["event"].encode()).hexdigest()) for row in rows],
    )
    return sorted((_claimed(row) for row in rows), key=lambda item: item.id)


def _claimed(row: sqlite3.Row) -> Claimed:
    return Claimed(
        id=row["id"],
        key=row["key"],
        source=row["source"],
        conversation=row["conversation"],
        attempt=row["attempt"],
        tries=row["tries"],
        accepted_at=row["accepted_at"],
        event=EventDraft.from_dict(orjson.loads(row["event"])),
    )


def turn(
    conn: sqlite3.Connection, settled: Sequence[tuple[Claimed, Settlement]], limit: int, now: int
) -> list[Claimed]:
    """One turn of the delivery: write down what ended, then claim what may be begun."""
    for item, settlement in settled:
        settle(conn, item, settlement, now)
    return claim(conn, limit, now) if limit > 0 else []


def settle(conn: sqlite3.Connection, item: Claimed, settlement: Settlement, now: int) -> None:
    """Write down how an attempt ended and where the item stands now."""
    final = settlement.state not in OPEN
    conn.execute(
        "UPDATE attempts SET ended_at = ?, outcome = ?, reason = ?, http_status = ?, words = ?, "
        "acd_event_id = ? WHERE item_id = ? AND number = ?",
        (
            now,
            settlement.outcome,
            settlement.reason,
            settlement.http_status,
            settlement.words,
            settlement.acd_event_id,
            item.id,
            item.attempt,
        ),
    )
    conn.execute(
        "UPDATE items SET state = ?, reason = ?, detail = ?, due_at = ?, tries = tries + ?, settled_at = ?, "
        "acd_event_id = coalesce(?, acd_event_id) WHERE id = ?",
        (
            settlement.state,
            settlement.reason,
            settlement.words,
            settlement.due_at or now,
            int(settlement.counts),
            now if final else None,
            settlement.acd_event_id,
            item.id,
        ),
    )
    if settlement.state is ItemState.UPDATED and settlement.acd_event_id is not None:
        _record_duplicate(conn, item.id, settlement.acd_event_id, now)
    if final:
        give_turn(conn, item.conversation)


def _record_duplicate(conn: sqlite3.Connection, item_id: int, event_id: int, now: int) -> None:
    conn.execute(
        "INSERT INTO duplicates (acd_event_id, item_id, first_item_id, at) VALUES (?1, ?2, "
        "(SELECT min(id) FROM items WHERE acd_event_id = ?1 AND state = 'created'), ?3)",
        (event_id, item_id, now),
    )


def give_turn(conn: sqlite3.Connection, conversation: str) -> None:
    """Let the first open item of a conversation go next."""
    conn.execute(
        f"UPDATE items SET turn = 1 WHERE id = (SELECT min(id) FROM items INDEXED BY items_open WHERE conversation = ? "
        f"AND state IN {OPEN_LIST}) AND turn = 0",
        (conversation,),
    )


def recover(conn: sqlite3.Connection, now: int) -> int:
    """At start: items whose request was under way when the bridge stopped are uncertain. Returns how many."""
    conn.execute(
        "UPDATE attempts SET ended_at = ?, outcome = 'uncertain', reason = ? WHERE ended_at IS NULL",
        (now, Reason.CRASHED_WHILE_SENDING),
    )
    return conn.execute(
        "UPDATE items SET state = 'uncertain', reason = ? WHERE state = 'sending'",
        (Reason.CRASHED_WHILE_SENDING,),
    ).rowcount
