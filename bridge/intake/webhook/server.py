"""The listener of all webhooks: `POST /hooks/{name}`."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from aiohttp import web

from bridge.config.model import Listen
from bridge.config.webhook import Webhook
from bridge.errors import BridgeError
from bridge.intake.handover import Handover
from bridge.intake.webhook.answer import refused
from bridge.intake.webhook.connection import BoundedServer, Connection
from bridge.intake.webhook.doubted import DoubtedClients
from bridge.intake.webhook.hook import Hook
from bridge.intake.webhook.limits import Limits
from bridge.intake.webhook.preset import compile_source
from bridge.intake.webhook.reading import BodyReader
from bridge.intake.webhook.refused import RefusedError, busy
from bridge.metrics import WEBHOOK_REQUESTS

log = structlog.get_logger("bridge.webhook")

PREFIX = "/hooks/"
DEFAULT_LIMITS = Limits()


class WebhookServer:
    """Takes in the webhooks of the configuration. Raises ConfigError where one of them cannot be used.

    `clock` gives Unix time in seconds. `sockets`, where given, are listening already and are used instead of
    `listen.webhooks`.
    """

    def __init__(
        self,
        webhooks: Sequence[Webhook],
        listen: Listen,
        handover: Handover,
        *,
        clock: Callable[[], float],
        sockets: Sequence[socket.socket] | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._listen = listen
        self._sockets = sockets
        self._limits = limits
        self._runner: web.ServerRunner | None = None
        self._begun: set[asyncio.Task[Any]] = set()
        largest = max((webhook.max_bytes for webhook in webhooks), default=0)
        bodies = BodyReader(most_bytes=max(limits.body_bytes, largest), seconds=limits.body_seconds)
        doubted = DoubtedClients(rate=limits.refused_rate, most=limits.doubted_clients)
        self._hooks = {
            webhook.name: Hook(
                compile_source(webhook),
                handover,
                trusted_proxies=listen.trusted_proxies,
                bodies=bodies,
                doubted=doubted,
                limits=limits,
                clock=clock,
            )
            for webhook in webhooks
        }

    async def start(self) -> None:
        """Listen. Raises BridgeError where the address cannot be had."""
        server = BoundedServer(self._answer, self._limits)
        runner = web.ServerRunner(server, shutdown_timeout=self._limits.close_seconds)
        await runner.setup()
        try:
            for site in self._sites(runner):
                await site.start()
        except OSError as error:
            await runner.cleanup()
            raise BridgeError(
                f"cannot listen for webhooks on {self._listen.webhooks}: {error.strerror}",
                hint="is another program using listen.webhooks, or is the address not of this machine?",
            ) from error
        self._runner = runner
        log.info("webhooks-listening", port=self.port, webhooks=sorted(self._hooks))

    async def close(self) -> None:
        """Stop listening, and give begun requests their bounded time to end. May be called twice."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in runner.sites:
            await site.stop()
        await self._end_begun_requests()
        await runner.cleanup()
        log.info("webhooks-closed")

    async def _end_begun_requests(self) -> None:
        """Aiohttp would wait for them too, but it fails over a request that outlives the wait."""
        begun = set(self._begun)
        if not begun:
            return
        _, late = await asyncio.wait(begun, timeout=self._limits.close_seconds)
        for task in late:
            task.cancel()
        if late:
            log.warning("webhook-requests-given-up", requests=len(late))
            await asyncio.wait(late)

    @property
    def port(self) -> int:
        """The port that is listened on. Raises BridgeError where none is."""
        if self._runner is None:
            raise BridgeError("the webhooks' listener is not started")
        port: int = self._runner.addresses[0][1]
        return port

    def status(self) -> dict[str, dict[str, Any]]:
        """Counts, last accepted request and last refusal of each webhook; see `Tally.as_dict`."""
        return {name: hook.tally.as_dict() for name, hook in self._hooks.items()}

    def _sites(self, runner: web.ServerRunner) -> list[web.BaseSite]:
        backlog = self._limits.backlog
        if self._sockets is not None:
            return [web.SockSite(runner, one, backlog=backlog) for one in self._sockets]
        address = self._listen.webhooks
        if address is None:
            return []
        return [web.TCPSite(runner, address.host, address.port, backlog=backlog)]

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        self._remember_begun()
        if isinstance(request.protocol, Connection):
            request.protocol.has_spoken()
        hook = self._hooks.get(request.path.removeprefix(PREFIX))
        if not request.path.startswith(PREFIX):
            return _unknown(404)
        if request.method != "POST":
            return _unknown(405)
        if hook is None:
            return _unknown(404)
        try:
            return await hook.answer(request)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever one request does, its sender must be told to come again
            log.error("webhook-failed", error=type(error).__name__)
            return refused(busy("failed"))

    def _remember_begun(self) -> None:
        """The task ends when the answer is written, or its connection is lost."""
        task = asyncio.current_task()
        if task is not None:
            self._begun.add(task)
            task.add_done_callback(self._begun.discard)


def _unknown(status: int) -> web.Response:
    """Requests that belong to no webhook; a stranger's words make no label of a metric."""
    WEBHOOK_REQUESTS.labels(webhook="", status=str(status)).inc()
    return refused(RefusedError(status, "unknown"))
