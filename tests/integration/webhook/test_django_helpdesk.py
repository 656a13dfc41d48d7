"""A real django-helpdesk posts its real webhooks to the listener."""

import time
from collections.abc import AsyncIterator

import pytest

from bridge.config.model import Listen
from bridge.config.webhook import Webhook
from bridge.intake.webhook.server import WebhookServer
from tests.helpdesk import HelpdeskSite, InstallError
from tests.integration.webhook.recording import Recording

pytestmark = pytest.mark.helpdesk

HELPDESK_BASE = "https://helpdesk.example.org"


@pytest.fixture
async def handover() -> Recording:
    return Recording()


@pytest.fixture
async def server(handover: Recording) -> AsyncIterator[WebhookServer]:
    basic = {"username": "helpdesk", "password": "pässword & more"}
    webhook = Webhook.model_validate(
        {"name": "desk", "preset": "django-helpdesk", "basic": basic, "base_url": HELPDESK_BASE}
    )
    server = WebhookServer(
        [webhook], Listen.model_validate({"webhooks": "127.0.0.1:0"}), handover, clock=time.time
    )
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def site(server: WebhookServer) -> AsyncIterator[HelpdeskSite]:
    url = f"http://helpdesk:p%C3%A4ssword%20%26%20more@127.0.0.1:{server.port}/hooks/desk"
    try:
        site = await HelpdeskSite.start(url, url)
    except InstallError as error:
        pytest.skip(str(error))
    async with site:
        yield site


async def test_tickets_replies_and_notes_arrive(
    site: HelpdeskSite, handover: Recording, server: WebhookServer
) -> None:
    """A ticket of the public form, an agent's answer, a customer's mail and a private note each become a message."""
    number = await site.create_ticket(
        "anna@example.org", "Passwort vergessen: Büro", "Bitte um\nHilfe", priority=1
    )
    await site.reply(number, "Wir kümmern uns.")
    await site.reply(number, "Nur intern.", public=False)
    await site.customer_mail("anna@example.org", number, "Passwort vergessen", "Danke, es eilt.")

    assert number == "DH-1"
    created, answered, note, replied = handover.messages
    assert [one.event for one in handover.messages] == ["created", "updated", "internal-note", "replied"]
    for message in handover.messages:
        assert message.ticket_number == "DH-1"
        assert message.ticket_url == f"{HELPDESK_BASE}/tickets/1/"
        assert message.group == "DH"
        assert message.sender == "anna@example.org"
        assert message.subject.startswith("Passwort vergessen")
        assert not message.degraded, message.notes
        assert "authorization" not in message.headers
    assert created.priority == "1"
    assert created.text == "Bitte um Hilfe"
    assert answered.text == "Wir kümmern uns."
    assert note.text == "Nur intern."
    assert replied.text == "Danke, es eilt."
    assert replied.sent_at is not None
    assert len({one.digest for one in handover.messages}) == 4
    assert server.status()["desk"]["accepted"] == 4


async def test_the_customer_is_not_troubled_when_the_password_is_wrong(
    server: WebhookServer, handover: Recording
) -> None:
    """A refused webhook leaves the helpdesk's own form working, hands nothing over and is counted."""
    url = f"http://helpdesk:wrong@127.0.0.1:{server.port}/hooks/desk"
    try:
        site = await HelpdeskSite.start(url, url)
    except InstallError as error:
        pytest.skip(str(error))
    async with site:
        assert await site.create_ticket("anna@example.org", "Drucker", "streikt") == "DH-1"
    assert handover.messages == []
    assert server.status()["desk"]["last_refusal"]["reason"] == "password-wrong"
