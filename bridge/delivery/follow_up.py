"""Following an event in the ACD: what a look at it means, when to look again, and how to look. Decisions as values."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from bridge.acd.record import AcdEvent
from bridge.delivery.retry import Patience, wait_seconds
from bridge.ledger.follow_ups import Followed, FollowUpOutcome, Looked

ENDS: Final = {"Done": FollowUpOutcome.DONE, "Error": FollowUpOutcome.ERROR}
"""The states after which nothing happens to an event any more."""
MILESTONES: Final = {"New": "new_at", "Seen": "seen_at", "Done": "done_at"}
"""The states whose times are written down."""

RECORDS_PER_LOOK: Final = 50
"""So many records of the list are taken to cost the ACD as much as one single look. It is an estimate."""
UNKNOWN_LIST: Final = 2000
"""So many records the list is taken to have before it was ever read."""
SKEW: Final = timedelta(seconds=60)
"""So much earlier than its item's settlement an event may seem to have changed."""

PURGED: Final = "the ACD knows no event of this ID any more"
MAX_STATUS: Final = 2**31 - 1
NO_STATUS: Final = "the ACD does not tell the event's state"


@dataclass(frozen=True, slots=True)
class Sight:
    """The ACD showed the event. `status_name` is empty for a state that its list does not name."""

    event: AcdEvent
    status_name: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The ACD knows no such event."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """The ACD answered, or failed, for this event in a way that tells nothing of it."""

    words: str


def conclude(
    row: Followed,
    found: Sight | Gone | Unclear,
    patience: Patience,
    *,
    zone: tzinfo | None,
    now: int,
    chance: float,
) -> Looked:
    """What follows from a look. `now` is in milliseconds; `zone` is the ACD's, None for this machine's."""
    looked = Looked(item_id=row.item_id, due_at=now, steady=row.steady + 1, told=False)
    match found:
        case Gone():
            return replace(looked, outcome=FollowUpOutcome.UNKNOWN, detail=PURGED)
        case Unclear(words):
            return _again(row, replace(looked, detail=words), patience, now=now, chance=chance)
    told = _told(row, looked, found, changed_at(row, found.event, zone, now))
    if (end := ENDS.get(told.status_name)) is not None:
        return replace(told, outcome=end)
    return _again(row, told, patience, now=now, chance=chance)


def _told(row: Followed, looked: Looked, sight: Sight, changed: int) -> Looked:
    """With what the ACD said. A new state makes the waiting times begin anew."""
    status = sight.event.status_id
    if status is None or not 0 <= status <= MAX_STATUS:
        return replace(looked, detail=NO_STATUS)
    reached = {MILESTONES.get(sight.status_name)} - row.reached
    return replace(
        looked,
        told=True,
        status=status,
        status_name=sight.status_name,
        steady=looked.steady if status == row.status else 0,
        new_at=changed if "new_at" in reached else None,
        seen_at=changed if "seen_at" in reached else None,
        done_at=changed if "done_at" in reached else None,
    )


def _again(row: Followed, looked: Looked, patience: Patience, *, now: int, chance: float) -> Looked:
    """Look again later, at the last at the end of the time; that last look ends it."""
    end = row.began_at + round(patience.give_up_after * 1000)
    if now >= end:
        state = looked.detail or f"the event was {looked.status_name or f'in state {looked.status}'}"
        words = f"given up after {patience.give_up_after:.0f} s; last: {state}"
        return replace(looked, outcome=FollowUpOutcome.GAVE_UP, detail=words)
    wait = wait_seconds(looked.steady + 1, patience, chance)
    return replace(looked, due_at=min(now + round(wait * 1000), end))


def changed_at(row: Followed, event: AcdEvent, zone: tzinfo | None, now: int) -> int:
    """When the event got the state that is seen now, in milliseconds since 1970.

    It is dtLastModified, where that lies between the last look and this one; else it is the time of this look. The ACD
    writes no zone: how its clock stands is told by dtCreated of an event that was made at the settlement, else by
    `zone`.
    """
    if event.modified_at is None:
        return now
    moment = _in_utc(row, event, event.modified_at, zone)
    since = row.began_at - round(SKEW.total_seconds() * 1000) if row.looked_at is None else row.looked_at
    return moment if moment is not None and since <= moment <= now else now


def _in_utc(row: Followed, event: AcdEvent, modified: datetime, zone: tzinfo | None) -> int | None:
    if row.own and event.created_at is not None:
        return row.began_at + round((modified - event.created_at).total_seconds() * 1000)
    try:
        return round(modified.replace(tzinfo=zone).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None  # a year that no clock shows


def list_is_cheaper(events: int, listed: int | None) -> bool:
    """Whether one reading of the list, of `listed` records when it was last read, costs less than so many looks."""
    return events > 1 and events * RECORDS_PER_LOOK > (UNKNOWN_LIST if listed is None else listed)
