"""Follows settled events in the ACD until they have ended: looks at what is due, and writes down what it found.

Looks are rows with a time, not sleeping tasks. One request is under way at a time, and none while posting is held up.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from bridge.acd.client import AcdClient
from bridge.acd.failure import (
    AcdConflict,
    AcdConnectionLost,
    AcdFailure,
    AcdLater,
    AcdNotFound,
    AcdRefused,
    AcdUnauthorised,
    AcdUnreachable,
    AcdUnreadable,
    AcdWrongAddress,
)
from bridge.acd.record import AcdEvent
from bridge.acd.statuses import Statuses
from bridge.config.acd import Acd
from bridge.config.follow_up import FollowUp
from bridge.delivery.clocks import Clocks
from bridge.delivery.follow_up import Gone, Sight, Unclear, conclude, list_is_cheaper
from bridge.delivery.gate import SLOW_PROBE_SECONDS
from bridge.delivery.pace import Pace
from bridge.delivery.retry import Patience, wait_seconds
from bridge.errors import StateFileError
from bridge.ledger.follow_ups import Followed, FollowUpOutcome, Looked
from bridge.ledger.ledger import Ledger
from bridge.metrics import EVENT_REACHED_SECONDS, FOLLOW_UP_LOOKS, FOLLOW_UPS

log = structlog.get_logger("bridge.delivery")

LOOK_EVERY_SECONDS = 5.0
"""Between two looks into the state file for something that is due."""
LEAST_BETWEEN_READINGS = 60.0
"""The list is dear: it has no paging and holds every event of the account."""
LONGEST_PAUSE_SECONDS = 900.0
"""However long a Retry-After asks to wait, and whatever `acd.retry_cap` allows; the watchdog must see it turn."""
LIST_SHUNNED_SECONDS = 3600.0
"""How long the list is not tried again after it could not be read while the ACD answered."""
MOST_DUE = 2000
"""Rows that one reading of the list serves; their count also decides whether it is read."""
SOON = 0.5
"""This share of `follow_up.cap` before its time a row is served too, where the list is read anyway."""
IN_A_ROUND = 20
"""Events that are looked at one by one before what was found is written down."""

DEFECT = "a defect; the log says more"
ANOTHER = "the ACD showed another event"

Found = Mapping[int, Sight | Gone | Unclear]
"""What was found, by the event's ID."""

_CANNOT_SEE_IT = (AcdRefused, AcdConflict, AcdUnreadable)
"""Failures that speak of this one event."""
_NOBODY_CAN = (AcdUnauthorised, AcdWrongAddress)


