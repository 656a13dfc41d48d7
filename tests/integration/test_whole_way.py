"""The whole way in one process: mail server and webhooks on one side, the simulated ACD on the other."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.acd.simulator.faults import Fault, Kind, Stage
from bridge.acd.simulator.server import Simulator
from bridge.app import Application
from bridge.errors import StateFileError
from bridge.ledger.state import ItemState
from bridge.reason import Reason
from bridge.testing.mail_server import MailServer
from tests.wait import until
from tests.whole import (
    MAILS,
    attempts,
    bridge,
    config_of,
    duplicates,
    hook_url,
    items,
    mail,
    mailbox,
    mails_watched,
    totals,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pymap")


OPEN_DESK = {
    "name": "desk",
    "preset": "generic",
    "unsigned": True,
    "base_url": "https://desk.example.org",
}


def ticket(number: str, **data: Any) -> dict[str, Any]:
    plain = {"number": number, "subject": "Printer", "requestor_email": "bo@example.org"}
    return {"type": "ticket.created", "data": plain | data}


async def post(app: Application, body: Any, delivery: str, hook: str = "desk") -> int:
    headers = {"webhook-id": delivery}
    async with (
        aiohttp.ClientSession() as session,
        session.post(hook_url(app, hook), json=body, headers=headers) as answer,
    ):
        return answer.status


async def test_a_new_mail_becomes_an_event_and_old_ones_do_not(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """What was in the inbox before the first start is left alone; what comes later is posted, by its sender."""
    await mails.deliver("support", mail("old"))
    config = config_of(tmp_path, acd, mailboxes=[mailbox("support", mails.port)])
    async with bridge(config):
        await until(lambda: mails_watched(config))
        await mails.deliver("support", mail("new", subject="=?utf-8?q?Gr=C3=B6=C3=9Fe_XL?="))
        await until(lambda: len(acd.events) == 1)
        await until(lambda: totals(config)["created"] == 1)
    (event,) = acd.events
    assert (event["Sender"], event["Subject"], event["Receiver"]) == (
        "anna@example.org", "Größe XL", "support@example.net",
    )  # fmt: skip
    (item,) = items(config)
    assert (item.state, item.acd_event_id, item.route) == (ItemState.CREATED, event["ID"], "mails")


async def test_a_ticket_becomes_an_event_with_its_number(tmp_path: Path, acd: Simulator) -> None:
    """A helpdesk's delivery is on disk when it is answered, and the ticket's number goes into UserData."""
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK])
    async with bridge(config) as app:
        assert await post(app, ticket("DH-1", url="https://desk.example.org/t/1"), "m1") == 200
        assert len(items(config)) == 1
        await until(lambda: totals(config)["created"] == 1)
    (event,) = acd.events
    assert (event["UserData"], event["Sender"], event["CrmURL"]) == (
        "DH-1", "bo@example.org", "https://desk.example.org/t/1",
    )  # fmt: skip


async def test_the_same_delivery_twice_is_one_event(tmp_path: Path, acd: Simulator) -> None:
    """A helpdesk that did not hear our answer sends again; that makes no second item."""
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK])
    async with bridge(config) as app:
        for _ in range(3):
            assert await post(app, ticket("DH-1"), "m1") == 200
        await until(lambda: totals(config)["created"] == 1)
    assert len(acd.events) == 1
    assert len(items(config)) == 1


async def test_updated_answers_are_recorded_with_both_items(tmp_path: Path, acd: Simulator) -> None:
    """A second event of the same ticket goes into the first one's event, and both are named."""
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK])
    async with bridge(config) as app:
        await post(app, ticket("DH-1"), "m1")
        await post(app, ticket("DH-1"), "m2")
        await until(lambda: totals(config)["updated"] == 1)
    first, second = items(config)
    (found,) = duplicates(config)
    assert (found.first_key, found.key, found.acd_event_id) == (first.key, second.key, first.acd_event_id)
    assert len(acd.events) == 1


