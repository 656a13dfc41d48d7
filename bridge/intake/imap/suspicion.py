"""A mail that ends the process itself is found and passed by, so that it is not met again after each start.

The first such end leaves no trace but that the state file was not closed. From then on each window is written down
before it is read, until the folder was looked at once. Where the process ends again, the mails of that window are read
one by one; a mail that was being read at two ends is taken with the least of its header, and at a third one not at all.
"""

from contextlib import suppress
from enum import Enum

import structlog

from bridge.errors import StateFileError
from bridge.intake.imap.sync import Window
from bridge.ledger.readings import Reading, Readings

BARE_FROM = 3
NOT_AT_ALL_FROM = 4
"""So many times the reading of one mail was begun, this time included."""

log = structlog.get_logger("bridge.intake")


class Way(Enum):
    """How a mail is read."""

    WHOLE = "whole"
    BARE = "bare"  #: sender, subject, Message-ID and date alone
    NOT_AT_ALL = "not at all"  #: not even fetched


def way_for(reading: Reading) -> Way:
    """How to read what was begun so often. Several mails are read whole: nobody knows which one it was."""
    if reading.first_uid != reading.last_uid or reading.tries < BARE_FROM:
        return Way.WHOLE
    return Way.BARE if reading.tries < NOT_AT_ALL_FROM else Way.NOT_AT_ALL


def narrowed(window: Window, suspected: Reading | None, uidvalidity: int) -> Window:
    """The window up to the suspected mails, or the first of them alone."""
    uids = window.uids
    if suspected is None or suspected.uidvalidity != uidvalidity or not uids:
        return window
    before = sum(uid < suspected.first_uid for uid in uids)
    if before == len(uids) or uids[0] > suspected.last_uid or len(uids) == 1:
        return window
    if before:
        return Window(uids[:before], suspected.first_uid - 1)
    return Window(uids[:1], uids[0])


def noted(window: Window, suspected: Reading | None, uidvalidity: int) -> Reading:
    """What is to be written down before a window with mails is read."""
    first, last = window.uids[0], window.uids[-1]
    again = (
        suspected is not None
        and suspected.uidvalidity == uidvalidity
        and suspected.first_uid <= first
        and last <= suspected.last_uid
    )
    return Reading(uidvalidity, first, last, suspected.tries + 1 if suspected and again else 1)


class Suspicion:
    """What is suspected in one folder and lane, while the process has not yet looked through it once."""

    def __init__(self, readings: Readings, source: str, folder: str, lane: int) -> None:
        self._readings = readings
        self._where = (source, folder, lane)
        self._suspected: Reading | None = None
        self._asked = False
        self._begun = False
        """Whether mails are written down as being read."""
        self._log = log.bind(mailbox=source, folder=folder)

    async def before(self, window: Window, uidvalidity: int) -> tuple[Window, Way]:
        """What to read of a window, and how; it is on disk when this returns. Raises StateFileError."""
        if not self._asked:
            self._suspected = await self._readings.last(*self._where)
            self._asked = True
        window = narrowed(window, self._suspected, uidvalidity)
        if not window.uids:
            return window, Way.WHOLE
        reading = noted(window, self._suspected, uidvalidity)
        self._begun = False
        await self._readings.begin(*self._where, reading)
        self._begun = True
        way = way_for(reading)
        if way is not Way.WHOLE:
            self._log.error(
                "mail-ended-the-bridge",
                uid=reading.first_uid,
                times=reading.tries - 1,
                hint="only its sender and subject are read now"
                if way is Way.BARE
                else "it is not read any more",
            )
        return window, way

    async def acquit(self) -> None:
        """What was begun was survived, and only the state file did not take it: these mails end no process."""
        if self._begun:
            with suppress(StateFileError):  # then they stay suspects, as they were
                await self._readings.end(*self._where)
                self._begun, self._suspected = False, None

    async def over(self) -> None:
        """All was read. Raises StateFileError."""
        await self._readings.end(*self._where)
