"""What an order to read old mail would find, counted before it is given. Reads dates, no mail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from bridge.cursor import FolderCursor
from bridge.intake.imap.backfill import uids_matching
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.first_start import search_criteria
from bridge.intake.imap.scan_dates import dates_of
from bridge.intake.imap.selected import Selected
from bridge.intake.imap.sync import MAX_WINDOW, Window


class StatesOf(Protocol):
    """The states of those of these UIDs that are accounted for."""

    def __call__(self, uids: Sequence[int], /) -> Mapping[int, str]:
        """Raises StateFileError."""
        ...


@dataclass(frozen=True, slots=True)
class Preview:
    """The mails of one folder since a moment."""

    folder: str
    found: int
    known: int
    """Those that the bridge has taken in already, or watches."""

    @property
    def new(self) -> int:
        """How many would be taken in at the most: a copy of a known mail is found out only when it is read."""
        return self.found - self.known


async def preview(
    connection: Connection, selected: Selected, cursor: FolderCursor, since: int, states_of: StatesOf
) -> Preview:
    """Count the mails of the open folder that came since then (milliseconds since 1970).

    Raises MailServerError, and what `states_of` raises.
    """
    moment, found, known = datetime.fromtimestamp(since / 1000, UTC), 0, 0
    first = 1
    while first:
        uids, first = await uids_matching(connection, selected, *search_criteria(since), first=first)
        for at in range(0, len(uids), MAX_WINDOW):
            part = uids[at : at + MAX_WINDOW]
            dates = await dates_of(connection, Window(part, part[-1]))
            wanted = [uid for uid, date in dates.items() if date is None or date >= moment]
            accounted = states_of(wanted)
            found += len(wanted)
            known += sum(uid in accounted or uid >= cursor.baseline for uid in wanted)
    return Preview(cursor.folder, found, known)
