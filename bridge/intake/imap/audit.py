"""Is every mail accounted for? The server's UIDs beside those of the state file.

Between a folder's baseline and its last UID every mail that exists must have its place in the state file. UIDs that
the server does not have need none: they never existed, or their mail is gone.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.cursor import FolderCursor
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.selected import Selected
from bridge.intake.imap.sync import FIRST_LISTING, next_listing
from bridge.ledger.state import ItemState

MAX_KEPT = 10_000
"""Unaccounted UIDs that are kept of one audit; the next one finds the others."""
UIDS_AT_ONCE = 5000
"""UIDs that the state file is asked about at once."""

StatesOf = Callable[[str, str, int, Sequence[int]], Awaitable[Mapping[int, str]]]
"""The states of those of these UIDs that are accounted for: source, folder, UIDVALIDITY, UIDs."""


@dataclass(slots=True)
class Audit:
    """What an audit of one folder found."""

    uidvalidity: int
    baseline: int
    last_uid: int
    on_server: int = 0
    states: Counter[str] = field(default_factory=Counter)
    """How many of the mails on the server are in each state."""
    unaccounted: int = 0
    uids: list[int] = field(default_factory=list)
    """The first of them."""

    def compared(self, server: Collection[int], accounted: Mapping[int, str]) -> None:
        """Take in a part of the folder: what the server has, and what of it is accounted for.

        A mail that is there has not vanished: a server in trouble did not tell it when it was to be read.
        """
        read = {uid: state for uid, state in accounted.items() if state != ItemState.VANISHED}
        missing = sorted(uid for uid in server if uid not in read)
        self.on_server += len(server)
        self.states.update(read[uid] for uid in server if uid in read)
        self.unaccounted += len(missing)
        self.uids += missing[: MAX_KEPT - len(self.uids)]


async def audit_folder(
    connection: Connection, selected: Selected, cursor: FolderCursor, states_of: StatesOf
) -> Audit:
    """Compare an open folder with the state file, in parts, so that memory does not grow with the folder.

    The cursor must be older than what the server is asked now, and of the same UIDVALIDITY.
    Raises MailServerError, and what `states_of` raises.
    """
    audit = Audit(cursor.uidvalidity, cursor.baseline, cursor.last_uid)
    first, listing = cursor.baseline, FIRST_LISTING
    while first <= cursor.last_uid:
        through = min(cursor.last_uid, first + listing - 1)
        server = sorted({uid for uid in await connection.search(first, through) if first <= uid <= through})
        for at in range(0, len(server), UIDS_AT_ONCE):
            part = server[at : at + UIDS_AT_ONCE]
            audit.compared(part, await states_of(cursor.source, cursor.folder, cursor.uidvalidity, part))
        first, listing = through + 1, next_listing(listing, len(server), selected.exists)
    return audit
