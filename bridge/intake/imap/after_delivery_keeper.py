"""A mailbox's actions after delivery: a connection of its own, opened when there is something to do.

The connections that watch stay read-only.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence

import structlog

from bridge import metrics
from bridge.config.mailbox import Mailbox
from bridge.errors import BridgeError, StateFileError
from bridge.intake.imap.after_delivery import ALARM_AFTER, by_folder, wait_after
from bridge.intake.imap.after_delivery_folder import ANOTHER, Results, carry_out
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.keeper import SLACK, end_if_asked, unexpected
from bridge.intake.imap.open_connection import open_connection
from bridge.intake.imap.retry import RetryTimes, wait_before
from bridge.intake.imap.sign_in_gate import SignInGate
from bridge.intake.imap.sync import GROWTH
from bridge.ledger.mail_actions import ActionOutcome, Ended, MailAction, MailActions, Postponed
from bridge.points import Point, passing

LOOK_EVERY_SECONDS = 2.0
"""Between two looks into the state file for something to do."""
KEEP_OPEN_SECONDS = 30.0
"""How long the connection stays open when there is nothing to do any more."""
AT_ONCE = 200
"""Mails in one batch; their UIDs fit into one command line."""
NO_PLACE = "the item names no place in a folder"
REFUSED = "refused"
"""Label of the metric for what is tried again."""

log = structlog.get_logger("bridge.intake")


class AfterDeliveryKeeper:
    """Does what `after_delivery` of a mailbox asks for, as long as the service runs."""

    def __init__(
        self,
        mailbox: Mailbox,
        actions: MailActions,
        gate: SignInGate,
        *,
        times: RetryTimes,
        clock: Callable[[], float] = time.time,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        self._mailbox = mailbox
        self._actions = actions
        self._gate = gate
        self._times = times
        self._clock = clock
        self._fraction = fraction
        self._failures = 0
        self._at_once = AT_ONCE
        """Mails in the next batch: one after a batch within which the connection was lost, then more again."""
        self._alive_until = time.monotonic() + SLACK
        self._log = log.bind(mailbox=mailbox.name)

    @property
    def tick(self) -> float:
        """As `ConnectionKeeper.tick`."""
        return min(time.monotonic(), self._alive_until)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            failure = await self._until_failure()
            end_if_asked()
            if failure is None:
                continue
            self._failures += 1
            seconds = wait_before(failure.kind, self._failures, self._fraction(), self._times, failure.wait)
            self._gate.close_for(failure, seconds)
            self._tell_failure(failure, seconds)
            self._expect(seconds)
            await asyncio.sleep(seconds)

    async def _until_failure(self) -> MailServerError | None:
        """Wait for something to do, and do it until there is nothing left for a while."""
        try:
            while not (batch := await self._due()):
                self._expect(LOOK_EVERY_SECONDS)
                await asyncio.sleep(LOOK_EVERY_SECONDS)
            await self._work(batch)
        except MailServerError as failure:
            return failure
        except BridgeError as error:
            kind = Kind.STATE_FILE if isinstance(error, StateFileError) else Kind.UNEXPECTED
            return MailServerError(kind, error.message, hint=error.hint)
        except asyncio.CancelledError as error:
            return unexpected(error)
        except Exception as error:  # noqa: BLE001 - a defect here must not end the watching of the mailbox
            return unexpected(error)
        return None

    async def _work(self, batch: Sequence[MailAction]) -> None:
        self._expect(self._mailbox.timeout * 10 * (1 + len(self._mailbox.folders)))
        async with self._gate.passing():
            connection = await open_connection(self._mailbox, self._gate.tokens, self._gate.received)
        async with connection:
            connection.on_answer = lambda: self._expect(2 * self._mailbox.timeout)
            idle_since = time.monotonic()
            while time.monotonic() - idle_since < KEEP_OPEN_SECONDS:
                if batch:
                    await self._carry_out(connection, batch)
                    self._failures, idle_since = 0, time.monotonic()
                else:
                    await asyncio.sleep(LOOK_EVERY_SECONDS)
                self._expect(2 * self._mailbox.timeout)
                batch = await self._due()

    async def _due(self) -> list[MailAction]:
        name = self._mailbox.name
        metrics.MAIL_ACTIONS_WAITING.labels(mailbox=name).set(await self._actions.waiting(name))
        return await self._actions.due(name, now=self._now(), limit=self._at_once)

    async def _carry_out(self, connection: Connection, batch: Sequence[MailAction]) -> None:
        """Do it and write it down. A single mail that its connection does not outlive is put off like a refused one."""
        try:
            await self._by_folder(connection, batch)
        except MailServerError as failure:
            if failure.kind is not Kind.BUSY:
                self._at_once = 1
                if len(batch) == 1:
                    await self._record("", batch, Results(refused={batch[0].item_id: str(failure)}))
            raise
        self._at_once = min(AT_ONCE, self._at_once * GROWTH)

    async def _by_folder(self, connection: Connection, batch: Sequence[MailAction]) -> None:
        for folder, actions in by_folder(batch).items():
            self._expect(2 * self._mailbox.timeout)
            passing(Point.ACTIONS_BEGIN)
            if folder:
                results = await carry_out(
                    connection, self._mailbox.after_delivery, folder, actions, self._begin
                )
            else:
                results = Results([_without_place(one) for one in actions])
            passing(Point.ACTIONS_ENDED)
            await self._record(folder, actions, results)

    async def _begin(self, item_ids: Sequence[int]) -> None:
        await self._actions.begin(item_ids, now=self._now())

    async def _record(self, folder: str, actions: Sequence[MailAction], results: Results) -> None:
        now = self._now()
        tries = {one.item_id: one.tries + 1 for one in actions}
        postponed = [
            Postponed(item_id=item_id, due_at=now + round(wait_after(tries[item_id]) * 1000), detail=words)
            for item_id, words in results.refused.items()
        ]
        await self._actions.record(results.ended, postponed, now=now)
        self._tell(folder, results, max((tries[item_id] for item_id in results.refused), default=0))

    def _tell(self, folder: str, results: Results, most_tries: int) -> None:
        for outcome in ActionOutcome:
            if count := sum(one.outcome is outcome for one in results.ended):
                metrics.MAIL_ACTIONS.labels(mailbox=self._mailbox.name, outcome=outcome.value).inc(count)
        if results.ended:
            self._log.info("mail-actions-done", folder=folder, count=len(results.ended))
        if others := sum(one.detail == ANOTHER for one in results.ended):
            self._log.error(
                "mail-is-another-one",
                folder=folder,
                count=others,
                hint="the mail server gave UIDs a second time, as after it was restored from a backup; the mails that "
                "have them now were left alone",
            )
        if results.refused:
            metrics.MAIL_ACTIONS.labels(mailbox=self._mailbox.name, outcome=REFUSED).inc(len(results.refused))
            tell = self._log.error if most_tries >= ALARM_AFTER else self._log.warning
            tell(
                "mail-actions-refused",
                folder=folder,
                count=len(results.refused),
                tries=most_tries,
                error=next(iter(results.refused.values())),
                hint="the mails stay as they are and are tried again; `acd-bridge explain` names each one's reason",
            )

    def _tell_failure(self, failure: MailServerError, seconds: float) -> None:
        metrics.IMAP_FAILURES.labels(mailbox=self._mailbox.name, kind=failure.kind.value).inc()
        self._log.log(
            level_of(failure.kind, self._failures),
            "mail-actions-wait",
            kind=failure.kind.value,
            error=failure.message,
            hint=failure.hint,
            retry_in=round(seconds, 1),
        )

    def _expect(self, seconds: float) -> None:
        self._alive_until = time.monotonic() + seconds + SLACK

    def _now(self) -> int:
        return round(self._clock() * 1000)


def level_of(kind: Kind, failures: int) -> int:
    """How loud a failure is told after so many in a row: once when they begin, once more where they last."""
    if failures == ALARM_AFTER or (failures == 1 and kind in {Kind.UNEXPECTED, Kind.STATE_FILE}):
        return logging.ERROR
    return logging.WARNING if failures == 1 else logging.INFO


def _without_place(action: MailAction) -> Ended:
    return Ended(item_id=action.item_id, outcome=ActionOutcome.VANISHED, detail=NO_PLACE)
