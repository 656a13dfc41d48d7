"""Intake slows down where too much waits: mail stays on its server, webhooks are asked to come again."""

from pathlib import Path

import aiohttp
import pytest

from bridge.acd.simulator.faults import Fault, Kind
from bridge.app import Application
from bridge.config.model import Config
from tests.dovecot import Dovecot
from tests.wait import until
from tests.whole import bridge, config_of, hook_url, mail, mailbox, mails_watched, simulator, totals

pytestmark = pytest.mark.dovecot

WEBHOOK = {"name": "desk", "preset": "generic", "unsigned": True}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.app.PRESSURE_EVERY_SECONDS", 0.05)


async def hooked(app: Application, number: int) -> tuple[int, str | None]:
    body = {
        "type": "ticket.created",
        "data": {"number": f"T-{number}", "subject": "s", "requestor_email": "bo@example.org"},
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(hook_url(app, "desk"), json=body, headers={"webhook-id": f"m{number}"}) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After")


def bounded(config: Config, most_open: int) -> Config:
    state = config.state.model_copy(update={"most_open": most_open})
    return config.model_copy(update={"state": state})


async def test_it_stops_and_goes_on_by_itself(dovecot: Dovecot, tmp_path: Path) -> None:
    """While the ACD is down and the outbox full, a webhook gets 503 and a mail stays; then both are delivered."""
    async with simulator() as acd:
        boxes = [mailbox("support", dovecot.port, poll=1)]
        config = bounded(config_of(tmp_path, acd, mailboxes=boxes, webhooks=[WEBHOOK]), 3)
        acd.faults.add(Fault(kind=Kind.STATUS, status=503))
        async with bridge(config) as app:
            await until(lambda: mails_watched(config))
            assert [(await hooked(app, number))[0] for number in range(3)] == [200] * 3
            await until(lambda: app._pressure.live)
            status, retry_after = await hooked(app, 3)
            assert status == 503
            assert retry_after is not None
            dovecot.drop("support", mail(1))
            await until(lambda: "nothing is taken in" in str(app.parts.mailboxes[0].status()))
            assert sum(totals(config).values()) == 3
            acd.faults.clear()
            await until(lambda: totals(config)["created"] == 4, within=30)
            assert (await hooked(app, 3))[0] == 200
            await until(lambda: totals(config)["created"] == 5)
