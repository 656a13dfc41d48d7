"""Connections: how many, and how long one may say nothing. Below this, aiohttp speaks HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import structlog
from aiohttp import web

from bridge.intake.webhook.answer import malformed
from bridge.intake.webhook.limits import Limits
from bridge.intake.webhook.log_pace import LogPace
from bridge.intake.webhook.refused import RETRY_AFTER_SECONDS

log = structlog.get_logger("bridge.webhook")

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_FULL = (
    f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {RETRY_AFTER_SECONDS}\r\nContent-Length: 0\r\n"
    "Connection: close\r\n\r\n"
).encode()


class BoundedServer(web.Server):
    """aiohttp's low-level server with a bound on open connections and on silent ones."""

    def __init__(self, handler: Handler, limits: Limits) -> None:
        options: dict[str, Any] = {
            "access_log": None,
            "keepalive_timeout": limits.keepalive_seconds,
            "lingering_time": limits.linger_seconds,
            # The signature covers the bytes as they were sent, not what they decompress to.
            "auto_decompress": False,
        }
        super().__init__(handler, **options)
        self._limits = limits
        self._options = options
        self._log_pace = LogPace()

    def __call__(self) -> asyncio.Protocol:  # type: ignore[override] # aiohttp types it too narrowly
        """The protocol of a new connection."""
        if len(self.connections) >= self._limits.connections:
            self._tell_full()
            return _Full()
        return Connection(self, self._limits, self._options)

    def _tell_full(self) -> None:
        unlogged = self._log_pace.unlogged("full", asyncio.get_running_loop().time())
        if unlogged is not None:
            log.warning("webhook-connections-full", connections=self._limits.connections, unlogged=unlogged)


class Connection(web.RequestHandler):
    """One connection: ended where no request comes in time; its own answers to broken HTTP are fixed."""

    __slots__ = ("_silence", "_silence_seconds")

    def __init__(self, server: web.Server, limits: Limits, options: dict[str, Any]) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._silence_seconds = limits.header_seconds
        self._silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The clock of silence begins; the keep-alive timer covers only what follows a first request."""
        super().connection_made(transport)
        self._silence = asyncio.get_running_loop().call_later(self._silence_seconds, self.force_close)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The other side, or we, ended it."""
        self.has_spoken()
        super().connection_lost(exc)

    def has_spoken(self) -> None:
        """A request has come."""
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request, so it is neither answered nor logged
    ) -> web.StreamResponse:
        """The answer to what is no HTTP: the status alone, and the connection ends."""
        log.debug("webhook-request-malformed", status=status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        return malformed(status)

    def log_exception(self, *_args: Any, **kw: Any) -> None:
        """What aiohttp did not expect, without the text of the exception: it may quote the request."""
        log.error("webhook-connection-failed", error=type(kw.get("exc_info")).__name__)


class _Full(asyncio.Protocol):
    """Tells a connection too many to come later."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and no isinstance(): the transports of uvloop are none of asyncio's classes.
        stream = cast("asyncio.WriteTransport", transport)
        stream.write(_FULL)
        stream.close()
