"""Which uncertain items have their event in the ACD's list: a decision as a value.

`POST /acd/events/create` knows no idempotency key. After a time-out or a broken connection only the list of all
events can tell whether the event was made.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from statistics import median
from typing import NamedTuple

from bridge.acd.record import AcdEvent
from bridge.acd.request import CreateRequest
from bridge.ledger.doubt import Doubt, Found

SKEW = timedelta(seconds=60)
"""An event may seem to be created this much before its request was sent: clocks differ, those of two machines of the
ACD too, and the ACD rounds."""
SAMPLES = 50
"""Events of our own from which the ACD's clock is read; the newest ones."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """An item whose event may be in the list, with the request that was sent for it."""

    doubt: Doubt
    request: CreateRequest


class Findings(NamedTuple):
    """What the list tells of suspects. Those that are named nowhere have no event in it."""

    found: Sequence[Found]
    contested: Sequence[Doubt]
    """What may be the event of such a one may as well come of a request that is under way."""


def acd_clock(listed: Sequence[AcdEvent], owned: Mapping[int, int], zone: tzinfo | None) -> timedelta:
    """What the ACD's clock shows beyond UTC.

    The ACD writes its times without a zone. Events that are known to be ours tell the difference exactly;
    without any, the zone of `acd.timezone` does, or else this machine's. `owned` maps event IDs to when their
    attempts had ended (milliseconds since 1970).
    """
    known = [
        (event.created_at - _naive_utc(owned[event.id])).total_seconds()
        for event in listed
        if event.id in owned and event.created_at is not None
    ]
    if known:
        return timedelta(seconds=median(known[-SAMPLES:]))
    return datetime.now(UTC).astimezone(zone).utcoffset() or timedelta()


def find_events(
    suspects: Sequence[Suspect],
    listed: Sequence[AcdEvent],
    owned: Iterable[int],
    clock: timedelta,
    rivals: Sequence[Suspect] = (),
) -> Findings:
    """The events of the suspects, as far as they are in the list.

    An event counts where it says what the request said, was made for no other item, and was not created before the
    request was sent (see `_since`). Suspects that say the same are interchangeable: n of them and m such events
    settle the m oldest.

    `rivals` are under way: one that says the same may have made the event, and is about to hear so. Until then it is
    nobody's, since a suspect that is settled with it would never be posted.

    Nothing tells whether a request went into an older event (`UPDATED`): that one changes for many reasons. Such an
    item is posted again. The ACD then updates the same event once more, which doubles a comment and no event.
    """
    taken = set(owned)
    ordered = sorted(
        (event for event in listed if event.created_at is not None),
        key=lambda event: (event.dt_created, event.id),
    )
    created = {event.id: event.created_at for event in ordered}
    found: list[Found] = []
    contested: list[Doubt] = []
    for suspect in sorted(suspects, key=lambda one: (one.doubt.sent_at, one.doubt.id)):
        event = _created(suspect, ordered, taken, _since(suspect.doubt, created, clock))
        if event is None:
            continue
        if any(_may_have_made(rival, event, created, clock) for rival in rivals):
            contested.append(suspect.doubt)
            continue
        taken.add(event.id)
        found.append(Found(doubt=suspect.doubt, acd_event_id=event.id))
    return Findings(found, contested)


def _since(doubt: Doubt, created: Mapping[int, datetime | None], clock: timedelta) -> datetime:
    """Before this, by the ACD's clock, nothing can have come of the attempt.

    An event of ours that was there before it tells so by the ACD's clock alone. Only without one, as at a first
    start, our own clock has to be believed: one that was set since would let events be missed.
    """
    before = created.get(doubt.after_event) if doubt.after_event is not None else None
    return (before or _naive_utc(doubt.sent_at) + clock) - SKEW


def _created(
    suspect: Suspect, listed: Sequence[AcdEvent], taken: set[int], since: datetime
) -> AcdEvent | None:
    for event in listed:
        if event.id not in taken and _fits(suspect, event, since):
            return event
    return None


def _may_have_made(
    rival: Suspect, event: AcdEvent, created: Mapping[int, datetime | None], clock: timedelta
) -> bool:
    return _fits(rival, event, _since(rival.doubt, created, clock))


def _fits(suspect: Suspect, event: AcdEvent, since: datetime) -> bool:
    return _not_before(event.created_at, since) and says_the_same(suspect.request, event)


def overdue(doubts: Sequence[Doubt], *, now: int, patience: float) -> list[Doubt]:
    """Those whose outcome is unknown for longer than `patience` seconds; `now` is in milliseconds since 1970."""
    return [doubt for doubt in doubts if doubt.ended_at + patience * 1000 <= now]


def says_the_same(request: CreateRequest, event: AcdEvent) -> bool:
    """Whether the event is what this request would have made. Fields that the ACD does not list are not compared."""
    return all(
        listed is None or wanted == listed
        for wanted, listed in (
            (request.type, event.type_id),
            (request.group, event.group_id if request.group is not None else None),
            (request.config_group, event.config_group_id if request.group is None else None),
            (request.agent_group, event.agent_group_id if request.group is None else None),
            (request.sender, event.sender),
            (request.subject, event.subject),
            (
                request.user_data or "",
                event.user_data if event.user_data is not None else request.user_data or "",
            ),
        )
    )


def _not_before(moment: datetime | None, since: datetime) -> bool:
    return moment is not None and moment >= since


def _naive_utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).replace(tzinfo=None)
