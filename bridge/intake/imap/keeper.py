"""One connection kept up: connect, look at its folders, wait for news, and again; after a failure, wait and
begin anew.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Sequence
from traceback import extract_tb
from typing import NoReturn

import structlog

from bridge import metrics
from bridge.config.mailbox import Mailbox
from bridge.errors import BridgeError, StateFileError
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.folder_watch import FolderWatch
from bridge.intake.imap.liveness import IdleSlice, PushPause, slept
from bridge.intake.imap.open_connection import open_connection
from bridge.intake.imap.retry import (
    SOMEBODY_MUST_ACT,
    RetryTimes,
    failures_after,
    judged,
    refused_in_a_row,
    wait_before,
)
from bridge.intake.imap.sign_in_gate import GateClosed, SignInGate
from bridge.intake.oauth.endpoint import SECONDS
from bridge.message import Noticed

NOTED = frozenset({"ESEARCH", "UIDPLUS", "MOVE", "CONDSTORE", "ID"})
"""Extensions that are worth a word in the log: what a server has decides what is done with it."""
ALARMING = frozenset({Kind.UNEXPECTED, Kind.STATE_FILE, Kind.UIDVALIDITY_CHANGED})
"""Failures that an operator should see, beside those that only somebody's hand ends."""
SLACK = 30.0
"""Seconds beyond a step's own bound after which the step must be taken as hanging."""

log = structlog.get_logger("bridge.intake")


