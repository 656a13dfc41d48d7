"""The one seam between the intake and everything behind it.

A source hands in messages and gets receipts once they are on disk. It neither knows what becomes of them nor
where they are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.cursor import FolderCursor
from bridge.message import Kind, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A message that could not be read at all. It is quarantined with its raw bytes, or its place."""

    source: str
    kind: Kind
    place: str
    digest: str
    received_at: datetime
    detail: str
    """What was wrong, without any of the message's own text."""
    folder: str = ""
    raw: bytes = b""
    """The raw bytes where they cannot be had again (a webhook's body); empty for mail, which stays in its folder."""
    size: int = 0


Incoming = Message | Unreadable


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one incoming message, on disk."""

    key: str
    """The item's key, for `acd-bridge explain`."""
    state: str
    new: bool
    """False where the same message had been taken in before."""


class Handover(Protocol):
    """What the intake needs of the rest. `bridge.accept.Acceptance` is the real one."""

    def wants_text(self, message: Message) -> bool:
        """Whether a route cannot be decided, or its event not made, without the message's text."""

    async def accept(self, incoming: Sequence[Incoming], cursor: FolderCursor | None = None) -> list[Receipt]:
        """Store what came in, and the cursor with it, in one transaction; return when it is on disk.

        One message's failure never raises: it becomes a quarantined item. Raises StateFileError where nothing
        could be stored; then nothing was, and the caller keeps its place.
        """

    async def cursor(self, source: str, folder: str) -> FolderCursor | None:
        """How far the folder was read, or None where it was never seen."""
