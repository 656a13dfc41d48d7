"""One HTTP exchange with the ACD: bounded in time and size, and exact about whether the request left."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Self

import aiohttp
from yarl import URL

from bridge import __version__
from bridge.acd.bearer import Bearer
from bridge.acd.network import AnswerTooLarge
from bridge.config.acd import Acd
from bridge.errors import AcdError
from bridge.points import Point, passing

READERS: Final = 4
"""Connections for reading, besides `acd.concurrency` for posting: a post never waits for a list."""
REFUSAL_LIMIT: Final = 1024 * 1024
"""Bytes of an answer that is no success; what is wanted of it is a line of words."""
KEEP_ALIVE: Final = 10.0
"""Seconds that an idle connection is kept: less than servers keep theirs, so that a post is not sent into a
connection that the server is just closing, which would leave its outcome uncertain."""
_HEADERS = {"Accept": "application/json", "User-Agent": f"acd-bridge/{__version__}"}


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of the ACD."""

    method: str
    url: URL
    timeout: aiohttp.ClientTimeout
    limit: int
    """Bytes of the answer's body at most, after decompression."""
    data: bytes | None = None
    take: Callable[[bytes], None] | None = None
    """Gets the parts of a successful answer's body as they come, in place of `Reply.body`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: at least a status and headers."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    broken: Exception | None = None
    """Why the body is not whole, where it is not."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Nothing came back."""

    error: Exception
    sent: bool
    """Whether any byte of the request may have left."""


class Wire:
    """The session: open it with `async with`."""

    def __init__(self, config: Acd, bearer: Bearer) -> None:
        self._config = config
        self._bearer = bearer
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._config.concurrency + READERS,
                keepalive_timeout=KEEP_ALIVE,
                ssl=_tls(self._config.ca_file) if self._config.url.startswith("https:") else True,
            ),
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[_sending_trace()],
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def exchange(self, call: Call) -> Reply | Loss:
        """Ask and read the answer. Raises TokenUnusable; whatever the network does is a value."""
        if self._session is None:
            raise RuntimeError("the client is used outside its `async with`")
        headers = {"Authorization": self._bearer.value()}
        if call.data is not None:
            headers["Content-Type"] = "application/json"
        progress = _Progress()
        try:
            passing(Point.REQUEST_LEAVES)
            async with self._session.request(
                call.method,
                call.url,
                data=call.data,
                headers=headers,
                timeout=call.timeout,
                allow_redirects=False,
                trace_request_ctx=progress,
            ) as response:
                passing(Point.REQUEST_ANSWERED)
                return await _read(response, call.limit, call.take)
        except Exception as error:  # noqa: BLE001 - whatever it is, what counts is whether the request left
            return Loss(error, progress.sent)


async def _read(response: aiohttp.ClientResponse, limit: int, take: Callable[[bytes], None] | None) -> Reply:
    """The whole body, or as much of it as came and why no more did."""
    chunks: list[bytes] = []
    succeeded = 200 <= response.status < 300
    put = take if take is not None and succeeded else chunks.append
    limit = limit if succeeded else min(limit, REFUSAL_LIMIT)
    size = 0
    broken: Exception | None = None
    try:
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > limit:
                broken = AnswerTooLarge(limit)
                response.close()
                break
            put(chunk)
    except Exception as error:  # noqa: BLE001 - the status is known and stays worth knowing, whatever broke the body
        broken = error
    return Reply(response.status, response.headers, b"".join(chunks), broken)


@dataclass(slots=True)
class _Progress:
    sent: bool = False


def _sending_trace() -> aiohttp.TraceConfig:
    """A trace that notes the moment before the first byte of a request can leave."""

    async def note(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx.sent = True

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(note)
    return trace


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise AcdError(
                f"acd.ca_file {str(ca_file)!r} cannot be used: {error.strerror or error}",
                hint="it must be a readable file of certificates in PEM form",
            ) from error
    return context
