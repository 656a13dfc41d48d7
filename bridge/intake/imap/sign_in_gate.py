"""One sign-in at a time for each mailbox, and none for a while after a refusal."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.host_gates import HostGate
from bridge.intake.imap.open_connection import Received, uncounted
from bridge.intake.oauth.source import TokenSource

LOOK_AGAIN = 10.0
"""Seconds between two looks whether somebody has corrected a secret."""
ABOUT_THE_ACCOUNT = frozenset(
    {
        Kind.SIGN_IN_REFUSED,
        Kind.BUSY,
        Kind.NOT_CONNECTED,
        Kind.NO_ACCESS,
        Kind.TOKEN_UNAVAILABLE,
        Kind.TOKEN_THROTTLED,
        Kind.TOKEN_REFUSED,
    }
)
"""What one connection of a mailbox is told holds for all of them."""
ABOUT_A_SECRET = frozenset({Kind.SIGN_IN_REFUSED, Kind.SECRET, Kind.TOKEN_REFUSED})
"""What a corrected secret may end at once."""


class GateClosed(MailServerError):  # noqa: N818 - the name says what happened
    """Nothing was tried: what the mailbox was told before still holds, for `wait` seconds."""


class SignInGate:
    """Shared by the connections of a mailbox: a wrong password is tried once, not once for each folder.

    Many servers lock an account after a few refusals. `digest` tells the mailbox's secrets apart: with other
    ones than those that were refused, the gate is open at once. `host` is the gate that all mailboxes of one
    server share.
    """

    def __init__(
        self,
        digest: Callable[[], bytes] = bytes,
        *,
        host: HostGate | None = None,
        tokens: TokenSource | None = None,
        received: Received = uncounted,
    ) -> None:
        self.received = received
        """Told of the bytes that the mailbox's connections receive."""
        self.tokens = tokens
        """Where the access token comes from; None for a mailbox with a password."""
        self._lock = asyncio.Lock()
        self._host = host or HostGate()
        self._digest = digest
        self._tried = b""
        self._told: MailServerError | None = None
        self._closed_until = 0.0

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Sign in within this. Raises what the last sign-in was told while its pause lasts."""
        async with self._lock:
            left = self._closed_until - time.monotonic()
            if self._told is not None and left > 0 and not self._corrected(self._told.kind):
                told = self._told
                raise GateClosed(told.kind, told.message, hint=told.hint, wait=left)
            async with self._host.opening():
                self._tried = self._digest()
                yield
            self._told = None

    def close_for(self, failure: MailServerError, seconds: float) -> None:
        """After a failure that is about the whole account: nobody signs in for so many seconds."""
        if failure.kind not in ABOUT_THE_ACCOUNT or isinstance(failure, GateClosed):
            return
        until = time.monotonic() + seconds
        if until > self._closed_until or self._told is None:
            self._told, self._closed_until = failure, until

    async def pause(self, kind: Kind, seconds: float) -> None:
        """Wait for so many seconds, or until a secret is corrected where that may help."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._corrected(kind):
                return
            await asyncio.sleep(min(left, LOOK_AGAIN) if kind in ABOUT_A_SECRET else left)

    def _corrected(self, kind: Kind) -> bool:
        return kind in ABOUT_A_SECRET and self._digest() != self._tried
