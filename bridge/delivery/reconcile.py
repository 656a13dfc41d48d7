"""Which uncertain items have their event in the ACD's list: a decision as a value.

`POST /acd/events/create` knows no idempotency key. After a time-out or a broken connection only the list of all
events can tell whether the event was made.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from heapq import merge
from operator import itemgetter
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
_ORDER = itemgetter(0, 1)
"""When an event was created, and its ID."""


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
    timeline = _Timeline(listed)
    found: list[Found] = []
    contested: list[Doubt] = []
    for suspect in sorted(suspects, key=lambda one: (one.doubt.sent_at, one.doubt.id)):
        event = _created(suspect, timeline, taken, clock)
        if event is None:
            continue
        if any(_may_have_made(rival, event, timeline.created, clock) for rival in rivals):
            contested.append(suspect.doubt)
            continue
        taken.add(event.id)
        found.append(Found(doubt=suspect.doubt, acd_event_id=event.id))
    return Findings(found, contested)


class _Timeline:
    """The list in the order of its times, by subject.

    The list holds every event of the account, and nothing else goes on while it is searched: what was there long
    before a suspect, or has another subject, must cost nothing.
    """

    def __init__(self, listed: Sequence[AcdEvent]) -> None:
        moments = ((event.created_at, event.id, event) for event in listed)
        dated = ((moment, number, event) for moment, number, event in moments if moment is not None)
        known = sorted(dated, key=_ORDER)
        self.created = {number: moment for moment, number, _ in known}
        """When each event was created."""
        self._by_subject: defaultdict[str | None, list[tuple[datetime, int, AcdEvent]]] = defaultdict(list)
        for one in known:
            self._by_subject[one[2].subject].append(one)

    def since(self, moment: datetime, subject: str) -> Iterator[AcdEvent]:
        """The events of this subject, or whose subject the ACD does not list, from this moment on, oldest first."""
        runs = (self._by_subject.get(one, []) for one in (subject, None))
        later = [run[bisect_left(run, (moment,)) :] for run in runs]
        return (event for _, _, event in merge(*later, key=_ORDER))


def _since(doubt: Doubt, created: Mapping[int, datetime], clock: timedelta) -> datetime:
    """Before this, by the ACD's clock, nothing can have come of the attempt.

    An event of ours that was there before it tells so by the ACD's clock alone. Only without one, as at a first
    start, our own clock has to be believed: one that was set since would let events be missed.
    """
    before = created.get(doubt.after_event) if doubt.after_event is not None else None
    return (before or _naive_utc(doubt.sent_at) + clock) - SKEW


def _created(suspect: Suspect, timeline: _Timeline, taken: set[int], clock: timedelta) -> AcdEvent | None:
    since = _since(suspect.doubt, timeline.created, clock)
    for event in timeline.since(since, suspect.request.subject):
        if event.id not in taken and says_the_same(suspect.request, event):
            return event
    return None


def _may_have_made(
    rival: Suspect, event: AcdEvent, created: Mapping[int, datetime], clock: timedelta
) -> bool:
    return created[event.id] >= _since(rival.doubt, created, clock) and says_the_same(rival.request, event)


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


def _naive_utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).replace(tzinfo=None)
