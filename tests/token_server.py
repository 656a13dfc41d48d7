"""A token server on this machine: gives tokens as a provider does, and tells a mail server whose they are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class TokenServer:
    """Every client gets a token of the user that its `client_id` names. What goes wrong is set by the test."""

    def __init__(self) -> None:
        self.life = 3600
        self.forms: list[dict[str, str]] = []
        self.revoked: set[str] = set()
        """Users that get no token any more."""
        self.status = 200
        """Anything else is the answer to everybody."""
        self.rotates = False
        self.url = ""
        self._users: dict[str, str] = {}

    def end_tokens(self) -> None:
        """All tokens that were given are of no more use."""
        self._users.clear()

    async def token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        user = form.get("client_id", "")
        if self.status != 200:
            return web.Response(status=self.status, headers={"Retry-After": "1"})
        if user in self.revoked:
            answer = {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            return web.json_response(answer, status=400)
        number = len(self.forms)
        self._users[f"token-{number}"] = user
        granted: dict[str, Any] = {
            "access_token": f"token-{number}",
            "token_type": "Bearer",
            "expires_in": self.life,
        }
        return web.json_response(granted | ({"refresh_token": f"refresh-{number}"} if self.rotates else {}))

    async def introspect(self, request: web.Request) -> web.Response:
        """RFC 7662."""
        user = self._users.get(str((await request.post()).get("token")))
        return web.json_response({"active": user is not None, "username": user or ""})


@asynccontextmanager
async def token_server(port: int = 0) -> AsyncIterator[TokenServer]:
    """Such a server while the block runs; `url` is where tokens are asked for."""
    server = TokenServer()
    app = web.Application()
    app.add_routes([web.post("/token", server.token), web.post("/introspect", server.introspect)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/token"
        yield server
    finally:
        await runner.cleanup()
