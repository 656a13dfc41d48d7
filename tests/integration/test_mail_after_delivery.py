"""The whole bridge: a mail becomes an event, and only then something is done with the mail."""

import imaplib
from functools import partial
from pathlib import Path

import pytest

from bridge.intake.imap import after_delivery_keeper
from bridge.ledger.mail_actions import state_of
from bridge.ledger.visit import look
from tests.dovecot import Dovecot
from tests.wait import until
from tests.whole import bridge, config_of, items, mail, mailbox, mails_watched, simulator

pytestmark = pytest.mark.dovecot


def subjects(client: imaplib.IMAP4, folder: str) -> int:
    """How many mails are in a folder."""
    _, (count,) = client.select(folder, readonly=True)
    return int(count or b"0")


async def test_a_mail_is_moved_once_its_event_is_created(
    shared_dovecot: Dovecot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the ACD refuses the bridge, the mail stays where it is; once the event is there, the mail is moved."""
    monkeypatch.setattr(after_delivery_keeper, "LOOK_EVERY_SECONDS", 0.02)
    user = "whole-after-delivery"
    shared_dovecot.make_folder(user, "Done")
    async with simulator() as acd:
        wanted = {"action": "move", "folder": "Done"}
        config = config_of(
            tmp_path, acd, mailboxes=[mailbox(user, shared_dovecot.port, after_delivery=wanted)]
        )
        wrong = config.model_copy(update={"acd": config.acd.model_copy(update={"url": "http://127.0.0.1:1"})})
        async with bridge(wrong):
            await until(partial(mails_watched, config))
            shared_dovecot.append(user, mail(1))
            await until(lambda: [one.state for one in items(config)] == ["pending"])
            with shared_dovecot.client(user) as client:
                assert (subjects(client, "INBOX"), subjects(client, "Done")) == (1, 0)
        async with bridge(config):
            await until(lambda: [one.state for one in items(config)] == ["created"])
            await until(
                lambda: (told := look(config.state.path, partial(state_of, item_id=1))) and told.ended_at
            )
        with shared_dovecot.client(user) as client:
            assert (subjects(client, "INBOX"), subjects(client, "Done")) == (0, 1)


async def test_each_copy_of_a_mail_is_moved(
    shared_dovecot: Dovecot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter that lies in two watched folders makes one event, and leaves neither mail behind."""
    monkeypatch.setattr(after_delivery_keeper, "LOOK_EVERY_SECONDS", 0.02)
    user = "whole-copies"
    for folder in ("Sales", "Done"):
        shared_dovecot.make_folder(user, folder)
    settings = {"folders": ["INBOX", "Sales"], "one_event_for": "mailbox"}
    wanted = {"action": "move", "folder": "Done"}
    async with simulator() as acd:
        box = mailbox(user, shared_dovecot.port, after_delivery=wanted, **settings)
        config = config_of(tmp_path, acd, mailboxes=[box])
        async with bridge(config):
            await until(partial(mails_watched, config))
            for folder in ("INBOX", "Sales"):
                shared_dovecot.append(user, mail(1), folder)
            with shared_dovecot.client(user) as client:
                await until(lambda: subjects(client, "Done") == 2, within=10)
                assert (subjects(client, "INBOX"), subjects(client, "Sales")) == (0, 0)
        assert sorted(one.state for one in items(config)) == ["created", "duplicate"]
        assert len(acd.events) == 1
