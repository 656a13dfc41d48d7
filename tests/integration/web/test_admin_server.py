"""The admin address, asked over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from bridge.config.values import Address
from bridge.errors import BridgeError
from bridge.metrics import BUILD
from bridge.web import server as server_module
from bridge.web.server import AdminServer
from bridge.web.status import Status

ALL_PATHS = ["/", "/style.css", "/status.json", "/metrics", "/-/healthy", "/-/ready"]


class Bridge:
    """What the server asks; a test changes its answers."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.failure: BaseException | None = None
        self.hangs = False
        self.asked = 0

    async def status(self) -> Status:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        return Status(
            version="1.2.3",
            started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            mailboxes=[{"name": "support", "connected": True}],
            webhooks=[{"name": "helpdesk"}],
            items={"created": 5, "dead": 1},
            oldest_open_age=1.5,
            paused=None,
        )

    def readiness(self) -> list[str]:
        return self.reasons


@pytest.fixture
def bridge() -> Bridge:
    return Bridge()


@pytest.fixture
async def admin(bridge: Bridge) -> AsyncIterator[AdminServer]:
    server = AdminServer(Address(host="127.0.0.1", port=0), status=bridge.status, readiness=bridge.readiness)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def client(admin: AdminServer) -> AsyncIterator[ClientSession]:
    async with ClientSession(f"http://127.0.0.1:{admin.port}") as session:
        yield session


async def problem(response: ClientResponse) -> dict[str, Any]:
    assert response.content_type == "application/problem+json"
    body = dict(await response.json())
    assert body["type"] == "about:blank"
    assert body["status"] == response.status
    return body


async def test_healthy_is_always_ok(client: ClientSession, bridge: Bridge) -> None:
    """The loop's health depends on nothing else, neither readiness nor the state file."""
    bridge.reasons, bridge.failure = ["stopping"], RuntimeError("state file gone")
    async with client.get("/-/healthy") as response:
        assert response.status == 200
    assert bridge.asked == 0


async def test_ready_is_200_or_a_problem_with_its_reasons(client: ClientSession, bridge: Bridge) -> None:
    """Without a reason 200; with one 503, the reasons one by one, and when to ask again."""
    async with client.get("/-/ready") as response:
        assert response.status == 200
    bridge.reasons = ["the bridge is stopping"]
    async with client.get("/-/ready") as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        assert (await problem(response))["errors"] == ["the bridge is stopping"]


async def test_the_page_is_html(client: ClientSession) -> None:
    """`/` is a page for people, with the numbers in it."""
    async with client.get("/") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        text = await response.text()
    assert "support" in text
    assert "helpdesk" in text


async def test_the_same_state_as_json(client: ClientSession) -> None:
    """`/status.json` has every field of Status, with its time in ISO 8601."""
    async with client.get("/status.json") as response:
        body = await response.json()
    assert body["started_at"] == "2026-01-02T03:04:05Z"
    assert body["items"] == {"created": 5, "dead": 1}
    assert set(body) == set(Status.__dataclass_fields__)


async def test_metrics_in_both_formats(client: ClientSession, bridge: Bridge) -> None:
    """The text format by default, OpenMetrics where Accept asks for it; the state is asked first."""
    BUILD.info({"version": "1.2.3"})
    async with client.get("/metrics", headers={"Accept": "text/plain"}) as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        assert 'acd_bridge_build_info{version="1.2.3"} 1.0' in await response.text()
    async with client.get("/metrics", headers={"Accept": "application/openmetrics-text"}) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert (await response.text()).endswith("# EOF\n")
    assert bridge.asked == 2


async def test_metrics_survive_a_state_that_fails(client: ClientSession, bridge: Bridge) -> None:
    """Where the outbox cannot be counted, the other metrics still come."""
    bridge.failure = RuntimeError("state file gone")
    async with client.get("/metrics") as response:
        assert response.status == 200
        assert "acd_bridge_deliveries" in await response.text()


@pytest.mark.parametrize("path", [*ALL_PATHS, "/nowhere"])
async def test_every_answer_keeps_browsers_careful(client: ClientSession, path: str) -> None:
    """Each answer forbids scripts, frames, sniffing and caching, and tells no versions."""
    async with client.get(path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none';")
        assert "script-src" not in policy
        assert "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Server"] == "acd-bridge"


@pytest.mark.parametrize("path", ALL_PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_get_and_head_are_answered(client: ClientSession, path: str, method: str) -> None:
    """Nothing can be changed here: other methods get 405 and are told which there are."""
    async with client.request(method, path) as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD"}
        await problem(response)
    async with client.head(path) as response:
        assert response.status == 200
        assert await response.read() == b""


async def test_unknown_paths_are_problems(client: ClientSession) -> None:
    """A path that does not exist is a 404 as problem+json."""
    async with client.get("/status.php") as response:
        assert response.status == 404
        assert (await problem(response))["title"] == "Not Found"


@pytest.mark.parametrize("path", ALL_PATHS)
async def test_foreign_host_names_are_refused(client: ClientSession, bridge: Bridge, path: str) -> None:
    """A browser that was led here under another name reads nothing."""
    async with client.get(path, headers={"Host": "evil.example:8081"}) as response:
        assert response.status == 421
        await problem(response)
    assert bridge.asked == 0


async def test_a_failing_state_is_a_500_that_tells_nothing(client: ClientSession, bridge: Bridge) -> None:
    """What failed inside stands in the log, not in the answer."""
    bridge.failure = RuntimeError("/var/lib/private text")
    async with client.get("/") as response:
        assert response.status == 500
        assert "private" not in str(await problem(response))


async def test_a_state_that_hangs_does_not_hang_the_page(
    client: ClientSession, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is answered in bounded time, with 503 where the state cannot be had."""
    monkeypatch.setattr(server_module, "STATUS_WITHIN_SECONDS", 0.01)
    bridge.hangs = True
    async with client.get("/status.json") as response:
        assert response.status == 503
        await problem(response)


async def test_an_address_in_use_is_explained(admin: AdminServer, bridge: Bridge) -> None:
    """Two servers cannot have one port; the second says which one and what to look for, and can be closed."""
    address = Address(host="127.0.0.1", port=admin.port)
    second = AdminServer(address, status=bridge.status, readiness=bridge.readiness)
    with pytest.raises(BridgeError, match=f"127.0.0.1:{admin.port}: .*address already in use") as caught:
        await second.start()
    assert "listen.admin" in caught.value.hint
    await second.close()


async def test_closing_twice_and_unstarted(bridge: Bridge) -> None:
    """A server may be closed before it was started, and twice; its port is known only in between."""
    server = AdminServer(Address(host="127.0.0.1", port=0), status=bridge.status, readiness=bridge.readiness)
    await server.close()
    with pytest.raises(RuntimeError, match="not started"):
        _ = server.port
    await server.start()
    assert server.port > 0
    await server.close()
    await server.close()
