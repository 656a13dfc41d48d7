"""What becomes of a folder's mails after its UIDs lost their meaning (RFC 9051 section 2.3.1.1).

Every mail that was ever handed over is known to the state file by its digest, which does not depend on UIDs, and
becomes no second item. What is not known is new, or it was there before the folder was first seen and left alone.
These two are told apart by the time they came.
"""

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum

from bridge.cursor import FolderCursor
from bridge.history import HistoryOrder

CLOCKS_DIFFER = timedelta(minutes=1)
"""How far the mail server's clock may be behind ours, and a mail's time rounded down."""
MAX_UNKNOWN = 200
"""More unknown mails than this are held for an operator's word: the digests may be others, after a move to another
server perhaps, and all of it would be posted a second time.
"""
MAX_TIMES = 5
WITHIN_SECONDS = 3600.0
"""A folder that is numbered anew more often than so many times in so many seconds is not read on."""


class Fate(Enum):
    """What is done with a mail that is found in a folder that was numbered anew."""

    KNOWN = "known"
    LEFT_ALONE = "left alone"
    NEW = "new"


def cut_off(old: FolderCursor) -> datetime:
    """Unknown mails that came before this were there before the folder was first seen."""
    return datetime.fromtimestamp(old.first_at / 1000, UTC) - CLOCKS_DIFFER


def wanted_since(cut: datetime, history: HistoryOrder | None) -> datetime | None:
    """Unknown mails that came since then are new; None: all of them.

    Where old mail was asked for by its time, it is not left alone. A list of UIDs means nothing any more.
    """
    if history is None or history.uids is not None:
        return cut
    return None if history.since is None else min(cut, datetime.fromtimestamp(history.since / 1000, UTC))


def fate_of(state: str, received_at: datetime | None, since: datetime | None) -> Fate:
    """What to do with a mail of this state (empty: not known). One without a time is rather read than lost."""
    if state:
        return Fate.KNOWN
    late = since is None or received_at is None or received_at >= since
    return Fate.NEW if late else Fate.LEFT_ALONE


def must_be_held(new: int, held: int) -> bool:
    """Whether new mails must wait for an operator.

    `held` are those that were held already: what an interrupted try began is gone on with in the same way.
    """
    return new + held > MAX_UNKNOWN


def first_since(since: datetime, dates: Mapping[int, datetime | None]) -> int | None:
    """The smallest UID whose mail came since then (INTERNALDATE by UID). One without a date counts as late."""
    return min((uid for uid, date in dates.items() if date is None or date >= since), default=None)


class Renumberings:
    """When a folder was numbered anew, so that a server that does it all the time is noticed."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=MAX_TIMES)

    def too_many(self, now: float) -> bool:
        """Whether one more, at this time in seconds, would be too many. A clock that was set back proves nothing."""
        return len(self._times) == MAX_TIMES and 0 <= now - self._times[0] < WITHIN_SECONDS

    def note(self, now: float) -> None:
        """One more was carried out."""
        self._times.append(now)
