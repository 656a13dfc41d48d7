"""The client against the simulator and its faults, over real sockets."""

import asyncio
import json
from typing import Any, Self

import pytest
from aiohttp import ClientTimeout, web
from yarl import URL

from bridge.acd import wire
from bridge.acd.answer import Meaning
from bridge.acd.bearer import Bearer
from bridge.acd.client import AcdClient
from bridge.acd.failure import (
    AcdConflict,
    AcdConnectionLost,
    AcdFailure,
    AcdLater,
    AcdNotFound,
    AcdRefused,
    AcdUnauthorised,
    AcdUnreachable,
    AcdUnreadable,
    AcdWrongAddress,
    AmbiguousName,
)
from bridge.acd.reading import LIST_LIMIT
from bridge.acd.request import CreateRequest
from bridge.acd.simulator import Fault, Simulator
from bridge.errors import AcdError
from bridge.reason import Reason
from tests.integration.acd.certificate import self_signed
from tests.integration.acd.conftest import TOKEN, config_of
from tests.wait import until

EMAIL = CreateRequest(type=5, group=101, sender="customer@example.org", subject="Grüße")


def fault(**fields: Any) -> Fault:
    return Fault.model_validate_json(json.dumps({"count": 1} | fields))


async def test_create_and_update(acd: AcdClient, simulator: Simulator) -> None:
    """A created event's ID is the ACD's; the duplicate is UPDATED with the same ID."""
    ticket = CreateRequest(type=7, group=102, sender="a@example.org", subject="s", user_data="77")
    first, second = await acd.create_event(ticket), await acd.create_event(ticket)
    assert (first.meaning, second.meaning) == (Meaning.CREATED, Meaning.UPDATED)
    assert first.event_id == second.event_id == simulator.events[0]["ID"]


@pytest.mark.parametrize(
    ("fields", "meaning", "reason", "made"),
    [
        ({"kind": "status", "status": 400}, Meaning.REFUSED, Reason.ACD_REFUSED, 0),
        ({"kind": "status", "status": 403, "body": "html"}, Meaning.UNAUTHORISED, Reason.ACD_UNAUTHORISED, 0),
        (
            {"kind": "status", "status": 404, "body": "empty"},
            Meaning.WRONG_ADDRESS,
            Reason.ACD_WRONG_ADDRESS,
            0,
        ),
        ({"kind": "status", "status": 404, "body": "json"}, Meaning.REFUSED, Reason.ACD_REFUSED, 0),
        (
            {"kind": "status", "status": 302, "body": "empty"},
            Meaning.WRONG_ADDRESS,
            Reason.ACD_WRONG_ADDRESS,
            0,
        ),
        ({"kind": "status", "status": 429, "retry_after": 9}, Meaning.LATER, Reason.ACD_BUSY, 0),
        ({"kind": "status", "status": 502, "body": "html"}, Meaning.UNCERTAIN, Reason.ACD_FAILED, 0),
        (
            {"kind": "status", "status": 200, "body": "nonsense"},
            Meaning.UNCERTAIN,
            Reason.ANSWER_UNREADABLE,
            0,
        ),
        ({"kind": "status", "status": 200, "body": "html"}, Meaning.UNCERTAIN, Reason.ANSWER_UNREADABLE, 0),
        (
            {"kind": "status", "status": 200, "body": "empty", "when": "after-doing"},
            Meaning.UNCERTAIN,
            Reason.ANSWER_UNREADABLE,
            1,
        ),
        ({"kind": "drop", "when": "before-reading"}, Meaning.UNCERTAIN, Reason.CONNECTION_LOST, 0),
        ({"kind": "drop", "when": "after-reading"}, Meaning.UNCERTAIN, Reason.CONNECTION_LOST, 0),
        ({"kind": "drop", "when": "after-doing"}, Meaning.UNCERTAIN, Reason.CONNECTION_LOST, 1),
        ({"kind": "half"}, Meaning.UNCERTAIN, Reason.CONNECTION_LOST, 1),
    ],
)
async def test_every_fault_has_its_answer_and_the_next_request_passes(
    acd: AcdClient, simulator: Simulator, fields: dict[str, Any], meaning: Meaning, reason: Reason, made: int
) -> None:
    """Whatever the ACD does is an answer, it says whether the event may exist, and spoils no later request."""
    simulator.faults.add(fault(**fields))
    answer = await acd.create_event(EMAIL)
    assert (answer.meaning, answer.reason) == (meaning, reason)
    assert answer.words
    assert answer.retry_after == (9 if fields.get("retry_after") else None)
    assert len(simulator.events) == made
    assert (await acd.create_event(EMAIL)).meaning is Meaning.CREATED


