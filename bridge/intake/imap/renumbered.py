"""From which UID a folder is read on after its UIDs lost their meaning (RFC 9051 section 2.3.1.1).

Every message that was ever handed over is known to the state file by its digest, which does not depend on
UIDs, and becomes no second item. So reading too much is harmless for those, and only messages that were left
alone at the first start must not be read. They are told by time: a message is read where it came after the
last good look at the folder. Of the messages that qualify, the one with the smallest UID becomes the new
baseline, so that the place is one number that a restart cannot lose; the error is always on the side of
reading.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bridge.cursor import FolderCursor
from bridge.intake.imap.selected import Selected

CLOCKS_DIFFER = timedelta(hours=1)
"""How far the mail server's clock, and the time of a mail on its way into the folder, may be behind ours."""
UNSEEN = timedelta(days=1)
"""How far back is read where the bridge did not run when the folder changed."""

YEAR_2000 = 946_684_800
"""A smaller UIDVALIDITY is a counter, not a time in seconds since 1970."""


def cut_off(old: FolderCursor, selected: Selected, *, last_look: float | None, now: float) -> datetime | None:
    """Messages since then are read; None: all of them. Times in seconds since 1970.

    Without a look of this process, the new UIDVALIDITY helps, which most servers make from the time of the
    change.
    """
    if old.baseline <= 1:
        return None
    if last_look is not None:
        return datetime.fromtimestamp(last_look, UTC) - CLOCKS_DIFFER
    is_time = max(old.uidvalidity, YEAR_2000) < selected.uidvalidity <= now
    changed = selected.uidvalidity if is_time else now
    return datetime.fromtimestamp(changed, UTC) - UNSEEN


def first_since(since: datetime, dates: Mapping[int, datetime | None]) -> int | None:
    """The smallest UID whose message came since then (INTERNALDATE by UID). One without a date counts as
    late.
    """
    return min((uid for uid, date in dates.items() if date is None or date >= since), default=None)
