"""Lives of the service: real processes, started from the command line or forked from one that has loaded everything.

A start from the command line takes most of a second, nearly all of it for loading; a fork takes a few milliseconds.
"""

import asyncio
import multiprocessing
import sys
from collections.abc import Sequence
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Protocol

from tests.torture.kill import victim


class Life(Protocol):
    """A process of the service."""

    def kill(self) -> None:
        """End it by SIGKILL."""

    def terminate(self) -> None:
        """Ask it by SIGTERM to stop."""

    async def wait(self) -> int:
        """Its exit code, once it has ended; minus the signal's number where one has ended it."""


class Forked:
    """A process that the fork server has forked."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        process.start()

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()

    async def wait(self) -> int:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        self._process.join()
        code = self._process.exitcode
        assert code is not None
        return code


@cache
def _fork_server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    # `__main__` is asked for in every child; here it is loaded once.
    context.set_forkserver_preload(["__main__", victim.__name__])
    return context


def forked(
    command: Sequence[str],
    output: Path,
    *,
    death: victim.Death | None = None,
    breach: victim.Breach | None = None,
) -> Forked:
    """A process that runs this command of the bridge; see `victim.live`."""
    arguments = {"death": death, "breach": breach}
    return Forked(
        _fork_server().Process(target=victim.live, args=(command, output), kwargs=arguments, daemon=True)
    )


async def started(command: Sequence[str], output: Path) -> asyncio.subprocess.Process:
    """The same from the command line, with nothing of the tests in it."""
    with output.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bridge", *command, stdout=log, stderr=log
        )
