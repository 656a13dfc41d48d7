"""The watchdog of systemd (sd_watchdog_enabled(3)): a bridge that hangs is killed and started again."""

import asyncio
import os
from collections.abc import Callable, Mapping

import structlog

from bridge.service.notify import Notifier

log = structlog.get_logger("bridge.service")


def watchdog_seconds(environ: Mapping[str, str] | None = None, pid: int | None = None) -> float | None:
    """Seconds between two pings, a quarter of $WATCHDOG_USEC; None where no watchdog waits for this process.

    $WATCHDOG_PID, where given, says which process is meant.
    """
    values = os.environ if environ is None else environ
    wanted = values.get("WATCHDOG_PID", "")
    if wanted and wanted != str(os.getpid() if pid is None else pid):
        return None
    microseconds = values.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdecimal()) or int(microseconds) == 0:
        return None
    return int(microseconds) / 1_000_000 / 4


async def keep_watchdog(notifier: Notifier, alive: Callable[[], bool], seconds: float) -> None:
    """Ping every so many seconds for as long as `alive()` holds; runs until it is cancelled.

    That the ping comes from the loop proves the loop; `alive` proves what the loop cannot: that the tasks
    which do the work go on. Where it does not hold, nothing is sent, and systemd ends the process with
    SIGABRT.
    """
    held = True
    while True:
        holds = alive()
        if holds:
            notifier.watchdog()
        if holds != held:
            _tell(holds=holds)
        held = holds
        await asyncio.sleep(seconds)


def _tell(*, holds: bool) -> None:
    if holds:
        log.info("watchdog-resumed")
    else:
        log.error(
            "watchdog-withheld", hint="a task does not go on; systemd restarts the service if it stays so"
        )
