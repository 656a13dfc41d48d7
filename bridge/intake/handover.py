"""The one seam between the intake and everything behind it.

A source hands in messages and gets receipts once they are on disk. It neither knows what becomes of them nor
where they are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.cursor import FolderCursor
from bridge.history import HistoryOrder
from bridge.message import Kind, Message, Noticed
from bridge.reason import Reason


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Vanished:
    """A mail that its server listed and that was gone before it was read. Its place is all that is known."""

    source: str
    place: str
    digest: str
    folder: str


Incoming = Message | Unreadable | Vanished


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

    async def accept(
        self,
        incoming: Sequence[Incoming],
        cursor: FolderCursor | HistoryOrder | None = None,
        *,
        noticed: Noticed = Noticed.LOOK,
        set_aside: Reason = Reason.NONE,
    ) -> list[Receipt]:
        """Store what came in, and the cursor with it, in one transaction; return when it is on disk.

        `noticed` is how the bridge came to know of it. With an order in the place of the cursor it is history,
        which goes behind everything live.

        With a reason, nothing of it is posted: LEFT_ALONE is accounted for and no more, RENUMBERED is held
        for an operator's word. One message's failure never raises: it becomes a quarantined item. Raises
        StateFileError where nothing could be stored; then nothing was, and the caller keeps its place.
        """

    async def cursor(self, source: str, folder: str) -> FolderCursor | None:
        """How far the folder was read, or None where it was never seen."""

    async def order(self, source: str, folder: str) -> HistoryOrder | None:
        """The last order to read old mail of the folder, running or ended."""

    async def put_order(self, order: HistoryOrder) -> None:
        """Write such an order down, in the place of the folder's former one. Raises StateFileError."""

    async def recognise(self, incoming: Sequence[Incoming]) -> list[str]:
        """The state of each that is known, `forgotten` where its item was removed; empty where it is new.

        Where the known ones were found is on disk when this returns. Raises StateFileError.
        """

    async def uids_of(
        self, source: str, folder: str, uidvalidity: int, digests: Sequence[str]
    ) -> list[list[int]]:
        """For each digest, the UIDs of this UIDVALIDITY at which its mail was found."""

    async def newest(self, source: str, folder: str, uidvalidity: int, last_uid: int) -> dict[int, str]:
        """The Message-IDs of the newest mails that were read up to this UID, by UID; of those that have one."""

    async def states_of(
        self, source: str, folder: str, uidvalidity: int, uids: Sequence[int]
    ) -> dict[int, str]:
        """The states of those of these UIDs that are accounted for; for the audit."""
