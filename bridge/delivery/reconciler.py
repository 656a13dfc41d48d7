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
from bridge.delivery.reconcile import Suspect, acd_clock, find_events
from bridge.delivery.retry import Patience, wait_seconds
from bridge.errors import StateFileError
from bridge.ledger.doubt import Doubt
from bridge.ledger.ledger import Ledger

log = structlog.get_logger("bridge.delivery")

LOOK_EVERY_SECONDS = 30.0
"""Without news; items of a start, or that an operator has let go, are found by then."""
LEAST_BETWEEN_READINGS = 5.0
"""The list is dear: it has no paging and holds every event of the account."""


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

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._news.clear()
            wait = await self._round()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    # A reading is never sooner than its pause; news only shorten the wait for the next look.
                    await asyncio.sleep(min(wait, LEAST_BETWEEN_READINGS))
                    await self._news.wait()

    async def _round(self) -> float:
        """Look once; how many seconds to wait until the next look."""
        try:
            doubts = await self._ledger.doubts()
            if not doubts:
                self._failures = 0
                return LOOK_EVERY_SECONDS
            missing = await self._look_for(doubts)
        except AcdFailure as error:
            return self._unreadable(error.reason, error.hint)
        except StateFileError as error:
            return self._unreadable("state-file", error.hint)
        self._failures = 0
        return self._until_due(missing)

    async def _look_for(self, doubts: Sequence[Doubt]) -> list[Doubt]:
        """Settle what is in the list, post again what has had its time; the ones that have not are returned."""
        suspects = [suspect for doubt in doubts if (suspect := await self._suspect(doubt)) is not None]
        read_at = self._now()
        listed = await self._client.events()
        owned = await self._ledger.owners([event.id for event in listed])
        found = find_events(suspects, listed, owned, acd_clock(listed, owned, self._zone))
        settled = {one.doubt.id for one in found}
        missing = [suspect.doubt for suspect in suspects if suspect.doubt.id not in settled]
        again = [doubt for doubt in missing if doubt.ended_at + self._settle * 1000 <= read_at]
        states = await self._ledger.resolve(found, again, now=self._now())
        for key, state in states.items():
            log.info("doubt-resolved", key=key, state=state)
        if states:
            self._knock()
        return [doubt for doubt in missing if doubt not in again]

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
        tell = log.error if self._failures == 1 else log.warning
        tell("doubts-wait", reason=reason, hint=hint, seconds=round(wait, 1))
        return max(wait, LEAST_BETWEEN_READINGS)

    def _until_due(self, missing: Sequence[Doubt]) -> float:
        if not missing:
            return LOOK_EVERY_SECONDS
        due = min(doubt.ended_at for doubt in missing) + self._settle * 1000
        return min(LOOK_EVERY_SECONDS, max(LEAST_BETWEEN_READINGS, (due - self._now()) / 1000))

    def _now(self) -> int:
        return round(self._clocks.wall() * 1000)
