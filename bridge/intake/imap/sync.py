"""What to read of a folder: decisions as values, without a server.

A folder is compared with its cursor each time it is opened. What lies between is read in windows: small ones
first, so that a single mail is not kept waiting, then growing ones, so that a backlog goes fast. Ranges are
read as they are where they are short; long ones are listed first, since UIDs may be far apart (they go up to
4,294,967,295 in a folder of ten messages).
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bridge.cursor import FolderCursor
from bridge.intake.imap.selected import Selected

FIRST_WINDOW = 16
"""Messages in the first window after a pause."""
MAX_WINDOW = 500
"""Messages in the largest window."""
GROWTH = 4
WINDOW_BYTES = 4 * 1024 * 1024
"""A window of more bytes than this is followed by a smaller one."""
FIRST_LISTING = 20_000
"""UIDs asked about in the first listing of a long range."""
SPARSE = 1000
"""Fewer messages than this in a listing: the next one looks at a longer range."""
MAX_LISTED = 1_000_000
"""A folder of more messages is listed in ranges of this length at most, so that an answer stays bounded."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The folder is seen for the first time: store this cursor before anything else."""

    cursor: FolderCursor
    before: int
    """How many messages were there before; see `bridge.intake.imap.first_start`."""


@dataclass(frozen=True, slots=True)
class Renumbered:
    """The UIDs do not mean the same messages as before; see `bridge.intake.imap.renumbered`."""

    old: FolderCursor


@dataclass(frozen=True, slots=True)
class Known:
    """The folder is the one of the cursor; `first` to `last` are to be read, nothing where first > last."""

    first: int
    last: int


def compare(
    cursor: FolderCursor | None, selected: Selected, *, source: str, folder: str
) -> Baseline | Renumbered | Known:
    """What to do with a folder that was just opened."""
    if cursor is None:
        return Baseline(
            baseline_at(selected.uidnext, selected, source=source, folder=folder), selected.exists
        )
    if cursor.uidvalidity != selected.uidvalidity or selected.uidnext <= cursor.last_uid:
        return Renumbered(cursor)
    return Known(cursor.last_uid + 1, selected.uidnext - 1)


def baseline_at(first: int, selected: Selected, *, source: str, folder: str) -> FolderCursor:
    """The cursor that watches a folder from this UID on."""
    return FolderCursor(
        source=source, folder=folder, uidvalidity=selected.uidvalidity, baseline=first, last_uid=first - 1
    )


def moved(cursor: FolderCursor, through: int) -> FolderCursor:
    """The cursor with everything up to and including this UID accounted for. It never moves back."""
    return replace(cursor, last_uid=max(cursor.last_uid, through))


@dataclass(frozen=True, slots=True)
class ListUids:
    """Ask which UIDs there are from `first` to `last`, then call `Backlog.listed`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Window:
    """Fetch these UIDs, then call `Backlog.read`."""

    uids: Sequence[int]
    """Ascending; a range where the folder was not listed, so that some may not exist. May be empty."""
    through: int
    """Everything up to and including this UID is accounted for once the window is stored."""


class Backlog:
    """What is still to be read of a folder between two UIDs, and in which steps. Asks every UID exactly
    once.
    """

    def __init__(self, first: int, last: int, *, exists: int, window: int = FIRST_WINDOW) -> None:
        self._next = first
        self._last = last
        self._exists = exists
        self._window = window
        self._uids: Sequence[int] = ()
        self._at = 0
        self._listed_to = first - 1
        self._listing = FIRST_LISTING

    def step(self) -> ListUids | Window | None:
        """The next thing to do, or None where everything was read."""
        if self._next > self._last:
            return None
        if self._next > self._listed_to:
            if self._last - self._next < self._window:
                return Window(range(self._next, self._last + 1), self._last)
            return ListUids(self._next, min(self._last, self._next + self._listing - 1))
        uids = self._uids[self._at : self._at + self._window]
        is_last = self._at + self._window >= len(self._uids)
        return Window(uids, self._listed_to if is_last else uids[-1])

    def listed(self, found: Iterable[int], through: int) -> None:
        """These UIDs exist up to `through`. What was not asked for is left out."""
        self._uids = sorted({uid for uid in found if self._next <= uid <= through})
        self._at = 0
        self._listing = next_listing(self._listing, len(self._uids), self._exists)
        self._listed_to = through
        if not self._uids and through < self._last:
            self._next = through + 1

    def read(self, through: int, size: int) -> None:
        """Everything up to `through` was read, in so many bytes."""
        self._next = through + 1
        self._at = bisect_right(self._uids, through)
        self._window = next_window(self._window, size)


def next_window(window: int, size: int) -> int:
    """How many messages to read at once after a window of so many took so many bytes."""
    if size > WINDOW_BYTES:
        return max(1, window // GROWTH)
    return min(MAX_WINDOW, window * GROWTH)


def next_listing(listing: int, found: int, exists: int) -> int:
    """How long a range to list after one of this length held so many messages."""
    if found >= SPARSE:
        return FIRST_LISTING
    longer = listing * 16
    return min(longer, MAX_LISTED) if exists > MAX_LISTED else longer
