"""Signals: stop in peace, stop at once, and show what the tasks are doing."""

import asyncio
import faulthandler
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from bridge.service.stacks import task_stacks

log = structlog.get_logger("bridge.service")

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def signals_handled(stop: asyncio.Event) -> Iterator[None]:
    """Within it: SIGTERM and SIGINT set `stop`, SIGUSR1 writes every task's stack to the log, and SIGHUP
    writes a warning: a daemon is often told to reload by it, and must not end then.

    A second SIGTERM or SIGINT ends the process at once, even where the loop hangs, because the first one
    gives both back to the kernel. Nothing accepted is lost by that: it is on disk. A crash, and the
    watchdog's SIGABRT, leave every thread's stack on stderr. Must be entered in the main thread, inside the
    running loop.
    """
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (*STOP_SIGNALS, signal.SIGHUP)}
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, _stop, loop, stop, number)
    loop.add_signal_handler(signal.SIGUSR1, log_tasks)
    loop.add_signal_handler(signal.SIGHUP, _no_reload)
    _show_crashes()
    try:
        yield
    finally:
        _give_back(loop)
        loop.remove_signal_handler(signal.SIGUSR1)
        loop.remove_signal_handler(signal.SIGHUP)
        for number, handler in before.items():
            signal.signal(number, handler)


def log_tasks() -> None:
    """One line for each task of the running loop: its name and the places where it waits."""
    stacks = task_stacks(asyncio.all_tasks())
    log.warning("task-dump", tasks=len(stacks))
    for name, places in stacks:
        log.warning("task", task=name, at=places)


def _stop(loop: asyncio.AbstractEventLoop, stop: asyncio.Event, number: signal.Signals) -> None:
    log.info("stop-asked", signal=number.name)
    stop.set()
    _give_back(loop)


def _no_reload() -> None:
    log.warning("no-reload", signal="SIGHUP", hint="reload is not supported; restart instead")


def _give_back(loop: asyncio.AbstractEventLoop) -> None:
    for number in STOP_SIGNALS:
        if loop.remove_signal_handler(number):
            signal.signal(number, signal.SIG_DFL)


def _show_crashes() -> None:
    try:
        faulthandler.enable(sys.stderr)
    except (AttributeError, OSError, ValueError) as error:
        # stderr has no file descriptor where something has replaced it.
        log.debug("no-crash-stacks", error=str(error))
