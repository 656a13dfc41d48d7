"""Reading a request's body within bounds of size, time and memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import HttpVersion11, web

from bridge.intake.webhook.refused import RefusedError, busy

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Bound:
    """The largest body of one request, and the answer to a larger one."""

    most_bytes: int
    beyond: RefusedError


class BodyReader:
    """Reads the bodies of all webhooks: each within `seconds`, at most `most_bytes` of all at a time."""

    def __init__(self, *, most_bytes: int, seconds: float) -> None:
        self._left = most_bytes
        self._seconds = seconds

    @asynccontextmanager
    async def body(self, request: web.BaseRequest, bound: Bound) -> AsyncIterator[bytes]:
        """The raw body, as it was sent and signed; its memory counts until the context ends.

        Raises RefusedError: the bound's where it is too large, by its announced length before anything of it
        is read; 408 where it does not come in time; 503 where all bodies together would take too much memory.
        """
        if (request.content_length or 0) > bound.most_bytes:
            raise bound.beyond
        chunks: list[bytes] = []
        try:
            await self._fill(chunks, request, bound)
            yield b"".join(chunks)
        finally:
            self._left += sum(map(len, chunks))

    async def _fill(self, chunks: list[bytes], request: web.BaseRequest, bound: Bound) -> None:
        size = 0
        try:
            async with asyncio.timeout(self._seconds):
                await _continue(request)
                async for chunk in request.content.iter_any():
                    size += len(chunk)
                    if size > bound.most_bytes:
                        raise bound.beyond
                    self._take(chunk, chunks)
        except TimeoutError:
            raise RefusedError(408, "too-slow") from None
        except RuntimeError as error:
            # aiohttp's word for a sender that was gone before anything of its body was asked for.
            if request.transport is not None:
                raise
            raise ConnectionResetError("the sender is gone") from error

    def _take(self, chunk: bytes, chunks: list[bytes]) -> None:
        if len(chunk) > self._left:
            raise busy("memory-full")
        self._left -= len(chunk)
        chunks.append(chunk)


async def _continue(request: web.BaseRequest) -> None:
    """Senders built on curl wait up to a second for this before a larger body (RFC 9110 section 10.1.1)."""
    expects = request.headers.get("Expect", "").lower() == "100-continue"
    if expects and request.version >= HttpVersion11:
        await request.writer.write(_CONTINUE)
        # aiohttp takes a written byte as a begun answer.
        request.writer.output_size = 0
