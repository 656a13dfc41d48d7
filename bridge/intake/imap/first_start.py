"""What is taken of a folder at its first start, and which mails an order to read old mail is about. Decisions.

Whatever `start` says, live mail is watched from UIDNEXT on at once; what was there before is read behind it, as
history. Flags are looked at once, for `unseen`, and are no input ever after.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from bridge.cursor import FolderCursor
from bridge.history import HistoryOrder
from bridge.intake.handover import Incoming, Vanished
from bridge.intake.imap import uid_set
from bridge.intake.imap.selected import Selected
from bridge.intake.imap.sync import Window
from bridge.intake.imap.take_in import NO_DATE

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

LOST_SNAPSHOT = "the folder was numbered anew, so that nobody knows any more which mails were unseen"


def first_order(
    start: Literal["now", "all", "unseen"] | date, baseline: FolderCursor, unseen: Sequence[int]
) -> HistoryOrder | None:
    """What is to be read of the mail that was there before the baseline; None for nothing.

    `unseen` are the ascending UIDs that were unseen when the folder was opened.
    """
    if start == "now" or (start == "unseen" and not unseen):
        return None
    return HistoryOrder(
        source=baseline.source,
        folder=baseline.folder,
        since=midnight(start) if isinstance(start, date) else None,
        uids=uid_set.as_text(unseen) if start == "unseen" else None,
        uidvalidity=baseline.uidvalidity,
        next_uid=1,
        last_uid=baseline.baseline - 1,
    )


def midnight(day: date) -> int:
    """When the day begins in UTC; milliseconds since 1970."""
    return round(datetime.combine(day, time.min, UTC).timestamp() * 1000)


def search_criteria(since: int | None) -> tuple[str, ...]:
    """What SEARCH is asked for. SINCE knows only days and disregards zones (RFC 9051 section 6.4.4), so that
    one day more is asked for, and `is_wanted` decides.
    """
    if since is None:
        return ()
    day = datetime.fromtimestamp(since / 1000, UTC).date()
    day = day - timedelta(days=1) if day > date.min else day
    return ("SINCE", f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04}")


def is_wanted(mail: Incoming, since: int | None) -> bool:
    """Whether the mail came since then (INTERNALDATE). One whose date nobody knows counts as late."""
    if since is None or isinstance(mail, Vanished) or mail.received_at == NO_DATE:
        return True
    return mail.received_at.timestamp() * 1000 >= since


def only_listed(window: Window, wanted: Collection[int] | None) -> Window:
    """The window without the UIDs that the order is not about."""
    if wanted is None:
        return window
    return replace(window, uids=[uid for uid in window.uids if uid in wanted])


def placed(order: HistoryOrder, cursor: FolderCursor, selected: Selected) -> HistoryOrder | None:
    """The order as it is to be gone on with in the open folder; None while the cursor is of another numbering.

    Where the folder was numbered anew, everything before the new baseline is read again: known mails make no
    second event.
    """
    if cursor.uidvalidity != selected.uidvalidity:
        return None
    if order.uidvalidity == selected.uidvalidity:
        return order
    if order.uids is not None:
        return replace(order, ended=True, words=LOST_SNAPSHOT)
    return replace(order, uidvalidity=selected.uidvalidity, next_uid=1, last_uid=cursor.baseline - 1)


def moved_to(order: HistoryOrder, through: int) -> HistoryOrder:
    """The order with everything up to and including this UID read."""
    return replace(order, next_uid=through + 1, ended=through >= order.last_uid)