async def test_a_restart_posts_nothing_twice_and_misses_nothing(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """Mail that came while the bridge was down is taken at the next start; what was posted stays as it was."""
    config = config_of(tmp_path, acd, mailboxes=[mailbox("support", mails.port, start="all")])
    await mails.deliver("support", mail(1))
    async with bridge(config):
        await until(lambda: totals(config)["created"] == 1)
    await mails.deliver("support", mail(2))
    async with bridge(config):
        await until(lambda: totals(config)["created"] == 2)
    assert [event["Subject"] for event in acd.events] == ["Mail 1", "Mail 2"]


async def test_an_outage_delays_and_loses_nothing(tmp_path: Path, acd: Simulator) -> None:
    """While the ACD answers 503 everything waits, in order per ticket, and comes through afterwards once."""
    acd.faults.add(Fault(kind=Kind.STATUS, status=503, body="html"))
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK])
    async with bridge(config) as app:
        for number in range(12):
            await post(app, ticket(f"T-{number % 3}", subject=f"step {number:02}"), f"m{number}")
        await until(lambda: app.parts.worker.paused == Reason.ACD_FAILED)
        acd.faults.clear()
        await until(lambda: totals(config)["created"] + totals(config)["updated"] == 12, within=20)
        assert app.parts.worker.paused is None
    assert len(acd.events) == 3
    for number in range(3):
        of_ticket = [one for one in items(config) if one.message["ticket_number"] == f"T-{number}"]
        settled = [one.settled_at for one in of_ticket]
        assert settled == sorted(settled, key=lambda moment: moment or 0)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconciliation without its pause between two readings."""
    monkeypatch.setattr("bridge.delivery.reconciler.LEAST_BETWEEN_READINGS", 0.05)


LOST = {
    "dropped before reading": Fault(kind=Kind.DROP, when=Stage.BEFORE_READING, count=1),
    "dropped after reading": Fault(kind=Kind.DROP, when=Stage.AFTER_READING, count=1),
    "dropped after creating": Fault(kind=Kind.DROP, when=Stage.AFTER_DOING, count=1),
    "half an answer": Fault(kind=Kind.HALF, count=1),
    "nonsense after creating": Fault(
        kind=Kind.STATUS, when=Stage.AFTER_DOING, status=200, body="nonsense", count=1
    ),
    "a proxy's time-out after creating": Fault(
        kind=Kind.STATUS, when=Stage.AFTER_DOING, status=504, body="html", count=1
    ),
    "a proxy's time-out without creating": Fault(kind=Kind.STATUS, status=504, body="html", count=1),
}


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", LOST)
async def test_what_is_uncertain_is_looked_up_and_neither_lost_nor_doubled(
    tmp_path: Path, acd: Simulator, name: str
) -> None:
    """Whether the event was made or not before the answer was lost: in the end there is exactly one."""
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK], settle=0.2)
    async with bridge(config) as app:
        acd.faults.add(LOST[name].model_copy(update={"path": "/acd/events/create"}))
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: totals(config)["created"] == 1, within=10)
    (event,) = acd.events
    (item,) = items(config)
    assert item.acd_event_id == event["ID"]
    assert attempts(config, item)[0].outcome == "uncertain"


@pytest.mark.usefixtures("soon")
async def test_a_lost_update_makes_no_second_event(tmp_path: Path, acd: Simulator) -> None:
    """The answer UPDATED was lost: the item is posted again, goes into the same event, and is on record as that."""
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK], settle=0.2)
    async with bridge(config) as app:
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: totals(config)["created"] == 1)
        acd.faults.add(Fault(kind=Kind.DROP, when=Stage.AFTER_DOING, count=1, path="/acd/events/create"))
        await post(app, ticket("DH-1"), "m2")
        await until(lambda: totals(config)["updated"] == 1, within=10)
    assert len(acd.events) == 1
    assert [one.key for one in duplicates(config)] == [items(config)[1].key]


@pytest.mark.usefixtures("soon")
async def test_posting_again_finds_the_event_too(tmp_path: Path, acd: Simulator) -> None:
    """The list cannot be read, and the operator wants doubts posted again: `UPDATED` says that the event was made."""
    config = config_of(
        tmp_path, acd, webhooks=[OPEN_DESK], on_unreadable="resend", retry_first=0.1, retry_cap=0.2
    )
    async with bridge(config) as app:
        acd.faults.add(Fault(kind=Kind.STATUS, status=500, path="/acd/events"))
        acd.faults.add(Fault(kind=Kind.DROP, when=Stage.AFTER_DOING, count=1, path="/acd/events/create"))
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: totals(config)["created"] == 1, within=10)
        await post(app, ticket("DH-1"), "m2")
        await until(lambda: totals(config)["updated"] == 1, within=10)
    assert len(acd.events) == 1
    first, second = items(config)
    assert [one.outcome for one in attempts(config, first)] == ["uncertain", "updated"]
    assert [(one.key, one.first_key) for one in duplicates(config)] == [(second.key, first.key)]


@pytest.mark.usefixtures("soon")
async def test_while_the_list_cannot_be_read_the_item_waits(tmp_path: Path, acd: Simulator) -> None:
    """Without the list nobody knows; the item is posted again only when the list says that it must be."""
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK], settle=0.1)
    async with bridge(config) as app:
        acd.faults.add(Fault(kind=Kind.STATUS, status=500, path="/acd/events"))
        acd.faults.add(Fault(kind=Kind.DROP, when=Stage.AFTER_DOING, count=1, path="/acd/events/create"))
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: sum(one["path"].endswith("/acd/events") for one in acd.requests) >= 3, within=10)
        assert totals(config)["uncertain"] == 1
        acd.faults.clear()
        await until(lambda: totals(config)["created"] == 1, within=10)
    assert len(acd.events) == 1


@pytest.mark.usefixtures("soon")
async def test_a_crash_while_sending_is_reconciled_at_the_next_start(tmp_path: Path, acd: Simulator) -> None:
    """The request had reached the ACD when the bridge was cut off: the next start finds the event."""
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK], settle=0.1)
    acd.faults.add(
        Fault(kind=Kind.LATENCY, when=Stage.AFTER_DOING, seconds=30, count=1, path="/acd/events/create")
    )
    async with bridge(config) as app:
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: len(acd.events) == 1)
        await app.parts.worker.stop(0)
    async with bridge(config):
        await until(lambda: totals(config)["created"] == 1, within=10)
    assert len(acd.events) == 1


async def test_a_refused_event_is_a_dead_letter_and_the_next_goes_on(tmp_path: Path, acd: Simulator) -> None:
    """The ACD's words are kept, and nothing behind it waits."""
    acd.faults.add(Fault(kind=Kind.STATUS, status=409, body="json", path="/acd/events/create", count=1))
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK])
    async with bridge(config) as app:
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: totals(config)["dead"] == 1)
        await post(app, ticket("DH-2"), "m2")
        await until(lambda: totals(config)["created"] == 1)
    (letter,) = items(config, states=frozenset({ItemState.DEAD}))
    assert (letter.reason, letter.detail) == (Reason.ACD_REFUSED, "simulated fault")


