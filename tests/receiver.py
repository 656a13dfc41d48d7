"""A helpdesk that is told how events ended: a real server that believes only what our own verifier believes."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from bridge.intake.webhook.preset_file import read_preset
from bridge.intake.webhook.signature import SignedRequest, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SCHEMES = read_preset("generic").signature


@dataclass
class Receiver:
    """What came, and how it is answered. `statuses` are the next answers; after them each is 204."""

    port: int = 0
    scheme: str = "http"
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    taken: list[dict[str, Any]] = field(default_factory=list)
    """Bodies that were believed and answered 2xx, with their `webhook-id` as `id`."""
    tried: list[str] = field(default_factory=list)
    """The `webhook-id` of each request."""
    elsewhere: int = 0
    """Requests at another address than that of the hook."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, nobody is answered."""
    secrets: Sequence[str] = (SECRET,)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hooks/acd/"

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if request.path != "/hooks/acd/":
            self.elsewhere += 1
            return web.Response(status=200)
        names = {name.lower() for name in request.headers}
        signed = SignedRequest(body=body, headers={name: request.headers.getall(name) for name in names})
        refusal = verify(SCHEMES, self.secrets, signed, now=time.time())
        self.tried.append(request.headers.get("webhook-id", ""))
        await self.open.wait()
        if refusal is not None:
            return web.Response(status=401, text=refusal)
        status = self.statuses.pop(0) if self.statuses else 204
        if 200 <= status < 300:
            self.taken.append(orjson.loads(body) | {"id": request.headers["webhook-id"]})
        return web.Response(status=status, headers=self.headers)


@asynccontextmanager
async def receiver(
    port: int = 0, tls: ssl.SSLContext | None = None, **fields: Any
) -> AsyncIterator[Receiver]:
    """A receiver that listens, over TLS where it has a certificate; port 0 takes a free one."""
    made = Receiver(**fields)
    made.open.set()
    runner = web.ServerRunner(web.Server(made.handle, access_log=None), shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    made.port, made.scheme = runner.addresses[0][1], "http" if tls is None else "https"
    try:
        yield made
    finally:
        await runner.cleanup()
