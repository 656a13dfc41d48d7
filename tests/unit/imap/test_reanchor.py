"""A folder that was numbered anew, vanished mails and missed ones, on a model of a folder."""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import cast

import pytest

from bridge import metrics
from bridge.config.mailbox import Mailbox
from bridge.intake.handover import Vanished
from bridge.intake.imap.connection import Connection
from bridge.intake.imap.failure import Kind, MailServerError
from bridge.intake.imap.folder_watch import FIRST_AUDIT, FolderWatch
from bridge.intake.imap.renumbered import MAX_TIMES
from bridge.intake.imap.splitter import Parts
from bridge.message import Noticed
from bridge.testing.handover import FakeHandover
from tests.unit.imap.model_folder import Mail, ModelConnection, ModelFolder

MAILBOX = Mailbox.model_validate(
    {"name": "support", "host": "mail.example.org", "username": "u", "password": "p"}
)
LATER = 4_000_000_000.0
"""After every clock of a test, so that a mail is newer than the baseline."""


class Watched:
    def __init__(self, old: int = 0) -> None:
        self.folder = ModelFolder()
        for number in range(old):
            self.folder.add(Mail.made(f"old-{number}", 1_000_000_000.0))
        self.handover = FakeHandover()
        self.clock = 1_800_000_000.0
        self.watch = FolderWatch(MAILBOX, "INBOX", self.handover, clock=lambda: self.clock)

    def deliver(self, *names: str, came: float = LATER) -> None:
        for name in names:
            self.folder.add(Mail.made(name, came))

    async def look(self) -> None:
        """On a connection of its own."""
        await self.watch.look(cast("Connection", ModelConnection(self.folder)))

    async def renumbered(self) -> None:
        """Number the folder anew, and look until that is believed."""
        self.folder.renumber(Random(1))
        with pytest.raises(MailServerError) as caught:
            await self.look()
        assert caught.value.kind is Kind.UIDVALIDITY_CHANGED
        await self.look()

    def states(self) -> list[str]:
        return [receipt.state for receipt in self.handover.receipts if receipt.new]


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.intake.imap.renumbered.MAX_UNKNOWN", 2)


async def test_one_connection_is_not_believed() -> None:
    """The same connection may say it as often as it likes; where the next one says the old number, all is well."""
    watched = Watched()
    watched.deliver("a")
    await watched.look()
    connection = cast("Connection", ModelConnection(watched.folder))
    watched.folder.uidvalidity = 2
    for _ in range(3):
        with pytest.raises(MailServerError, match="UIDVALIDITY"):
            await watched.watch.look(connection)
    watched.folder.uidvalidity = 1
    watched.deliver("b")
    await watched.look()
    assert watched.handover.subjects() == ["b"]
    assert watched.handover.cursors["support", "INBOX"].uidvalidity == 1


async def test_known_new_and_old_mail() -> None:
    """The known one makes no second item, the one that came meanwhile is posted, the old ones are left alone."""
    watched = Watched(old=3)
    await watched.look()
    watched.deliver("known")
    await watched.look()
    watched.deliver("new")
    await watched.renumbered()
    assert sorted(watched.handover.subjects()) == ["known", "new"]
    cursor = watched.handover.cursors["support", "INBOX"]
    assert (cursor.uidvalidity, cursor.last_uid) == (2, 5)
    watched.deliver("after")
    await watched.look()
    assert sorted(watched.handover.subjects()) == ["after", "known", "new"]
    assert Counter(watched.handover.noticed) == {Noticed.LOOK: 2, Noticed.RENUMBERING: 3}


@pytest.mark.parametrize("came", [1, 2, 3, 4, 5])
async def test_a_server_restored_from_a_backup(came: int) -> None:
    """UIDNEXT went back under the same UIDVALIDITY: what came since is posted once, however many it is by now, and what
    was read before makes no second event.
    """
    watched = Watched(old=2)
    await watched.look()
    watched.deliver("a", "b", "c", "d")
    await watched.look()
    watched.folder.restore(5)
    new = [f"new-{number}" for number in range(came)]
    watched.deliver(*new)
    with pytest.raises(MailServerError, match="a second time") as caught:
        await watched.look()
    assert caught.value.kind is Kind.UIDVALIDITY_CHANGED
    await watched.look()
    assert watched.handover.subjects() == ["a", "b", "c", "d", *new]
    watched.deliver("after")
    await watched.look()
    await watched.look()
    assert watched.handover.subjects() == ["a", "b", "c", "d", *new, "after"]


async def test_a_mail_that_other_words_are_told_of_for_ever() -> None:
    """A folder is not gone through again and again for the same evidence, once all of it is known."""
    watched = Watched()
    await watched.look()
    watched.deliver("a", "b")
    await watched.look()
    other = Mail.made("b", LATER)
    watched.folder.mails[2] = Mail(other.header.replace(b"<b@", b"<x@"), LATER)
    with pytest.raises(MailServerError, match="a second time"):
        await watched.look()
    for _ in range(3):
        await watched.look()
    assert watched.handover.subjects() == ["a", "b", "b"]


