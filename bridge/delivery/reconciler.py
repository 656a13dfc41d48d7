"""Reconciliation: looks into the ACD's list for the events of uncertain items, and settles or posts them again."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import structlog

from bridge.acd.client import AcdClient
from bridge.acd.failure import AcdFailure, AmbiguousName, UnknownName
from bridge.config.acd import Acd
from bridge.delivery.clocks import Clocks
from bridge.delivery.post import Poster
from bridge.delivery.reconcile import Suspect, acd_clock, find_events, overdue
from bridge.delivery.retry import Patience, wait_seconds
from bridge.errors import StateFileError
from bridge.ledger.doubt import Doubt
from bridge.ledger.ledger import Ledger
from bridge.metrics import LIST_UNREADABLE
from bridge.points import Point, passing
from bridge.reason import Reason

log = structlog.get_logger("bridge.delivery")

LOOK_EVERY_SECONDS = 30.0
"""Without news; items of a start, or that an operator has let go, are found by then."""
LEAST_BETWEEN_READINGS = 5.0
"""The list is dear: it has no paging and holds every event of the account."""
LONGEST_PAUSE_SECONDS = 900.0
"""Whatever `acd.retry_cap` allows; the watchdog must see it turn."""


class Reconciler:
    """Settles uncertain items. One reading of the list serves all of them."""

    def __init__(
        self,
        ledger: Ledger,
        client: AcdClient,
        poster: Poster,
        *,
        acd: Acd,
        clocks: Clocks,
        news: asyncio.Event,
        knock: Callable[[], None],
    ) -> None:
        """`news` is set when an item becomes uncertain; `knock` tells the worker that something is due."""
        self._ledger = ledger
        self._client = client
        self._poster = poster
        self._settle = acd.settle
        self._zone = acd.zone()
        self._patience = Patience.of(acd)
        self._clocks = clocks
        self._knock = knock
        self._news = news
        self._failures = 0
        self._on_unreadable = acd.on_unreadable
        self.ticked_at = clocks.monotonic()
        """When it last looked whether there is something to do, on the monotonic clock; for the watchdog."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.ticked_at = self._clocks.monotonic()
            self._news.clear()
            wait = await self._round()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    # A reading is never sooner than its pause; news only shorten the wait for the next look.
                    await asyncio.sleep(min(wait, LEAST_BETWEEN_READINGS))
                    await self._news.wait()

    async def _round(self) -> float:
        """Look once; how many seconds to wait until the next look. A defect with the doubts stops nobody else."""
        try:
            return await self._look()
        except Exception:
            log.exception("reconciliation-crashed")
            return self._unreadable("defect", "uncertain items wait, all others go on; please report it")

    async def _look(self) -> float:
        try:
            doubts = await self._doubts()
            missing = await self._look_for(doubts) if doubts else []
        except AcdFailure as error:
            await self._give_up_looking(error.reason)
            return self._unreadable(error.reason, error.hint)
        except StateFileError as error:
            return self._unreadable("state-file", error.hint)
        self._failures = 0
        LIST_UNREADABLE.set(0)
        return self._until_due(missing)

    async def _doubts(self) -> Sequence[Doubt]:
        """The oldest uncertain items. Their waiting times must not begin when a clock that was set back gets there."""
        doubts = await self._ledger.doubts()
        now = self._now()
        if any(doubt.ended_at > now for doubt in doubts):
            await self._ledger.end_doubts_by_now(now=now)
            doubts = await self._ledger.doubts()
        return doubts

    async def _give_up_looking(self, reason: Reason) -> None:
        """What the operator wants done with doubts while the ACD answers, but not with its list.

        While nobody can be reached at all, nothing could be posted either, and the list may be there afterwards.
        """
        if self._on_unreadable == "wait" or reason is Reason.ACD_UNREACHABLE:
            return
        try:
            doubts = overdue(await self._doubts(), now=self._now(), patience=self._patience.cap)
            if not doubts:
                return
            if self._on_unreadable == "hold":
                states = await self._ledger.hold(doubts)
            else:
                why = "posted again unseen: the ACD's list cannot be read"
                states = await self._ledger.resend(doubts, why, now=self._now())
        except StateFileError as error:
            log.error("state-file-failed", problem=error.message, hint=error.hint)
            return
        for key, state in states.items():
            log.warning("doubt-given-up", key=key, state=state, reason=reason)
        self._knock()

    async def _look_for(self, doubts: Sequence[Doubt]) -> list[Doubt]:
        """Settle what is in the list, post again what has had its time; the ones that have not are returned."""
        suspects = await self._suspects(doubts)
        read_at = self._now()
        listed = await self._client.events(attested_only=True)
        passing(Point.LIST_READ)
        # In this order: what is not under way any more is settled by now, and owns its event.
        rivals = await self._suspects(await self._ledger.under_way())
        owned = await self._ledger.owners([event.id for event in listed])
        clock = acd_clock(listed, owned, self._zone)
        found, contested = find_events(suspects, listed, owned, clock, rivals)
        settled = {one.doubt.id for one in found}
        missing = [suspect.doubt for suspect in suspects if suspect.doubt.id not in settled]
        again = [
            doubt
            for doubt in missing
            if doubt not in contested and doubt.ended_at + self._settle * 1000 <= read_at
        ]
        states = await self._ledger.resolve(found, again, now=self._now())
        passing(Point.DOUBTS_RESOLVED)
        for key, state in states.items():
            log.info("doubt-resolved", key=key, state=state)
        if states:
            self._knock()
        return [doubt for doubt in missing if doubt not in again]

    async def _suspects(self, doubts: Sequence[Doubt]) -> list[Suspect]:
        return [suspect for doubt in doubts if (suspect := await self._suspect(doubt)) is not None]

    async def _suspect(self, doubt: Doubt) -> Suspect | None:
        """The request of an item. Names that the ACD does not know any more need an operator."""
        try:
            return Suspect(doubt, await self._poster.request_of(doubt.event))
        except (UnknownName, AmbiguousName) as error:
            log.error("doubt-unresolvable", key=doubt.key, problem=error.message, hint=error.hint)
            return None
        except AcdFailure:
            raise
        except Exception:
            log.exception("doubt-unresolvable", key=doubt.key)
            return None

    def _unreadable(self, reason: str, hint: str) -> float:
        self._failures += 1
        wait = wait_seconds(self._failures, self._patience, self._clocks.chance())
        wait = min(max(wait, LEAST_BETWEEN_READINGS), LONGEST_PAUSE_SECONDS)
        LIST_UNREADABLE.set(1)
        tell = log.error if self._failures == 1 else log.warning
        tell("doubts-wait", reason=reason, hint=hint, seconds=round(wait, 1))
        return wait

    def _until_due(self, missing: Sequence[Doubt]) -> float:
        if not missing:
            return LOOK_EVERY_SECONDS
        due = min(doubt.ended_at for doubt in missing) + self._settle * 1000
        return min(LOOK_EVERY_SECONDS, max(LEAST_BETWEEN_READINGS, (due - self._now()) / 1000))

    def _now(self) -> int:
        return round(self._clocks.wall() * 1000)
