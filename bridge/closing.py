"""Taking things down in the reverse order of their building, each by name, all within one time."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger("bridge.app")

Closer = Callable[[], Awaitable[object]]


class Closers:
    """Named closers, run last in first out. One that fails or hangs keeps none of the others from running."""

    def __init__(self) -> None:
        self._closers: list[tuple[str, Closer]] = []

    def add(self, name: str, close: Closer) -> None:
        """Remember how to close what was just built."""
        self._closers.append((name, close))

    async def close(self, within: float) -> None:
        """Close everything; `within` is the bound in seconds for all together, at least 1 s for each."""
        deadline = time.monotonic() + within
        while self._closers:
            name, close = self._closers.pop()
            try:
                async with asyncio.timeout(max(1.0, deadline - time.monotonic())):
                    await close()
            except TimeoutError:
                log.error("close-timed-out", part=name)
            except Exception:
                log.exception("close-failed", part=name)
