"""One connection kept up: connect, look at its folders, wait for news, and again; after a failure, wait and
begin anew.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from traceback import extract_tb
from typing import NoReturn

import structlog

from bridge import metrics
from bridge.config.model import Mailbox
from bridge.errors import BridgeError, StateFileError
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.folder_watch import FolderWatch
from bridge.intake.imap.open_connection import open_connection
from bridge.intake.imap.retry import SOMEBODY_MUST_ACT, RetryTimes, failures_after, wait_before
from bridge.intake.imap.sign_in_gate import SignInGate

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
        self._alive_until = time.monotonic() + SLACK
        self._log = log.bind(mailbox=mailbox.name)

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
            progress = any(watch.progress for watch in self._watches)
            self._failures = failures_after(
                self._failures, time.monotonic() - began, progress=progress, times=self._times
            )
            seconds = wait_before(failure.kind, self._failures, self._fraction(), self._times, failure.wait)
            self._gate.close_for(failure, seconds)
            self._tell(failure, seconds)
            self._expect(seconds)
            await asyncio.sleep(seconds)

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
        except Exception as error:  # noqa: BLE001 - a defect in one mailbox must not end the others
            return _unexpected(error)

    async def _serve(self) -> NoReturn:
        # Getting in line, TLS and sign-in are some ten bounded steps for each connection of a mailbox.
        self._expect(self._mailbox.timeout * 10 * max(1, len(self._mailbox.folders)))
        async with self._gate.passing():
            connection = await open_connection(self._mailbox)
        async with connection:
            connection.on_answer = lambda: self._expect(2 * self._mailbox.timeout)
            self._log.info("mailbox-connected", folders=len(self._watches), idle=connection.can_idle)
            by_poll = False
            while True:
                due = time.monotonic() + self._mailbox.poll
                await self._look_at_all(connection, by_poll=by_poll)
                by_poll = not await self._news_before(connection, due)

    async def _look_at_all(self, connection: Connection, *, by_poll: bool) -> None:
        for watch in self._watches:
            self._expect(2 * self._mailbox.timeout)
            try:
                taken = await watch.look(connection)
            except MailServerError as failure:
                if failure.kind is not Kind.FOLDER_MISSING or len(self._watches) == 1:
                    raise
                self._folder_missing(watch, failure)
                continue
            if taken and by_poll and self._idles(connection):
                metrics.IMAP_IDLE_MISSED.labels(mailbox=self._mailbox.name).inc(taken)

    async def _news_before(self, connection: Connection, due: float) -> bool:
        """Wait for news until the next look is due; whether there were any. IDLE is begun anew for each
        slice.
        """
        while (left := due - time.monotonic()) > 0:
            seconds = min(left, self._mailbox.idle_slice)
            self._expect(seconds + 2 * self._mailbox.timeout)
            wait = connection.idle if self._idles(connection) else connection.wait
            if await wait(seconds):
                return True
        return False

    def _idles(self, connection: Connection) -> bool:
        return len(self._watches) == 1 and connection.can_idle

    def _expect(self, seconds: float) -> None:
        self._alive_until = time.monotonic() + seconds + SLACK

    def _folder_missing(self, watch: FolderWatch, failure: MailServerError) -> None:
        if watch.report.last_error != str(failure):
            self._count(failure)
            self._log.error(failure.kind.value, error=failure.message, hint=failure.hint)
        watch.report.away("folder missing", str(failure))

    def _tell(self, failure: MailServerError, seconds: float) -> None:
        self._count(failure)
        for watch in self._watches:
            watch.report.away(f"waiting after {failure.kind.value}", str(failure))
        alarms = failure.kind in SOMEBODY_MUST_ACT or failure.kind in {Kind.UNEXPECTED, Kind.STATE_FILE}
        tell = self._log.error if alarms else self._log.warning
        tell(failure.kind.value, error=failure.message, hint=failure.hint, retry_in=round(seconds, 1))

    def _count(self, failure: MailServerError) -> None:
        metrics.IMAP_FAILURES.labels(mailbox=self._mailbox.name, kind=failure.kind.value).inc()


def _unexpected(error: Exception) -> MailServerError:
    """Where it happened, not what its words are: they may hold mail."""
    frames = extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"
    return MailServerError(
        Kind.UNEXPECTED, f"{type(error).__name__} in {where}", hint="a defect of the bridge; please report it"
    )
