"""When the mails of a folder came, without reading them."""

from dataclasses import dataclass, field
from datetime import datetime

from bridge.intake.imap.connection import Connection
from bridge.intake.imap.fetch_response import parse_fetch, uid_of_broken
from bridge.intake.imap.grammar import GrammarError
from bridge.intake.imap.renumbered import first_since
from bridge.intake.imap.selected import Selected
from bridge.intake.imap.splitter import Parts
from bridge.intake.imap.sync import MAX_WINDOW, Backlog, ListUids, Window

ITEMS = "(UID INTERNALDATE)"
BYTES_A_DATE = 64
"""About what one answer takes; windows of dates stay at their largest."""


async def first_uid_since(connection: Connection, since: datetime, selected: Selected) -> int:
    """The smallest UID of the open folder whose mail came since then; UIDNEXT where none did."""
    backlog = Backlog(1, selected.uidnext - 1, exists=selected.exists, window=MAX_WINDOW)
    while step := backlog.step():
        if isinstance(step, ListUids):
            backlog.listed(await connection.search(step.first, step.last), step.last)
            continue
        first = first_since(since, await dates_of(connection, step))
        if first is not None:
            return first
        backlog.read(step.through, len(step.uids) * BYTES_A_DATE)
    return selected.uidnext


async def dates_of(connection: Connection, window: Window) -> dict[int, datetime | None]:
    """When the mails of a window came (INTERNALDATE), by UID; None where the server told no date.

    What does not come is asked for once more: servers that are changing a folder leave out one. What does not come then
    is gone, unless an answer could not be read and told no UID.
    """
    dates = _Dates(window.uids if isinstance(window.uids, range) else frozenset(window.uids))
    if window.uids:
        await connection.fetch(window.uids, ITEMS, dates.take)
    if again := dates.missing():
        dates.lost = False
        await connection.fetch(again, ITEMS, dates.take)
    return {**dict.fromkeys(dates.missing() if dates.lost else ()), **dates.told}


@dataclass(slots=True)
class _Dates:
    """What came so far of a window's dates."""

    wanted: range | frozenset[int]
    told: dict[int, datetime | None] = field(default_factory=dict)
    lost: bool = False
    """Whether an answer told no UID."""

    def take(self, parts: Parts) -> None:
        try:
            fetched = parse_fetch(parts)
        except GrammarError:
            uid = uid_of_broken(parts)
            self.lost = self.lost or uid is None
            if uid is not None and uid in self.wanted:
                self.told.setdefault(uid, None)
            return
        if fetched.uid in self.wanted and (fetched.internaldate or fetched.uid not in self.told):
            self.told[fetched.uid] = fetched.internaldate

    def missing(self) -> list[int]:
        return sorted(set(self.wanted).difference(self.told))
