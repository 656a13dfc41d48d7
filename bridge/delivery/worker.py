"""The outbox's worker: claims what is due, posts it, writes down what came of it.

Retries are rows with a time, not sleeping tasks; so they survive a restart and cost no memory.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from functools import partial

import structlog

from bridge.acd.answer import Answer, Meaning
from bridge.delivery.clocks import Clocks, SetBack
from bridge.delivery.gate import Forbidden, Gate, after, places, worth_telling
from bridge.delivery.pace import Pace
from bridge.delivery.post import Poster
from bridge.delivery.ready import Ready
from bridge.delivery.retry import Patience, decide
from bridge.errors import StateFileError, StateFileGoneError
from bridge.ledger.item import Claimed, Settlement
from bridge.ledger.ledger import Ledger
from bridge.ledger.state import OPEN, ItemState
from bridge.metrics import ACCEPT_TO_SETTLED_SECONDS, DELIVERIES, DELIVERY_PAUSED, REFUSALS_IN_A_ROW
from bridge.points import Point, passing
from bridge.reason import Reason

log = structlog.get_logger("bridge.delivery")

LOOK_AGAIN_SECONDS = 1.0
"""The longest time until rows that another process changed, or that became due, are seen."""
STATE_FILE_PAUSE_SECONDS = 2.0

_UNWELCOME = frozenset({ItemState.DEAD, ItemState.UNCERTAIN})


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that ended and is to be written down."""

    item: Claimed
    settlement: Settlement
    seconds: float
    """How long the request took."""