class Follower:
    """Looks at the events of settled items, as their rows say."""

    def __init__(
        self,
        ledger: Ledger,
        client: AcdClient,
        *,
        acd: Acd,
        terms: FollowUp,
        clocks: Clocks,
        held_up: Callable[[], bool],
    ) -> None:
        """`held_up` tells whether nothing can be posted to the ACD at the moment."""
        self._ledger = ledger
        self._client = client
        self._statuses = Statuses(client, clock=clocks.monotonic)
        self._zone = acd.zone()
        self._terms = Patience(first=terms.first, cap=terms.cap, give_up_after=terms.give_up_after)
        self._outage = Patience.of(acd)
        self._clocks = clocks
        self._held_up = held_up
        self._failures = 0
        self._pace = Pace(terms.rate, at=clocks.monotonic())
        self._listed: int | None = None
        self._no_list_before = 0.0
        self.ticked_at = clocks.monotonic()
        """When it last turned, on the monotonic clock; for the watchdog."""
        for outcome in FollowUpOutcome:
            FOLLOW_UPS.labels(outcome=outcome.value)
        for way in ("single", "list"):
            FOLLOW_UP_LOOKS.labels(way=way)
        for status in ("seen", "done"):
            EVENT_REACHED_SECONDS.labels(status=status)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.ticked_at = self._clocks.monotonic()
            await asyncio.sleep(await self._round())

    async def _round(self) -> float:
        """Look once at what is due; how many seconds to wait until the next round."""
        try:
            return await self._look()
        except AcdFailure as failure:
            return self._pause(failure.reason, failure.hint, _least_pause(failure))
        except StateFileError as error:
            return self._pause("state-file", error.hint)
        except Exception:
            log.exception("follow-up-crashed")
            return self._pause("defect", "please report it with this log")

    async def _look(self) -> float:
        if await self._must_wait():
            return LOOK_EVERY_SECONDS
        due = await self._ledger.follow_ups.due(now=self._now(), limit=MOST_DUE)
        if not due:
            return LOOK_EVERY_SECONDS
        names = await self._statuses.names()
        events = list(dict.fromkeys(row.acd_event_id for row in due))
        if self._may_read_list() and list_is_cheaper(len(events), self._listed):
            await self._by_list(names)
        else:
            await self._one_by_one(due, events[:IN_A_ROUND], names)
        if self._failures:
            log.info("follow-up-resumed")
            self._failures = 0
        return 0.0

    async def _must_wait(self) -> bool:
        """Posting goes first: while it is held up its own tries tell when that is over, as long as it has any."""
        if not self._held_up():
            return False
        items = await self._ledger.totals()
        return items["pending"] + items["sending"] > 0

    def _may_read_list(self) -> bool:
        return self._clocks.monotonic() >= self._no_list_before

    async def _by_list(self, names: Mapping[int, str]) -> None:
        """One reading also serves what becomes due soon. What it does not show is looked at by itself."""
        self._no_list_before = self._clocks.monotonic() + LEAST_BETWEEN_READINGS
        FOLLOW_UP_LOOKS.labels(way="list").inc()
        try:
            listed = await self._client.events(attested_only=True)
        except (*_CANNOT_SEE_IT, AcdLater, AcdConnectionLost):
            self._no_list_before = self._clocks.monotonic() + LIST_SHUNNED_SECONDS
            raise
        self._listed = len(listed)
        soon = self._now() + round(self._terms.cap * SOON * 1000)
        rows = await self._ledger.follow_ups.due(now=soon, limit=MOST_DUE)
        wanted = {row.acd_event_id for row in rows}
        await self._record(rows, {one.id: _sight(one, names) for one in listed if one.id in wanted})

    async def _one_by_one(
        self, rows: Sequence[Followed], events: Sequence[int], names: Mapping[int, str]
    ) -> None:
        found: dict[int, Sight | Gone | Unclear] = {}
        failed: AcdFailure | None = None
        for event_id in events:
            if await self._must_wait():
                break
            await self._at_its_pace()
            try:
                found[event_id] = await self._look_at(event_id, names)
            except AcdFailure as failure:
                failed = failure
                # It may be this one's fault, whatever it looks like: then it must not be the first of every round.
                if not isinstance(failure, AcdUnreachable):
                    found[event_id] = Unclear(_words(failure))
                break
        await self._record(rows, found)
        if failed is not None:
            raise failed

    async def _at_its_pace(self) -> None:
        self.ticked_at = self._clocks.monotonic()
        await asyncio.sleep(self._pace.until_next(self._clocks.monotonic()))
        self._pace = self._pace.spent(self._clocks.monotonic())

    async def _look_at(self, event_id: int, names: Mapping[int, str]) -> Sight | Gone | Unclear:
        """Look at one event. Raises AcdFailure where that says nothing about it alone."""
        FOLLOW_UP_LOOKS.labels(way="single").inc()
        try:
            event = await self._client.event(event_id)
        except AcdNotFound:
            return Gone()
        except _CANNOT_SEE_IT as failure:
            return Unclear(_words(failure))
        except AcdFailure:
            raise
        except Exception:
            log.exception("look-crashed", acd_event_id=event_id)
            return Unclear(DEFECT)
        return _sight(event, names) if event.id == event_id else Unclear(ANOTHER)

    async def _record(self, rows: Sequence[Followed], found: Found) -> None:
        """Write down what was found, for each item whose event it is."""
        now = self._now()
        looked = {
            row: conclude(
                row,
                found[row.acd_event_id],
                self._terms,
                zone=self._zone,
                now=now,
                chance=self._clocks.chance(),
            )
            for row in rows
            if row.acd_event_id in found
        }
        if looked:
            await self._ledger.follow_ups.record(list(looked.values()), now=now)
        for row, one in looked.items():
            _tell(row, one)

    def _pause(self, reason: str, hint: str, least: float = 0.0) -> float:
        self._failures += 1
        wait = max(wait_seconds(self._failures, self._outage, self._clocks.chance()), least)
        wait = min(wait, LONGEST_PAUSE_SECONDS)
        tell = log.error if self._failures == 1 else log.warning
        tell("follow-up-waits", reason=reason, hint=hint, seconds=round(wait, 1))
        return wait

    def _now(self) -> int:
        return round(self._clocks.wall() * 1000)


def _sight(event: AcdEvent, names: Mapping[int, str]) -> Sight:
    return Sight(event, "" if event.status_id is None else names.get(event.status_id, ""))


def _words(failure: AcdFailure) -> str:
    """Without the ACD's own words, which may name what was sent."""
    return f"{failure.reason} (HTTP {failure.status})" if failure.status else str(failure.reason)


def _least_pause(failure: AcdFailure) -> float:
    asked = failure.retry_after or 0.0
    return max(asked, SLOW_PROBE_SECONDS) if isinstance(failure, _NOBODY_CAN) else asked


def _tell(row: Followed, looked: Looked) -> None:
    for status, moment in (("seen", looked.seen_at), ("done", looked.done_at)):
        if moment is not None:
            EVENT_REACHED_SECONDS.labels(status=status).observe(max(0.0, (moment - row.began_at) / 1000))
    if looked.outcome is None:
        return
    FOLLOW_UPS.labels(outcome=looked.outcome.value).inc()
    log.info(
        "event-followed",
        key=row.key,
        acd_event_id=row.acd_event_id,
        outcome=looked.outcome,
        status=looked.status,
    )
