"""What the simulated ACD must do according to the documentation, seen on the wire."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from bridge.acd.simulator import Settings, Simulator
from tests.integration.acd.conftest import TOKEN

TICKET: dict[str, Any] = {"AcdEventTypesID": 7, "AcdGroupsID": 101, "Sender": "a@example.org", "Subject": "s"}
LIST_KEYS = {"filter", "limitStart", "limitPageSize", "records", "count", "orderBy", "ascending", "status"}


@pytest.fixture
async def http(simulator: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(f"{simulator.url}/rest/v1.0/1/", headers=headers) as session:
        yield session


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("acd/events", "dtCreated"),
        ("acd/events/types", "ID"),
        ("acd/events/status", "ID"),
        ("acd/groups", "Name"),
        ("dialler/campaigns", "Name"),
        ("dialler/campaigns/campaign/501/resultCodes?languagesID=1", "ID"),
    ],
)
async def test_lists_have_the_envelope_of_lists(http: aiohttp.ClientSession, path: str, order: str) -> None:
    """Every list has all eight keys with their documented values."""
    async with http.get(path) as answer:
        body = await answer.json()
    assert set(body) == LIST_KEYS
    assert (body["filter"], body["limitStart"], body["limitPageSize"]) == ("", 0, -1)
    assert (body["count"], body["status"], body["orderBy"]) == (len(body["records"]), 200, order)
    assert body["ascending"] is True


@pytest.mark.parametrize(
    "path",
    [
        "acd/groups/group/101",
        "acd/groups/group?name=Support",
        "dialler/campaigns/501",
        "dialler/campaigns/campaign?name=Camp",
    ],
)
async def test_single_records_have_the_short_envelope(http: aiohttp.ClientSession, path: str) -> None:
    """By ID and by name there are records, count and status, and nothing else."""
    async with http.get(path) as answer:
        body = await answer.json()
    assert set(body) == {"records", "count", "status"}
    assert body["count"] == len(body["records"]) > 0


async def test_creation_answers_200_with_the_event(http: aiohttp.ClientSession) -> None:
    """Not 201; the event is in records with nulls written out, and is listed from then on."""
    async with http.post("acd/events/create", json=TICKET) as answer:
        assert answer.status == 200
        body = await answer.json()
    assert set(body) == {"records", "count", "status"}
    event = body["records"][0]
    assert event["UserData"] is None
    assert event["Sender"] == "a@example.org"
    async with http.get("acd/events") as answer:
        assert [one["ID"] for one in (await answer.json())["records"]] == [event["ID"]]
    async with http.get(f"acd/events/event/{event['ID']}") as answer:
        assert (await answer.json())["records"][0]["dtCreated"] == event["dtCreated"]


async def test_second_event_of_a_group_without_duplicates_updates_the_first(
    http: aiohttp.ClientSession,
) -> None:
    """The answer is a 200 with the existing event, a comment, and `Result_` = `UPDATED`."""
    ticket = TICKET | {"AcdGroupsID": 102, "UserData": "4711"}
    seen = []
    for _ in range(2):
        async with http.post("acd/events/create", json=ticket) as answer:
            seen.append((answer.status, (await answer.json())["records"][0]))
    assert [status for status, _ in seen] == [200, 200]
    assert seen[0][1]["ID"] == seen[1][1]["ID"]
    assert "Result_" not in seen[0][1]
    assert seen[1][1]["Result_"] == "UPDATED"
    assert seen[1][1]["Comment"]


@pytest.mark.parametrize(
    ("content_type", "body"), [("text/plain", b"{}"), ("application/json", b"{"), ("", b"{}")]
)
async def test_post_data_must_be_json(http: aiohttp.ClientSession, content_type: str, body: bytes) -> None:
    """Another Content-Type, or no JSON, is a 400 with words."""
    async with http.post("acd/events/create", data=body, headers={"Content-Type": content_type}) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]


@pytest.mark.parametrize(
    ("path", "token"), [("/rest/v1.0/1/acd/groups", "wrong"), ("/rest/v1.0/2/acd/groups", TOKEN)]
)
async def test_wrong_token_and_wrong_client_look_alike(simulator: Simulator, path: str, token: str) -> None:
    """Both are a 401."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.get(simulator.url + path) as answer,
    ):
        assert answer.status == 401


async def test_404_has_two_faces(http: aiohttp.ClientSession) -> None:
    """No endpoint: an empty body. No object: JSON with status and error."""
    async with http.get("acd/nothing") as answer:
        assert (answer.status, await answer.read()) == (404, b"")
    async with http.get("acd/events/event/5") as answer:
        assert answer.status == 404
        assert await answer.json() == {"status": 404, "error": "AcdEvent not found"}


async def test_clone_and_delete(http: aiohttp.ClientSession) -> None:
    """A clone is a campaign of its own; 404 without source, 409 where it exists; deletion answers its status."""
    order = {
        "source": "Campaign 1000",
        "destination": "My New Campaign",
        "userData": "UserData Field Contents",
    }
    async with http.post("dialler/campaigns/clone", json=order) as answer:
        clone = (await answer.json())["records"][0]
    assert (clone["Name"], clone["UserData"]) == ("My New Campaign", "UserData Field Contents")
    async with http.post("dialler/campaigns/clone", json=order) as answer:
        assert answer.status == 409
    async with http.post("dialler/campaigns/clone", json=order | {"source": "None"}) as answer:
        assert answer.status == 404
    async with http.delete(f"dialler/campaigns/campaign/{clone['ID']}") as answer:
        assert await answer.json() == {"status": 200}
    async with http.delete("dialler/campaigns/campaign", params={"name": "My New Campaign"}) as answer:
        assert answer.status == 404


async def test_control_needs_no_token_and_tells_what_came() -> None:
    """Faults are switched on and off, and events and requests read, without a token."""
    simulator = await Simulator.start(Settings(token=TOKEN))
    try:
        async with aiohttp.ClientSession(simulator.url) as session:
            order = {"faults": [{"kind": "status", "status": 503, "retry_after": 2, "count": 10}]}
            async with session.post("/_sim/faults", json=order) as answer:
                assert answer.status == 200
            async with session.post("/_sim/faults", json={"faults": [{"kind": "x"}]}) as answer:
                assert answer.status == 400
            async with session.get("/rest/v1.0/1/acd/groups") as answer:
                assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
            async with session.get("/_sim/faults") as answer:
                assert [fault["count"] for fault in (await answer.json())["faults"]] == [9]
            async with session.delete("/_sim/faults") as answer:
                assert (await answer.json())["faults"] == []
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with session.post("/rest/v1.0/1/acd/events/create", json=TICKET, headers=headers) as answer:
                assert answer.status == 200
            async with session.get("/_sim/events") as answer:
                events = (await answer.json())["events"]
            assert '"Subject": "s"' in events[0]["request"]
            assert events[0]["event"]["Subject"] == "s"
            async with session.get("/_sim/requests") as answer:
                assert [one["status"] for one in (await answer.json())["requests"]] == [503, 200]
            async with session.post("/_sim/reset") as answer:
                assert answer.status == 200
            assert (simulator.events, simulator.requests) == ([], [])
    finally:
        await simulator.close()
