"""Write functions of the delivery: claim what is due, write down what came of it."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from bridge.event import EventDraft
from bridge.ledger.duplicates import name_maker, record_updated
from bridge.ledger.item import Claimed, Settlement
from bridge.ledger.lanes import DUE
from bridge.ledger.state import OPEN, OPEN_LIST, ItemState
from bridge.reason import Reason

LONGEST_WAIT_MS = 2 * 86_400_000
"""No item is put off for longer: Retry-After counts for a day at the most."""

_CLAIM = f"""
    UPDATE items SET state = 'sending', attempts = attempts + 1 WHERE id IN ({DUE})
    RETURNING id, key, source, conversation, lane, attempts, tries, accepted_at, event
"""
_BEGIN_ATTEMPTS = """
    INSERT INTO attempts (item_id, number, started_at, digest, after_event)
    SELECT id, attempts, ?, digest, (SELECT acd_event_id FROM items WHERE state = 'created' ORDER BY id DESC LIMIT 1)
    FROM items WHERE id IN (SELECT value FROM json_each(?))
"""
_UNHEARD = "SELECT id FROM items WHERE state = 'sending' AND id NOT IN (SELECT value FROM json_each(?))"
_TAKE_BACK_ATTEMPTS = """
    DELETE FROM attempts
    WHERE ended_at IS NULL AND item_id IN (SELECT value FROM json_each(?))
"""
_TAKE_BACK_ITEMS = """
    UPDATE items SET state = 'pending', attempts = attempts - 1
    WHERE state = 'sending' AND id IN (SELECT value FROM json_each(?))
"""
# A batch is one JSON text and one statement for each table: each call into SQLite gives the interpreter's lock
# away, and getting it back beside a busy event loop costs more than the statement itself.
_SETTLED = """
    WITH settled AS (SELECT
        value ->> 'id' AS id, value ->> 'number' AS number, value ->> 'conversation' AS conversation,
        value ->> 'state' AS state, value ->> 'outcome' AS outcome, value ->> 'reason' AS reason,
        value ->> 'words' AS words, value ->> 'http_status' AS http_status,
        value ->> 'acd_event_id' AS acd_event_id, value ->> 'due_at' AS due_at, value ->> 'counts' AS counts,
        value ->> 'settled_at' AS settled_at
        FROM json_each(:settled))
"""
_END_ATTEMPTS = f"""{_SETTLED}
    UPDATE attempts SET ended_at = :now, outcome = settled.outcome, reason = settled.reason,
        http_status = settled.http_status, words = settled.words, acd_event_id = settled.acd_event_id
    FROM settled WHERE attempts.item_id = settled.id AND attempts.number = settled.number
        AND attempts.ended_at IS NULL
"""
_MOVE_ITEMS = f"""{_SETTLED}
    UPDATE items SET state = settled.state, reason = settled.reason, detail = settled.words,
        due_at = settled.due_at, tries = items.tries + settled.counts, settled_at = settled.settled_at,
        acd_event_id = coalesce(settled.acd_event_id, items.acd_event_id)
    FROM settled WHERE items.id = settled.id AND items.state = 'sending' AND items.attempts = settled.number
"""
FOUND_BY_POSTING = "the ACD had its event: an attempt made it whose answer was lost"
# An event that nobody else has made, and that says what an attempt in doubt said, was made by that attempt: the ACD's
# `UPDATED` has found it. The item is no repeat of anything. Where a request that may say the same is under way, its
# answer may be that it has made the event.
_FOUND_BY_POSTING = """
    UPDATE items SET state = 'created', detail = ? WHERE id = ? AND state = 'updated' AND attempts = ?
        AND EXISTS (SELECT 1 FROM attempts WHERE item_id = items.id AND number < items.attempts
            AND outcome = 'uncertain')
        AND NOT EXISTS (SELECT 1 FROM items AS maker WHERE maker.acd_event_id = items.acd_event_id
            AND maker.state = 'created')
        AND NOT EXISTS (SELECT 1 FROM duplicates AS known WHERE known.acd_event_id = items.acd_event_id
            AND known.first_key IS NOT NULL AND known.kind = 'updated')
        AND NOT EXISTS (SELECT 1 FROM items AS rival WHERE rival.state = 'sending'
            AND rival.event ->> 'subject' = items.event ->> 'subject')
"""
_GIVE_TURNS = f"""
    UPDATE items SET turn = 1 WHERE turn = 0 AND id IN (
        SELECT (SELECT min(next.id) FROM items AS next INDEXED BY items_open
            WHERE next.conversation = over.value AND next.state IN {OPEN_LIST})
        FROM json_each(?) AS over)