async def test_a_wrong_token_pauses_and_keeps_everything(tmp_path: Path, acd: Simulator) -> None:
    """With a 401 nothing is lost, one alarm is raised, and the bridge stays ready for webhooks."""
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK], token="wrong")
    async with bridge(config) as app:
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: app.parts.worker.paused == Reason.ACD_UNAUTHORISED)
        assert await post(app, ticket("DH-2"), "m2") == 200
        assert app.not_ready_because() == []
        status = await app.status()
    assert status.paused == Reason.ACD_UNAUTHORISED
    assert totals(config)["pending"] == 2
    assert acd.events == []


async def test_an_unknown_group_is_a_dead_letter_that_can_be_mended(tmp_path: Path, acd: Simulator) -> None:
    """A name that the ACD does not know says so, with a near one; other events pass."""
    wrong = {"name": "wrong", "when": "'x' in subject", "event": {"type": "Ticket", "group": "Suport"}}
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK], routes=[wrong, MAILS])
    async with bridge(config) as app:
        await post(app, ticket("DH-1", subject="x"), "m1")
        await post(app, ticket("DH-2", subject="y"), "m2")
        await until(lambda: totals(config)["dead"] == 1 and totals(config)["created"] == 1)
    (letter,) = items(config, states=frozenset({ItemState.DEAD}))
    assert letter.reason == Reason.UNKNOWN_NAME
    assert "'Support'" in letter.detail


async def test_a_webhook_that_cannot_be_read_is_quarantined_with_its_body(
    tmp_path: Path, acd: Simulator
) -> None:
    """No JSON: the helpdesk hears 200, since a second try cannot help, and the body is kept."""
    config = config_of(tmp_path, acd, webhooks=[OPEN_DESK])
    async with bridge(config) as app, aiohttp.ClientSession() as session:
        async with session.post(hook_url(app, "desk"), data=b"{not json") as answer:
            assert answer.status == 200
        await post(app, ticket("DH-2"), "m2")
        await until(lambda: totals(config)["created"] == 1)
    (kept,) = items(config, states=frozenset({ItemState.QUARANTINED}))
    assert kept.reason == Reason.UNREADABLE


async def test_a_mailbox_with_a_wrong_password_waits_and_the_others_go_on(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """One account's trouble is its own, and the status names it."""
    boxes = [mailbox("support", mails.port, password="wrong"), mailbox("sales", mails.port, start="all")]
    await mails.deliver("sales", mail(1))
    config = config_of(tmp_path, acd, mailboxes=boxes)
    async with bridge(config) as app:
        await until(lambda: totals(config)["created"] == 1)
        status = await app.status()
    support, sales = status.mailboxes
    assert support["folders"][0]["connected"] is False
    assert sales["folders"][0]["connected"] is True


async def test_the_admin_pages_show_how_it_stands(tmp_path: Path, acd: Simulator, mails: MailServer) -> None:
    """Health, readiness, metrics, the status as JSON and as a page: all answer while the bridge works."""
    config = config_of(tmp_path, acd, mailboxes=[mailbox("support", mails.port)], webhooks=[OPEN_DESK])
    async with bridge(config) as app, aiohttp.ClientSession() as session:
        await post(app, ticket("DH-1"), "m1")
        await until(lambda: totals(config)["created"] == 1)
        assert app.parts.admin is not None
        base = f"http://127.0.0.1:{app.parts.admin.port}"
        seen = {}
        for path in ("/-/healthy", "/-/ready", "/status.json", "/", "/metrics"):
            async with session.get(base + path) as answer:
                assert answer.status == 200, path
                seen[path] = await answer.text()
    assert '"created":1' in seen["/status.json"].replace(" ", "")
    assert 'acd_bridge_items_accepted_total{source="desk",state="pending"}' in seen["/metrics"]
    assert "support" in seen["/"]


async def test_a_second_bridge_on_the_same_state_file_is_refused(tmp_path: Path, acd: Simulator) -> None:
    """Two would post everything twice."""
    config = config_of(tmp_path, acd)
    async with bridge(config):
        with pytest.raises(StateFileError, match="another acd-bridge"):
            async with bridge(config):
                pass
