"""The exchange with a token server over a real socket: bounded, and never led elsewhere."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bridge.intake.oauth import endpoint
from bridge.intake.oauth.answer import granted_by
from bridge.intake.oauth.endpoint import MAX_BYTES, ask
from bridge.intake.oauth.failure import State, TokenFailure
from bridge.intake.oauth.grant import Grant
from tests.token_server import token_server

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[Grant]:
    app = web.Application()
    app.add_routes([web.post("/token", handler)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Grant(f"http://127.0.0.1:{runner.addresses[0][1]}/token", {"client_secret": "s"})
    finally:
        await runner.cleanup()


async def failure_of(grant: Grant) -> TokenFailure:
    with pytest.raises(TokenFailure) as caught:
        granted_by(await ask(grant, ssl.create_default_context()))
    return caught.value


async def test_a_token() -> None:
    """The form arrives as it was handed in, and the token comes back."""
    async with token_server() as tokens:
        grant = Grant(tokens.url, {"client_id": "anna", "client_secret": "a&b=ü"})
        assert granted_by(await ask(grant, ssl.create_default_context())).access_token == "token-1"
        assert tokens.forms == [{"client_id": "anna", "client_secret": "a&b=ü"}]


async def test_redirects_are_not_followed() -> None:
    """The secret goes to the configured address only."""
    async with token_server() as elsewhere:

        async def redirect(_: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": elsewhere.url})

        async with server(redirect) as grant:
            failure = await failure_of(grant)
        assert elsewhere.forms == []
    assert failure.state is State.REFUSED
    assert "token_url" in failure.hint


async def test_endless_answers_are_cut() -> None:
    """No more than the bound is read, whatever the server sends."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with server(endless) as grant:
        assert len((await ask(grant, ssl.create_default_context())).body) == MAX_BYTES


async def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait has an end, and it is an outage."""
    monkeypatch.setattr(endpoint, "SECONDS", 0.05)

    async def silent(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async with server(silent) as grant:
        failure = await failure_of(grant)
    assert failure.state is State.TRANSIENT
    assert "no answer" in failure.message


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/token", "http://no-such-host.invalid/token"])
async def test_nobody_is_there(url: str) -> None:
    """No connection is an outage, told with the address."""
    failure = await failure_of(Grant(url, {}))
    assert failure.state is State.TRANSIENT
    assert url in failure.message


async def test_a_server_without_tls() -> None:
    """A plain server behind an https address gets nothing but a broken handshake."""
    async with token_server() as tokens:
        failure = await failure_of(Grant(tokens.url.replace("http:", "https:"), {"client_secret": "s"}))
        assert tokens.forms == []
    assert failure.state is State.TRANSIENT
