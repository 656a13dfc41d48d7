"""The whole bridge: a mail becomes an event, and only then something is done with the mail."""

import imaplib
from functools import partial
from pathlib import Path

import pytest

from bridge.config.model import Config
from bridge.intake.imap import after_delivery_keeper
from bridge.ledger.mail_actions import ActionState, state_of
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


async def test_a_mail_server_restored_from_a_backup(
    dovecot: Dovecot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The UIDs of mails that are still to be delivered mean others afterwards: each mail has one event, those that are
    there are moved once theirs is there, and nobody is moved for those that are lost.
    """
    monkeypatch.setattr(after_delivery_keeper, "LOOK_EVERY_SECONDS", 0.02)
    dovecot.make_folder("anna", "Done")
    async with simulator() as acd:
        wanted = {"action": "move", "folder": "Done"}
        config = config_of(tmp_path, acd, mailboxes=[mailbox("anna", dovecot.port, after_delivery=wanted)])
        wrong = config.model_copy(update={"acd": config.acd.model_copy(update={"url": "http://127.0.0.1:1"})})
        async with bridge(wrong):
            await until(partial(mails_watched, config))
            dovecot.append("anna", mail(1))
            await until(lambda: len(items(config)) == 1)
        dovecot.stop()
        copy = dovecot.back_up("anna")
        dovecot.start()
        async with bridge(wrong):
            for number in (2, 3):
                dovecot.append("anna", mail(number))
            await until(lambda: len(items(config)) == 3)
        dovecot.stop()
        dovecot.restore("anna", copy)
        dovecot.start()
        for number in (4, 5, 6):
            dovecot.append("anna", mail(number))
        async with bridge(config):
            await until(lambda: [one.state for one in items(config)] == ["created"] * 6, within=15)
            await until(lambda: len(ended(config)) == 6)
            assert [one.outcome for one in ended(config)] == [
                "done",
                "vanished",
                "vanished",
                "done",
                "done",
                "done",
            ]
        with dovecot.client("anna") as client:
            assert (subjects(client, "INBOX"), subjects(client, "Done")) == (0, 4)
        assert len(acd.events) == 6


def ended(config: Config) -> list[ActionState]:
    """How the actions ended, in the order of their items."""
    found = (look(config.state.path, partial(state_of, item_id=item)) for item in range(1, 7))
    return [one for one in found if one is not None and one.ended_at is not None]
