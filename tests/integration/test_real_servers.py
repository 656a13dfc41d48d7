"""The whole way with real servers: Dovecot, and django-helpdesk from its package."""

from pathlib import Path

import pytest

from bridge.acd.simulator.server import Simulator
from bridge.ledger.state import ItemState
from tests.dovecot import Dovecot
from tests.helpdesk import HelpdeskSite, InstallError
from tests.wait import until
from tests.whole import (
    bridge,
    config_of,
    hook_url,
    items,
    mail,
    mailbox,
    mails_watched,
    totals,
)


@pytest.mark.dovecot
async def test_mail_pushed_by_dovecot_becomes_an_event(
    tmp_path: Path, acd: Simulator, shared_dovecot: Dovecot
) -> None:
    """Over TLS with a certificate of one's own: IDLE tells of the mail, and no flag of it is touched."""
    shared_dovecot.append("way", mail("old"))
    box = mailbox(
        "way", shared_dovecot.tls_port, security="tls", ca_file=str(shared_dovecot.ca_file), host="localhost"
    )
    config = config_of(tmp_path, acd, mailboxes=[box])
    async with bridge(config):
        await until(lambda: mails_watched(config))
        shared_dovecot.append("way", mail("new"))
        await until(lambda: totals(config)["created"] == 1)
    assert [event["Subject"] for event in acd.events] == ["Mail new"]
    with shared_dovecot.client("way") as client:
        client.select("INBOX")
        assert client.search(None, "UNSEEN") == ("OK", [b"1 2"])


@pytest.mark.dovecot
async def test_starting_with_all_posts_everything_once(
    tmp_path: Path, acd: Simulator, shared_dovecot: Dovecot
) -> None:
    """`start = "all"` takes what is there, in order, and a restart adds nothing."""
    for number in range(30):
        shared_dovecot.drop("all", mail(number, sender=f"c{number}@example.org"))
    config = config_of(tmp_path, acd, mailboxes=[mailbox("all", shared_dovecot.port, start="all")])
    for _ in range(2):
        async with bridge(config):
            await until(lambda: totals(config)["created"] == 30, within=20)
    assert sorted(event["Subject"] for event in acd.events) == sorted(
        f"Mail {number}" for number in range(30)
    )


EVIL = {
    "an RFC 2231 parameter that breaks parsers": (
        b"From: a@example.org\r\nContent-Type: text/plain; n*=\x00''a\r\n\r\nx"
    ),
    "no header at all": b"\x00\xff\xfe garbage",
    "an unknown charset": b"From: a@example.org\r\nSubject: =?x-no-such?b?gICA?=\r\n\r\nx",
    "no sender": b"Subject: who wrote this\r\n\r\nx",
    "a lone surrogate in UTF-8": b"From: a@example.org\r\nSubject: \xed\xa0\x80\r\n\r\nx",
    "20,000 recipients": b"From: a@example.org\r\nTo: "
    + b",\r\n ".join(b"r%d@example.org" % n for n in range(20_000))
    + b"\r\n\r\nx",
    "a 50 MB attachment": b"From: a@example.org\r\nSubject: large\r\n\r\n" + b"x" * 76 * 690_000,
}


@pytest.mark.dovecot
async def test_mails_that_break_others_become_events_and_the_next_goes_on(
    tmp_path: Path, acd: Simulator, shared_dovecot: Dovecot
) -> None:
    """Each of the mails known to stop bridges is on record, none is lost, and a good one behind them passes."""
    for raw in EVIL.values():
        shared_dovecot.drop("evil", raw)
    shared_dovecot.drop("evil", mail("good"))
    config = config_of(tmp_path, acd, mailboxes=[mailbox("evil", shared_dovecot.port, start="all")])
    async with bridge(config):
        await until(lambda: sum(totals(config).values()) == len(EVIL) + 1, within=20)
        await until(lambda: totals(config)["created"] == len(EVIL) + 1, within=20)
    assert "Mail good" in [event["Subject"] for event in acd.events]


@pytest.mark.helpdesk
async def test_a_ticket_of_django_helpdesk_becomes_a_ticket_event(tmp_path: Path, acd: Simulator) -> None:
    """A customer fills in the real helpdesk's form; the ACD gets a Ticket event with number, sender and link."""
    desk = {
        "name": "desk",
        "preset": "django-helpdesk",
        "basic": {"username": "helpdesk", "password": "pw"},
        "base_url": "https://helpdesk.example.org",
    }
    config = config_of(tmp_path, acd, webhooks=[desk])
    async with bridge(config) as app:
        url = hook_url(app, "desk").replace("http://", "http://helpdesk:pw@")
        try:
            site = await HelpdeskSite.start(url, url)
        except InstallError as error:
            pytest.skip(str(error))
        async with site:
            number = await site.create_ticket("anna@example.org", "Drucker streikt - Büro 3", "Bitte helfen")
            await until(lambda: totals(config)["created"] == 1)
            await site.reply(number, "Wir kommen.")
            await until(lambda: totals(config)["updated"] == 1)
    (event,) = acd.events
    assert event["AcdEventTypesID"] == acd.settings.types["Ticket"]
    assert {name: event[name] for name in ("UserData", "Sender", "Subject", "CrmURL")} == {
        "UserData": number,
        "Sender": "anna@example.org",
        "Subject": "Drucker streikt - Büro 3",
        "CrmURL": "https://helpdesk.example.org/tickets/1/",
    }
    assert [item.state for item in items(config)] == [ItemState.CREATED, ItemState.UPDATED]
