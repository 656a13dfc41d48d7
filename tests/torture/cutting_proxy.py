"""A way to a mail server that can be made to fail: from the next command on, or within the next answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Self

CHUNK = 65536


class Cut(StrEnum):
    """What happens to whoever speaks next."""

    COMMAND = "command"  #: the connection breaks, and the command does not reach the server
    SILENCE = "silence"  #: nothing is passed on any more in either direction, and the connection stays open
    HALF = "half"  #: the server has acted; half of its answer comes, then the connection breaks
    ANSWER = "answer"  #: the server has acted; the connection breaks before a byte of its answer comes


class CuttingProxy:
    """Passes bytes on between clients and one server, until it is told to cut."""

    def __init__(self, host: str, port: int) -> None:
        self._server_at = (host, port)
        self._listening: asyncio.Server
        self._next: Cut | None = None
        self._pairs: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def to(cls, host: str, port: int) -> AsyncIterator[Self]:
        """A proxy to this server while the block runs."""
        proxy = cls(host, port)
        proxy._listening = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        try:
            yield proxy
        finally:
            await proxy._close()

    @property
    def port(self) -> int:
        return int(self._listening.sockets[0].getsockname()[1])

    def cut_next(self, what: Cut) -> None:
        """Let what is passed on next fail in this way, once."""
        self._next = what

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pair = asyncio.current_task()
        assert pair is not None
        self._pairs.add(pair)
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._server_at)
            try:
                await self._pass_on_both((reader, writer), (server_reader, server_writer))
            finally:
                server_writer.transport.abort()
        except (OSError, asyncio.CancelledError):
            pass  # a connection that breaks is what this is for
        finally:
            writer.transport.abort()
            self._pairs.discard(pair)

    async def _pass_on_both(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        silent = asyncio.Event()
        ways = [
            asyncio.create_task(self._pass_on(client[0], server[1], {Cut.COMMAND, Cut.SILENCE}, silent)),
            asyncio.create_task(self._pass_on(server[0], client[1], {Cut.HALF, Cut.ANSWER}, silent)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        concerned: set[Cut],
        silent: asyncio.Event,
    ) -> None:
        """Until either side is gone, or the connection is cut."""
        while data := await reader.read(CHUNK):
            if silent.is_set():
                continue
            what = self._taken(concerned)
            if what is Cut.SILENCE:
                silent.set()
                continue
            if what is Cut.HALF:
                writer.write(data[: len(data) // 2])
                with suppress(OSError):
                    await writer.drain()
                writer.close()
            if what is not None:
                return
            writer.write(data)

    def _taken(self, concerned: set[Cut]) -> Cut | None:
        if self._next not in concerned:
            return None
        what, self._next = self._next, None
        return what

    async def _close(self) -> None:
        self._listening.close()
        for pair in self._pairs:
            pair.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)
        await self._listening.wait_closed()