class DeliveryWorker:
    """Posts the ledger's due items, at most `concurrency` at a time, in order within each conversation."""

    def __init__(
        self,
        ledger: Ledger,
        poster: Poster,
        *,
        concurrency: int,
        patience: Patience,
        clocks: Clocks | None = None,
        doubt: asyncio.Event | None = None,
        rate: float = 0.0,
    ) -> None:
        self._ledger = ledger
        self._poster = poster
        self._concurrency = concurrency
        self._patience = patience
        self._clocks = clocks or Clocks()
        self._set_back = SetBack(self._clocks)
        self._behind = 0.0
        """Seconds by which the clock was set back, as far as the state file does not know of it yet."""
        self._doubt = doubt or asyncio.Event()
        self._gate = Gate()
        self._forbidden = Forbidden()
        self._pace = Pace(rate, at=self._clocks.monotonic())
        self._news = asyncio.Event()
        self._stopping = False
        self._ready = Ready(concurrency)
        self._back: list[Claimed] = []
        """Claimed ahead and not to be begun any more; nobody knows yet whether the state file has taken them back."""
        self._under_way: dict[asyncio.Task[None], Claimed] = {}
        self._ended: list[Ended] = []
        self._turn_failed = False
        """Whether the last turn raised; nobody knows then whether it is on disk nevertheless."""
        self._finished = asyncio.Event()
        self.ticked_at = self._clocks.monotonic()
        """When the loop last turned, on the monotonic clock; for the watchdog."""

    def knock(self) -> None:
        """Say that there may be something to do."""
        self._news.set()

    @property
    def paused(self) -> str | None:
        """Why nothing is posted at the moment, or None."""
        return str(self._gate.cause) if self._gate.shut else None

    async def run(self) -> None:
        """Work until stopped, and then until what was under way is written down."""
        try:
            await self._recover()
            while not self._stopping or self._under_way or self._ended or self._ready or self._back:
                self.ticked_at = self._clocks.monotonic()
                self._news.clear()
                await self._follow_clock()
                await self._turn()
                await self._wait()
        finally:
            self._stopping = True  # however it ended: what is still under way must begin nothing after it
            self._finished.set()

    async def _recover(self) -> None:
        """Nothing is claimed before it is known what was under way at the last end."""
        while not self._stopping:
            self.ticked_at = self._clocks.monotonic()
            try:
                crashed = await self._ledger.recover(now=self._now())
            except StateFileGoneError:
                raise
            except StateFileError as error:
                log.error("state-file-failed", problem=error.message, hint=error.hint)
                await asyncio.sleep(STATE_FILE_PAUSE_SECONDS)
                continue
            if crashed:
                log.warning("items-uncertain-after-crash", items=crashed)
                self._doubt.set()
            return

    async def _follow_clock(self) -> None:
        """What the state file puts off must not wait until a clock that was set back has caught up."""
        self._behind += self._set_back.seconds()
        if not self._behind:
            return
        try:
            await self._ledger.set_back(by=round(self._behind * 1000), now=self._now())
        except StateFileGoneError:
            raise
        except StateFileError:
            return  # the turn that follows finds it too, says so and waits
        log.warning("clock-set-back", seconds=round(self._behind, 1))
        self._behind = 0.0

    async def stop(self, within: float) -> None:
        """Claim nothing more, and wait until what was under way is written down.

        Requests that have not ended after so many seconds are cut off; they are uncertain at the next start.
        """
        self._stopping = True
        self._news.set()
        try:
            async with asyncio.timeout(within):
                await self._finished.wait()
        except TimeoutError:
            for task in self._under_way:
                task.cancel()

    async def _turn(self) -> None:
        """Write down what ended and claim what may be begun, in one transaction; then begin it.

        An answer must not be forgotten: while the state file fails, it is kept and tried again.
        """
        self._begin_ready()
        ended, self._ended = self._ended, []
        self._back += self._not_to_be_begun()
        limit, history = self._wanted()
        if not (ended or self._back or limit or self._turn_failed):
            return
        try:
            settled = [(one.item, one.settlement) for one in ended]
            claimed = await self._ledger.turn(
                settled, limit, now=self._now(), history=history, back=self._back, in_hand=self._in_hand()
            )
        except StateFileGoneError:
            raise
        except StateFileError as error:
            self._turn_failed = True
            self._ended = ended + self._ended
            log.error("state-file-failed", problem=error.message, hint=error.hint)
            await asyncio.sleep(STATE_FILE_PAUSE_SECONDS)
            return
        self._turn_failed = False
        self._back = []
        self._ready.add(claimed)
        self._begin_ready()
        for one in ended:
            self._tell(one)
        if any(one.settlement.state is ItemState.UNCERTAIN for one in ended):
            self._doubt.set()

    def _in_hand(self) -> list[Claimed] | None:
        """After a turn that failed: all that is claimed as far as we know, so that what is not can be told from it."""
        return [*self._under_way.values(), *self._ready] if self._turn_failed else None

    def _not_to_be_begun(self) -> list[Claimed]:
        """What was claimed ahead and must wait in the state file: the bridge stops, or nothing passes the gate."""
        return self._ready.take_all() if self._stopping or self._gate.shut else []

    def _wanted(self) -> tuple[int, int]:
        """How many items to claim, and how many of them may be history; a probe is claimed by itself."""
        if self._stopping or self._gate.shut:
            return (self._places(),) * 2
        return self._ready.wanted(self._places())

    def _places(self) -> int:
        """How many requests may be begun; none while answers wait that the state file does not take."""
        if self._stopping or len(self._ended) > self._concurrency:
            return 0
        now = self._clocks.monotonic()
        free = places(self._gate, now=now, in_flight=len(self._under_way), concurrency=self._concurrency)
        return self._pace.places(free, now)

    def _begin_ready(self) -> None:
        for _ in range(self._places()):
            item = self._ready.take()
            if item is None:
                return
            self._begin(item)

    def _begin(self, item: Claimed) -> None:
        self._pace = self._pace.spent(self._clocks.monotonic())
        task = asyncio.create_task(self._deliver(item, probing=self._gate.shut), name=f"deliver {item.key}")
        self._under_way[task] = item
        task.add_done_callback(partial(self._place_is_free, item))

    def _place_is_free(self, item: Claimed, task: "asyncio.Task[None]") -> None:
        self._under_way.pop(task, None)
        self._ready.ended(item)
        if task.cancelled() or task.exception() is not None:
            self._broke_off(item, task)
        if not self._gate.shut:
            self._begin_ready()
        self._news.set()

    def _broke_off(self, item: Claimed, task: "asyncio.Task[None]") -> None:
        """The task brought no answer: cut off at the stop, cancelled by something that it waited for, or a defect.

        Its item must not stay `sending`, where nobody looks for it before the next start.
        """
        error = None if task.cancelled() else task.exception()
        hint = "the item is uncertain: its event is looked for in the ACD's list"
        log.error("delivery-broke-off", key=item.key, hint=hint, exc_info=error)
        answer = Answer(meaning=Meaning.UNCERTAIN, reason=Reason.CRASHED_WHILE_SENDING)
        settlement = decide(item, answer, self._patience, now=self._now(), chance=0.0)
        self._ended.append(Ended(item, settlement, 0.0))

    async def _wait(self) -> None:
        if self._ended:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience_for_news()):
                await self._news.wait()

    def _patience_for_news(self) -> float:
        """Something that is ready and only waits for its pace is begun as soon as that allows."""
        next_one = self._pace.until_next(self._clocks.monotonic()) if len(self._ready) else 0.0
        return min(LOOK_AGAIN_SECONDS, next_one or LOOK_AGAIN_SECONDS)

    async def _deliver(self, item: Claimed, *, probing: bool) -> None:
        began = self._clocks.monotonic()
        try:
            passing(Point.POST_BEGINS)
            answer = await self._poster.post(item.event)
            passing(Point.POST_ENDED)
        except Exception:
            log.exception("delivery-crashed", key=item.key)
            answer = Answer(meaning=Meaning.UNCERTAIN, reason=Reason.CRASHED_WHILE_SENDING)
        seconds = self._clocks.monotonic() - began
        if answer.status == 403 and self._forbidden.is_alone(item.id):
            answer = replace(answer, meaning=Meaning.REFUSED, reason=Reason.FORBIDDEN_ALONE)
        settlement = decide(
            item, answer, self._patience, now=self._now(), chance=self._clocks.chance(), probing=probing
        )
        self._pass_gate(answer)
        self._ended.append(Ended(item, settlement, seconds))

    def _pass_gate(self, answer: Answer) -> None:
        if answer.meaning is Meaning.REFUSED and answer.status is None:
            return  # refused by our own check: that says nothing about the ACD
        if answer.meaning in {Meaning.CREATED, Meaning.UPDATED}:
            self._forbidden.passed()
        before = self._gate
        self._gate = after(
            before,
            answer.meaning,
            answer.reason,
            self._patience,
            now=self._clocks.monotonic(),
            chance=self._clocks.chance(),
            retry_after=answer.retry_after,
        )
        if self._gate.shut and not before.shut:
            DELIVERY_PAUSED.set(1)
            log.error("delivery-paused", reason=self._gate.cause, status=answer.status)
        elif before.shut and not self._gate.shut:
            DELIVERY_PAUSED.set(0)
            log.info("delivery-resumed", reason=before.cause)

        REFUSALS_IN_A_ROW.set(self._gate.refusals)
        if self._gate.refusals > before.refusals and worth_telling(self._gate.refusals):
            hint = "the ACD refuses one event after the other; `acd-bridge items list --state dead` shows its words"
            log.error("events-refused-in-a-row", events=self._gate.refusals, hint=hint)

    def _tell(self, ended: Ended) -> None:
        item, settlement = ended.item, ended.settlement
        DELIVERIES.labels(outcome=settlement.outcome, reason=settlement.reason).inc()
        if settlement.state not in OPEN:
            self._forbidden.forget(item.id)
            ACCEPT_TO_SETTLED_SECONDS.observe(max(0.0, self._clocks.wall() - item.accepted_at / 1000))
        log.log(
            logging.WARNING if settlement.state in _UNWELCOME else logging.INFO,
            f"event-{settlement.state}" if settlement.state is not ItemState.PENDING else "event-later",
            key=item.key,
            attempt=item.attempt,
            acd_event_id=settlement.acd_event_id,
            reason=settlement.reason,
            status=settlement.http_status,
            seconds=round(ended.seconds, 4),
        )

    def _now(self) -> int:
        return round(self._clocks.wall() * 1000)