async def test_uids_are_compared_once_a_connection() -> None:
    """What costs a command is asked when a connection is new, and not by the next one where it broke the last."""
    watched = Watched()
    watched.deliver("a")
    await watched.look()
    watched.deliver("b")
    await watched.look()
    asked: list[str] = []

    class Counting(ModelConnection):
        async def fetch(self, uids: Sequence[int], items: str, take: Callable[[Parts], None]) -> None:
            asked.append(items)
            if breaking:
                raise MailServerError(Kind.LOST, "gone")
            await super().fetch(uids, items, take)

    breaking = True
    with pytest.raises(MailServerError, match="gone"):
        await watched.watch.look(cast("Connection", Counting(watched.folder)))
    await watched.watch.look(cast("Connection", Counting(watched.folder)))
    assert len(asked) == 1
    breaking = False
    connection = cast("Connection", Counting(watched.folder))
    for _ in range(3):
        await watched.watch.look(connection)
    assert len(asked) == 2


async def test_too_many_unknown_mails_are_held() -> None:
    """One more than the limit, and all of them wait for an operator; what comes later is posted again."""
    watched = Watched()
    await watched.look()
    watched.deliver("a", "b", "c")
    await watched.renumbered()
    assert watched.states() == ["held"] * 3
    watched.deliver("d")
    await watched.look()
    assert watched.states() == ["held"] * 3 + ["pending"]


async def test_an_interrupted_hold_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was held before a crash counts: the rest of a flood is not posted because it is smaller."""
    watched = Watched()
    await watched.look()
    watched.deliver("a", "b", "c", "d")
    calls = 0

    async def break_at_the_third() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise MailServerError(Kind.LOST, "gone")

    monkeypatch.setattr("bridge.intake.imap.reanchor.MAX_WINDOW", 1)
    watched.handover.before_accept = break_at_the_third
    watched.folder.renumber(Random(1))
    for _ in range(2):
        with pytest.raises(MailServerError):
            await watched.look()
    await watched.look()
    assert watched.states() == ["held"] * 4


async def test_a_server_that_does_it_all_the_time_is_left_alone() -> None:
    """After so many renumberings within an hour no more is read; an hour later it is."""
    watched = Watched()
    await watched.look()
    for _ in range(MAX_TIMES):
        await watched.renumbered()
    watched.deliver("a")
    watched.folder.renumber(Random(1))
    for _ in range(3):
        with pytest.raises(MailServerError, match=r"again and again|had UIDVALIDITY"):
            await watched.look()
    watched.clock += 3600
    await watched.look()
    assert watched.handover.subjects() == ["a"]


async def test_a_listed_mail_that_is_gone_has_vanished() -> None:
    """It is accounted for by its place, and the mails around it are taken."""
    watched = Watched()
    await watched.look()
    watched.deliver("a")
    watched.folder.add(Mail.made("b", LATER), gap=40)
    watched.folder.vanish.add(1)
    await watched.look()
    (gone, taken) = watched.handover.accepted
    assert isinstance(gone, Vanished)
    assert gone.place == "INBOX/1/1"
    assert taken.place == "INBOX/1/42"
    assert await watched.handover.states_of("support", "INBOX", 1, [1, 42]) == {1: "vanished", 42: "pending"}


async def test_a_mail_that_is_back_has_not_vanished(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mail that was not told twice and is there nevertheless is found by the audit, and posted."""
    monkeypatch.setattr("bridge.intake.imap.folder_watch.FIRST_AUDIT", 0.0)
    monkeypatch.setattr("bridge.intake.imap.folder_watch.AUDIT_EVERY", 0.0)
    monkeypatch.setattr("bridge.intake.imap.sync.FIRST_WINDOW", 1)
    watched = Watched()
    await watched.look()
    watched.deliver(*(f"mail-{number}" for number in range(40)))
    hidden = watched.folder.mails[7]
    watched.folder.vanish = {7}
    await watched.look()
    assert "vanished" in watched.states()
    watched.folder.mails[7] = hidden
    await watched.look()
    assert "mail-6" in watched.handover.subjects()
    await watched.look()
    assert watched.watch.report.as_dict()["unaccounted"] == 0


async def test_an_audit_that_fails_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs one connection; the folder is watched on the next ones, and audited again after a while."""
    now = 0.0
    monkeypatch.setattr("bridge.intake.imap.folder_watch.time.monotonic", lambda: now)
    watched = Watched()
    watched.deliver("old")
    await watched.look()
    watched.deliver("mail")
    await watched.look()
    monkeypatch.setattr(ModelConnection, "search", _refuse)
    for _ in range(2):
        now += FIRST_AUDIT
        with pytest.raises(MailServerError, match="not today"):
            await watched.look()
        await watched.look()


async def _refuse(*_: object) -> None:
    raise MailServerError(Kind.REFUSED, "not today")


async def test_a_missed_mail_is_found_by_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told by log and metric, taken in at once, and the next audit finds nothing."""
    monkeypatch.setattr("bridge.intake.imap.folder_watch.FIRST_AUDIT", 0.0)
    monkeypatch.setattr("bridge.intake.imap.folder_watch.AUDIT_EVERY", 0.0)
    watched = Watched()
    await watched.look()
    watched.folder.mails[watched.folder.uidnext] = Mail.made("missed", LATER)
    watched.folder.uidnext += 1
    cursor = watched.handover.cursors["support", "INBOX"]
    watched.handover.cursors["support", "INBOX"] = type(cursor)(
        source="support", folder="INBOX", uidvalidity=1, baseline=1, last_uid=1
    )
    await watched.look()
    gauge = metrics.IMAP_UNACCOUNTED.labels(mailbox="support", folder="INBOX")
    assert gauge._value.get() == 1
    assert watched.handover.subjects() == ["missed"]
    assert watched.handover.noticed == [Noticed.AUDIT]
    await watched.look()
    assert gauge._value.get() == 0
    assert watched.watch.report.as_dict()["unaccounted"] == 0
