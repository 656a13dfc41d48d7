"""The admin address: `/`, `/status.json`, `/metrics`, `/-/healthy`, `/-/ready`. It only shows."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client.exposition import choose_encoder

from bridge.config.values import Address
from bridge.errors import BridgeError
from bridge.metrics import REGISTRY
from bridge.web.answers import add_safe_headers, json_answer, problem
from bridge.web.host import is_own_host
from bridge.web.page import status_page
from bridge.web.status import Status

log = structlog.get_logger("bridge.web")

STATUS_WITHIN_SECONDS = 5.0
RETRY_AFTER_SECONDS = 5
KEEP_ALIVE_SECONDS = 15.0
CLOSE_WITHIN_SECONDS = 2.0

_STYLE = (Path(__file__).parent / "static" / "style.css").read_bytes()


class AdminServer:
    """Serves operators and monitoring. It is not for the internet: it asks for no password."""

    def __init__(
        self,
        address: Address,
        *,
        status: Callable[[], Awaitable[Status]],
        readiness: Callable[[], list[str]],
    ) -> None:
        """`readiness` tells why requests should go elsewhere; empty: ready. Remote outages are no such
        reason.
        """
        self._address = address
        self._status = status
        self._readiness = readiness
        self._own_names = frozenset({address.host.lower(), os.uname().nodename.lower()})
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port it listens on, also where the configuration says 0. Only after `start`."""
        if self._runner is None or not self._runner.addresses:
            raise RuntimeError("the admin server is not started")
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Listen. Raises BridgeError where the address cannot be had."""
        self._runner = web.AppRunner(
            self._application(),
            handle_signals=False,
            access_log=None,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            shutdown_timeout=CLOSE_WITHIN_SECONDS,
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._address.host, self._address.port).start()
        except OSError as error:
            raise BridgeError(
                f"cannot listen for the admin pages on {self._address}: {error.strerror}",
                hint="is another program using listen.admin, or is the address not of this machine?",
            ) from error
        log.info("admin-listening", host=self._address.host, port=self.port)

    async def close(self) -> None:
        """Stop listening. Safe to call twice, and before `start`."""
        if self._runner is not None:
            await self._runner.cleanup()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[_failures_as_problems, self._only_own_hosts])
        app.on_response_prepare.append(add_safe_headers)
        app.router.add_get("/", self._page)
        app.router.add_get("/style.css", _style)
        app.router.add_get("/status.json", self._json)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/-/healthy", _healthy)
        app.router.add_get("/-/ready", self._ready)
        return app

    @web.middleware
    async def _only_own_hosts(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_own_host(request.headers.get("Host"), self._own_names):
            return await handler(request)
        return problem(421, "Ask by address, as localhost, or by the name in listen.admin.")

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(
            text=status_page(await self._current(), datetime.now(UTC)), content_type="text/html"
        )

    async def _json(self, _request: web.Request) -> web.Response:
        return json_answer(await self._current())

    async def _metrics(self, request: web.Request) -> web.Response:
        """The text format, or OpenMetrics where Accept asks for it. Counting the outbox may fail; the rest
        counts.
        """
        try:
            await self._current()
        except Exception:
            log.exception("metrics-without-outbox")
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(REGISTRY), headers={"Content-Type": content_type})

    async def _ready(self, _request: web.Request) -> web.Response:
        reasons = self._readiness()
        if reasons:
            return problem(
                503, "The bridge takes nothing in now.", errors=reasons, retry_after=RETRY_AFTER_SECONDS
            )
        return json_answer({"status": "ready"})

    async def _current(self) -> Status:
        async with asyncio.timeout(STATUS_WITHIN_SECONDS):
            return await self._status()


async def _healthy(_request: web.Request) -> web.Response:
    """That it is answered at all proves that the loop turns."""
    return json_answer({"status": "healthy"})


async def _style(_request: web.Request) -> web.Response:
    return web.Response(body=_STYLE, content_type="text/css", charset="utf-8")


@web.middleware
async def _failures_as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        answer = problem(error.status)
        if "Allow" in error.headers:
            answer.headers["Allow"] = error.headers["Allow"]
        return answer
    except TimeoutError:
        log.warning("status-timed-out", path=request.path)
        return problem(503, "The state file did not answer in time.", retry_after=RETRY_AFTER_SECONDS)
    except Exception:
        log.exception("request-failed", path=request.path)
        return problem(500, "The log says more.")