@pytest.mark.parametrize(("when", "made"), [("after-reading", 0), ("after-doing", 1)])
async def test_no_answer_in_time_is_uncertain(simulator: Simulator, when: str, made: int) -> None:
    """A slow ACD may have made the event or not: it is uncertain either way."""
    simulator.faults.add(fault(kind="latency", seconds=30, when=when))
    async with AcdClient(config_of(simulator.url, timeout=0.3), token=lambda: TOKEN) as acd:
        answer = await acd.create_event(EMAIL)
    assert (answer.meaning, answer.reason) == (Meaning.UNCERTAIN, Reason.TIMED_OUT)
    assert len(simulator.events) == made


async def test_refused_connection_is_not_sent() -> None:
    """Where nobody listens, nothing was sent; reading says the same."""
    started = await Simulator.start()
    url = started.url
    await started.close()
    async with AcdClient(config_of(url), token=lambda: TOKEN) as acd:
        answer = await acd.create_event(EMAIL)
        assert (answer.meaning, answer.reason) == (Meaning.NOT_SENT, Reason.ACD_UNREACHABLE)
        assert "Connection refused" in answer.words
        with pytest.raises(AcdUnreachable) as found:
            await acd.groups()
    assert "acd.url" in found.value.hint


async def test_tls_against_plain_http_is_not_sent(simulator: Simulator) -> None:
    """A wrong scheme shows itself in the handshake, before anything was sent."""
    async with AcdClient(config_of("https" + simulator.url.removeprefix("http")), token=lambda: TOKEN) as acd:
        answer = await acd.create_event(EMAIL)
    assert answer.meaning is Meaning.NOT_SENT
    assert answer.words.startswith("TLS failed")
    assert simulator.requests == []


