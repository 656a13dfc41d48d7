"""The watchdog is fed only while the work goes on."""

import asyncio
from contextlib import suppress

import pytest

from bridge.service.notify import Notifier
from bridge.service.watchdog import keep_watchdog, watchdog_seconds
from tests.wait import until


class CountingNotifier(Notifier):
    """A stand-in that counts pings instead of sending them."""

    def __init__(self) -> None:
        super().__init__(None)
        self.pings = 0

    def watchdog(self) -> None:
        self.pings += 1


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 7.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 7.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"}, None),
        ({}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
    ],
)
def test_the_interval_is_a_quarter_of_what_systemd_grants(
    environ: dict[str, str], seconds: float | None
) -> None:
    """A quarter of $WATCHDOG_USEC, only for the process that is meant, and never from nonsense."""
    assert watchdog_seconds(environ, pid=42) == seconds


async def test_pings_stop_while_the_work_does_not_go_on() -> None:
    """While `alive` does not hold nothing is sent; when it holds again, the pings go on."""
    notifier, asked, holds = CountingNotifier(), 0, True

    def alive() -> bool:
        nonlocal asked
        asked += 1
        return holds

    task = asyncio.create_task(keep_watchdog(notifier, alive, 0.001))
    await until(lambda: notifier.pings >= 3)
    holds = False
    sent, then = notifier.pings, asked
    await until(lambda: asked >= then + 5)
    assert notifier.pings == sent
    holds = True
    await until(lambda: notifier.pings > sent)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
