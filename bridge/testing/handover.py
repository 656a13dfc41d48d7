"""An in-memory handover: keeps what came in, knows messages by their digest, and fails where it is told
to.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from bridge.cursor import FolderCursor
from bridge.history import HistoryOrder
from bridge.intake.handover import Incoming, Receipt, Unreadable, Vanished
from bridge.message import Message, Noticed
from bridge.reason import Reason


@dataclass(slots=True)
class FakeHandover:
    """Stands for `bridge.accept.Acceptance` without state file and routes.

    The fault slots are awaited before the step they are named after; what they raise is what the step raises.
    """

    before_accept: Callable[[], Awaitable[None]] | None = None
    before_cursor: Callable[[], Awaitable[None]] | None = None
    wants_text_of: Callable[[Message], bool] = field(default=lambda _: False)
    accepted: list[Incoming] = field(default_factory=list)
    """Everything that was handed in and not known, in order."""
    receipts: list[Receipt] = field(default_factory=list)
    noticed: list[Noticed] = field(default_factory=list)
    """How each message was noticed, known or not."""
    batches: list[int] = field(default_factory=list)
    """How many messages each transaction held."""
    cursors: dict[tuple[str, str], FolderCursor] = field(default_factory=dict)
    orders: dict[tuple[str, str], HistoryOrder] = field(default_factory=dict)
    _states: dict[tuple[str, str, str], str] = field(default_factory=dict)
    _places: dict[str, str] = field(default_factory=dict)

    @property
    def messages(self) -> list[Message]:
        """The readable ones of what was accepted."""
        return [incoming for incoming in self.accepted if isinstance(incoming, Message)]

    @property
    def unreadable(self) -> list[Unreadable]:
        """The others."""
        return [incoming for incoming in self.accepted if isinstance(incoming, Unreadable)]

    def subjects(self, folder: str = "INBOX") -> list[str]:
        """The subjects of the messages of a folder, in order."""
        return [message.subject for message in self.messages if message.folder == folder]

    def wants_text(self, message: Message) -> bool:
        """What `wants_text_of` says."""
        return self.wants_text_of(message)

    async def accept(
        self,
        incoming: Sequence[Incoming],
        cursor: FolderCursor | HistoryOrder | None = None,
        *,
        noticed: Noticed = Noticed.LOOK,
        set_aside: Reason = Reason.NONE,
    ) -> list[Receipt]:
        """Keep all of it and the cursor, or nothing."""
        self.noticed += [noticed] * len(incoming)
        if self.before_accept is not None:
            await self.before_accept()
        receipts = [self._take(one, set_aside) for one in incoming]
        if isinstance(cursor, HistoryOrder):
            self._advance(cursor)
        elif cursor is not None:
            known = self.cursors.get((cursor.source, cursor.folder))
            first_at = known.first_at if known else round(time.time() * 1000)
            self.cursors[cursor.source, cursor.folder] = replace(cursor, first_at=first_at)
        self.receipts += receipts
        self.batches.append(len(incoming))
        return receipts

    def _advance(self, order: HistoryOrder) -> None:
        place = order.source, order.folder
        self.orders[place] = order
        cursor = self.cursors.get(place)
        if order.ended and order.is_whole and cursor and cursor.baseline == order.last_uid + 1:
            self.cursors[place] = replace(cursor, baseline=1)

    async def order(self, source: str, folder: str) -> HistoryOrder | None:
        """The order that was last put or moved on."""
        return self.orders.get((source, folder))

    async def put_order(self, order: HistoryOrder) -> None:
        """Keep the order in the place of the folder's former one."""
        self.orders[order.source, order.folder] = order

    def _take(self, one: Incoming, set_aside: Reason) -> Receipt:
        known = (one.source, one.folder, one.place if set_aside is Reason.LEFT_ALONE else one.digest)
        new = known not in self._states
        if new:
            self._states[known] = _state_of(one, set_aside)
            if set_aside is not Reason.LEFT_ALONE:
                self.accepted.append(one)
        self._note(one, known[-1])
        return Receipt("\0".join(known), self._states[known], new)

    def _note(self, one: Incoming, digest: str) -> None:
        """What was read last counts, unless it is that a mail had vanished."""
        place = one.source + "\0" + one.place
        if place not in self._places or not isinstance(one, Vanished):
            self._places[place] = digest

    async def recognise(self, incoming: Sequence[Incoming]) -> list[str]:
        """The states of those that were accepted before; their places are known from now on."""
        states = [self._states.get((one.source, one.folder, one.digest), "") for one in incoming]
        for one, state in zip(incoming, states, strict=True):
            if state:
                self._places[one.source + "\0" + one.place] = one.digest
        return states

    async def uids_of(
        self, source: str, folder: str, uidvalidity: int, digests: Sequence[str]
    ) -> list[list[int]]:
        """The UIDs at which each was found."""
        found = self._found(source, folder, uidvalidity)
        return [[uid for uid, known in found.items() if known == digest] for digest in digests]

    async def newest(self, source: str, folder: str, uidvalidity: int, last_uid: int) -> dict[int, str]:
        """The Message-IDs of all that were found up to there."""
        found = self._found(source, folder, uidvalidity)
        ids = {message.digest: message.message_id for message in self.messages}
        return {uid: ids[key] for uid, key in found.items() if uid <= last_uid and ids.get(key)}

    async def states_of(
        self, source: str, folder: str, uidvalidity: int, uids: Sequence[int]
    ) -> dict[int, str]:
        """The states of those that were found."""
        found = self._found(source, folder, uidvalidity)
        return {uid: self._states[source, folder, found[uid]] for uid in uids if uid in found}

    def _found(self, source: str, folder: str, uidvalidity: int) -> dict[int, str]:
        begin = f"{source}\0{folder}/{uidvalidity}/"
        return {
            int(place.removeprefix(begin)): digest
            for place, digest in self._places.items()
            if place.startswith(begin)
        }

    async def cursor(self, source: str, folder: str) -> FolderCursor | None:
        """The cursor that was last accepted."""
        if self.before_cursor is not None:
            await self.before_cursor()
        return self.cursors.get((source, folder))


def _state_of(one: Incoming, set_aside: Reason) -> str:
    if set_aside is not Reason.NONE:
        return "filtered" if set_aside is Reason.LEFT_ALONE else "held"
    if isinstance(one, Vanished):
        return "vanished"
    return "quarantined" if isinstance(one, Unreadable) else "pending"
