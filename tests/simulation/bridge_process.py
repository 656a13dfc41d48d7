"""The bridge as a process of the simulation, and the system that starts it again whenever it ended."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bridge.app import Application
from bridge.config.model import Config
from bridge.errors import BridgeError
from bridge.points import Point, watching
from bridge.routing.router import Router
from tests.simulation.loop import SimLoop
from tests.simulation.owner import OWNER
from tests.simulation.state_file import Disk

RESTART_SECONDS = 2.0
"""As the unit's RestartSec."""


class BridgeProcess:
    """The real application, which is started, stopped and killed."""

    def __init__(self, loop: SimLoop, config: Config, router: Router, disk: Disk) -> None:
        self.app: Application | None = None
        self.starts = 0
        self.crashes = 0
        self.crash_chance = 0.0
        """Probability that the process dies at a point that it passes; see `bridge.points`."""
        self.deaths_left = 0
        """So often it may yet die in this way."""
        self.failures: list[str] = []
        """Ends for reasons that nobody foresaw."""
        self._loop = loop
        self._config = config
        self._router = router
        self._disk = disk
        self._owner = ""
        self._main: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._stop = asyncio.Event()
        self._for_good = False

    async def keep_running(self) -> None:
        """Start it, and again whenever it ended, until it is stopped for good."""
        while not self._for_good:
            self.starts += 1
            self._owner = f"bridge {self.starts}"
            self._ended, self._stop = asyncio.Event(), asyncio.Event()
            self._main = self._loop.begin(self._run(self._stop), owner=self._owner)
            self._main.add_done_callback(self._has_ended)
            await self._ended.wait()
            await asyncio.sleep(RESTART_SECONDS)

    async def stop(self, *, for_good: bool = False) -> None:
        """Stop it as the system does, and wait for its end."""
        self._for_good = for_good
        self._stop.set()
        await self._ended.wait()

    def crash(self) -> None:
        """Kill it: from here on nothing of it reaches disk or network.

        Its tasks are cancelled, which clears up memory only: every way out is closed before.
        """
        if self._main is None or self._ended.is_set():
            return
        self.crashes += 1
        self._loop.note("crash", self._owner)
        self._loop.network.kill(self._owner)
        self._disk.cut()
        self.app = None
        self._ended.set()
        # The task that runs into its own death hears of it by the exception.
        for task in self._loop.owned_by(self._owner):
            if task is not asyncio.current_task():
                task.cancel()

    @contextmanager
    def dying_at_points(self) -> Iterator[None]:
        """Let it die at the points that it passes, as `crash_chance` has it."""

        def passed(point: Point) -> None:
            if not self.deaths_left or OWNER.get() != self._owner or self._ended.is_set():
                return
            if self._loop.random.random() < self.crash_chance:
                self._loop.note("dies", point)
                self.deaths_left -= 1
                self.crash()
                raise asyncio.CancelledError

        with watching(passed):
            yield

    async def _run(self, stop: asyncio.Event) -> None:
        app = await Application.start(self._config, self._router)
        self.app = app
        stopped = asyncio.ensure_future(stop.wait())
        try:
            either: set[asyncio.Future[Any]] = {app.failed, stopped}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if app.failed.done():
                app.failed.result()
        finally:
            stopped.cancel()
            await app.stop()

    def _has_ended(self, main: "asyncio.Task[None]") -> None:
        if main is not self._main or self._ended.is_set():
            return
        self.app = None
        self._ended.set()
        self._disk.cut()
        error = None if main.cancelled() else main.exception()
        if error is not None and not isinstance(error, BridgeError | OSError):
            self.failures.append(f"the bridge ended: {error!r}")
