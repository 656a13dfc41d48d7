"""Waiting for something to become true, with a bound, instead of sleeping for a guessed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.005
"""Short enough that a test is not slowed, long enough that other processes get the machine."""

Condition = Callable[[], object] | Callable[[], Awaitable[object]]


async def until(condition: Condition, within: float = 5.0) -> None:
    """Return once the condition holds. Raises AssertionError where it does not within so many seconds.

    The condition may be a plain or an async function; what it raises is raised at once.
    """
    deadline = time.monotonic() + within
    while not await _holds(condition):
        if time.monotonic() >= deadline:
            name = getattr(condition, "__qualname__", repr(condition))
            raise AssertionError(f"{name} did not become true within {within} seconds")
        await asyncio.sleep(POLL_SECONDS)


async def _holds(condition: Condition) -> bool:
    answer = condition()
    if inspect.isawaitable(answer):
        answer = await answer
    return bool(answer)
