"""The simulator's server: the thin shell around the API, and the place where faults happen."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Self

import orjson
from aiohttp import web

from bridge.acd.simulator.api import Api, Asked, admitted
from bridge.acd.simulator.campaigns import Campaigns
from bridge.acd.simulator.control import controlled, iso
from bridge.acd.simulator.events import Events
from bridge.acd.simulator.faults import Fault, Faults, Kind, Stage
from bridge.acd.simulator.refusal import Refusal
from bridge.acd.simulator.settings import Settings

MAX_REQUESTS: Final = 10_000
"""How many of the latest requests are remembered."""
_REMEMBERED_BYTES = 4096
_STOPPING = 0.2


class Simulator:
    """A simulated ACD that listens. Start it with `await Simulator.start()`, end it with `await close()`."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.url = ""
        """What goes into `acd.url`."""
        self.faults = Faults(settings.seed)
        self._clock = clock
        self.store = Events(settings, clock)
        self._api = Api(settings, self.store, Campaigns(settings.campaigns, settings.clients_id))
        self._requests: deque[tuple[float, str, str, int | None, bytes]] = deque(maxlen=MAX_REQUESTS)
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=_STOPPING)

    @classmethod
    async def start(
        cls,
        settings: Settings | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """A simulator that listens; port 0 takes a free one. Raises OSError where it cannot listen.

        `clock` gives seconds since 1970; events age by it.
        """
        simulator = cls(settings or Settings(), clock)
        await simulator._runner.setup()
        try:
            await web.TCPSite(simulator._runner, host, port).start()
        except OSError:
            await simulator.close()
            raise
        bound = simulator._runner.addresses[0][1]
        simulator.url = f"http://{f'[{host}]' if ':' in host else host}:{bound}"
        return simulator

    async def close(self) -> None:
        """Stop listening and drop all connections."""
        await self._runner.cleanup()

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events as the API shows them, oldest first."""
        return [self.store.view(event) for event in self.store.all()]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The latest requests: when, what, the body, and the status; None where there was no answer."""
        return [
            {
                "when": iso(when),
                "method": method,
                "path": path,
                "status": status,
                "body": body.decode("utf-8", "replace"),
            }
            for when, method, path, status, body in self._requests
        ]

    def reset(self) -> None:
        """Forget events, requests, faults and changes to campaigns."""
        self.store.clear()
        self.faults.clear()
        self._requests.clear()
        self._api = Api(
            self.settings, self.store, Campaigns(self.settings.campaigns, self.settings.clients_id)
        )

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if path.startswith("/_sim/"):
            status, document = controlled(self, request.method, path, await request.read())
            return web.Response(status=status, body=orjson.dumps(document), content_type="application/json")
        below = "/" + path.removeprefix("/rest/v1.0/").partition("/")[2]
        faults = self.faults.take(request.method, below) if self.faults else []
        if not faults:
            body = await request.read()
            return self._noted(request, body, self._answer(request, body))
        return await self._handle_badly(request, faults)

    def _answer(self, request: web.BaseRequest, body: bytes) -> web.Response:
        below = admitted(request.path, request.headers.get("Authorization"), self.settings)
        if isinstance(below, Refusal):
            return _refused(below)
        outcome = self._api.answer(Asked(request.method, below, request.query, request.content_type, body))
        if isinstance(outcome, Refusal):
            return _refused(outcome)
        return web.Response(body=outcome, content_type="application/json")

    async def _handle_badly(self, request: web.BaseRequest, faults: list[Fault]) -> web.StreamResponse:
        """The way of a request that meets faults: each at its stage."""
        spoilt = await _spoil(request, faults, Stage.BEFORE_READING)
        if spoilt is not None:
            return self._noted(request, b"", spoilt)
        body = await request.read()
        spoilt = await _spoil(request, faults, Stage.AFTER_READING)
        if spoilt is not None:
            return self._noted(request, body, spoilt)
        answer = self._answer(request, body)
        if any(fault.kind is Kind.HALF for fault in faults):
            return self._noted(request, body, _half(request, answer))
        spoilt = await _spoil(request, faults, Stage.AFTER_DOING)
        return self._noted(request, body, answer if spoilt is None else spoilt)

    def _noted(self, request: web.BaseRequest, body: bytes, answer: web.Response) -> web.Response:
        """Remember the request; one whose connection was dropped had no answer."""
        gone = request.transport is None or request.transport.is_closing()
        self._requests.append(
            (
                self._clock(),
                request.method,
                request.path_qs,
                None if gone else answer.status,
                body[:_REMEMBERED_BYTES],
            )
        )
        return answer


async def _spoil(request: web.BaseRequest, faults: list[Fault], stage: Stage) -> web.Response | None:
    """Let this stage's faults happen; an answer where one takes the place of the real one."""
    answer: web.Response | None = None
    for fault in faults:
        if fault.when is not stage or fault.kind is Kind.HALF:
            continue
        if fault.kind is Kind.LATENCY:
            await asyncio.sleep(fault.seconds)
        elif fault.kind is Kind.DROP:
            answer = _dropped(request)
        elif answer is None:
            answer = _wrong(fault)
    return answer


def _wrong(fault: Fault) -> web.Response:
    status, content_type, body = fault.answer()
    answer = web.Response(status=status, body=body, content_type=content_type)
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer


def _dropped(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _half(request: web.BaseRequest, answer: web.Response) -> web.Response:
    """Half an answer under a whole answer's headers (RFC 9112 section 8: an incomplete message)."""
    body = answer.body
    if request.transport is not None and isinstance(body, bytes):
        head = f"HTTP/1.1 {answer.status} {answer.reason}\r\nContent-Type: application/json\r\n"
        request.transport.write(
            f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) // 2]
        )
        request.transport.close()
    return web.Response()


def _refused(refusal: Refusal) -> web.Response:
    if refusal.error is None:
        return web.Response(status=refusal.status)
    body = orjson.dumps({"status": refusal.status, "error": refusal.error})
    return web.Response(status=refusal.status, body=body, content_type="application/json")
