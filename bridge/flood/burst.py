"""Bursts: far more from one source within ten minutes than it usually sends in hours. Decisions as values.

A message is counted in the ten minutes in which its source got it (INTERNALDATE), so that a backlog after an
outage, whose mails came one after the other, is no burst. What claims to be older than what its source has
already sent came into the folder some other way, such as by a move of old mail, and is counted now.
"""

from collections.abc import Mapping
from statistics import median

SLOT_MS = 600_000
"""The ten minutes within which messages are counted."""
SLOTS_AN_HOUR = 6
DAYS_REMEMBERED = 7
SLOTS_REMEMBERED = DAYS_REMEMBERED * 24 * SLOTS_AN_HOUR
OUT_OF_ORDER = SLOTS_AN_HOUR
"""Mail may come into a folder so many slots later than its elder and still be counted in its own."""


def slot_of(received_at: int, *, newest: int | None, now: int) -> int:
    """The slot that a message is counted in. Times are milliseconds since 1970; `newest` is the source's
    newest slot so far.
    """
    present, received = now // SLOT_MS, received_at // SLOT_MS
    if newest is None or received > present or received < newest - OUT_OF_ORDER:
        return present
    return received


def usual_hour(counts: Mapping[int, int], *, before: int) -> float:
    """The usual number an hour: the median of the hours in which anything came, up to an hour before a slot.

    The median, so that neither nights nor one earlier burst move it. 0.0 where nothing is known.
    """
    hours: dict[int, int] = {}
    for slot, number in counts.items():
        if before - SLOTS_REMEMBERED <= slot < before - SLOTS_AN_HOUR:
            hours[slot // SLOTS_AN_HOUR] = hours.get(slot // SLOTS_AN_HOUR, 0) + number
    return float(median(hours.values())) if hours else 0.0


def is_burst(number: int, usual: float, *, least: int, factor: float) -> bool:
    """Whether so many within one slot are a burst, where `usual` is the number of a usual hour.

    Of a source that is not known yet `least` is taken for the usual hour: nobody can say what is much for it.
    """
    return number > max(least, factor * (usual or least))
