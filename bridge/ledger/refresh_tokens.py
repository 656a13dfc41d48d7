"""Refresh tokens that a token server gave in place of the configured ones."""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bridge.ledger.access import Access
from bridge.ledger.visit import change, look

T = TypeVar("T")


class RefreshTokens:
    """The kept tokens, by mailbox. `origin` is a digest of the configured token that each descends from."""

    def __init__(self, read: Access, write: Access) -> None:
        self._read = read
        self._write = write

    async def refresh_token(self, mailbox: str, origin: str) -> str | None:
        """The newest token, or None where the configured one is the newest. Raises StateFileError."""
        return await self._read(partial(kept, mailbox=mailbox, origin=origin))

    async def keep_refresh_token(self, mailbox: str, origin: str, token: str, *, now: int) -> None:
        """Keep it; return when it is on disk. Raises StateFileError."""
        await self._write(partial(keep, mailbox=mailbox, origin=origin, token=token, now=now))


def visiting(path: Path) -> RefreshTokens:
    """The tokens as a command sees them, while the service may be working on the file."""

    async def read(function: Callable[[sqlite3.Connection], Any], /) -> Any:
        return await asyncio.to_thread(_look_where_there_is_one, path, function)

    async def write(function: Callable[[sqlite3.Connection], Any], /) -> Any:
        return await asyncio.to_thread(change, path, function)

    return RefreshTokens(read, write)


def _look_where_there_is_one(path: Path, function: Callable[[sqlite3.Connection], Any]) -> Any:
    """Before the first start of the service there is no file, and nothing kept."""
    return look(path, function) if path.exists() else None


def kept(conn: sqlite3.Connection, mailbox: str, origin: str) -> str | None:
    """The newest token that descends from this origin."""
    row = conn.execute(
        "SELECT token FROM refresh_tokens WHERE mailbox = ? AND origin = ?", (mailbox, origin)
    ).fetchone()
    return None if row is None else str(row["token"])


def keep(conn: sqlite3.Connection, mailbox: str, origin: str, token: str, now: int) -> None:
    """One token a mailbox: those before it are of no more use."""
    conn.execute(
        "INSERT INTO refresh_tokens (mailbox, origin, token, kept_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (mailbox) DO UPDATE SET origin = excluded.origin, token = excluded.token, "
        "kept_at = excluded.kept_at",
        (mailbox, origin, token, now),
    )