class ConnectionKeeper:
    """Keeps one connection for one folder, which it idles in, or for several, which it looks at in turn."""

    def __init__(
        self,
        mailbox: Mailbox,
        watches: Sequence[FolderWatch],
        gate: SignInGate,
        *,
        times: RetryTimes,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        self._mailbox = mailbox
        self._watches = watches
        self._gate = gate
        self._times = times
        self._fraction = fraction
        self._failures = 0
        self._not_connected = 0
        self._told: set[Kind] = set()
        """What was told since the last good look, and is no news when it comes again."""
        self._slice = IdleSlice(mailbox.idle_slice)
        self._push_pause = PushPause()
        self._alive_until = time.monotonic() + SLACK
        self._log = log.bind(mailbox=mailbox.name)
        if len(watches) == 1:
            self._log = self._log.bind(folder=watches[0].report.folder)

    @property
    def tick(self) -> float:
        """The monotonic time up to which this is known to go on: now, while the present step is within its
        bound.
        """
        return min(time.monotonic(), self._alive_until)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            began = time.monotonic()
            failure = await self._until_failure()
            end_if_asked()
            failure, seconds = self._judge(failure, time.monotonic() - began)
            self._gate.close_for(failure, seconds)
            self._tell(failure, seconds)
            self._expect(seconds)
            await self._gate.pause(failure.kind, seconds)

    def _judge(self, failure: MailServerError, lived: float) -> tuple[MailServerError, float]:
        """What the failure is taken for, and the seconds to wait. Where nothing was tried, nothing counts."""
        if isinstance(failure, GateClosed):
            return failure, failure.wait * (1 + self._fraction() / 10)
        progress = any(watch.progress for watch in self._watches)
        self._failures = failures_after(self._failures, lived, progress=progress, times=self._times)
        self._not_connected = refused_in_a_row(self._not_connected, failure, first=self._failures == 1)
        failure = judged(failure, self._not_connected)
        return failure, wait_before(failure.kind, self._failures, self._fraction(), self._times, failure.wait)

    async def _until_failure(self) -> MailServerError:
        for watch in self._watches:
            watch.progress = False
        try:
            return await self._serve()
        except MailServerError as failure:
            return failure
        except StateFileError as error:
            return MailServerError(Kind.STATE_FILE, error.message, hint=error.hint)
        except BridgeError as error:
            return MailServerError(Kind.UNEXPECTED, error.message, hint=error.hint)
        except asyncio.CancelledError as error:
            return unexpected(error)
        except Exception as error:  # noqa: BLE001 - a defect in one mailbox must not end the others
            return unexpected(error)

    async def _serve(self) -> NoReturn:
        # Whoever stands before this one in the line has bounds of its own.
        self._expect(math.inf)
        async with self._gate.passing():
            self._expect(self._mailbox.timeout * 10 + 2 * SECONDS)
            connection = await open_connection(self._mailbox, self._gate.tokens, self._gate.received)
        async with connection:
            connection.on_answer = lambda: self._expect(2 * self._mailbox.timeout)
            self._log.info(
                "mailbox-connected",
                folders=len(self._watches),
                idle=connection.can_idle,
                extensions=sorted(NOTED & connection.capabilities),
            )
            noticed = Noticed.LOOK
            while True:
                due = time.monotonic() + self._mailbox.poll
                await self._look_at_all(connection, noticed)
                self._told.clear()
                if await self._go_back(connection):
                    noticed = Noticed.LOOK
                    continue
                noticed = Noticed.PUSH if await self._news_before(connection, due) else Noticed.POLL

    async def _look_at_all(self, connection: Connection, noticed: Noticed) -> None:
        changed: MailServerError | None = None
        found = 0
        for watch in self._watches:
            self._expect(2 * self._mailbox.timeout)
            try:
                taken = await watch.look(connection, noticed)
            except MailServerError as failure:
                if failure.kind is Kind.UIDVALIDITY_CHANGED:
                    changed = failure
                    continue
                if failure.kind is not Kind.FOLDER_MISSING or len(self._watches) == 1:
                    raise
                self._folder_missing(watch, failure)
                continue
            found += taken
            if noticed is Noticed.POLL and self._idles(connection):
                self._judge_idle(taken)
        if noticed is Noticed.PUSH:
            self._push_pause.looked(found)
        if changed is not None:
            raise changed

    async def _go_back(self, connection: Connection) -> bool:
        """Read some old mail of the folders that were asked for it; whether live mail is to be looked for again."""
        again = False
        for watch in self._watches:
            self._expect(2 * self._mailbox.timeout)
            again |= await watch.go_back(connection)
        return again

    def _judge_idle(self, missed: int) -> None:
        """The poll has looked: a miss makes the slices of IDLE shorter."""
        if not missed:
            self._slice.told_all()
            return
        metrics.IMAP_IDLE_MISSED.labels(mailbox=self._mailbox.name).inc(missed)
        self._slice.missed(self._mailbox.poll)
        self._log.warning("idle-missed-mail", count=missed, idle_slice=round(self._slice.seconds, 1))

    async def _news_before(self, connection: Connection, due: float) -> bool:
        """Wait for news until the next look is due; whether there were any. IDLE is begun anew for each
        slice.
        """
        if any(watch.behind for watch in self._watches):
            await connection.stay(self._push_pause.seconds)
            return True
        while (left := due - time.monotonic()) > 0:
            seconds = min(left, self._slice.seconds)
            self._expect(seconds + 2 * self._mailbox.timeout)
            wait = connection.idle if self._idles(connection) else connection.wait
            monotonic, wall = time.monotonic(), time.time()
            told = await wait(seconds)
            # Ending IDLE is a command of its own, with a bound of its own.
            bound = seconds + 2 * self._mailbox.timeout
            if slept(bound, time.monotonic() - monotonic, time.time() - wall):
                raise MailServerError(
                    Kind.LOST,
                    "the clock went on without us: this machine slept",
                    hint="nothing, unless it stays",
                )
            if told:
                await connection.stay(self._push_pause.seconds)
                return True
        return False

    def _idles(self, connection: Connection) -> bool:
        return len(self._watches) == 1 and connection.can_idle

    def _expect(self, seconds: float) -> None:
        self._alive_until = time.monotonic() + seconds + SLACK

    def _folder_missing(self, watch: FolderWatch, failure: MailServerError) -> None:
        if watch.report.last_error != str(failure):
            self._count(failure)
            self._log.error(
                failure.kind.value, folder=watch.report.folder, error=failure.message, hint=failure.hint
            )
        watch.report.away("folder missing", str(failure))

    def _tell(self, failure: MailServerError, seconds: float) -> None:
        for watch in self._watches:
            watch.report.away(f"waiting after {failure.kind.value}", str(failure))
        if isinstance(failure, GateClosed):  # told already, by the connection that tried
            return
        self._count(failure)
        self._log.log(
            self._level(failure.kind),
            failure.kind.value,
            error=failure.message,
            hint=failure.hint,
            retry_in=round(seconds, 1),
        )

    def _level(self, kind: Kind) -> int:
        """An outage is told once, not at each try; `bridge.intake.imap.lookout` alarms where it lasts."""
        if kind in self._told:
            return logging.INFO
        self._told.add(kind)
        return logging.ERROR if kind in SOMEBODY_MUST_ACT or kind in ALARMING else logging.WARNING

    def _count(self, failure: MailServerError) -> None:
        metrics.IMAP_FAILURES.labels(mailbox=self._mailbox.name, kind=failure.kind.value).inc()


def end_if_asked() -> None:
    """End this task where somebody has cancelled it, whatever its last step has ended with.

    What is tidied up may fail, which hides the cancellation; and what a step waited for may have been cancelled
    although nobody ends the task. Only the task itself knows which it is.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def unexpected(error: BaseException) -> MailServerError:
    """Where it happened, not what its words are: they may hold mail."""
    frames = extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
    return MailServerError(
        Kind.UNEXPECTED, f"{type(error).__name__} in {where}", hint="a defect of the bridge; please report it"
    )
