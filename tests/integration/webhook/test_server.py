"""The listener over real sockets: order of checks, answers, bounds, closing."""

import asyncio
import base64
import contextlib
import gzip
import json
import os
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.config.model import Listen
from bridge.config.webhook import Webhook
from bridge.errors import BridgeError, ConfigError, StateFileError
from bridge.intake.handover import Unreadable
from bridge.intake.webhook.limits import Limits
from bridge.intake.webhook.log_pace import LOG_AGAIN_SECONDS
from bridge.intake.webhook.server import WebhookServer
from bridge.metrics import REGISTRY
from tests.integration.webhook.recording import Recording
from tests.unit.webhook.schemes import standard_webhooks
from tests.wait import until

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
PRIVATE = "Geheimer Betreff"
BODY = json.dumps({"type": "ticket.created", "data": {"number": "T-1", "subject": PRIVATE}}).encode()
NOW = 1795406526.0
SHORT = Limits(header_seconds=0.2, body_seconds=0.2, close_seconds=0.3, linger_seconds=0.1, connections=4)


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """One server, its handover and its clock, with the ways to talk to it."""

    server: WebhookServer
    handover: Recording
    clock: Clock
    browser: aiohttp.ClientSession
    closed: list[bool] = field(default_factory=list)

    def url(self, name: str = "desk") -> str:
        return f"http://127.0.0.1:{self.server.port}/hooks/{name}"

    async def post(
        self, body: bytes = BODY, *, name: str = "desk", signed: bool = True, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        known = standard_webhooks(body, KEY, at=self.clock.now) if signed else {}
        async with self.browser.post(self.url(name), data=body, headers=known | given) as answer:
            return (
                answer.status,
                await answer.read(),
                {str(one): value for one, value in answer.headers.items()},
            )

    async def raw(self, sent: bytes) -> bytes:
        """Everything that the server answers to these bytes until it closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            writer.write(sent)
            await writer.drain()
            async with asyncio.timeout(5):
                return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


Start = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts servers, and closes them at the end."""
    stack = contextlib.AsyncExitStack()

    async def starter(
        *webhooks: dict[str, Any],
        limits: Limits | None = None,
        listen: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Bench:
        chosen = webhooks or ({"name": "desk", "secrets": [SECRET], **fields},)
        handover, clock = Recording(), Clock()
        server = WebhookServer(
            [Webhook.model_validate(one) for one in chosen],
            Listen.model_validate({"webhooks": "127.0.0.1:0", **(listen or {})}),
            handover,
            clock=clock,
            limits=limits or Limits(close_seconds=1.0),
        )
        await server.start()
        stack.push_async_callback(server.close)
        browser = await stack.enter_async_context(aiohttp.ClientSession())
        return Bench(server, handover, clock, browser)

    async with stack:
        yield starter


async def test_a_signed_request_is_handed_over_and_then_acknowledged(start: Start) -> None:
    """200, a small JSON object and nothing of the request; the message was accepted before."""
    bench = await start()
    status, body, headers = await bench.post()
    assert (status, body) == (200, b'{"status":"accepted"}')
    assert headers["Content-Type"] == "application/json"
    assert [one.subject for one in bench.handover.messages] == [PRIVATE]
    assert bench.server.status()["desk"]["accepted"] == 1


async def test_the_answer_waits_for_the_disk(start: Start) -> None:
    """No 2xx before the handover has returned."""
    bench = await start()
    bench.handover.gate.clear()
    answering = asyncio.create_task(bench.post())
    await until(lambda: bench.handover.waiting == 1)
    assert not answering.done()
    assert bench.handover.incoming == []
    bench.handover.gate.set()
    assert (await answering)[0] == 200


async def test_a_retried_delivery_is_acknowledged_again(start: Start) -> None:
    """The same delivery a second time gets 200 and is counted as known already."""
    bench = await start()
    assert [(await bench.post())[0], (await bench.post())[0]] == [200, 200]
    assert len(bench.handover.incoming) == 1
    assert bench.server.status()["desk"]["duplicates"] == 1


@pytest.mark.parametrize("error", [StateFileError("disk full", hint="make room"), RuntimeError(PRIVATE)])
async def test_our_own_failure_is_a_503(
    start: Start, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be stored is not acknowledged: 503 with Retry-After, logged without the message's words."""
    bench = await start()
    bench.handover.failure = error
    status, body, headers = await bench.post()
    assert (status, body, headers["Retry-After"]) == (503, b"", "10")
    bench.handover.failure = None
    assert (await bench.post())[0] == 200, "a retry after the failure is taken in"
    told = capsys.readouterr().out
    assert "webhook-not-stored" in told
    assert PRIVATE not in told


@pytest.mark.parametrize("body", [b"not json " + PRIVATE.encode(), b'{"title": "a "b""}', b"{}"])
async def test_an_unreadable_body_is_kept_and_acknowledged(start: Start, body: bytes) -> None:
    """A retry could not help: the raw bytes are handed over and the sender gets its 200."""
    bench = await start()
    assert (await bench.post(body))[0] == 200
    [kept] = bench.handover.incoming
    assert isinstance(kept, Unreadable)
    assert kept.raw == body
    assert bench.server.status()["desk"]["unreadable"] == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/hooks/desk", 405),
        ("HEAD", "/hooks/desk", 405),
        ("PUT", "/hooks/desk", 405),
        ("GET", "/hooks/nobody", 405),
        ("POST", "/hooks/nobody", 404),
        ("POST", "/hooks/desk/", 404),
        ("POST", "/hooks/", 404),
        ("POST", "/", 404),
        ("POST", "/HOOKS/desk", 404),
        ("POST", "/hooks/../desk", 404),
    ],
)
async def test_unknown_ways_in_get_an_empty_answer(start: Start, method: str, path: str, status: int) -> None:
    """Wrong methods, names and paths get a bare status that echoes nothing."""
    bench = await start()
    sent = f"{method} {path} HTTP/1.1\r\nHost: {PRIVATE.split(maxsplit=1)[0]}\r\nConnection: close\r\n\r\n"
    answer = (await bench.raw(sent.encode())).decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.split()[1] == str(status)
    assert body == ""
    assert PRIVATE.split(maxsplit=1)[0] not in answer
    assert ("Allow: POST" in head) is (status == 405)
    assert bench.handover.incoming == []


async def test_a_wrong_signature_is_a_bare_401(start: Start) -> None:
    """Unsigned, wrongly signed, doubly signed and stale requests are all the same to the sender."""
    bench = await start()
    good = standard_webhooks(BODY, KEY, at=NOW)
    old = standard_webhooks(BODY, KEY, at=NOW - 3600)
    tried: list[list[tuple[str, str]]] = [
        [],
        list(standard_webhooks(BODY, b"wrong" * 8, at=NOW).items()),
        [*good.items(), ("webhook-signature", good["webhook-signature"])],
        [*good.items(), ("webhook-id", "msg_1")],
        list(old.items()),
    ]
    answers = set()
    for headers in tried:
        async with bench.browser.post(bench.url(), data=BODY, headers=headers) as answer:
            answers.add((answer.status, await answer.read(), frozenset(set(answer.headers) - {"Date"})))
    assert len(answers) == 1
    assert next(iter(answers))[:2] == (401, b"")
    assert bench.handover.incoming == []
    status = bench.server.status()["desk"]
    assert (status["refused"], status["last_refusal"]["reason"]) == (5, "timestamp-stale")


async def test_nothing_is_parsed_before_the_signature(start: Start) -> None:
    """A broken body without a signature is a 401 and leaves nothing behind, not even in quarantine."""
    bench = await start()
    assert (await bench.post(b"{broken", signed=False))[0] == 401
    assert (await bench.post(gzip.compress(b"0" * 10**7), signed=False, Content_Encoding="gzip"))[0] == 401
    assert bench.handover.incoming == []


async def test_a_gzip_body_is_verified_as_it_was_sent(start: Start) -> None:
    """The signature covers the compressed bytes; what comes out is bounded, what is broken is kept."""
    bench = await start(max_bytes=4096)
    assert (await bench.post(gzip.compress(BODY), Content_Encoding="gzip"))[0] == 200
    assert bench.handover.messages[0].subject == PRIVATE
    assert (await bench.post(gzip.compress(b"0" * 10**6), Content_Encoding="gzip"))[0] == 413
    bench.handover.incoming.clear()
    assert (await bench.post(b"no gzip", Content_Encoding="gzip"))[0] == 200
    assert isinstance(bench.handover.incoming[0], Unreadable)


async def test_a_secret_is_rotated_without_a_restart(start: Start, tmp_path: Path) -> None:
    """The new secret of a file is believed, and the old one no longer, after ten seconds."""
    file = tmp_path / "secret"
    file.write_text("whsec_" + base64.b64encode(b"old" * 10).decode())
    bench = await start(secrets=[{"file": str(file)}])
    assert (await bench.post())[0] == 401
    file.write_text(SECRET)
    bench.clock.now += 10
    assert (await bench.post())[0] == 200


async def test_a_missing_secret_is_our_failure(start: Start, tmp_path: Path) -> None:
    """While a secret cannot be read, a request that may be genuine is asked to come again, not refused."""
    bench = await start(secrets=[{"file": str(tmp_path / "missing")}])
    assert (await bench.post())[0] == 503
    assert bench.handover.incoming == []


async def test_basic_authentication_and_signature_must_both_fit(start: Start) -> None:
    """Where both are configured, one alone is not enough."""
    bench = await start(basic={"username": "u", "password": "p"})
    right = "Basic " + base64.b64encode(b"u:p").decode()
    assert (await bench.post())[0] == 401
    assert (await bench.post(signed=False, Authorization=right))[0] == 401
    assert (await bench.post(Authorization=right))[0] == 200


async def test_only_allowed_networks_may_post(start: Start) -> None:
    """The address decides before the body is read; a forged X-Forwarded-For does not help."""
    bench = await start(allow=["203.0.113.0/24"])
    assert (await bench.post())[0] == 403
    assert (await bench.post(X_Forwarded_For="203.0.113.9"))[0] == 403


async def test_a_trusted_proxy_tells_the_client(start: Start) -> None:
    """Behind a trusted proxy the right-most address counts, and a client's own words to the left do not."""
    bench = await start(allow=["203.0.113.0/24"], listen={"trusted_proxies": ["127.0.0.0/8"]})
    assert (await bench.post(X_Forwarded_For="203.0.113.9"))[0] == 200
    assert (await bench.post(X_Forwarded_For="203.0.113.9, 198.51.100.1"))[0] == 403
    assert (await bench.post(X_Forwarded_For="junk"))[0] == 403


async def test_too_many_requests_are_asked_to_come_later(start: Start) -> None:
    """Beyond twice the rate at once: 503 with Retry-After, never a 4xx; and later they pass."""
    bench = await start(rate=2.0)
    assert [(await bench.post())[0] for _ in range(4)] == [200] * 4
    status, _, headers = await bench.post()
    assert (status, headers["Retry-After"]) == (503, "1")
    bench.clock.now += 1
    assert (await bench.post())[0] == 200


async def test_one_webhook_does_not_use_up_the_rate_of_another(start: Start) -> None:
    """Each webhook has its own bucket, counts and authentication."""
    bench = await start(
        {"name": "one", "secrets": [SECRET], "rate": 0.1}, {"name": "two", "secrets": [SECRET], "rate": 0.1}
    )
    assert [(await bench.post(name=name))[0] for name in ("one", "one", "two")] == [200, 503, 200]
    assert bench.server.status()["one"]["failed"] == 1
    assert bench.server.status()["two"]["failed"] == 0


async def test_a_large_body_is_refused_and_not_cut(start: Start) -> None:
    """By its announced length before a byte is read, or while it comes: 413, and never a truncated message."""
    bench = await start(max_bytes=1024, limits=SHORT)
    announced = b"POST /hooks/desk HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n"
    assert (await bench.raw(announced)).split()[1] == b"413"

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 1000

    async with bench.browser.post(bench.url(), data=chunks()) as answer:
        assert answer.status == 413
    assert (await bench.post(BODY.ljust(1024)))[0] == 200
    assert len(bench.handover.incoming) == 1


async def test_a_silent_connection_is_ended(start: Start) -> None:
    """A connection that sends nothing, or headers without end, is closed and harms nobody else."""
    bench = await start(limits=SHORT)
    began = time.monotonic()
    for sent in (b"", b"POST /hooks/desk HTTP/1.1\r\nHost: x\r\nX-Slow: "):
        assert await bench.raw(sent) == b""
    assert time.monotonic() - began < 4
    assert (await bench.post())[0] == 200


async def test_a_body_that_does_not_come_is_ended(start: Start) -> None:
    """Headers without the body they announce get 408 within the bound."""
    bench = await start(limits=SHORT)
    answer = await bench.raw(b"POST /hooks/desk HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert answer.split()[1] == b"408"
    assert bench.server.status()["desk"]["last_refusal"]["reason"] == "too-slow"


async def test_connections_are_bounded(start: Start) -> None:
    """One connection too many is told 503 at once, and when others end there is room again."""
    bench = await start(limits=Limits(connections=2, header_seconds=30, close_seconds=0.2))
    held = [await asyncio.open_connection("127.0.0.1", bench.server.port) for _ in range(2)]
    assert (await bench.raw(b"")).startswith(b"HTTP/1.1 503 ")
    for _, writer in held:
        writer.close()
        await writer.wait_closed()

    async def there_is_room() -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            return (await bench.post())[0] == 200
        return False

    await until(there_is_room)


async def test_surplus_connections_are_no_flood_of_log_lines(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each connection too many gets its 503 and is closed by us; the burst of them writes one line."""
    bench = await start(limits=Limits(connections=0))
    answers = await asyncio.gather(*(bench.raw(b"") for _ in range(30)))
    assert [one.split()[1] for one in answers] == [b"503"] * 30
    assert capsys.readouterr().out.count("webhook-connections-full") == 1


async def test_a_full_disk_is_no_flood_of_log_lines(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """Requests that cannot be stored write one line, then one in ten seconds with the number of the others."""
    bench = await start()
    bench.handover.failure = StateFileError("disk full", hint="make room")
    assert [(await bench.post())[0] for _ in range(5)] == [503] * 5
    assert capsys.readouterr().out.count("webhook-not-stored") == 1
    bench.clock.now += LOG_AGAIN_SECONDS
    await bench.post()
    [line] = [one for one in capsys.readouterr().out.splitlines() if "webhook-not-stored" in one]
    assert "unlogged=4" in re.sub(r"\x1b\[[0-9;]*m", "", line)


async def test_bodies_in_memory_are_bounded(start: Start) -> None:
    """Many large bodies at a time do not fill the memory: the last one is asked to come later."""
    bench = await start(
        max_bytes=60_000, limits=Limits(body_bytes=100_000, close_seconds=0.2, linger_seconds=0.1)
    )
    head = b"POST /hooks/desk HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n"
    _, holding = await asyncio.open_connection("127.0.0.1", bench.server.port)
    holding.write(head + b"x" * 59_000)
    await holding.drain()

    async def is_full() -> bool:
        return (await bench.raw(head + b"x" * 60_000)).split()[1] == b"503"

    await until(is_full)
    holding.close()
    await holding.wait_closed()

    async def is_free() -> bool:
        return (await bench.post(BODY.ljust(50_000)))[0] == 200

    await until(is_free)


async def test_a_sender_that_hangs_up_harms_nobody(start: Start) -> None:
    """A connection that is lost in the midst of its body leaves nothing behind but room."""
    bench = await start(limits=SHORT)
    for _ in range(8):
        _, writer = await asyncio.open_connection("127.0.0.1", bench.server.port)
        writer.write(b"POST /hooks/desk HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.transport.abort()

    async def answers() -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            return (await bench.post())[0] == 200
        return False

    await until(answers)
    assert len(bench.handover.incoming) == 1


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"POST /hooks/desk HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST /hooks/desk HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n",
        b"POST /hooks/desk HTTP/1.1\r\nHost: x\r\nSecret\x00Header: Geheimer\r\n\r\n",
        b"POST /hooks/desk HTTP/1.1\r\nHost: x\r\nX: " + b"Geheimer" * 4000 + b"\r\n\r\n",
    ],
)
async def test_broken_http_is_a_bare_400(
    start: Start, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is no HTTP gets a bare 400; its bytes are neither answered nor logged, and the next one is served."""
    bench = await start(limits=SHORT)
    answer = await bench.raw(sent)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    assert b"\r\nServer: acd-bridge" in head, "the versions of Python and aiohttp are nobody's business"
    assert body == b""
    assert (await bench.post())[0] == 200
    told = capfd.readouterr()
    assert "Geheimer" not in told.out + told.err


async def test_curl_is_told_to_go_on(start: Start) -> None:
    """Expect: 100-continue is answered, so that senders built on curl lose no second."""
    bench = await start(limits=SHORT)
    reader, writer = await asyncio.open_connection("127.0.0.1", bench.server.port)
    signed = "".join(f"{name}: {value}\r\n" for name, value in standard_webhooks(BODY, KEY, at=NOW).items())
    writer.write(
        f"POST /hooks/desk HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\nExpect: 100-continue\r\n"
        f"{signed}Connection: close\r\n\r\n".encode()
    )
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(BODY)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    await writer.wait_closed()


async def test_closing_lets_a_begun_request_end(start: Start) -> None:
    """After close no new connection is taken, and the one that is being stored still gets its 200."""
    bench = await start()
    port = bench.server.port
    bench.handover.gate.clear()
    answering = asyncio.create_task(bench.post())
    await until(lambda: bench.handover.waiting == 1)
    closing = asyncio.create_task(bench.server.close())

    async def refuses() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return True
        writer.close()
        return False

    await until(refuses)
    bench.handover.gate.set()
    assert (await answering)[0] == 200
    await closing
    await bench.server.close()


async def test_closing_does_not_wait_for_ever(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """A request that does not end is given up after the bound, without a 2xx, and the log says so."""
    bench = await start(limits=SHORT)
    bench.handover.gate.clear()
    answering = asyncio.create_task(bench.post())
    await until(lambda: bench.handover.waiting == 1)
    async with asyncio.timeout(5):
        await bench.server.close()
    with pytest.raises(aiohttp.ClientError):
        await answering
    told = capsys.readouterr().out
    assert "webhook-requests-given-up" in told
    assert "webhook-connection-failed" not in told


async def test_a_socket_that_listens_already_is_used() -> None:
    """A socket handed in is served instead of the configured address."""
    listening = socket.create_server(("127.0.0.1", 0))
    webhook = Webhook.model_validate({"name": "desk", "unsigned": True})
    server = WebhookServer([webhook], Listen(), Recording(), clock=Clock(), sockets=[listening])
    await server.start()
    try:
        assert server.port == listening.getsockname()[1]
        async with (
            aiohttp.ClientSession() as browser,
            browser.post(f"http://127.0.0.1:{server.port}/hooks/desk", data=BODY) as answer,
        ):
            assert answer.status == 200
    finally:
        await server.close()


async def test_an_address_in_use_is_explained() -> None:
    """Starting on a port that is taken says which one and what to look for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        listen = Listen.model_validate({"webhooks": address})
        server = WebhookServer([], listen, Recording(), clock=Clock())
        with pytest.raises(BridgeError) as caught:
            await server.start()
    assert address in caught.value.message
    assert "listen.webhooks" in caught.value.hint


async def test_a_webhook_that_cannot_work_stops_the_start() -> None:
    """A server is not built from a configuration with problems."""
    with pytest.raises(ConfigError):
        WebhookServer([Webhook(name="desk")], Listen(), Recording(), clock=Clock())


async def test_strangers_names_make_no_metric(start: Start) -> None:
    """A name that is not configured is no label: strangers cannot fill the metrics."""
    bench = await start()
    name = f"stranger-{os.getpid()}"
    await bench.post(name=name)
    await bench.post()
    labels = [str(sample.labels) for metric in REGISTRY.collect() for sample in metric.samples]
    assert not any(name in one for one in labels)
    assert any("'desk'" in one and "'200'" in one for one in labels)


async def test_nothing_of_a_message_is_logged(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither accepting nor refusing nor quarantining writes subject, secret or password to the log."""
    bench = await start()
    await bench.post(Authorization="Basic c2VjcmV0")
    await bench.post(signed=False, Authorization="Basic c2VjcmV0")
    await bench.post(b"{" + PRIVATE.encode())
    told = capfd.readouterr()
    assert "webhook-refused" in told.out
    for private in (PRIVATE, SECRET, "c2VjcmV0"):
        assert private not in told.out + told.err
