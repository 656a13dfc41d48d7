"""Several mailboxes at one mail server: how many connections each may have, and one sign-in after the other."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from bridge.config.mailbox import Mailbox

HOST_CONNECTIONS = 64
"""Connections to one host, over all its mailboxes; more only where there are more mailboxes than that."""
AT_ONCE = 4
"""Connections to one host that are being opened at a time."""
APART = 0.06
"""Seconds between the beginnings of two: at most about 17 sign-ins a second."""

Host = tuple[str, int]


class HostGates:
    """The hosts of a configuration, each with its gate."""

    def __init__(self, mailboxes: Iterable[Mailbox]) -> None:
        self._mailboxes = Counter(_host(mailbox) for mailbox in mailboxes)
        self._gates = {host: HostGate() for host in self._mailboxes}

    def gate(self, mailbox: Mailbox) -> "HostGate":
        """The gate that the mailbox shares with the others of its host."""
        return self._gates.setdefault(_host(mailbox), HostGate())

    def share(self, mailbox: Mailbox) -> int:
        """How many connections the mailbox may have for the host's sake; at least one."""
        return max(1, HOST_CONNECTIONS // max(1, self._mailboxes[_host(mailbox)]))


class HostGate:
    """Connections to a host are opened a few at a time, and not all in the same moment."""

    def __init__(self, at_once: int = AT_ONCE, apart: float = APART) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._apart = apart
        self._next = 0.0

    @asynccontextmanager
    async def opening(self) -> AsyncIterator[None]:
        """Open a connection within this."""
        async with self._free:
            now = time.monotonic()
            begin = max(now, self._next)
            self._next = begin + self._apart
            await asyncio.sleep(begin - now)
            yield


def _host(mailbox: Mailbox) -> Host:
    return mailbox.host.lower(), mailbox.actual_port()