"""


def turn(
    conn: sqlite3.Connection,
    settled: Sequence[tuple[Claimed, Settlement]],
    limit: int,
    now: int,
    history: int | None = None,
    back: Sequence[Claimed] = (),
    in_hand: Sequence[Claimed] | None = None,
) -> list[Claimed]:
    """One turn of the delivery: write down what ended, take back what was not begun, claim what may be begun.

    `in_hand` is given after a turn whose outcome is unknown; see `take_back_unheard`.
    """
    if settled:
        settle(conn, settled, now)
    if back:
        take_back(conn, back)
    if in_hand is not None:
        take_back_unheard(conn, in_hand)
    return claim(conn, limit, now, history) if limit > 0 else []


def claim(conn: sqlite3.Connection, limit: int, now: int, history: int | None = None) -> list[Claimed]:
    """Take up to `limit` due items, oldest first, and write their attempts down before any request is sent.

    Live items go first; at most `history` of the second lane are taken.

    At most one item of a conversation is taken: only the first that is open has its turn.
    """
    places = {"now": now, "limit": limit, "history": limit if history is None else history}
    rows = conn.execute(_CLAIM, places).fetchall()
    if rows:
        conn.execute(_BEGIN_ATTEMPTS, (now, orjson.dumps([row["id"] for row in rows]).decode()))
    read = [(row, _claimed(row)) for row in rows]
    for row, item in read:
        if item is None:
            _set_aside(conn, row, now)
    return sorted((item for _, item in read if item is not None), key=lambda item: item.id)


def take_back(conn: sqlite3.Connection, items: Sequence[Claimed]) -> None:
    """Items that were claimed and whose requests surely were not begun are as if they had not been claimed."""
    _take_back(conn, [item.id for item in items])


def take_back_unheard(conn: sqlite3.Connection, in_hand: Sequence[Claimed]) -> None:
    """Take back what was claimed and the delivery never heard of, since the answer to that turn was lost.

    `in_hand` is all that it has under way or is about to begin. Nobody else claims, so the rest was not begun.
    """
    known = orjson.dumps([item.id for item in in_hand]).decode()
    _take_back(conn, [row["id"] for row in conn.execute(_UNHEARD, (known,)).fetchall()])


def _take_back(conn: sqlite3.Connection, item_ids: Sequence[int]) -> None:
    ids = orjson.dumps(item_ids).decode()
    conn.execute(_TAKE_BACK_ATTEMPTS, (ids,))
    conn.execute(_TAKE_BACK_ITEMS, (ids,))


def _set_aside(conn: sqlite3.Connection, row: sqlite3.Row, now: int) -> None:
    """An item that this version cannot read, as after a step back to an older one, must stop nobody."""
    conn.execute(
        "UPDATE attempts SET ended_at = ?, outcome = 'not-sent', reason = ? WHERE item_id = ? AND number = ?",
        (now, Reason.INVALID_EVENT, row["id"], row["attempts"]),
    )
    conn.execute(
        "UPDATE items SET state = 'quarantined', reason = ?, detail = ?, settled_at = ? WHERE id = ?",
        (Reason.INVALID_EVENT, "this version cannot read its stored event", now, row["id"]),
    )
    give_turn(conn, row["conversation"])


def _claimed(row: sqlite3.Row) -> Claimed | None:
    try:
        event = EventDraft.from_dict(orjson.loads(row["event"]))
    except (TypeError, ValueError):
        return None
    return Claimed(
        id=row["id"],
        key=row["key"],
        source=row["source"],
        conversation=row["conversation"],
        attempt=row["attempts"],
        lane=row["lane"],
        tries=row["tries"],
        accepted_at=row["accepted_at"],
        event=event,
    )


def settle(conn: sqlite3.Connection, settled: Sequence[tuple[Claimed, Settlement]], now: int) -> None:
    """Write down how attempts ended and where their items stand now.

    Safe to do twice, where nobody knows whether it is done: what became of an item since then stands.
    """
    batch = [_settled(item, settlement, now) for item, settlement in settled]
    values = {"settled": orjson.dumps(batch).decode(), "now": now}
    conn.execute(_END_ATTEMPTS, values)
    conn.execute(_MOVE_ITEMS, values)
    updated = [(item, settlement) for item, settlement in settled if settlement.state is ItemState.UPDATED]
    for item, settlement in updated:
        if item.attempt > 1 and settlement.says_the_same:
            conn.execute(_FOUND_BY_POSTING, (FOUND_BY_POSTING, item.id, item.attempt))
            name_maker(conn, item.id)
    if updated:
        record_updated(conn, orjson.dumps([item.id for item, _ in updated]).decode(), now)
    over = [item.conversation for item, settlement in settled if settlement.state not in OPEN]
    if over:
        conn.execute(_GIVE_TURNS, (orjson.dumps(over).decode(),))


def _settled(item: Claimed, settlement: Settlement, now: int) -> dict[str, Any]:
    return {
        "id": item.id,
        "number": item.attempt,
        "conversation": item.conversation,
        "state": settlement.state,
        "outcome": settlement.outcome,
        "reason": settlement.reason,
        "words": settlement.words,
        "http_status": settlement.http_status,
        "acd_event_id": settlement.acd_event_id,
        "due_at": settlement.due_at or now,
        "counts": int(settlement.counts),
        "settled_at": None if settlement.state in OPEN else now,
    }


def give_turn(conn: sqlite3.Connection, conversation: str) -> None:
    """Let the first open item of a conversation go next."""
    conn.execute(_GIVE_TURNS, (orjson.dumps([conversation]).decode(),))


def recover(conn: sqlite3.Connection, now: int) -> int:
    """At start: items whose request was under way when the bridge stopped are uncertain. Returns how many.

    What a clock that was wrong has put into a far future is due now.
    """
    conn.execute(
        "UPDATE items SET due_at = min(due_at, ?1), accepted_at = min(accepted_at, ?1) "
        "WHERE state = 'pending' AND (due_at > ?1 + ?2 OR accepted_at > ?1 + ?2)",
        (now, LONGEST_WAIT_MS),
    )
    conn.execute(
        "UPDATE attempts SET ended_at = ?, outcome = 'uncertain', reason = ? "
        "WHERE ended_at IS NULL AND item_id IN (SELECT id FROM items WHERE state = 'sending')",
        (now, Reason.CRASHED_WHILE_SENDING),
    )
    return conn.execute(
        "UPDATE items SET state = 'uncertain', reason = ? WHERE state = 'sending'",
        (Reason.CRASHED_WHILE_SENDING,),
    ).rowcount
