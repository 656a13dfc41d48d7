import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest

from bridge import app
from bridge.errors import StateFileError
from tests.wait import until


async def _returns() -> None:
    pass


async def _fails() -> None:
    raise KeyError("a defect")


async def _is_cancelled() -> None:
    raise asyncio.CancelledError


async def _goes_on() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("work", "told"),
    [(_returns, "a part ended by itself"), (_fails, "a defect"), (_is_cancelled, "a part was cancelled")],
)
async def test_a_part_that_ends_by_itself_ends_the_bridge(
    work: Callable[[], Awaitable[None]], told: str
) -> None:
    """Nobody would miss it, so the bridge ends with an error and is started anew; also where it was cancelled."""
    running = app.Application(None, None)  # type: ignore[arg-type] # no part of this test asks them
    running._run("a part", work())  # type: ignore[arg-type] # each is a coroutine
    await until(running.failed.done)
    assert told in str(running.failed.exception())
    await running.stop()


async def test_parts_that_are_stopped_are_no_failure() -> None:
    """At the stop every part is cancelled, and that is all right."""
    running = app.Application(None, None)  # type: ignore[arg-type] # no part of this test asks them
    running._run("a part", _goes_on())
    await running.stop()
    assert running.failed.cancelled()


async def test_a_defect_of_the_retention_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old items stay a while longer; that is no reason to stop, nor to try no more."""
    monkeypatch.setattr(app, "FORGET_EVERY_SECONDS", 0.001)
    errors = [KeyError("a defect"), StateFileError("the disk is full")]
    tried = asyncio.Event()

    class FailingLedger:
        async def remove_settled(self, *, before: int) -> int:  # noqa: ARG002 - as the real one is called
            if errors:
                raise errors.pop()
            tried.set()
            return await asyncio.Event().wait()

    settings = SimpleNamespace(state=SimpleNamespace(retention_days=30))
    running = app.Application(settings, None)  # type: ignore[arg-type] # only the days are asked for
    running._run("retention", running._forget_old(FailingLedger()))  # type: ignore[arg-type] # the first call is enough
    async with asyncio.timeout(5):
        await tried.wait()
    assert not running.failed.done()
    await running.stop()


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
