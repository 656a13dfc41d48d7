"""Failures that systems of this kind are known for and that no other test shows; see docs/failure-modes.md."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.acd.simulator.server import Simulator
from bridge.config.mailbox import Mailbox
from bridge.intake.imap.retry import RetryTimes, Waits
from bridge.intake.imap.sync import FIRST_WINDOW
from bridge.ledger.state import ItemState
from bridge.testing.handover import FakeHandover
from bridge.testing.mail_server import MailServer
from tests.dovecot import Dovecot
from tests.integration.imap.conftest import watching
from tests.integration.imap.hostile import HostileServer, hostile
from tests.wait import until
from tests.whole import MAILS, bridge, config_of, items, mail, mailbox, mails_watched, totals

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pymap")

MORE_THAN_A_WINDOW = FIRST_WINDOW + 4
"""Mails that are listed before they are fetched."""
LONG_AGO = datetime.now(UTC) - timedelta(days=200)
QUICK = Waits(0.01, 0.01)
OFTEN = RetryTimes(outage=QUICK, configuration=QUICK, busy=QUICK, survival=60.0)
"""Waits that show what piles up, by trying often."""


def watched(server: HostileServer, **settings: Any) -> Mailbox:
    plain = {"security": "none", "poll": 60, "timeout": 2, "start": "all", "username": "m", "password": "p"}
    return Mailbox(name="m", host="127.0.0.1", port=server.port, **{**plain, **settings})


@pytest.mark.dovecot
async def test_mail_that_people_read_first_is_posted(
    tmp_path: Path, acd: Simulator, shared_dovecot: Dovecot
) -> None:
    """A mail that was read while the bridge was down is posted as every other: flags are no input."""
    config = config_of(tmp_path, acd, mailboxes=[mailbox("readers", shared_dovecot.port)])
    async with bridge(config):
        await until(lambda: mails_watched(config))
    with shared_dovecot.client("readers") as person:
        for number in range(MORE_THAN_A_WINDOW):
            flags = r"(\Seen \Answered)" if number % 2 else ""
            person.append("INBOX", flags, "", mail(number, sender=f"c{number}@example.org"))
    async with bridge(config):
        await until(lambda: totals(config)["created"] == MORE_THAN_A_WINDOW)
    assert len(acd.events) == MORE_THAN_A_WINDOW


async def test_one_message_id_on_two_mails_is_two_events(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """A sender who gives each mail the same Message-ID loses none of them."""
    config = config_of(tmp_path, acd, mailboxes=[mailbox("support", mails.port)])
    async with bridge(config):
        await until(lambda: mails_watched(config))
        for subject in ("Parcel 1", "Parcel 2"):
            await mails.deliver("support", mail("always-the-same", subject=subject))
        await until(lambda: totals(config)["created"] == 2)
    assert {event["Subject"] for event in acd.events} == {"Parcel 1", "Parcel 2"}


async def test_one_mail_in_two_mailboxes_is_an_event_for_each(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """No team loses a mail since another team got it too; a restart makes no third event."""
    boxes = [mailbox("support", mails.port), mailbox("sales", mails.port)]
    config = config_of(tmp_path, acd, mailboxes=boxes)
    async with bridge(config):
        await until(lambda: mails_watched(config))
        for user in ("support", "sales"):
            await mails.deliver(user, mail("to-both"))
        await until(lambda: totals(config)["created"] == 2)
    async with bridge(config) as app:
        await until(lambda: all(one["connected"] for one in _folders(app.parts.mailboxes)))
    assert sorted(item.source for item in items(config)) == ["sales", "support"]
    assert len(acd.events) == 2


JUNK = {"name": "junk", "when": "folder == 'Junk'", "drop": True}


@pytest.mark.dovecot
@pytest.mark.parametrize("dropped", [False, True], ids=["junk-is-posted", "junk-is-dropped"])
async def test_a_mail_that_is_rescued_is_one_event(
    tmp_path: Path, acd: Simulator, shared_dovecot: Dovecot, *, dropped: bool
) -> None:
    """Where junk is posted, a mail that is moved out of it makes no second event; where it is dropped, it makes one."""
    user = f"rescuer-{dropped}"
    shared_dovecot.make_folder(user, "Junk")
    box = mailbox(user, shared_dovecot.port, folders=["INBOX", "Junk"], one_event_for="mailbox")
    config = config_of(tmp_path, acd, mailboxes=[box], routes=[JUNK, MAILS] if dropped else [MAILS])
    async with bridge(config) as app:
        await until(lambda: mails_watched(config))
        shared_dovecot.append(user, mail("rescued"), "Junk")
        await until(lambda: len(items(config)) == 1 and not totals(config)["pending"])
        with shared_dovecot.client(user) as person:
            person.select("Junk")
            person.uid("MOVE", "1", "INBOX")
        await until(lambda: len(items(config)) == 2 and totals(config)["created"] == 1)
        assert app.parts.mailboxes[0].status()["folders"][0]["connected"]
    in_junk, in_inbox = items(config)
    assert [event["Subject"] for event in acd.events] == ["Mail rescued"]
    assert (in_junk.state, in_inbox.state) == (
        ("filtered", "created") if dropped else ("created", "duplicate")
    )
    assert dropped or in_inbox.reason == "same-letter"


async def test_one_mail_in_two_mailboxes_is_one_event_where_that_is_asked(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """Each copy's way differs; both are accounted for, and one event is posted."""
    boxes = [mailbox(name, mails.port, one_event_for="everywhere") for name in ("support", "sales")]
    config = config_of(tmp_path, acd, mailboxes=boxes)
    async with bridge(config):
        await until(lambda: mails_watched(config))
        for user in ("support", "sales"):
            await mails.deliver(user, f"Delivered-To: {user}@example.net\r\n".encode() + mail("to-both"))
        await until(lambda: len(items(config)) == 2 and totals(config)["created"] == 1)
    assert sorted(item.state for item in items(config)) == ["created", "duplicate"]
    assert len(acd.events) == 1


