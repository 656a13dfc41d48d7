"""The application with one safeguard taken away by hand, to see that the audit finds what that was for."""

import asyncio
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from bridge.accept import Acceptance
from bridge.cursor import FolderCursor
from bridge.delivery.reconcile import find_events
from bridge.intake.handover import Receipt
from bridge.ledger import outbox
from bridge.ledger.state import ItemState
from bridge.message import Kind

LONGER_THAN_A_REQUEST_MS = 120_000


def cursor_first() -> AbstractContextManager[object]:
    """The folder's cursor is stored, and then, in another transaction, its items."""
    accept = Acceptance.accept

    async def broken(self: Acceptance, incoming: Any, cursor: Any = None, **more: Any) -> Any:
        if isinstance(cursor, FolderCursor) and incoming:
            await accept(self, [], cursor, **more)
            cursor = None
        return await accept(self, incoming, cursor, **more)

    return patch.object(Acceptance, "accept", broken)


def answered_first() -> AbstractContextManager[object]:
    """A helpdesk is answered 200 before its ticket is on disk."""
    accept = Acceptance.accept
    begun: set[Any] = set()

    async def broken(self: Acceptance, incoming: Any, cursor: Any = None, **more: Any) -> Any:
        if not incoming or getattr(incoming[0], "kind", None) is not Kind.TICKET:
            return await accept(self, incoming, cursor, **more)
        storing = asyncio.create_task(accept(self, incoming, cursor, **more))
        begun.add(storing)
        # Its end is nobody's business any more, as in such a program.
        storing.add_done_callback(lambda task: task.cancelled() or task.exception())
        return [Receipt(key="", state=ItemState.PENDING, new=True)]

    return patch.object(Acceptance, "accept", broken)


def no_write_ahead() -> AbstractContextManager[object]:
    """That a request is under way is known in memory only; on disk it is something to be posted a little later."""
    turn = outbox.turn

    def broken(
        conn: Any,
        settled: Any,
        limit: int,
        now: int,
        history: int | None = None,
        back: Any = (),
        in_hand: Any = None,  # noqa: ARG001 - as the real one is called; such a program has nothing in hand
    ) -> Any:
        _put_off(conn, back, now)
        _begin(conn, [item for item, _ in settled], now)
        claimed = turn(conn, settled, limit, now, history)
        outbox.take_back(conn, claimed)
        _put_off(conn, claimed, now + LONGER_THAN_A_REQUEST_MS)
        return claimed

    return patch.object(outbox, "turn", broken)


def _put_off(conn: Any, items: Any, due_at: int) -> None:
    conn.executemany("UPDATE items SET due_at = ? WHERE id = ?", [(due_at, item.id) for item in items])


def _begin(conn: Any, items: Any, now: int) -> None:
    """What the claim would have written, once it is over."""
    conn.executemany(
        "UPDATE items SET state = 'sending', attempts = ? WHERE id = ?",
        [(item.attempt, item.id) for item in items],
    )
    conn.executemany(
        "INSERT INTO attempts (item_id, number, started_at, digest) VALUES (?, ?, ?, '')",
        [(item.id, item.attempt, now) for item in items],
    )


def no_reconciliation() -> AbstractContextManager[object]:
    """What is uncertain is posted again without a look into the ACD's list."""
    return patch("bridge.delivery.reconciler.find_events", lambda *_: ([], []))


def no_rivals() -> AbstractContextManager[object]:
    """An event in the ACD's list is given to an item in doubt, though a request under way may have made it."""
    return patch(
        "bridge.delivery.reconciler.find_events",
        lambda suspects, listed, owned, clock, _rivals: find_events(suspects, listed, owned, clock),
    )
