"""How many bytes a mailbox's server sent, by day: providers have a limit, and close the account for the rest of it."""

from dataclasses import dataclass
from datetime import date

from bridge import metrics

MUCH = 1_250_000_000
"""Bytes a day that are worth a warning: half of what Gmail allows by IMAP ("Gmail bandwidth limits": 2,500 MB)."""


@dataclass(frozen=True, slots=True)
class DayEnded:
    """A day of UTC is over, in which so many bytes came."""

    day: date
    size: int


@dataclass(frozen=True, slots=True)
class Much:
    """More came today than a mailbox should need. Said once a day."""

    size: int


class Traffic:
    """Counts what all connections of one mailbox receive, as it is on the wire below TLS."""

    def __init__(self, mailbox: str, day: date) -> None:
        self._counter = metrics.IMAP_RECEIVED.labels(mailbox=mailbox)
        self._day = day
        self._size = 0
        self._told = False

    def received(self, size: int) -> None:
        """So many bytes more."""
        self._size += size
        self._counter.inc(size)

    def turn(self, day: date) -> DayEnded | Much | None:
        """What is to be said on this day, if anything."""
        if day != self._day:
            ended = DayEnded(self._day, self._size)
            self._day, self._size, self._told = day, 0, False
            return ended
        if self._size > MUCH and not self._told:
            self._told = True
            return Much(self._size)
        return None