def _folders(mailboxes: Any) -> list[dict[str, Any]]:
    return [folder for one in mailboxes for folder in one.status()["folders"]]


async def test_an_old_mail_that_is_moved_in_is_posted(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """Mail that somebody rescues from the junk folder has an old date and a new UID; the UID decides."""
    await mails.deliver("support", mail("before"))
    config = config_of(tmp_path, acd, mailboxes=[mailbox("support", mails.port)])
    async with bridge(config):
        await until(lambda: mails_watched(config))
        await mails.deliver("support", mail("rescued"), received_at=LONG_AGO)
        await until(lambda: totals(config)["created"] == 1)
    assert [event["Subject"] for event in acd.events] == ["Mail rescued"]


async def test_what_the_acd_forgot_is_not_posted_again(
    tmp_path: Path, acd: Simulator, mails: MailServer
) -> None:
    """The state file alone says what was delivered: events that were deleted in the ACD do not come back."""
    for number in range(3):
        await mails.deliver("support", mail(number))
    config = config_of(tmp_path, acd, mailboxes=[mailbox("support", mails.port, start="all")])
    async with bridge(config):
        await until(lambda: totals(config)["created"] == 3)
    acd.store.clear()
    async with bridge(config):
        await mails.deliver("support", mail("new"))
        await until(lambda: totals(config)["created"] == 4)
    assert [event["Subject"] for event in acd.events] == ["Mail new"]
    assert {item.state for item in items(config)} == {ItemState.CREATED}


async def test_connections_do_not_pile_up() -> None:
    """However often a connection breaks, the old one is closed before the next one is opened."""
    most = 0

    def refuse(_: bytes) -> bytes:
        nonlocal most
        most = max(most, sum(not one.is_closing() for one in server._writers))
        return b"TAG NO [CANNOT] not today\r\n"

    async with hostile(uids=[1], uidnext=2) as server:
        server.override["EXAMINE"] = refuse
        async with watching(watched(server), times=OFTEN):
            await until(lambda: server.sign_ins >= 20)
    assert most == 1


async def test_mails_are_only_named_by_uid_and_nothing_is_marked() -> None:
    """Over first start, long gaps, texts and new mail: UID commands, PEEK, no `*`, no UID 0."""
    known = FakeHandover(wants_text_of=lambda _: True)
    async with hostile(uids=[1, 2, 3, 40_000], uidnext=40_001) as server, watching(watched(server), known):
        await until(lambda: len(known.accepted) == 4)
        server.arrive(40_001)
        server.push(b"* 5 EXISTS")
        await until(lambda: len(known.accepted) == 5)
    asked = [one for one in server.commands if re.search(r"\b(FETCH|SEARCH|STORE|COPY|MOVE|EXPUNGE)\b", one)]
    assert any("SEARCH" in one for one in asked)
    assert any("BODYSTRUCTURE" in one for one in asked)
    for command in asked:
        assert command.startswith(("UID FETCH ", "UID SEARCH ")), command
        assert "*" not in command, command
        assert not re.search(r"(?<![\d.<])0(?=[:, ])", command), command
        assert "CHARSET" not in command, command
        assert "BODY[" not in command, command


async def test_a_folder_without_news_is_not_fetched() -> None:
    """A look at a folder without new mail asks for no mail; asked for `n:*`, servers answer with the last one."""
    known = FakeHandover()
    async with hostile(uids=[1, 2], uidnext=3) as server, watching(watched(server), known):
        await until(lambda: len(known.accepted) == 2)
        for _ in range(3):
            looks = _number_of(server, "EXAMINE")
            await until(lambda: server.commands[-1] == "IDLE")
            server.push(b"* 2 EXISTS")
            await until(lambda looks=looks: _number_of(server, "EXAMINE") > looks)
    assert _number_of(server, "UID FETCH") == 1
    assert len(known.accepted) == 2


def _number_of(server: HostileServer, command: str) -> int:
    return sum(one.startswith(command) for one in server.commands)


async def test_a_text_that_cannot_be_had_costs_only_itself() -> None:
    """Where fetching a text is refused, the mail is handed in without it, marked, and the next one goes on."""
    known = FakeHandover(wants_text_of=lambda _: True)

    def fetch(rest: bytes) -> bytes | None:
        return b"TAG NO not this\r\n" if b"BODYSTRUCTURE" in rest else server._fetch(rest.decode().split()[2])

    async with hostile(uids=[1, 2], uidnext=3) as server:
        server.override["UID FETCH"] = fetch
        async with watching(watched(server), known):
            await until(lambda: len(known.messages) == 2)
    assert [(one.text, one.degraded) for one in known.messages] == [("", True), ("", True)]
