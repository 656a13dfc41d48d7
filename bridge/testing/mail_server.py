"""An IMAP server inside this process, for the demo and for fast tests: pymap with mailboxes in memory.

It speaks without TLS, on this machine's loopback address only.
"""

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Self

from bridge.errors import BridgeError

# Only the demo needs them; a production install does not have them.
try:
    from proxyprotocol.sock import SocketInfoLocal
    from pymap.backend.dict import Config, DictBackend
    from pymap.backend.dict.filter import FilterSet
    from pymap.backend.dict.mailbox import MailboxData, MailboxSet
    from pymap.concurrent import Subsystem
    from pymap.imap import IMAPServer
    from pymap.parsing.message import AppendMessage
    from pymap.user import UserMetadata
    from pysasl.hashing import Cleartext
except ImportError:
    MISSING = True
else:
    MISSING = False

PASSWORD = "secret"  # noqa: S105 - the password of accounts that hold nothing but a demonstration
HOST = "127.0.0.1"


class MailServer:
    """A running server. Whoever idles in a folder is told of a delivery at once."""

    def __init__(self, backend: "DictBackend", config: "Config") -> None:
        self._backend = backend
        self._config = config
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[Any]] = set()

    @classmethod
    async def start(cls, users: Sequence[str], *, port: int = 0) -> Self:
        """Listen, on a free port where none is given. Raises BridgeError where pymap is not installed."""
        backend, config = await _backend(users[0])
        server = cls(backend, config)
        for user in users:
            server._add(user)
        server._server = await asyncio.start_server(server._serve, HOST, port)
        return server

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return HOST

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None  # noqa: S101 - set by `start`
        return int(self._server.sockets[0].getsockname()[1])

    async def deliver(
        self, user: str, raw: bytes, folder: str = "INBOX", received_at: datetime | None = None
    ) -> None:
        """Put a mail into a folder, which must exist."""
        mailbox = await self._folder(user, folder)
        await mailbox.append(AppendMessage(raw, received_at or datetime.now(UTC), frozenset()))

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        assert self._server is not None  # noqa: S101 - set by `start`
        self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await self._server.wait_closed()

    def _add(self, user: str) -> None:
        self._backend.login.users_dict[user] = UserMetadata(self._config, user, password=PASSWORD)
        self._config.set_cache[user] = (MailboxSet(), FilterSet())

    async def _folder(self, user: str, folder: str) -> "MailboxData":
        return await self._config.set_cache[user][0].get_mailbox(folder)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = asyncio.current_task()
        assert client is not None  # noqa: S101 - asyncio runs this in a task of its own
        self._clients.add(client)
        try:
            with suppress(ConnectionError, asyncio.CancelledError):
                await IMAPServer(self._backend.login, self._config)(
                    reader, writer, SocketInfoLocal(writer.transport)
                )
        finally:
            self._clients.discard(client)
            writer.transport.abort()


async def _backend(user: str) -> "tuple[DictBackend, Config]":
    if MISSING:
        raise BridgeError(
            "the mail server of the demo is not installed",
            hint="in the checkout: pip install -c constraints.txt '.[demo]'",
        )
    arguments = Namespace(
        debug=False,
        host=HOST,
        port=0,
        cert=None,
        key=None,
        tls=False,
        proxy_protocol=None,
        passlib_cfg=None,
        demo_data=False,
        demo_user=user,
        demo_password=PASSWORD,
    )
    return await DictBackend.init(
        arguments, hash_context=Cleartext(), cpu_subsystem=Subsystem.for_asyncio(), invalid_user_sleep=0.0
    )
