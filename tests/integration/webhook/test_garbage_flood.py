"""A stranger's unsigned garbage must not keep genuine requests out, and must not cost much."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from bridge.config.model import Listen
from bridge.config.webhook import Webhook
from bridge.intake.webhook.limits import Limits
from bridge.intake.webhook.server import WebhookServer
from tests.integration.webhook.recording import Recording
from tests.unit.webhook.schemes import standard_webhooks

KEY = bytes(range(32))
WRONG_KEY = bytes(32)
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NOW = 1795406526.0
LIMITS = Limits(refused_rate=2.0, doubted_bytes=1024, linger_seconds=0.1, close_seconds=1.0)
FLOOD = 30
STRANGER, HELPDESK = "203.0.113.9", "198.51.100.7"


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Desk:
    """A listener behind a proxy on this machine, which names the client."""

    server: WebhookServer
    browser: aiohttp.ClientSession
    clock: Clock

    async def post(
        self, number: int, *, size: int = 0, client: str = HELPDESK, key: bytes = KEY, name: str = "desk"
    ) -> int:
        body = json.dumps({"type": "ticket.created", "data": {"number": str(number)}}).encode().ljust(size)
        signed = standard_webhooks(body, key, at=self.clock.now) | {"X-Forwarded-For": client}
        status, _ = await self.send(body, signed, name=name)
        return status

    async def send(
        self, body: bytes, headers: Mapping[str, str], *, name: str = "desk"
    ) -> tuple[int, Mapping[str, str]]:
        url = f"http://127.0.0.1:{self.server.port}/hooks/{name}"
        async with self.browser.post(url, data=body, headers=headers) as answer:
            return answer.status, answer.headers

    async def flood(self, *, size: int = 0) -> set[int]:
        """The answers to badly signed requests of the stranger."""
        return {await self.post(number, size=size, client=STRANGER, key=WRONG_KEY) for number in range(FLOOD)}

    def last_refusal(self) -> Any:
        return self.server.status()["desk"]["last_refusal"]["reason"]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """One signed webhook with a small rate, and one that proves nothing."""
    webhooks = [
        Webhook.model_validate({"name": "desk", "secrets": [SECRET], "rate": 2.0, "max_bytes": 8192}),
        Webhook.model_validate({"name": "open", "unsigned": True, "rate": 2.0}),
    ]
    listen = Listen.model_validate({"webhooks": "127.0.0.1:0", "trusted_proxies": ["127.0.0.0/8"]})
    clock = Clock()
    server = WebhookServer(webhooks, listen, Recording(), clock=clock, limits=LIMITS)
    async with aiohttp.ClientSession() as browser:
        await server.start()
        try:
            yield Desk(server, browser, clock)
        finally:
            await server.close()


async def test_garbage_does_not_use_up_the_rate(desk: Desk) -> None:
    """After a flood of bad signatures the whole rate is still there for the genuine helpdesk."""
    assert await desk.flood() == {401}
    assert [await desk.post(number) for number in range(4)] == [200] * 4
    assert await desk.post(4) == 503, "the rate holds for believed requests"


async def test_a_genuine_sender_behind_the_same_address_passes(desk: Desk) -> None:
    """An address is shared by all behind a proxy: signed requests pass in the midst of the flood."""
    await desk.flood()
    assert [await desk.post(number, client=STRANGER) for number in range(2)] == [200, 200]
    await desk.flood()
    assert [await desk.post(number, client=STRANGER) for number in range(2, 4)] == [200, 200]


async def test_large_garbage_is_put_off_unread(desk: Desk) -> None:
    """The first large ones are proved wrong, all others get 503 for their size alone; another client passes."""
    assert await desk.flood(size=4096) == {401, 503}
    assert desk.last_refusal() == "client-doubted"
    assert desk.server.status()["desk"]["refused"] == 4
    assert await desk.post(1, size=4096, client=HELPDESK) == 200


async def test_a_put_off_body_may_come_again(desk: Desk) -> None:
    """503 with Retry-After, never a 4xx; and a moment later the same body is taken."""
    await desk.flood()
    body = json.dumps({"data": {"number": "T-1"}}).encode().ljust(4096)
    signed = standard_webhooks(body, KEY, at=NOW) | {"X-Forwarded-For": STRANGER}
    status, headers = await desk.send(body, signed)
    assert (status, headers["Retry-After"]) == (503, "10")
    desk.clock.now += 1
    assert (await desk.send(body, signed))[0] == 200


async def test_a_length_that_is_not_told_is_bounded_too(desk: Desk) -> None:
    """A doubted client's chunked body is read as far as a small one may go, and then put off."""
    await desk.flood()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * 1000

    url = f"http://127.0.0.1:{desk.server.port}/hooks/desk"
    async with desk.browser.post(url, data=chunks(), headers={"X-Forwarded-For": STRANGER}) as answer:
        assert answer.status == 503
    assert desk.last_refusal() == "client-doubted"


async def test_what_is_too_large_at_any_time_is_told_so(desk: Desk) -> None:
    """A body over `max_bytes` gets its 413 from a doubted client too: to come again would not help."""
    await desk.flood()
    assert await desk.post(1, size=8193, client=STRANGER) == 413


async def test_a_webhook_that_proves_nothing_is_bounded_by_its_rate(desk: Desk) -> None:
    """With `unsigned = true` everything is believed, and so everything counts."""
    assert [await desk.post(number, name="open") for number in range(6)] == [200] * 4 + [503] * 2
