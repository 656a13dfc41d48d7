"""A task dump shows the whole way to where a task waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from bridge.service.stacks import MAX_FRAMES, await_chain, task_stacks


async def wait_inside(event: asyncio.Event) -> None:
    await event.wait()


async def outer(event: asyncio.Event) -> None:
    await wait_inside(event)


async def test_the_way_of_a_waiting_task_is_shown() -> None:
    """From the task's coroutine down to what it waits for, each with file, line and name."""
    event = asyncio.Event()
    task = asyncio.create_task(outer(event), name="watch-me")
    await asyncio.sleep(0)
    places = dict(task_stacks(asyncio.all_tasks()))["watch-me"]
    assert [place.rsplit(" ", 1)[-1] for place in places[:3]] == ["outer", "wait_inside", "Event.wait"]
    assert places[0].startswith("test_stacks.py:")
    event.set()
    await task


async def test_deep_and_foreign_awaitables_are_bounded() -> None:
    """A deep recursion has an end in the dump; an object that is no coroutine has no places."""

    async def deep(n: int) -> None:
        if n:
            await deep(n - 1)
        await asyncio.Event().wait()

    task = asyncio.create_task(deep(100))
    await asyncio.sleep(0)
    assert len(await_chain(task.get_coro())) == MAX_FRAMES
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert await_chain(object()) == []
    assert await_chain(None) == []


async def test_async_generators_are_followed() -> None:
    """A task that waits inside an async generator shows the generator's place too."""
    event = asyncio.Event()

    async def numbers() -> AsyncIterator[int]:
        await event.wait()
        yield 1

    async def read() -> None:
        async for _ in numbers():
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0)
    assert "read" in await_chain(task.get_coro())[0]
    event.set()
    await task
