"""`acd-bridge run`: the service."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog
import typer
import uvloop

from bridge import __version__
from bridge.app import Application
from bridge.check import whole_file
from bridge.cli.common import (
    DEFAULT_CONFIG,
    EXIT_CONFIG,
    EXIT_STATE,
    ConfigOption,
    fail,
)
from bridge.config.model import Config
from bridge.errors import BridgeError, ConfigError, StateFileError
from bridge.routing.compile import compile_routes
from bridge.service.logging import configure_logging
from bridge.service.notify import Notifier
from bridge.service.signals import signals_handled
from bridge.service.watchdog import keep_watchdog, watchdog_seconds
from bridge.web.status import Status

log = structlog.get_logger("bridge.run")

STATUS_EVERY_SECONDS = 10.0


def register(root: typer.Typer) -> None:
    """Add the command of this file."""
    root.command("run")(run)


def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run the service until SIGTERM or SIGINT. Exit code 78 for a configuration that cannot be used."""
    settings = _sound_or_exit(config)
    configure_logging()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except StateFileError as error:
        fail(error, EXIT_STATE)
    except BridgeError as error:
        fail(error)


async def serve(settings: Config, stop: asyncio.Event | None = None) -> None:
    """Run the application until `stop` is set or a part of it ends by itself; why is raised."""
    stop = stop or asyncio.Event()
    notifier = Notifier.from_environment()
    router, _ = compile_routes(settings.route, zone=settings.acd.zone())
    with signals_handled(stop):
        app = await Application.start(settings, router)
        helpers = [asyncio.create_task(report_status(app.status, notifier, STATUS_EVERY_SECONDS))]
        if seconds := watchdog_seconds():
            helpers.append(asyncio.create_task(keep_watchdog(notifier, app.alive, seconds)))
        try:
            log.info("started", version=__version__)
            notifier.ready("started")
            await _first_of(stop, app.failed)
        finally:
            notifier.stopping("draining")
            log.info("stopping")
            for helper in helpers:
                helper.cancel()
            await app.stop()
            log.info("stopped")


async def _first_of(stop: asyncio.Event, failed: "asyncio.Future[None]") -> None:
    stopped = asyncio.ensure_future(stop.wait())
    both: set[asyncio.Future[Any]] = {stopped, failed}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
    finally:
        stopped.cancel()


async def report_status(status: Callable[[], Awaitable[Status]], notifier: Notifier, every: float) -> None:
    """Keep the line that `systemctl status` shows up to date, and look every so many seconds; never ends by itself.

    A defect is told once, and not again before a look has gone well: the line is not worth a full journal.
    """
    told = False
    while notifier.listening:
        try:
            notifier.status((await status()).line())
            told = False
        except StateFileError:
            pass  # the worker says so already
        except Exception:
            if not told:
                log.exception(
                    "status-line-crashed",
                    hint="the line of `systemctl status` stands still until it is mended",
                )
            told = True
        await asyncio.sleep(every)


def _sound_or_exit(file: Path) -> Config:
    try:
        found = whole_file(file)
    except ConfigError as error:
        fail(error, EXIT_CONFIG)
    if found.problems or found.config is None:
        fail(ConfigError(str(file), found.problems), EXIT_CONFIG)
    return found.config
