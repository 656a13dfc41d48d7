"""One sign-in at a time for each mailbox, and none for a while after a refusal."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.intake.imap.failure import Kind, MailServerError


class SignInGate:
    """Shared by the connections of a mailbox: a wrong password is tried once, not once for each folder.

    Many servers lock an account after a few refusals.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._refused: MailServerError | None = None
        self._closed_until = 0.0

    @asynccontextmanager
    async def passing(self) -> AsyncIterator[None]:
        """Sign in within this. Raises the last refusal again while its pause lasts."""
        async with self._lock:
            if self._refused is not None and time.monotonic() < self._closed_until:
                raise self._refused
            yield
            self._refused = None

    def close_for(self, refusal: MailServerError, seconds: float) -> None:
        """After a refused sign-in: nobody tries again for so many seconds."""
        if refusal.kind is Kind.SIGN_IN_REFUSED and time.monotonic() >= self._closed_until:
            self._refused, self._closed_until = refusal, time.monotonic() + seconds
