"""A handover that keeps in memory what it is given. It is a fake: nothing is on disk."""

import asyncio
from collections.abc import Sequence

from bridge.cursor import FolderCursor
from bridge.history import HistoryOrder
from bridge.intake.handover import Incoming, Receipt, Unreadable
from bridge.message import Message, Noticed
from bridge.reason import Reason


class Recording:
    """Keeps what comes; raises `failure` where it is set; waits for `gate` before it answers."""

    def __init__(self) -> None:
        self.incoming: list[Incoming] = []
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0

    def wants_text(self, message: Message) -> bool:
        return bool(message)

    async def accept(
        self,
        incoming: Sequence[Incoming],
        cursor: FolderCursor | HistoryOrder | None = None,
        *,
        noticed: Noticed = Noticed.LOOK,
        set_aside: Reason = Reason.NONE,
    ) -> list[Receipt]:
        assert cursor is None
        assert noticed is Noticed.WEBHOOK
        assert set_aside is Reason.NONE
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        if self.failure is not None:
            raise self.failure
        known = {one.digest for one in self.incoming}
        new = [one.digest not in known for one in incoming]
        self.incoming += [one for one, is_new in zip(incoming, new, strict=True) if is_new]
        return [
            Receipt(
                key=one.digest[:20],
                state="quarantined" if isinstance(one, Unreadable) else "pending",
                new=is_new,
            )
            for one, is_new in zip(incoming, new, strict=True)
        ]

    async def cursor(self, source: str, folder: str) -> FolderCursor | None:
        raise AssertionError(f"webhooks have no cursor: {source} {folder}")

    async def recognise(self, incoming: Sequence[Incoming]) -> list[str]:
        raise AssertionError(f"webhooks have no places: {incoming}")

    async def uids_of(
        self, source: str, folder: str, uidvalidity: int, digests: Sequence[str]
    ) -> list[list[int]]:
        raise AssertionError(f"webhooks have no UIDs: {source} {folder} {uidvalidity} {digests}")

    async def newest(self, source: str, folder: str, uidvalidity: int, last_uid: int) -> dict[int, str]:
        raise AssertionError(f"webhooks have no UIDs: {source} {folder} {uidvalidity} {last_uid}")

    async def states_of(
        self, source: str, folder: str, uidvalidity: int, uids: Sequence[int]
    ) -> dict[int, str]:
        raise AssertionError(f"webhooks have no UIDs: {source} {folder} {uidvalidity} {uids}")

    async def totals_of(
        self, source: str, folder: str, uidvalidity: int, first: int, last: int
    ) -> dict[str, int]:
        raise AssertionError(f"webhooks have no UIDs: {source} {folder} {uidvalidity} {first} {last}")

    async def order(self, source: str, folder: str) -> HistoryOrder | None:
        raise AssertionError(f"webhooks have no history: {source} {folder}")

    async def put_order(self, order: HistoryOrder) -> None:
        raise AssertionError(f"webhooks have no history: {order}")

    @property
    def messages(self) -> list[Message]:
        return [one for one in self.incoming if isinstance(one, Message)]
