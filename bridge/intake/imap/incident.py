"""Is every folder of a mailbox watched? One incident for an outage, however often it is tried again. Pure.

What proves that a folder is watched is a good look at it, not a connection. An incident begins once the last one is
too old, and ends once every folder was looked at again. The clock is handed in.
"""

from collections.abc import Iterable
from dataclasses import dataclass

OVERDUE = 600.0
"""Seconds without a good look after which a folder counts as not watched."""
POLLS = 3
"""Where the distance of the polls is long, so many of them must have failed."""


@dataclass(frozen=True, slots=True)
class Began:
    """Folders are not watched. Said again where more of them join."""

    folders: tuple[str, ...]
    """All that are not watched now."""
    seconds: float
    """Since the oldest of their last good looks."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Every folder is watched again, after so many seconds without."""

    seconds: float


class Incident:
    """What is known of a mailbox's folders. Times are seconds of one clock that never goes back."""

    def __init__(self, folders: Iterable[str], now: float, poll: float) -> None:
        self._good = dict.fromkeys(folders, now)
        self._bound = max(OVERDUE, POLLS * poll)
        self._since: float | None = None
        self._told: frozenset[str] = frozenset()

    @property
    def unwatched(self) -> int:
        """How many folders were not watched at the last turn."""
        return len(self._told)

    def looked(self, folder: str, now: float) -> None:
        """The folder was looked at, or read on in."""
        self._good[folder] = now

    def turn(self, now: float) -> Began | Ended | None:
        """What is to be said at this time, if anything."""
        overdue = frozenset(folder for folder, good in self._good.items() if now - good > self._bound)
        new, self._told = overdue - self._told, overdue
        if overdue:
            oldest = min(self._good[folder] for folder in overdue)
            self._since = oldest if self._since is None else self._since
            return Began(tuple(sorted(overdue)), now - oldest) if new else None
        since, self._since = self._since, None
        return None if since is None else Ended(now - since)
