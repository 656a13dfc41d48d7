"""The application as systemd keeps it: what ends by itself, or does not start, is started again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bridge.app import Application
from bridge.config.model import Config
from bridge.routing.compile import compile_routes

MOST_ENDS = 2
"""So often the application may end by itself, or not start: one fault is no reason for more."""


class Service:
    """The application in this process. Why it ended is kept."""

    def __init__(self, config: Config) -> None:
        self.app: Application | None = None
        self.not_started: list[BaseException] = []
        self.ended: list[BaseException] = []
        self.left_behind: list[str] = []
        """Tasks that went on after a stop."""
        self._config = config
        self._stop = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep it up while the block runs, then stop it."""
        self._stop.clear()
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            self._stop.set()
            await keeping

    async def _keep(self) -> None:
        while not self._stop.is_set():
            assert len(self.not_started + self.ended) <= MOST_ENDS, f"again and again: {self}"
            starting = asyncio.create_task(self._start())
            await asyncio.wait({starting})
            if starting.cancelled() or starting.exception() is not None:
                self.not_started.append(_why(starting))
                continue
            await self._until_it_ends(starting.result())

    async def _start(self) -> Application:
        router, problems = compile_routes(self._config.route, zone=self._config.acd.zone())
        assert problems == []
        return await Application.start(self._config, router)

    async def _until_it_ends(self, app: Application) -> None:
        self.app = app
        stop = asyncio.ensure_future(self._stop.wait())
        either: set[asyncio.Future[Any]] = {stop, app.failed}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        self.app = None
        await app.stop()
        # The application names its tasks, and nobody else here does.
        names = (task.get_name() for task in asyncio.all_tasks())
        self.left_behind += [name for name in names if not name.startswith("Task-")]
        if not app.failed.cancelled():
            self.ended.append(_why(app.failed))

    def __str__(self) -> str:
        return (
            f"not started because of {self.not_started}, ended by itself because of {self.ended}, "
            f"left behind {self.left_behind}"
        )


def _why(over: "asyncio.Future[Any]") -> BaseException:
    return asyncio.CancelledError() if over.cancelled() else over.exception() or AssertionError("no reason")