async def test_request_that_found_no_free_connection_is_not_sent(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for a connection until the time is over is told from waiting for an answer."""
    monkeypatch.setattr(wire, "READERS", 0)
    simulator.faults.add(fault(kind="latency", seconds=30, path="/acd/events", count=None))
    async with AcdClient(config_of(simulator.url, timeout=0.5, concurrency=1), token=lambda: TOKEN) as acd:
        reading = asyncio.create_task(acd.events())
        await asyncio.sleep(0)
        answer = await acd.create_event(EMAIL)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert (answer.meaning, answer.reason) == (Meaning.NOT_SENT, Reason.ACD_UNREACHABLE)
    assert simulator.events == []


async def test_post_does_not_wait_for_lists(simulator: Simulator) -> None:
    """However many lists are being read, a post has its connection."""
    simulator.faults.add(fault(kind="latency", seconds=30, path="/acd/events", count=None))
    async with AcdClient(config_of(simulator.url, concurrency=1), token=lambda: TOKEN) as acd:
        reading = [asyncio.create_task(acd.events()) for _ in range(wire.READERS * 3)]
        async with asyncio.timeout(3):
            assert (await acd.create_event(EMAIL)).meaning is Meaning.CREATED
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def test_cancellation_passes(acd: AcdClient, simulator: Simulator) -> None:
    """A cancelled post is cancelled, and is no answer."""
    simulator.faults.add(fault(kind="latency", seconds=30, when="after-doing"))
    posting = asyncio.create_task(acd.create_event(EMAIL))
    await until(lambda: simulator.events)
    posting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await posting


@pytest.mark.parametrize(
    ("fields", "error", "hint"),
    [
        ({"status": 401}, AcdUnauthorised, "acd.token"),
        ({"status": 403, "body": "html"}, AcdUnauthorised, "acd.clients_id"),
        ({"status": 404, "body": "empty"}, AcdWrongAddress, "acd.url"),
        ({"status": 404, "body": "html"}, AcdWrongAddress, "proxy"),
        ({"status": 404}, AcdNotFound, "ID"),
        ({"status": 409}, AcdConflict, "name"),
        ({"status": 400}, AcdRefused, "words"),
        ({"status": 301, "body": "empty"}, AcdWrongAddress, "acd.url"),
        ({"status": 503, "body": "empty"}, AcdLater, "later"),
        ({"status": 503, "body": "html"}, AcdLater, "proxy"),
        ({"status": 200, "body": "html"}, AcdUnreadable, "proxy"),
        ({"status": 200, "body": "nonsense"}, AcdUnreadable, "documented"),
        ({"kind": "half"}, AcdConnectionLost, "ACD"),
    ],
)
async def test_reading_raises_what_the_operator_can_act_on(
    acd: AcdClient, simulator: Simulator, fields: dict[str, Any], error: type[AcdFailure], hint: str
) -> None:
    """Each kind of failure has its class, its status and a hint."""
    simulator.faults.add(fault(**{"kind": "status"} | fields))
    with pytest.raises(error) as found:
        await acd.groups()
    assert type(found.value) is error
    assert hint in found.value.hint
    assert found.value.status == (None if "kind" in fields else fields["status"])


async def test_new_token_is_used_after_a_refusal(simulator: Simulator) -> None:
    """A token that was replaced in the portal is picked up without a restart."""
    tokens = iter(["old", "older", TOKEN])
    async with AcdClient(config_of(simulator.url), token=lambda: next(tokens)) as acd:
        assert (await acd.create_event(EMAIL)).meaning is Meaning.UNAUTHORISED
        with pytest.raises(AcdUnauthorised):
            await acd.groups()
        assert (await acd.create_event(EMAIL)).meaning is Meaning.CREATED


async def test_token_that_cannot_be_sent_is_unauthorised(simulator: Simulator) -> None:
    """A token file with rubbish neither raises nor is sent nor is shown."""
    async with AcdClient(config_of(simulator.url), token=lambda: "hidden\r\nvalue") as acd:
        answer = await acd.create_event(EMAIL)
        with pytest.raises(AcdUnauthorised):
            await acd.groups()
    assert (answer.meaning, answer.reason) == (Meaning.UNAUTHORISED, Reason.ACD_UNAUTHORISED)
    assert "hidden" not in answer.words
    assert simulator.requests == []


async def test_event_that_is_no_unicode_is_refused_alone(acd: AcdClient, simulator: Simulator) -> None:
    """A text that JSON cannot hold refuses its event and is never sent."""
    answer = await acd.create_event(CreateRequest(type=5, group=101, sender="a", subject="\ud800"))
    assert (answer.meaning, answer.reason) == (Meaning.REFUSED, Reason.INVALID_EVENT)
    assert simulator.requests == []


async def test_names_are_compared_exactly_on_our_side(acd: AcdClient) -> None:
    """The ACD matches partly; the exact look-up takes only the one of exactly this name."""
    assert [group.name for group in await acd.groups_named("Support")] == ["Support", "Support 2nd level"]
    support = await acd.group_named_exactly("Support")
    assert support is not None
    assert support.id == 101
    assert await acd.group_named_exactly("Suppor") is None
    assert await acd.group_named_exactly("No such group") is None


@pytest.mark.parametrize("name", ["", "  "])
async def test_empty_name_is_not_asked_for(acd: AcdClient, simulator: Simulator, name: str) -> None:
    """An empty name would match everything, most of all where it deletes."""
    with pytest.raises(AcdError):
        await acd.delete_campaign_named(name)
    with pytest.raises(AcdError):
        await acd.groups_named(name)
    assert simulator.requests == []


async def test_campaigns_are_cloned_and_deleted_whatever_their_names(acd: AcdClient) -> None:
    """Names with every special character of an address come through."""
    name = "a b&c=d/ü?#+%20;'\""
    clone = await acd.clone_campaign("Campaign 1000", name, "data")
    assert clone.name == name
    assert [one.name for one in await acd.campaigns_named(name)] == [name]
    with pytest.raises(AcdConflict):
        await acd.clone_campaign("Campaign 1000", name)
    with pytest.raises(AcdNotFound):
        await acd.clone_campaign("nobody", "other")
    await acd.delete_campaign_named(name)
    with pytest.raises(AcdNotFound):
        await acd.delete_campaign_named(name)
    await acd.delete_campaign(501)
    with pytest.raises(AcdNotFound):
        await acd.delete_campaign(501)


class Canned:
    """A server that answers every request with the same thing."""

    def __init__(self, answer: web.StreamResponse | None = None) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        self.asked.append(request.path)
        assert self.answer is not None
        return self.answer


async def test_redirect_is_not_followed() -> None:
    """The token goes nowhere but to the configured address."""
    async with Canned() as other:
        target = web.Response(status=307, headers={"Location": f"{other.url}/steal"})
        async with Canned(target) as server, AcdClient(config_of(server.url), token=lambda: TOKEN) as acd:
            answer = await acd.create_event(EMAIL)
        assert (answer.meaning, answer.status) == (Meaning.WRONG_ADDRESS, 307)
        assert other.asked == []


@pytest.mark.parametrize("compressed", [False, True])
async def test_answer_is_bounded_even_when_compressed(*, compressed: bool) -> None:
    """An endless or exploding answer is cut at the bound and taken as unreadable."""
    answer = web.Response(body=b" " * (3 * 1024 * 1024))
    if compressed:
        answer.enable_compression(web.ContentCoding.gzip)
    async with Canned(answer) as server, AcdClient(config_of(server.url), token=lambda: TOKEN) as acd:
        found = await acd.create_event(EMAIL)
        assert (found.meaning, found.reason) == (Meaning.UNCERTAIN, Reason.ANSWER_UNREADABLE)
        assert "larger" in found.words


async def test_a_refusal_is_bounded_where_a_list_was_asked_for() -> None:
    """A proxy's endless page is not kept up to the bound of a list; its status is known all the same."""
    page = web.Response(status=503, body=b"<" * (4 * 1024 * 1024))
    async with Canned(page) as server, wire.Wire(config_of(server.url), Bearer(lambda: TOKEN)) as asking:
        call = wire.Call("GET", URL(server.url), ClientTimeout(total=5), LIST_LIMIT)
        reply = await asking.exchange(call)
    assert isinstance(reply, wire.Reply)
    assert reply.status == 503
    assert 0 < len(reply.body) <= wire.REFUSAL_LIMIT


async def test_environment_proxies_are_ignored(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment neither gets the token nor breaks the way."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with AcdClient(config_of(simulator.url), token=lambda: TOKEN) as acd:
        assert (await acd.create_event(EMAIL)).meaning is Meaning.CREATED


async def test_two_groups_of_one_name_are_ambiguous() -> None:
    """The exact look-up does not choose between two."""
    body = {"records": [{"ID": 1, "Name": "A"}, {"ID": 2, "Name": "A"}], "count": 2, "status": 200}
    async with (
        Canned(web.json_response(body)) as server,
        AcdClient(config_of(server.url), token=lambda: TOKEN) as acd,
    ):
        with pytest.raises(AmbiguousName, match="1, 2"):
            await acd.group_named_exactly("A")


async def test_record_that_cannot_be_read_is_an_error_and_no_shorter_list() -> None:
    """An event without an ID makes the whole list unreadable: a missing one would be posted again."""
    body = {"records": [{"ID": 1}, {"Subject": "private"}], "count": 2, "status": 200}
    async with (
        Canned(web.json_response(body)) as server,
        AcdClient(config_of(server.url), token=lambda: TOKEN) as acd,
    ):
        with pytest.raises(AcdUnreadable, match="ID") as found:
            await acd.events()
    assert "private" not in str(found.value)


async def test_long_list_is_read_whole() -> None:
    """A list of many thousand events, larger than a single answer may be, is read whole."""
    records = [{"ID": number, "Sender": "x" * 100} for number in range(1, 20_001)]
    answer = web.json_response({"records": records, "count": len(records), "status": 200})
    async with Canned(answer) as server, AcdClient(config_of(server.url), token=lambda: TOKEN) as acd:
        events = await acd.events()
    assert [event.id for event in events] == list(range(1, 20_001))


async def test_unusable_ca_file_is_said_when_opening(simulator: Simulator, tmp_path: Any) -> None:
    """A missing or broken file of certificates is an error with its name, not a silent fallback."""
    for name, content in (("missing.pem", None), ("broken.pem", "nothing")):
        path = tmp_path / name
        if content is not None:
            path.write_text(content)
        with pytest.raises(AcdError, match=name):
            async with AcdClient(config_of("https://127.0.0.1:1", ca_file=str(path)), token=lambda: TOKEN):
                pass
    assert simulator.requests == []


async def test_client_outside_its_context_is_a_mistake() -> None:
    """Using it unopened is an error of ours and no answer of the ACD."""
    with pytest.raises(RuntimeError, match="async with"):
        await AcdClient(config_of("http://127.0.0.1:1"), token=lambda: TOKEN).create_event(EMAIL)


async def test_certificate_is_checked_against_ca_file(tmp_path: Any) -> None:
    """An unknown certificate is not sent to; with its authority in acd.ca_file the event is created."""
    certificate, context = await asyncio.to_thread(self_signed, tmp_path)
    body = {"records": [{"ID": 5}], "count": 1, "status": 200}

    async def handle(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.json_response(body)

    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with AcdClient(config_of(url), token=lambda: TOKEN) as acd:
            answer = await acd.create_event(EMAIL)
            with pytest.raises(AcdUnreachable) as found:
                await acd.groups()
        assert answer.meaning is Meaning.NOT_SENT
        assert "not trusted" in answer.words
        assert "acd.ca_file" in found.value.hint
        async with AcdClient(config_of(url, ca_file=certificate), token=lambda: TOKEN) as acd:
            assert (await acd.create_event(EMAIL)).event_id == 5
    finally:
        await runner.cleanup()
