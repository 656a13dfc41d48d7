"""Tells one receiver how events ended: sends the notices that are due, one at a time, and writes down what came of it.

Each receiver has a notifier of its own, so that a slow one holds up nobody else. A notice is a row: where the answer to
it was not written down it is sent again, with the same `webhook-id`.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Callable, Sequence
from typing import TypedDict

import aiohttp
import structlog

from bridge import __version__
from bridge.acd.retry_after import retry_after
from bridge.config.follow_up import Notify
from bridge.config.secret import SecretError
from bridge.errors import StateFileError
from bridge.ledger.notices import Notice, NoticeOutcome, Notices, Sent
from bridge.metrics import NOTICES
from bridge.notify.notice import (
    LONGEST_RECEIVER_WAIT,
    after_answer,
    after_failure,
    body,
    message_id,
    wait_seconds,
)
from bridge.notify.signature import HOW_TO_MAKE_ONE, key_of, signed_headers

LOOK_EVERY_SECONDS = 2.0
"""Between two looks into the state file for something to send."""
AT_ONCE = 50
"""Notices of one look into the state file."""
FAILED = "failed"
"""Label of the metric for what is tried again."""
ALARM_AFTER = 5
"""Failures in a row from which on the log alarms."""
_HEADERS = {"Content-Type": "application/json", "User-Agent": f"acd-bridge/{__version__}"}

log = structlog.get_logger("bridge.notify")


class Terms(TypedDict):
    """What the decisions about a try need besides it."""

    now: int
    chance: float
    give_up_after: float


class Notifier:
    """Sends the notices to one receiver, as long as the service runs."""

    def __init__(
        self,
        wanted: Notify,
        notices: Notices,
        *,
        clock: Callable[[], float] = time.time,
        fraction: Callable[[], float] = random.random,
    ) -> None:
        self._wanted = wanted
        self._notices = notices
        self._clock = clock
        self._fraction = fraction
        self._failures = 0
        self._tls: ssl.SSLContext | None = None
        self._log = log.bind(notify=wanted.name)
        self.ticked_at = time.monotonic()
        """When it last looked for something to send, on the monotonic clock; for the watchdog."""
        for outcome in (*NoticeOutcome, FAILED):
            NOTICES.labels(notify=wanted.name, outcome=str(outcome))

    async def run(self) -> None:
        """Until cancelled."""
        # Cookies and proxies of the environment would lead elsewhere than the configuration says.
        async with aiohttp.ClientSession(
            headers=_HEADERS, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        ) as session:
            while True:
                self.ticked_at = time.monotonic()
                await asyncio.sleep(await self._round(session))

    async def _round(self, session: aiohttp.ClientSession) -> float:
        """Send what is due until one is not taken; how many seconds to wait until the next round."""
        try:
            due = await self._notices.due(self._wanted.name, now=self._now(), limit=AT_ONCE)
            if not due:
                return LOOK_EVERY_SECONDS
            return await self._send_all(session, due, self._keys(), self._certificates())
        except StateFileError as error:
            return self._pause(error.message, error.hint)
        except SecretError as error:
            return self._pause(str(error), HOW_TO_MAKE_ONE)
        except OSError as error:
            return self._pause(
                f"ca_file cannot be used: {error.strerror or error}", "give a readable file (PEM)"
            )
        except Exception:
            log.exception("notices-crashed", notify=self._wanted.name)
            return self._pause("a defect", "please report it with this log")

    def _keys(self) -> list[bytes]:
        """The keys as they are now. Raises SecretError."""
        keys = [key_of(secret.reveal()) for secret in self._wanted.secrets]
        usable = [key for key in keys if key is not None]
        if len(usable) < len(keys):
            raise SecretError(f"a secret of notify[{self._wanted.name}] is not of the form that it must have")
        return usable

    def _certificates(self) -> ssl.SSLContext:
        """The certificates to trust, read when they are first needed. Raises OSError."""
        if self._tls is None:
            context = ssl.create_default_context()
            if self._wanted.ca_file is not None:
                context.load_verify_locations(self._wanted.ca_file)
            self._tls = context
        return self._tls

    async def _send_all(
        self,
        session: aiohttp.ClientSession,
        due: Sequence[Notice],
        keys: Sequence[bytes],
        tls: ssl.SSLContext,
    ) -> float:
        for notice in due:
            self.ticked_at = time.monotonic()
            sent = await self._send(session, notice, keys, tls)
            await self._notices.record([sent], now=self._now())
            self._tell(notice, sent)
            if sent.outcome in {None, NoticeOutcome.GAVE_UP}:
                return self._pause(sent.detail, "it is tried again; look at the receiver, and at notify.url")
            self._failures = 0
        return 0.0

    async def _send(
        self, session: aiohttp.ClientSession, notice: Notice, keys: Sequence[bytes], tls: ssl.SSLContext
    ) -> Sent:
        """One try, and what follows from it."""
        try:
            status, least = await self._exchange(session, notice, keys, tls)
        except TimeoutError:
            words = f"no answer within {self._wanted.timeout:g} seconds"
        except (aiohttp.ClientError, OSError) as error:
            words = f"no answer: {type(error).__name__}"
        except Exception:
            log.exception("notice-crashed", notify=self._wanted.name, key=notice.key)
            words = "a defect; the log says more"
        else:
            return after_answer(notice, status, least=least, **self._terms())
        return after_failure(notice, words, **self._terms())

    def _terms(self) -> Terms:
        return {
            "now": self._now(),
            "chance": self._fraction(),
            "give_up_after": self._wanted.give_up_after,
        }

    async def _exchange(
        self, session: aiohttp.ClientSession, notice: Notice, keys: Sequence[bytes], tls: ssl.SSLContext
    ) -> tuple[int, float]:
        """The status of the answer, whose body is not read, and the seconds that it asks to wait."""
        content = body(notice)
        async with session.post(
            self._wanted.url,
            data=content,
            headers=signed_headers(keys, message_id(notice), content, now=self._clock()),
            ssl=tls,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=self._wanted.timeout),
        ) as response:
            response.close()
            return response.status, retry_after(response.headers, now=self._clock()) or 0.0

    def _tell(self, notice: Notice, sent: Sent) -> None:
        NOTICES.labels(notify=self._wanted.name, outcome=str(sent.outcome or FAILED)).inc()
        if sent.outcome is not None:
            tell = self._log.info if sent.outcome is NoticeOutcome.TAKEN else self._log.error
            tell(
                "notice-ended",
                key=notice.key,
                outcome=sent.outcome,
                tries=notice.tries + 1,
                detail=sent.detail,
            )

    def _pause(self, problem: str, hint: str) -> float:
        """The receiver as a whole is left alone for a while, so that one that is down is not asked for each notice."""
        self._failures += 1
        seconds = wait_seconds(self._failures, LONGEST_RECEIVER_WAIT, self._fraction())
        tell = self._log.error if self._failures >= ALARM_AFTER else self._log.warning
        tell("notices-wait", problem=problem, hint=hint, seconds=round(seconds, 1))
        return seconds

    def _now(self) -> int:
        return round(self._clock() * 1000)
