import asyncio

import pytest

from bridge import app


async def test_parts_that_do_not_end_cost_the_stop_no_more_than_their_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sixty mailboxes on a frozen server are told to end together; one that will not is left behind."""
    monkeypatch.setattr(app, "CANCEL_WITHIN_SECONDS", 0.05)
    let_go = asyncio.Event()

    async def stubborn() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    async def willing() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(stubborn()) for _ in range(60)]
    last = asyncio.create_task(willing())
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await app._cancel(*tasks, last)
    assert last.cancelled()
    assert not any(task.done() for task in tasks)
    let_go.set()
    await asyncio.gather(*tasks)
    await app._cancel()
