"""An in-memory handover: keeps what came in, knows messages by their digest, and fails where it is told
to.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from bridge.cursor import FolderCursor
from bridge.intake.handover import Incoming, Receipt, Unreadable
from bridge.message import Message


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
    batches: list[int] = field(default_factory=list)
    """How many messages each transaction held."""
    cursors: dict[tuple[str, str], FolderCursor] = field(default_factory=dict)
    _known: set[tuple[str, str]] = field(default_factory=set)

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

    async def accept(self, incoming: Sequence[Incoming], cursor: FolderCursor | None = None) -> list[Receipt]:
        """Keep all of it and the cursor, or nothing."""
        if self.before_accept is not None:
            await self.before_accept()
        receipts = [self._take(one) for one in incoming]
        if cursor is not None:
            self.cursors[cursor.source, cursor.folder] = cursor
        self.receipts += receipts
        self.batches.append(len(incoming))
        return receipts

    def _take(self, one: Incoming) -> Receipt:
        known = (one.source, one.digest)
        new = known not in self._known
        if new:
            self._known.add(known)
            self.accepted.append(one)
        return Receipt(one.digest, "quarantined" if isinstance(one, Unreadable) else "pending", new)

    async def cursor(self, source: str, folder: str) -> FolderCursor | None:
        """The cursor that was last accepted."""
        if self.before_cursor is not None:
            await self.before_cursor()
        return self.cursors.get((source, folder))
