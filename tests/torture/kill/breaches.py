"""What the bridge would be without one of its promises, one function each. They change the process they are called in.

They show that the torture can tell a bridge that keeps its promises from one that does not.
"""

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any
from unittest import mock

from bridge.cursor import FolderCursor
from bridge.ledger import outbox
from bridge.ledger.accepting import save_cursor
from bridge.ledger.item import Claimed, NewItem, Settlement, Stored
from bridge.ledger.ledger import Ledger
from bridge.points import Point, passing


def no_write_ahead() -> None:
    """An attempt is not on disk before its request leaves: at the next start what was being sent is pending."""
    real = outbox.recover

    def recover(conn: sqlite3.Connection, now: int) -> int:
        conn.execute("UPDATE items SET state = 'pending', attempts = attempts - 1 WHERE state = 'sending'")
        conn.execute("DELETE FROM attempts WHERE ended_at IS NULL")
        return real(conn, now)

    mock.patch.object(outbox, "recover", recover).start()


def no_reconciliation() -> None:
    """What is uncertain is pending again, and nobody looks whether its event was made."""
    real_recover, real_settle = outbox.recover, outbox.settle

    def recover(conn: sqlite3.Connection, now: int) -> int:
        real_recover(conn, now)
        return _send_again(conn)

    def settle(conn: sqlite3.Connection, settled: Sequence[tuple[Claimed, Settlement]], now: int) -> None:
        real_settle(conn, settled, now)
        _send_again(conn)

    mock.patch.object(outbox, "recover", recover).start()
    mock.patch.object(outbox, "settle", settle).start()


def _send_again(conn: sqlite3.Connection) -> int:
    return conn.execute("UPDATE items SET state = 'pending' WHERE state = 'uncertain'").rowcount


def cursor_first() -> None:
    """A folder's cursor is committed in a transaction of its own, before the items that it stands for."""
    real = Ledger.accept

    async def accept(self: Ledger, items: Sequence[NewItem], cursor: Any, **more: Any) -> list[Stored]:
        if isinstance(cursor, FolderCursor):
            await self._writer.write(partial(save_cursor, cursor=cursor, now=more["now"]))
            passing(Point.WINDOW_STORED)  # as such a bridge would believe
        return await real(self, items, cursor, **more)

    mock.patch.object(Ledger, "accept", accept).start()
